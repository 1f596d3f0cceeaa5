"""What a finished run of a stage leaves behind, without having run."""

from pathlib import Path
from typing import Any

from radgpt import manifest, stages
from radgpt.artifacts import digest
from radgpt.config import Config, Governance
from radgpt.keys import key
from radgpt.manifest import Manifest


def finished(
    config: Config,
    stage: str,
    writes: str,
    content: str = "",
    *,
    governance: Governance = Governance.synthetic,
    reads: dict[str, Path] | None = None,
    metrics: dict[str, Any] | None = None,
) -> Path:
    """Make the run's folder under its key, with one artifact (a folder where its name has no suffix), and give the artifact's place."""
    folder = Path(config.outputs) / "x" / stage / f"2026-01-01_00-00-00-{key(config, stage)[:8]}"
    place = folder / writes
    (place if not place.suffix else folder).mkdir(parents=True)
    (place if place.suffix else place / "weights").write_text(content or stage)
    record = Manifest(
        id=key(config, stage)[:8],
        stage=stage,
        key=key(config, stage),
        experiment="x",
        status="done",
        governance=governance.name,
        argv=[],
        started="",
        reads={name: {"path": str(read), "sha256": digest(read), "run": None} for name, read in (reads or {}).items()},
        source_sha256="",
        metrics=metrics or {},
    )
    record.writes = manifest.describe_writes(folder, stages.load(stage))
    record.save(folder)
    return place
