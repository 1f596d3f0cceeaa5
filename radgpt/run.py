"""What a running stage may use: its folder, artifacts that appear whole, metrics and the console."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from radgpt import artifacts
from radgpt.config.data import Governance

if TYPE_CHECKING:
    from radgpt.inference.backend import NamedModel

ONE_WORD = re.compile(r"[\w.:+/@-]{1,100}")
"""What a text among the metrics may look like."""


class Tracker(Protocol):
    """Where metrics go: Weights & Biases, or nowhere."""

    def log(self, metrics: Mapping[str, float], step_name: str, step: float) -> None: ...

    def log_scores(self, name: str, scores: Mapping[str, Mapping[str, float | None]]) -> None: ...

    def log_texts(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[str | float | None]]) -> None: ...


class NoTracker:
    """Metrics of ranks other than 0, and of tests."""

    def log(self, metrics: Mapping[str, float], step_name: str, step: float) -> None:
        """Drop them."""

    def log_scores(self, name: str, scores: Mapping[str, Mapping[str, float | None]]) -> None:
        """Drop them."""

    def log_texts(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[str | float | None]]) -> None:
        """Drop them."""


@dataclass
class Run:
    """One run of one stage, as its function sees it (on every rank)."""

    directory: Path
    """The run's folder; whatever stands there from a killed attempt may be continued."""
    writes: Mapping[str, str]
    """The stage's WRITES: artifact name to file or folder name."""
    cache: Path = field(default_factory=lambda: Path("~/.cache/radgpt").expanduser())
    """Folder for converted models, shared by all runs."""
    tracker: Tracker = field(default_factory=NoTracker)
    earlier: tuple[Path, ...] = ()
    """Folders of other runs of the same stage, newest first, what a teacher replied in which may be used again."""
    models: "Mapping[str, NamedModel]" = field(default_factory=dict)
    """The models that the config names, its own first; only for stages that answer (those with a section `backend`)."""
    governance: Governance = Governance.credentialed
    """The class that the run must obey: the strictest of its config's and of all that it reads."""
    dry_run: bool = False
    """Whether to count what a teacher would be asked, or a training would take, and do neither."""
    shared: Path | None = None
    """Folder beside all runs for what several of them can use, such as tokens; None: there is none, and each makes its own."""
    rank: int = 0
    world_size: int = 1
    summary: dict[str, Any] = field(default_factory=dict)
    told_to_stop: bool = False
    """Whether a signal asked this process to stop when all steps of a training were taken, and it ended its work instead."""

    def path(self, name: str) -> Path:
        """Where the artifact `name` of this stage stands."""
        return self.directory / self.writes[name]

    def write(self, name: str) -> AbstractContextManager[Callable[[Any], None]]:
        """Write the JSONL artifact `name`: the context gives a function that appends one record."""
        return artifacts.write_records(self.path(name))

    def join(self, name: str) -> AbstractContextManager[Callable[[Path], None]]:
        """Write the artifact `name` from parts: the context gives a function that appends a file's bytes."""
        return artifacts.write_joined(self.path(name))

    def write_folder(self, name: str) -> AbstractContextManager[Path]:
        """Write the folder artifact `name`: the context gives the empty folder to fill."""
        return artifacts.write_folder(self.path(name))

    def log(self, metrics: Mapping[str, float], *, step_name: str, step: float) -> None:
        """Add a point to the W&B curves `metrics`, over the axis `step_name` (such as `train/step`). Numbers only."""
        self.tracker.log(metrics, step_name, step)

    def log_scores(self, name: str, scores: Mapping[str, Mapping[str, float | None]]) -> None:
        """Show scores in W&B: one table with a row for each system and a column for each metric, and a bar chart for each metric.

        Raises:
            ValueError: the name of a system or metric that is more than one word.
        """
        for word in (*scores, *(metric for of_system in scores.values() for metric in of_system)):
            if not ONE_WORD.fullmatch(word):
                raise ValueError("a name among the scores is a text of several words, which could be a report's")
        self.tracker.log_scores(name, scores)

    def log_texts(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[str | float | None]]) -> None:
        """Show a table of texts in W&B, if `wandb.text=true` says so; it is refused for credentialed runs."""
        self.tracker.log_texts(name, columns, rows)

    def summarise(self, **metrics: float | int | str | None) -> None:
        """Set headline metrics: manifest, W&B summary and the stage's last console line. None is no metric. Never report text.

        A stage with more of them than a line holds names in SHOWN those that the console tells.

        Raises:
            ValueError: a text that is more than one word, such as a name or a digest.
        """
        for name, value in metrics.items():
            if isinstance(value, str) and not ONE_WORD.fullmatch(value):
                raise ValueError(f"the metric {name} is a text of several words, which could be a report's")
        self.summary.update({name: value for name, value in metrics.items() if value is not None})

    def say(self, line: str) -> None:
        """Print a line on the console, from rank 0 only. Never report text, but for chat and the demo's sample."""
        if self.rank == 0:
            print(line, flush=True)
