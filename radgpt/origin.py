"""Say in a checkpoint's folder what was trained, and on what, and refuse another base for it."""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from radgpt import artifacts
from radgpt.config import Method, Model, ModelSource, Quantization
from radgpt.errors import UserError

ORIGIN_FILE = "radgpt.json"
"""The file of a checkpoint folder that says what was trained."""

TINY_BASE = "base"
"""Subfolder of a checkpoint with the base that `model=tiny` made on the spot, or with what the user puts there."""


@dataclass(frozen=True)
class Origin:
    """What a checkpoint folder was made of."""

    method: str
    """A name of config.Method."""
    source: str
    """A name of config.ModelSource."""
    name_or_path: str
    revision: str | None
    quantization: str = Quantization.none.name
    """A name of config.Quantization: what the base was held in."""
    base_places: tuple[str, ...] = ()
    """Of an adapter on weights that an earlier training left: their folder, relative to the checkpoint and absolute."""
    base_sha256: str | None = None
    """Digest of that folder."""

    @classmethod
    def of(cls, model: Model, method: Method, quantization: Quantization = Quantization.none) -> "Origin":
        """The origin of what these settings train, on the base model itself."""
        return cls(method.name, model.source.name, model.name_or_path, model.revision, quantization.name)

    def on(self, base: Path, checkpoint: Path) -> "Origin":
        """The same, of an adapter that stands on the weights in a folder instead; `checkpoint` is where the adapter will be."""
        relative = os.path.relpath(base.resolve(), checkpoint.resolve())
        return replace(self, base_places=(relative, str(base.resolve())), base_sha256=artifacts.digest(base))

    def write(self, checkpoint: Path) -> None:
        """Leave the record in a checkpoint folder."""
        artifacts.write_text(checkpoint / ORIGIN_FILE, json.dumps(asdict(self), indent=2) + "\n")

    @classmethod
    def read(cls, checkpoint: Path, setting: str = "inputs.checkpoint") -> "Origin":
        """Read it back; raises UserError, naming the setting that gave the folder, where it holds none."""
        try:
            told = json.loads((checkpoint / ORIGIN_FILE).read_text(encoding="utf-8"))
            return cls(**told | {"base_places": tuple(told.get("base_places", ()))})
        except (OSError, ValueError, TypeError, AttributeError):
            raise UserError(
                f"{setting}={checkpoint} is no checkpoint of stage=finetune or stage=pretrain: no readable {ORIGIN_FILE} in it"
            ) from None


def refuse_other_base(origin: Origin, model: Model, checkpoint: Path, setting: str = "inputs.checkpoint") -> None:
    """Raise UserError unless the checkpoint's base is the config's; a copy in a folder named as the model counts as the model."""
    same_name = Path(origin.name_or_path).name == Path(model.name_or_path).name
    same_revision = origin.revision == model.revision or None in (origin.revision, model.revision)
    if origin.source == ModelSource.tiny.name == model.source.name or (same_name and same_revision):
        return
    trained_on = origin.name_or_path + (f" at revision {origin.revision}" if origin.revision else "")
    raise UserError(
        f"model.name_or_path={model.name_or_path}{f' model.revision={model.revision}' if model.revision else ''}: the checkpoint "
        f"{checkpoint} was trained on {trained_on}; choose that model, or another checkpoint with {setting}=FOLDER"
    )
