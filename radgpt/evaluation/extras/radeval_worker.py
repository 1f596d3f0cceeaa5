"""Score one metric of the package `radeval`: a question as JSON on standard input, the reply as JSON into the file that is named.

It runs by its path in whatever environment has the package, so it imports nothing of radgpt.
"""

import json
import socket
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NoReturn


def no_network(*_: object, **__: object) -> NoReturn:
    """Stand in for what would open a connection."""
    raise OSError("no network here: weights are read from this disk")


def reply(question: dict[str, Any]) -> dict[str, Any]:
    """The package's version, or the scores of a metric; `fault` names the kind of an error, whose own words may quote a report."""
    if question.get("version"):
        try:
            return {"version": version("radeval")}
        except PackageNotFoundError:
            return {"version": None}
    try:
        from radeval import RadEval

        metric = RadEval(metrics=[question["metric"]], per_sample=True, show_progress=False)
        found = metric(refs=question["references"], hyps=question["answers"])
        return {"scores": {name: [None if value is None else float(value) for value in values] for name, values in found.items()}}
    except ModuleNotFoundError as error:
        return {"fault": f"no module {error.name}"}
    except Exception as error:
        return {"fault": type(error).__name__}


def main() -> None:
    """Answer one question."""
    socket.socket.connect = no_network  # type: ignore[method-assign]
    socket.socket.connect_ex = no_network  # type: ignore[method-assign]
    question = json.load(sys.stdin)
    Path(sys.argv[1]).write_text(json.dumps(reply(question)), encoding="utf-8")


if __name__ == "__main__":
    main()
