"""A run's class is the strictest of its config's and of the runs that it reads from, through their manifests."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from radgpt.config import Chat, Compare, Config, Data, Governance, Model, Prediction, Tuning
from radgpt.lookup import Reads
from radgpt.manifest import FILE
from radgpt.stages import Stage

STRICTNESS = (Governance.synthetic, Governance.open, Governance.restricted, Governance.credentialed)


def inherited(
    config: Config, stage: Stage, reads: Reads, continued: Path | None = None, further: Iterable[tuple[str, Path]] = ()
) -> tuple[Config, str | None]:
    """(the config with the class that the stage must obey, the setting whose file raised it, if any did).

    Keys are taken of the config as typed: what raises the class lies in the files, whose digests they hold already.

    Args:
        further: (setting, place) of more that the stage may read.
    """
    strictest, raised_by = config.data.governance, None
    files = [*files_of(config, stage, reads), *further, *([("the run that is continued", continued)] if continued else [])]
    for setting, path in files:
        found = recorded(path)
        if found is not None and is_stricter(found, strictest):
            strictest, raised_by = found, setting
    return (replace(config, data=replace(config.data, governance=strictest)) if raised_by else config), raised_by


def files_of(config: Config, stage: Stage, reads: Reads) -> Iterator[tuple[str, Path]]:
    """(setting or artifact, place) of every file and folder that a stage may read."""
    for artifact, read in reads.items():
        own = getattr(config.inputs, artifact)
        yield (f"inputs.{artifact}", Path(own)) if own else (artifact, Path(read["path"]))
    kinds = stage.sections.values()
    typed = {
        "data.path": config.data.path if Data in kinds else None,
        "data.jpg_path": config.data.jpg_path if Data in kinds else None,
        "model.name_or_path": config.model.name_or_path if Model in kinds else None,
        "tuning.init_from": config.tuning.init_from if Tuning in kinds else None,
        "chat.report": config.chat.report if Chat in kinds else None,
        "prediction.file": config.prediction.file if Prediction in kinds else None,
        **({f"compare.predictions.{name}": file for name, file in config.compare.predictions.items()} if Compare in kinds else {}),
    }
    yield from ((setting, Path(path)) for setting, path in typed.items() if path)


def recorded(path: Path) -> Governance | None:
    """The strictest class of the runs in whose folders a file or folder stands, links followed and not; None outside of any run."""
    try:
        place = path.expanduser()
    except RuntimeError:  # the home of a user whom nobody knows
        return None
    if not place.exists():
        return None
    above = [folder for start in (place.absolute(), place.resolve()) for folder in (start, *start.parents)]
    found = [governance for folder in dict.fromkeys(above) if (governance := class_of_run(folder)) is not None]
    return max(found, key=STRICTNESS.index, default=None)


def class_of_run(folder: Path) -> Governance | None:
    """The class in a run's manifest, credentialed where it cannot be read or says none that we know; None where the folder is no run's."""
    try:
        told = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        return Governance.credentialed
    if not isinstance(told, dict) or not {"stage", "key"} <= told.keys():
        return None
    return known(told.get("governance"))


def known(name: object) -> Governance:
    """The class of that name; what is unknown is credentialed."""
    return Governance.__members__.get(str(name), Governance.credentialed)


def is_stricter(one: Governance, other: Governance) -> bool:
    """Whether `one` leaves less to do than `other`."""
    return STRICTNESS.index(one) > STRICTNESS.index(other)
