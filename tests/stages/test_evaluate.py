"""Metrics of model and floors over the same rows, with a verdict, and no text in what leaves the machine."""

import json
from pathlib import Path

import jsonlines
import pytest

from radgpt.config import Evaluation
from radgpt.errors import UserError
from radgpt.records import Pair, Prediction, Report, as_row
from radgpt.run import Run
from radgpt.stages import evaluate

ANSWERS = ["No effusion.", "A small left effusion.", "A fracture of the right clavicle.", "Edema, 4.5 cm mass."]


def write(path: Path, rows: list[object]) -> Path:
    with jsonlines.open(path, "w") as file:
        file.write_all(map(as_row, rows))
    return path


def prediction(number: int, task: str, text: str, reference: str, finish_reason: str = "stop") -> Prediction:
    return Prediction(f"r{number}/0", f"r{number}", f"p{number}", task, text, reference, finish_reason, 3)


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[Path, Path, Path]:
    """(predictions, dataset, reports): a model that is right 3 times of 4, 24 patients."""
    dataset = tmp_path / "dataset"
    dataset.mkdir()
    train = [
        Pair(
            f"t{number}/0",
            "t",
            "t",
            task,
            "train",
            [{"role": "user", "content": "?"}, {"role": "assistant", "content": answer}],
            "",
            "",
            "",
        )
        for number, (task, answer) in enumerate([("question_answering", ANSWERS[0])] * 2 + [("summarisation", ANSWERS[1])])
    ]
    write(dataset / "train.jsonl", list(train))
    rows = []
    for number in range(24):
        reference = ANSWERS[number % 4]
        task = "question_answering" if number < 12 else "summarisation"
        rows.append(prediction(number, task, reference if number % 4 else "Unsure.", reference))
    reports = [Report(f"r{n}", f"p{n}", "x", {"findings": "The heart is normal. More.", "impression": ANSWERS[n % 4]}) for n in range(30)]
    return write(tmp_path / "predictions.jsonl", list(rows)), dataset, write(tmp_path / "reports.jsonl", list(reports))


def run(tmp_path: Path, inputs: tuple[Path, Path, Path]) -> Run:
    started = Run(directory=tmp_path, writes=evaluate.WRITES)
    evaluate.run(started, *inputs, Evaluation(bootstrap_samples=200), 0)
    return started


def test_model_and_floors(tmp_path: Path, inputs: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    finished = run(tmp_path, inputs)
    found = json.loads((tmp_path / "metrics.json").read_text())
    overall = found["scores"]["all"]
    assert overall["model"]["exact_match"]["mean"] == 0.75
    assert overall["model"]["exact_match"]["low"] < 0.75 < overall["model"]["exact_match"]["high"]
    # "No effusion." is right in 3 of 12 questions, "A small left effusion." in 3 of 12 summaries.
    assert overall["majority"]["exact_match"]["mean"] == 0.25
    assert overall["lead"]["exact_match"]["mean"] == 0
    assert found["scores"]["question_answering"]["model"]["exact_match"]["rows"] == 12
    assert found["summarisation_against_impression"]["rougeL"]["mean"] == 0.75
    assert found["summarisation_against_impression"]["rougeL"]["rows"] == 12
    assert found["rouge"]["stemmer"] is False
    difference = found["model_minus_floor"]["all"]["majority"]["exact_match"]
    assert difference["mean"] == pytest.approx(0.5)
    assert 0 < difference["p_value"] < 0.05
    assert found["beats_floors"] is True

    assert finished.summary["exact_match"] == 0.75
    assert finished.summary["rougeL_majority"] == overall["majority"]["rougeL"]["mean"]
    assert finished.summary["rougeL_lead"] == overall["lead"]["rougeL"]["mean"]
    assert finished.summary["rougeL_summarisation"] == found["scores"]["summarisation"]["model"]["rougeL"]["mean"]
    assert finished.summary["beats_floors"] == 1
    assert all(value is None or isinstance(value, int | float) for value in finished.summary.values())

    printed = capsys.readouterr().out
    assert "ROUGE-L: the model beats majority (+" in printed
    assert "and beats lead (+" in printed
    assert "all, 24 rows" in printed
    assert "…" not in printed
    assert "exact match  0.750 [" in printed


def test_scores_of_rows_hold_no_text(tmp_path: Path, inputs: tuple[Path, Path, Path]) -> None:
    run(tmp_path, inputs)
    rows = list(jsonlines.open(tmp_path / "scores.jsonl"))
    assert len(rows) == 3 * 24
    assert rows[1]["pair_id"] == "r1/0" and rows[1]["system"] == "model" and rows[1]["scores"]["exact_match"] == 1
    for written in ("scores.jsonl", "metrics.json"):
        text = (tmp_path / written).read_text()
        assert "clavicle" not in text and "heart" not in text and "Unsure" not in text


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path, inputs: tuple[Path, Path, Path]) -> None:
    run(tmp_path, inputs)
    first = (tmp_path / "metrics.json").read_bytes()
    run(tmp_path, inputs)
    assert (tmp_path / "metrics.json").read_bytes() == first


def test_a_model_that_repeats_the_majority_does_not_beat_it(
    tmp_path: Path, inputs: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [prediction(n, "question_answering", ANSWERS[0], ANSWERS[n % 4], "length") for n in range(12)]
    finished = run(tmp_path, (write(tmp_path / "constant.jsonl", list(rows)), *inputs[1:]))
    assert "the model does not beat majority (+0.000 [+0.000, +0.000], p = 1)" in capsys.readouterr().out
    assert finished.summary["beats_floors"] == 0
    assert json.loads((tmp_path / "metrics.json").read_text())["finish_reasons"] == {"stop": 0, "length": 12, "overlong": 0}


def test_without_a_train_split_only_the_lead_is_a_floor(
    tmp_path: Path, inputs: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (inputs[1] / "train.jsonl").unlink()
    finished = run(tmp_path, inputs)
    assert "no majority floor" in capsys.readouterr().out
    assert "rougeL_majority" not in finished.summary and "rougeL_lead" in finished.summary


def test_one_patient_gives_no_interval_and_no_verdict(
    tmp_path: Path, inputs: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    finished = run(tmp_path, (write(tmp_path / "one.jsonl", [prediction(1, "paraphrasing", ANSWERS[1], ANSWERS[1])]), *inputs[1:]))
    assert "one patient gives no interval" in capsys.readouterr().out
    assert finished.summary["beats_floors"] == 0


def test_three_patients_are_too_few_for_a_verdict(
    tmp_path: Path, inputs: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """All differences point one way, so that the interval leaves 0 out; but so do 2 of 8 coin tosses of three."""
    rows = [prediction(n, "paraphrasing", ANSWERS[2], ANSWERS[2]) for n in range(3)]
    finished = run(tmp_path, (write(tmp_path / "three.jsonl", list(rows)), *inputs[1:]))
    assert json.loads((tmp_path / "metrics.json").read_text())["model_minus_floor"]["all"]["lead"]["rougeL"]["low"] > 0
    assert "the model does not beat majority" in capsys.readouterr().out
    assert finished.summary["beats_floors"] == 0


def test_references_that_rouge_cannot_read_are_told(
    tmp_path: Path, inputs: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [prediction(n, "paraphrasing", "정상", "정상") for n in range(3)]
    finished = run(tmp_path, (write(tmp_path / "korean.jsonl", list(rows)), *inputs[1:]))
    assert "3 references have no Latin letter or digit" in capsys.readouterr().out
    assert finished.summary.get("rougeL") is None
    assert finished.summary["exact_match"] == 1


def test_nothing_predicted_and_missing_reports_are_mistakes(tmp_path: Path, inputs: tuple[Path, Path, Path]) -> None:
    with pytest.raises(UserError, match="lacks 1 of the 1 reports"):
        run(tmp_path, (write(tmp_path / "stranger.jsonl", [prediction(99, "paraphrasing", "a", "a")]), *inputs[1:]))
    with pytest.raises(UserError, match="holds no prediction"):
        run(tmp_path, (write(tmp_path / "none.jsonl", []), *inputs[1:]))
