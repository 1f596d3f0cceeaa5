"""Open the models that a configuration names, when they are first asked for; those on an equal base share its weights."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from threading import RLock
from typing import Any

from radgpt import artifacts
from radgpt.config import Governance, Method, Model, ModelSource, Quantization
from radgpt.errors import UserError, settings_of
from radgpt.inference.backend import Backend, NamedModel
from radgpt.inference.local.in_process import InProcess
from radgpt.inference.local.network import Network
from radgpt.models import add_adapter, base_of, best_device, load_base, load_tokenizer, number_format, prepare_base
from radgpt.origin import TINY_BASE, Origin, refuse_other_base


@dataclass(frozen=True)
class Weights:
    """What a named model takes to be loaded."""

    base: str
    """What `from_pretrained` takes."""
    tokenizer: str
    """Where the tokenizer stands."""
    adapter: Path | None
    """A LoRA adapter on the base."""
    quantization: Quantization
    same: tuple[str, ...]
    """Equal for models whose base is the same network in memory."""


def weights_of(named: NamedModel, cache: Path) -> Weights:
    """Find the weights of a model in this process.

    Raises:
        UserError: the checkpoint is none, was trained on another base, or the base cannot be had.
    """
    model, checkpoint = named.model, named.checkpoint
    quantization = named.backend.quantization
    if checkpoint is None:
        if model.source is ModelSource.tiny:
            raise UserError(
                "model=tiny is made by stage=finetune and is nowhere published: give a checkpoint with inputs.checkpoint=FOLDER"
            )
        base = tokenizer = prepare_base(model, cache)
        adapter = None
    else:
        origin = Origin.read(checkpoint)
        refuse_other_base(origin, model, checkpoint)
        base = base_of(checkpoint, origin, model, cache)
        tokenizer = base if origin.method == Method.none.name else str(checkpoint)
        adapter = checkpoint if origin.method == Method.lora.name else None
        if origin.quantization != Quantization.none.name:
            quantization = Quantization[origin.quantization]
    # Each checkpoint of model=tiny has a copy of its base.
    identity = artifacts.digest(Path(base)) if model.source is ModelSource.tiny and Path(base).name == TINY_BASE else base
    settings = (model.revision, model.dtype.name, model.attn_implementation, quantization.name)
    return Weights(base, tokenizer, adapter, quantization, (identity, *map(str, settings)))


@dataclass
class Models:
    """Named models, each opened when it is first asked for."""

    named: dict[str, NamedModel]
    cache: Path
    """Folder for converted models."""
    batch_size: int
    remote: Callable[[NamedModel], Backend]
    """Gives the backend of a model behind an endpoint."""
    _weights: dict[str, Weights] = field(default_factory=dict)
    _networks: dict[tuple[str, ...], Network] = field(default_factory=dict)
    """By `Weights.same`: networks that adapters can be added to."""
    _open: dict[str, Backend] = field(default_factory=dict)
    _guard: RLock = field(default_factory=RLock)
    """Held while a model is loaded or named."""

    @property
    def names(self) -> list[str]:
        """All of them, the configuration's own first."""
        return list(self.named)

    def open(self, name: str) -> Backend:
        """The model of this name, loaded at the first call.

        Raises:
            UserError: there is none of this name, or it cannot be loaded.
        """
        if name not in self.named:
            raise UserError(f"{name} is no model here; there are {', '.join(self.named)}")
        with self._guard:
            if name not in self._open:
                named = self.named[name]
                self._open[name] = self._in_process(named) if named.backend.in_process else self.remote(named)
            return self._open[name]

    def add_adapter(self, name: str, folder: Path) -> str:
        """Name a further model: the LoRA adapter (or whatever a finetune left) in a folder, on the base of a model that is there.

        Returns:
            The new model's name: that of the folder, with a number behind it if that is taken.

        Raises:
            UserError: that model is behind an endpoint, or the folder holds no checkpoint on its base.
        """
        base = self.named[name]
        if not base.backend.in_process:
            raise UserError(f"{name} is a model behind an endpoint, where no adapter can be loaded")
        folder = folder.expanduser()
        refuse_other_base(Origin.read(folder, "adapter"), base.model, folder, "adapter")
        with self._guard:
            plain = folder.resolve().name
            numbered = (f"{plain}-{number}" for number in count(2))
            new = plain if plain not in self.named else next(one for one in numbered if one not in self.named)
            added = replace(base, name=new, checkpoint=folder)
            self._weights_of(added)
            self.named[new] = added
        return new

    def close(self) -> None:
        """Close all that is open."""
        for backend in self._open.values():
            backend.close()
        self._open.clear()
        self._networks.clear()

    def _weights_of(self, named: NamedModel) -> Weights:
        if named.name not in self._weights:
            with settings_of("backend", written="tuning"):
                self._weights[named.name] = weights_of(named, self.cache)
        return self._weights[named.name]

    def _in_process(self, named: NamedModel) -> Backend:
        """Load a model, or put it on a network that is there."""
        weights = self._weights_of(named)
        # What others take is not looked for: it may have to be fetched, or be gone, and they are not asked yet.
        alone = not any(other.model == named.model and other.backend.in_process for other in self.named.values() if other is not named)
        network, adapter = self._placed(named.model, weights, alone)
        tokenizer = load_tokenizer(named.model, weights.tokenizer)
        return InProcess(
            named.name,
            network,
            tokenizer,
            adapter=adapter,
            batch_size=self.batch_size,
            kept_conversations=named.backend.kept_conversations,
        )

    def _placed(self, model: Model, weights: Weights, alone: bool) -> tuple[Network, str | None]:
        """The network of a model, and its adapter's name there."""
        network = self._networks.get(weights.same)
        if network is None:
            with settings_of("backend", written="tuning"):
                loaded: Any = load_base(model, weights.base, number_format(model), weights.quantization)
            merged = weights.adapter if alone and mergeable(model, weights) else None
            if merged is not None:
                loaded = add_adapter(loaded, merged, merge=True)
            if weights.quantization is Quantization.none:
                loaded.to(best_device())
            network = Network(loaded.eval())
            if merged is not None:
                return network, None
            self._networks[weights.same] = network
        if weights.adapter is None:
            return network, None
        refuse_dora_of(weights.adapter, weights.quantization)
        name = f"adapter{len(self._open)}"
        network.add_adapter(weights.adapter, name)
        return network, name


def mergeable(model: Model, weights: Weights) -> bool:
    """Whether an adapter can be added to the weights themselves without being rounded away, which answers a little faster."""
    import torch

    return number_format(model) is torch.float32 and weights.quantization is Quantization.none


def refuse_dora_of(adapter: Path, quantization: Quantization) -> None:
    """Raise UserError for an adapter that cannot stand on such a base here."""
    from radgpt.quantization import refuse_dora

    told = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    refuse_dora(quantization, told.get("use_dora", False))


@contextmanager
def open_models(
    named: Mapping[str, NamedModel],
    *,
    cache: Path,
    governance: Governance | None = None,
    attestation: str | None = None,
    batch_size: int = 16,
    earlier: Sequence[Path] = (),
    dry_run: bool = False,
) -> Iterator[Models]:
    """Give the named models; close those that were opened at the end.

    Args:
        named: such as `Run.models`; those that share a base are held with adapters beside it, one alone with its adapter merged.
        cache: folder for converted models.
        governance: the class of the reports that models behind endpoints would see.
        attestation: `governance.attestation`, which may allow it.
        batch_size: prompts of a file that a model in this process decodes together.
        earlier: folders of other runs, such as `Run.earlier`, in whose journals models behind endpoints look for answers first.
        dry_run: let models behind endpoints count what they would be asked, and send nothing.
    """

    def remote(model: NamedModel) -> Backend:
        from radgpt.inference.endpoint.remote import RemoteBackend

        return RemoteBackend(model, governance, attestation, earlier=earlier, dry_run=dry_run)

    models = Models(dict(named), cache, batch_size, remote)
    try:
        yield models
    finally:
        models.close()
