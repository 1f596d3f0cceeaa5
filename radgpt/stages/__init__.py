"""The stages of the line, one module each: adding a stage is adding a module here and a file in conf/stage."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any, get_type_hints

from radgpt.config import Compare, Service
from radgpt.run import Run


@dataclass(frozen=True)
class Stage:
    """A stage module, read once: what it needs stands in its function's parameters."""

    name: str
    purpose: str
    """First line of the module's docstring."""
    function: Callable[..., None]
    writes: dict[str, str]
    """Artifact name to its file or folder in the run's folder."""
    reads: tuple[str, ...]
    """Parameters of type Path: artifacts of earlier stages."""
    optional: dict[str, str]
    """OPTIONAL: parameters of type `Path | None`, each to the setting (dotted path) that must be true for it to be read."""
    sections: dict[str, type]
    """Parameters that are a dataclass of the config."""
    settings: tuple[str, ...]
    """Other parameters: top-level settings of the same name."""
    parallel: bool
    """PARALLEL: may run on many ranks."""
    cached: bool
    """CACHED: a finished run with the same key stands for a new one."""
    source: Path
    shown: tuple[str, ...]
    """SHOWN: which of the headline metrics the console's line tells, where they are too many for one; none: all."""

    def headline(self, metrics: Mapping[str, Any]) -> str:
        """Metrics as ` | name value, …`, or nothing."""
        told = {name: metrics[name] for name in self.shown or metrics if name in metrics}
        shown = ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in told.items())
        return f" | {shown}" if shown else ""


def names() -> list[str]:
    """Names of all stages that are modules (`pipeline` runs them and is none)."""
    return [module.name for module in pkgutil.iter_modules(__path__)]


@cache
def load(name: str) -> Stage:
    """Import a stage module and read its needs off the parameters of its `run`."""
    module = importlib.import_module(f"{__name__}.{name}")
    hints = get_type_hints(module.run)
    parameters = {p: hints[p] for p in inspect.signature(module.run).parameters if hints[p] is not Run}
    return Stage(
        name=name,
        purpose=(module.__doc__ or "").splitlines()[0],
        function=module.run,
        writes=module.WRITES,
        reads=tuple(p for p, kind in parameters.items() if kind is Path),
        optional={p: module.OPTIONAL[p] for p, kind in parameters.items() if kind == Path | None},
        sections={p: kind for p, kind in parameters.items() if isinstance(kind, type) and is_dataclass(kind)},
        settings=tuple(p for p, kind in parameters.items() if kind not in (Path, Path | None) and not is_dataclass(kind)),
        parallel=getattr(module, "PARALLEL", False),
        cached=getattr(module, "CACHED", True),
        source=Path(inspect.getfile(module)),
        shown=getattr(module, "SHOWN", ()),
    )


def reads(name: str, config: Any) -> tuple[str, ...]:
    """The artifacts that a stage reads under a config."""
    stage = load(name)
    return (*stage.reads, *(artifact for artifact, setting in stage.optional.items() if attrgetter(setting)(config)))


def producer(artifact: str) -> str:
    """The stage that writes an artifact."""
    return next(name for name in names() if artifact in load(name).writes)


def section(config: Any, kind: type) -> Any:
    """The one node of a config whose type is `kind`, wherever it stands."""
    return next(node for _, node in walk_sections(config) if type(node) is kind)


def asked(stage: Stage, config: Any) -> list[Service]:
    """The sections through which a stage asks models for text under a config: a teacher, a judge, a backend that is not in this process."""
    found = [section(config, kind) for kind in stage.sections.values() if issubclass(kind, Service)]
    return [service for service in found if service.is_asked]


def section_path(config: Any, kind: type) -> str:
    """The dotted path of that node."""
    return next(path for path, node in walk_sections(config) if type(node) is kind)


def walk_sections(config: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """(dotted path, node) of every dataclass inside a config, outermost first."""
    found = []
    for name, value in vars(config).items():
        if is_dataclass(value):
            found += [(f"{prefix}{name}", value), *walk_sections(value, f"{prefix}{name}.")]
    return found


def in_order() -> list[str]:
    """All stages in the order of the line: a stage after those whose artifacts it reads or may read, comparing after predicting."""

    def depth(name: str) -> int:
        stage = load(name)
        compared = ("predictions",) if Compare in stage.sections.values() else ()
        return 1 + max((depth(producer(artifact)) for artifact in (*stage.reads, *stage.optional, *compared)), default=0)

    return sorted(names(), key=lambda name: (depth(name), name))
