"""A stage's key: the digest of everything that its outcome depends on, so that equal work is done once."""

from dataclasses import fields, is_dataclass
from typing import Any

from radgpt import stages
from radgpt.config import Config, Data, as_mapping
from radgpt.external import external_file
from radgpt.records import canonical_digest
from radgpt.reports import reading


def key(config: Config, stage_name: str) -> str:
    """SHA-256 over the sections and settings that the stage's function names, its external input, and the keys of its producers.

    Fields that the config marks `operational`, or as another stage's, stay out. Raises UserError where external input is missing.
    """
    stage = stages.load(stage_name)
    return canonical_digest(
        {
            "stage": stage_name,
            "sections": {
                stages.section_path(config, kind): kept
                for kind in stage.sections.values()
                if (kept := outcome_settings(stages.section(config, kind), stages.section_path(config, kind), stage_name))
            },
            "settings": {name: getattr(config, name) for name in stage.settings},
            "reads": {name: input_key(config, name) for name in stages.reads(stage_name, config)},
            "external": reading.digest(config.data) if Data in stage.sections.values() else None,
        }
    )


def input_key(config: Config, artifact: str) -> str:
    """The digest of `inputs.<artifact>` where set, else the key of the stage that makes it."""
    path = getattr(config.inputs, artifact)
    return external_file(f"inputs.{artifact}", path) if path else key(config, stages.producer(artifact))


def outcome_settings(section: Any, path: str, stage: str) -> dict[str, Any]:
    """A section as plain values, without fields that only say how fast or where or that the stage does not read, and with the digests of
    files in their places.

    Raises:
        UserError: such a file is missing; `path` is the section's, for the message.
    """
    plain = as_mapping(section)
    kept: dict[str, Any] = {}
    for field in fields(section):
        value = getattr(section, field.name)
        if field.metadata.get("operational") or stage not in field.metadata.get("stages", (stage,)):
            continue
        if field.metadata.get("external"):
            setting, shipped = f"{path}.{field.name}", field.metadata.get("names", ())
            if isinstance(value, dict):
                kept[field.name] = {name: external_file(f"{setting}.{name}", file) for name, file in value.items()}
                continue
            files = value if isinstance(value, list) else [value]
            kept[field.name] = [file if file in shipped else external_file(setting, file, shipped) for file in files if file is not None]
        else:
            kept[field.name] = outcome_settings(value, f"{path}.{field.name}", stage) if is_dataclass(value) else plain[field.name]
    return kept
