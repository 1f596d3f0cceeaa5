"""A teacher's stage may use the replies of its other runs again, unless they fell under a stricter class or were to be drawn anew."""

from pathlib import Path

import pytest
from conftest import composed

from radgpt import stages
from radgpt.config import Governance
from radgpt.execute import earlier_runs
from radgpt.manifest import Manifest


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    for number, governance in enumerate(("open", "credentialed", "unheard-of", "synthetic")):
        folder = tmp_path / f"experiment-{number % 2}" / "generate_answers" / f"2026-11-0{number + 1}_00-00-00-{number:08}"
        folder.mkdir(parents=True)
        Manifest(str(number), "generate_answers", "k", "e", "done", governance, [], "", {}, "").save(folder)
    return tmp_path


def names(outputs: Path, *overrides: str, stage: str = "generate_answers", directory: Path | None = None) -> list[str]:
    config = composed(f"outputs={outputs}", "data=jsonl", "data.path=none", *overrides)
    return [folder.name[-1] for folder in earlier_runs(config, stages.load(stage), directory)]


@pytest.mark.parametrize(
    ("governance", "found"),
    [(Governance.synthetic, "3"), (Governance.open, "30"), (Governance.credentialed, "3210")],
)
def test_newest_first_and_none_of_a_stricter_class(outputs: Path, governance: Governance, found: str) -> None:
    assert names(outputs, f"data.governance={governance.name}") == list(found)


def test_neither_the_run_itself_nor_any_where_force_asks_for_new_replies(outputs: Path) -> None:
    own = next(outputs.glob("*/generate_answers/*00000003"))
    assert names(outputs, "data.governance=open", directory=own) == ["0"]
    assert names(outputs, "data.governance=open", "force=true") == []


def test_stages_without_a_teacher_have_none(outputs: Path) -> None:
    assert names(outputs, "data.governance=open", stage="postprocess_answers") == []
