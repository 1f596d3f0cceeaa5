"""Find the runs whose artifacts a stage may use: by key, never by newest."""

from pathlib import Path
from typing import Any

from radgpt import manifest, stages
from radgpt.artifacts import digest
from radgpt.config import Config
from radgpt.errors import UserError
from radgpt.external import external_file
from radgpt.keys import key
from radgpt.manifest import Manifest

Reads = dict[str, dict[str, Any]]
"""Artifact name to its `path`, `sha256` and the id of the `run` that made it (None for a file of the user's)."""


class Lookup:
    """What stands under `outputs` for one config; each question is answered once."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._done: dict[str, tuple[Path, Manifest] | None] = {}
        self._reads: dict[str, Reads] = {}

    def reads(self, name: str) -> Reads:
        """The artifacts that a stage reads; raises UserError naming the stage that makes a missing one."""
        if name not in self._reads:
            self._reads[name] = {artifact: self.artifact(artifact, name) for artifact in stages.reads(name, self._config)}
        return self._reads[name]

    def done(self, name: str) -> tuple[Path, Manifest] | None:
        """The newest finished run with the stage's key that read just these files and whose artifacts still stand."""
        if name not in self._done:
            self._done[name] = next(
                (
                    (directory, found)
                    for directory, found in self._same_work(name)
                    if found.status == "done" and all((directory / written["path"]).exists() for written in found.writes.values())
                ),
                None,
            )
        return self._done[name]

    def unfinished(self, name: str) -> Path | None:
        """The folder of the newest run of the same work that was killed, interrupted or failed: what it had done is kept."""
        return next((directory for directory, found in self._same_work(name) if found.status != "done"), None)

    def begun_by_force(self, name: str) -> Path | None:
        """The folder of the newest run of the same work, if `force=true` began it and it did not end."""
        for directory, found in self._same_work(name)[:1]:
            if found.status != "done" and any(word.lstrip("+").startswith("force=") for word in found.argv):
                return directory
        return None

    def _same_work(self, name: str) -> list[tuple[Path, Manifest]]:
        """Runs with the stage's key that read the same bytes: a forced rerun upstream makes what follows stale though keys agree."""
        stage_key, digests = key(self._config, name), {artifact: read["sha256"] for artifact, read in self.reads(name).items()}
        return [
            (directory, found)
            for directory, found in manifest.runs(Path(self._config.outputs), name)
            if found.key == stage_key and {artifact: read["sha256"] for artifact, read in found.reads.items()} == digests
        ]

    def artifact(self, artifact: str, reader: str) -> dict[str, Any]:
        """`inputs.<artifact>` where set, else what the producing stage left under its key; raises UserError as `reads` does."""
        if own := getattr(self._config.inputs, artifact):
            external_file(f"inputs.{artifact}", own)
            place = Path(own).expanduser().resolve()
            refuse_other_kind(artifact, own, place)
            return {"path": str(place), "sha256": digest(place), "run": None}
        maker = stages.producer(artifact)
        found = self.done(maker)
        if found is None:
            raise UserError(
                f"stage={reader} reads {artifact}, which stage={maker} makes, and there is none for these settings: "
                f"run stage={maker} (or stage=pipeline) with the same settings first"
            )
        directory, previous = found
        written = previous.writes[artifact]
        return {"path": str((directory / written["path"]).resolve()), "sha256": written["sha256"], "run": previous.id}


def refuse_other_kind(artifact: str, own: str, place: Path) -> None:
    """Raise UserError where a file is given for a folder, or a folder for a file."""
    written = stages.load(stages.producer(artifact)).writes[artifact]
    wants_folder = not Path(written).suffix
    if place.is_dir() != wants_folder:
        given, wanted = ("a folder", "a file") if place.is_dir() else ("a file", "a folder")
        raise UserError(f"inputs.{artifact}={own} is {given}, and {wanted} such as {written} is wanted there")
