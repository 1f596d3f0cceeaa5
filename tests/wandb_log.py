"""Read an offline `.wandb` file back: a 7-byte header, then LevelDB log blocks of W&B's protobuf records."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

BLOCK = 32768
HEADER = 7


def records(path: Path) -> Iterator[Any]:
    """Yield the records of a log, joining those that a block border split (LevelDB log format: full, first, middle, last)."""
    data = path.read_bytes()
    position, partial = HEADER, b""
    while position + HEADER <= len(data):
        left = BLOCK - position % BLOCK
        if left < HEADER:
            position += left
            continue
        _, length, kind = struct.unpack("<IHB", data[position : position + HEADER])
        partial += data[position + HEADER : position + HEADER + length]
        position += HEADER + length
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(partial)
            partial = b""
            yield record


def read_run(folder: Path) -> dict[str, Any]:
    """Group, job type, tags, config, history, summary, artifacts and exit code of the one run logged in a stage's folder."""
    (path,) = logs(folder)
    return read_log(path)


def logs(folder: Path) -> list[Path]:
    """The logs in a stage's folder, earliest first: one for each time that the run was started or continued."""
    return sorted(folder.glob("wandb/offline-run-*/run-*.wandb"))


def read_log(path: Path) -> dict[str, Any]:
    """The same of one log."""
    found: dict[str, Any] = {"config": {}, "history": [], "summary": {}, "artifacts": [], "exit_code": None}
    for record in records(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            found |= {
                "id": record.run.run_id,
                "group": record.run.run_group,
                "job_type": record.run.job_type,
                "tags": list(record.run.tags),
            }
            found["config"] |= {item.key: json.loads(item.value_json) for item in record.run.config.update}
        elif kind == "config":
            found["config"] |= {item.key: json.loads(item.value_json) for item in record.config.update}
        elif kind == "history":
            found["history"].append({item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.history.item})
        elif kind == "summary":
            found["summary"] |= {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in record.summary.update}
        elif kind == "artifact":
            found["artifacts"].append(record.artifact)
        elif kind == "exit":
            found["exit_code"] = record.exit.exit_code
    return found
