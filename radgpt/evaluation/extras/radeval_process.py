"""Metrics of the package `radeval` (Xu et al., https://github.com/jbdel/RadEval), asked in a process of its own.

The package fetches models, writes files and patches logging as it likes; its process has no network, an empty folder to stand in, and
nothing but the weights that the user put down.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radgpt.config import Evaluation
from radgpt.errors import UserError

if TYPE_CHECKING:
    from radgpt.evaluation.extras import Columns, Extra

WORKER = Path(__file__).with_name("radeval_worker.py")


def open_radeval(name: str, evaluation: Evaluation) -> "Extra":
    """See that the package and the weights of a metric are there.

    Args:
        name: one of `radgraph`, `ratescore`, `radcliq`, `green`, which are also the package's names.

    Raises:
        UserError: the package or its weights are missing, with the way to get them.
    """
    from radgpt.evaluation.extras import Extra, digest_of, weights_of
    from radgpt.evaluation.extras.metrics import EXTRA_METRICS

    python = evaluation.radeval_python or sys.executable
    fill = (
        f"XDG_CACHE_HOME=FOLDER {python} -c \"from radeval import RadEval; RadEval(metrics=['{name}'])(refs=['Clear.'], hyps=['Clear.'])\""
    )
    source = f"them with network, once, by {fill}"
    folder = weights_of(name, evaluation, [], source).resolve()
    files = [file for file in folder.rglob("*") if file.is_file() and file.suffix in (".safetensors", ".bin", ".pth", ".pt", ".gz", ".pkl")]
    if not files:
        raise UserError(f"evaluation.weights.{name}={folder} holds no weights; get {source}")
    installed = asked(python, folder, {"version": True})["version"]
    if installed is None:
        mend = "pip install radeval in an environment of its own and set evaluation.radeval_python to its interpreter"
        raise UserError(f"evaluation.extras=[{name}]: {python} has no package radeval; {mend}")

    def score(answers: Sequence[str], references: Sequence[str]) -> "Columns":
        found = asked(python, folder, {"metric": name, "answers": list(answers), "references": list(references)})["scores"]
        names = [metric.name for metric in EXTRA_METRICS[name]]
        if any(len(found.get(metric, [])) != len(answers) for metric in names):
            raise UserError(f"evaluation.extras=[{name}]: radeval {installed} gave other scores than {', '.join(names)}; use radeval 2.2")
        return {metric: [None if value is None else (float(value), 1.0) for value in found[metric]] for metric in names}

    return Extra(name, score, {"package": f"radeval {installed}", "model_sha256": digest_of(files)})


def asked(python: str, folder: Path, question: dict[str, Any]) -> dict[str, Any]:
    """What the worker replies; raises UserError, without any text of a report, if it ends before it has replied."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder), "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONSAFEPATH": "1"}
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE", "PYTHONPATH"):
        environment.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="radgpt-radeval-") as place:
        reply = Path(place) / "reply.json"
        try:
            ended = subprocess.run(
                [python, str(WORKER), str(reply)],
                input=json.dumps(question),
                text=True,
                encoding="utf-8",
                cwd=place,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
        except OSError as error:
            raise UserError(f"evaluation.radeval_python={python} cannot be run: {error.strerror}") from None
        if not reply.exists():
            raise UserError(f"evaluation.radeval_python={python}: its process ended with {ended.returncode} before it replied")
        found: dict[str, Any] = json.loads(reply.read_text(encoding="utf-8"))
    if "fault" in found:
        raise UserError(
            f"evaluation.extras=[{question['metric']}]: radeval failed ({found['fault']}); it may lack a package, or"
            f" evaluation.weights.{question['metric']}={folder} a part of its weights"
        )
    return found
