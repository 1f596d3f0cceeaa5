"""Find where training starts: at the base model, or at what an earlier training left."""

from dataclasses import dataclass
from pathlib import Path

from radgpt.config import Method, Model, ModelSource, Tuning, refuse
from radgpt.models import base_of, prepare_base
from radgpt.origin import TINY_BASE, Origin, refuse_other_base
from radgpt.run import Run


@dataclass(frozen=True)
class Start:
    """What is loaded before the first step."""

    base: str
    """What `from_pretrained` takes for the weights."""
    tokenizer: str
    """The same, for the tokenizer."""
    adapter: Path | None = None
    """Folder of the adapter that training goes on with."""
    earlier_weights: Path | None = None
    """`base`, where those are no base model's but what an earlier training left."""


def start_of(run: Run, model: Model, tuning: Tuning, pretrained: Path | None = None) -> Start:
    """Where a run of these settings starts: at `pretrained`, else at `tuning.init_from`, else at the base model.

    Of an earlier full training the weights are the base. An earlier adapter is gone on with, on the base that it stands on.

    Raises:
        UserError: the earlier checkpoint is none, is of another base, or cannot be gone on with by `tuning.method`.
    """
    if pretrained is None and tuning.init_from is None:
        base = str(run.directory / TINY_BASE) if model.source is ModelSource.tiny else prepare_base(model, run.cache)
        return Start(base, tokenizer=base)
    setting = "tuning.init_from" if pretrained is None else "inputs.pretrained"
    folder = Path(tuning.init_from or "").expanduser() if pretrained is None else pretrained
    origin = Origin.read(folder, setting)
    refuse_other_base(origin, model, folder, setting)
    refuse(origin.method == Method.none.name, f"{setting}={folder} was made by tuning=none and holds no weights; leave it out")
    if origin.method == Method.full.name:
        return Start(str(folder), tokenizer=str(folder), earlier_weights=folder)
    refuse(
        tuning.method is Method.full,
        f"tuning=full cannot start from the adapter {setting}={folder}; choose tuning=lora, or let stage=export merge the adapter first "
        "and set model.name_or_path to what it made",
    )
    base = base_of(folder, origin, model, run.cache, verify=run.rank == 0)
    return Start(base, tokenizer=str(folder), adapter=folder, earlier_weights=Path(base) if origin.base_places else None)
