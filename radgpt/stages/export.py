"""Merge the adapter, check it, and write a folder that any software loads."""

from pathlib import Path
from typing import TYPE_CHECKING

from radgpt.artifacts import digest
from radgpt.chat_format import fitted
from radgpt.config import Decoding, Export, Governance, Method, Model
from radgpt.errors import UserError
from radgpt.export import card, gguf, provenance, serving, verification
from radgpt.export.licences import hub_name
from radgpt.governance.inheritance import class_of_run
from radgpt.models import load_tokenizer, quieten
from radgpt.origin import Origin, refuse_other_base
from radgpt.run import Run

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WRITES = {"exported": "exported", "gguf": "model.gguf"}


def run(run: Run, checkpoint: Path, dataset: Path, model: Model, export: Export, decoding: Decoding) -> None:
    """Write the trained model as plain weights with tokenizer, chat template, generation config and model card; as GGUF too if wanted.

    The folder takes its name only after plain transformers has loaded it and given the logits of the model before the merge, over
    conversations of the dataset.

    Raises:
        UserError: the checkpoint is none or has nothing trained in it, the exported model does not answer as the trained one does, or
            llama.cpp's converter is missing or fails.
    """
    origin = Origin.read(checkpoint)
    refuse_other_base(origin, model, checkpoint)
    if origin.method == Method.none.name:
        raise UserError("tuning=none: nothing was trained, so there is nothing to export; serve the base model itself")
    converter = gguf.converter_command(export) if export.gguf else None

    with run.write_folder("exported") as folder:
        weights, exported, change = write_and_check(run, folder, checkpoint, dataset, origin, model, export, decoding)
        facts = gather(run, checkpoint, dataset, origin, model, export, weights)
        (folder / "README.md").write_text(card.write(facts), encoding="utf-8")
    if converter and export.gguf:
        run.say(f"export: llama.cpp's converter writes {run.path('gguf').name}")
        gguf.convert(converter, run.path("exported"), export.gguf, run.path("gguf"), run.directory / "gguf.log")
    run.summarise(
        weights=weights,
        bytes=sum(file.stat().st_size for file in run.path("exported").glob("*.safetensors")),
        gguf_bytes=run.path("gguf").stat().st_size if converter else None,
        largest_logit=exported.largest_logit,
        largest_difference=exported.largest_difference,
        typical_difference=exported.typical_difference,
        typical_change_by_adapter=change.typical_difference if change else None,
        same_choice=exported.same_choice,
    )
    run.say(told(exported, change, export.dtype))
    if facts.scores is None:
        run.say("export: no evaluation of this checkpoint is known, so its card has none; after stage=evaluate, force=true adds it")
    run.say(serving.announcement(run.path("exported"), facts.name, run.path("gguf") if converter else None))


def write_and_check(
    run: Run, folder: Path, checkpoint: Path, dataset: Path, origin: Origin, model: Model, export: Export, decoding: Decoding
) -> tuple[int, verification.Agreement, verification.Agreement | None]:
    """Fill the folder, load it back, and refuse it unless it does as the trained model does.

    The trained model is let go before the exported one is loaded, so that memory holds one of them.

    Returns:
        How many weights there are, tied ones counted once; how near the exported model is to the trained one; and the base, to which
        an adapter was added.
    """
    import torch
    from transformers import AutoModelForCausalLM

    from radgpt.export.folder import write_model
    from radgpt.export.merging import load_apart, merge

    quieten()
    dtype = getattr(torch, export.dtype)
    tokenizer = load_tokenizer(model, str(checkpoint))
    pairs = verification.sample(dataset)
    conversations = verification.rendered(tokenizer, pairs)

    trained = load_apart(checkpoint, origin, model, run.cache)
    reference = verification.logits_of(trained, conversations)
    base = verification.base_logits_of(trained, conversations)
    merged = merge(trained, dtype)
    weights = sum(weight.numel() for weight in merged.parameters())
    run.say(f"export: writes {weights:,} weights in {export.dtype}")
    write_model(merged, tokenizer, decoding, export, folder)
    del trained, merged

    run.say("export: loads them back and compares logits")
    verification.refuse_other_prompts(conversations, verification.rendered_plainly(folder, tokenizer, pairs))
    exported = AutoModelForCausalLM.from_pretrained(folder)
    agreement = verification.agreement(reference, verification.logits_of(exported, conversations))
    verification.refuse_unlike(agreement, export.dtype)
    return weights, agreement, verification.agreement(reference, base) if base else None


def told(exported: verification.Agreement, change: verification.Agreement | None, dtype: str) -> str:
    """What the comparison found, in a line or two; `change` is what the adapter makes of its base."""
    line = (
        f"export: logits differ by at most {exported.largest_difference:.2g}, typically {exported.typical_difference:.2g} (the largest is "
        f"{exported.largest_logit:.3g}); the likeliest token is the same at {exported.same_choice:.1%} of places"
    )
    if change is None:
        return line
    line += f"; the adapter itself changes logits by typically {change.typical_difference:.2g}"
    if exported.typical_difference > change.typical_difference / 2:
        line += f"\nexport: {dtype} rounds away much of what the adapter changes; export.dtype=float32 keeps it"
    return line


def gather(run: Run, checkpoint: Path, dataset: Path, origin: Origin, model: Model, export: Export, weights: int) -> card.Facts:
    """What the card tells, from the manifests of the runs behind the checkpoint and the dataset."""
    training, made = provenance.run_behind(checkpoint), provenance.run_behind(dataset)
    own = provenance.run_behind(run.path("exported"))
    checkpoint_sha256 = own.manifest.reads["checkpoint"]["sha256"] if own else digest(checkpoint)
    base = hub_name(model).rpartition("/")[2]
    return card.Facts(
        name=f"{base}-{own.manifest.experiment if own else 'radgpt'}",
        # What nobody has said anything about is credentialed.
        governance=class_of_run(run.directory) or Governance.credentialed,
        model=model,
        origin=origin,
        dtype=export.dtype,
        weights=weights,
        tolerance=verification.TOLERANCES[export.dtype],
        example=example_messages(made, load_tokenizer(model, str(checkpoint))),
        gguf=export.gguf,
        training=training,
        data=provenance.data_card(dataset, made),
        dataset=made,
        scores=provenance.scores_of(run.directory.parents[2], checkpoint_sha256),
    )


def example_messages(dataset: provenance.Source | None, tokenizer: "PreTrainedTokenizerBase") -> list[dict[str, str]]:
    """Chat messages as the model was trained on them, report and instruction left open; none where the dataset is the user's own."""
    prompt = dataset.settings.get("prompt", {}).get("chat") if dataset else None
    if not prompt:
        return []
    messages = [{"role": "system", "content": prompt["system"]}, {"role": "user", "content": prompt["first_turn"]}]
    return fitted(tokenizer, messages)
