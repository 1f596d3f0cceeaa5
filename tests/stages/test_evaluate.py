"""Metrics of model and floors over the same rows, with a verdict, and no text in what leaves the machine."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonlines
import pytest

from radgpt import stages
from radgpt.config import ChatPrompt, Config, DataUse, Evaluation, Governance, Inputs, Judge
from radgpt.config import Prediction as PredictionSettings
from radgpt.errors import UserError
from radgpt.evaluation import judged
from radgpt.evaluation.judge.judgement import Cost, Grade, Judgement, Provenance
from radgpt.records import Pair, Prediction, Report, as_row
from radgpt.run import Run
from radgpt.stages import evaluate

ANSWERS = ["No effusion.", "A small left effusion.", "A fracture of the right clavicle.", "Edema, 4.5 cm mass."]
NO_JUDGE = Judge()
CHAT = ChatPrompt(system="", first_turn="{report}\n\n{instruction}")


def write(path: Path, rows: list[Any]) -> Path:
    with jsonlines.open(path, "w") as file:
        file.write_all(map(as_row, rows))
    return path


def prediction(number: int, task: str, text: str, reference: str | None, finish_reason: str = "stop") -> Prediction:
    return Prediction(f"r{number}/0", f"r{number}", f"p{number}", task, text, reference, finish_reason, 3, 6.0, 3)


def pair(id: str, task: str, split: str, shown: str, answer: str) -> Pair:
    messages = [{"role": "user", "content": f"{shown}\n\n{task}?"}, {"role": "assistant", "content": answer}]
    return Pair(f"{id}/0", id, f"p{id[1:]}" if split == "test" else id, task, split, messages, "", "", "", [0, len(shown)])


def task_of(number: int) -> str:
    return "question_answering" if number < 20 else "summarisation"


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[Path, Path, Path]:
    """(predictions, dataset, reports): a model that is right 3 times of 4, 40 patients. Report 0 is in training too."""
    dataset = tmp_path / "dataset"
    dataset.mkdir()
    train = [
        ("question_answering", ANSWERS[0], "Seen 0."),
        ("question_answering", ANSWERS[0], "Odd."),
        ("summarisation", ANSWERS[1], "Cold."),
    ]
    write(dataset / "train.jsonl", [pair(f"t{n}", task, "train", shown, answer) for n, (task, answer, shown) in enumerate(train)])
    write(dataset / "test.jsonl", [pair(f"r{n}", task_of(n), "test", f"Seen {n}. More.", ANSWERS[n % 4]) for n in range(1, 40)])
    write(dataset / "validation.jsonl", [pair("r0", task_of(0), "test", "Seen  0.", ANSWERS[0])])
    rows = [prediction(n, task_of(n), ANSWERS[n % 4] if n % 4 else "Unsure.", ANSWERS[n % 4]) for n in range(40)]
    reports = [Report(f"r{n}", f"p{n}", "x", {"findings": "The heart is normal. More.", "impression": ANSWERS[n % 4]}) for n in range(50)]
    return write(tmp_path / "predictions.jsonl", rows), dataset, write(tmp_path / "reports.jsonl", reports)


def run(
    tmp_path: Path, inputs: tuple[Path, Path | None, Path | None], judge: Judge = NO_JUDGE, file: str | None = None, **evaluation: Any
) -> Run:
    started = Run(directory=tmp_path, writes=evaluate.WRITES, governance=Governance.synthetic)
    settings = Evaluation(bootstrap_samples=200, permutations=2000, **evaluation)
    evaluate.run(started, *inputs, settings, judge, PredictionSettings(file=file), CHAT, DataUse(), 0)
    return started


def figures(tmp_path: Path) -> dict[str, Any]:
    return json.loads((tmp_path / "metrics.json").read_text())


def test_model_and_floors(tmp_path: Path, inputs: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    finished = run(tmp_path, inputs)
    found = figures(tmp_path)
    overall = found["scores"]["all"]
    assert list(overall) == ["model", "majority", "lead", "copy", "nearest"] == ["model", *found["floors"]]
    assert overall["model"]["exact_match"]["value"] == 0.75
    assert overall["model"]["exact_match"]["low"] < 0.75 < overall["model"]["exact_match"]["high"]
    # "No effusion." is right in 5 of 20 questions, "A small left effusion." in 5 of 20 summaries.
    assert overall["majority"]["exact_match"]["value"] == 0.25
    assert overall["lead"]["exact_match"]["value"] == 0
    assert found["scores"]["question_answering"]["model"]["exact_match"]["rows"] == 20
    assert found["summarisation_against_impression"]["rougeL"]["value"] == 0.75
    assert found["summarisation_against_impression"]["rougeL"]["rows"] == 20
    difference = found["differences"]["all"]["model"]["majority"]["exact_match"]
    assert difference["value"] == pytest.approx(0.5)
    assert 0 < difference["p_value"] < difference["p_holm"] < 0.05
    assert found["win_rates"]["all"]["model"]["majority"]["exact_match"]["wins"] == 25
    assert found["beats"] == dict.fromkeys(["majority", "lead", "copy", "nearest"], True)
    assert found["beats_floors"] is True

    assert finished.summary["exact_match"] == 0.75
    assert finished.summary["rougeL_majority"] == overall["majority"]["rougeL"]["value"]
    assert finished.summary["rougeL_nearest"] == overall["nearest"]["rougeL"]["value"]
    assert finished.summary["rougeL_summarisation"] == found["scores"]["summarisation"]["model"]["rougeL"]["value"]
    assert finished.summary["beats_floors"] == 1
    assert all(isinstance(value, int | float) for value in finished.summary.values())
    assert set(evaluate.SHOWN) - {"failed"} <= set(finished.summary)

    printed = capsys.readouterr().out
    assert "all, 40 rows: model [95% interval over patients]" in printed
    assert "  beats                   majority  +0." in printed
    assert "exact match " in printed and "0.750 [" in printed
    assert max(map(len, printed.splitlines())) <= 170


def test_what_a_reader_needs_to_compare_with_others(tmp_path: Path, inputs: tuple[Path, Path, Path]) -> None:
    run(tmp_path, inputs, stemmer=True)
    found = figures(tmp_path)
    assert found["signatures"]["rouge"].startswith("rouge-score|f1|stemmer:yes|")
    assert found["signatures"]["bleu"].startswith("nrefs:1|case:mixed|")
    assert found["statistics"]["seed"] == 0 and found["statistics"]["permutations"] == 2000
    assert found["metrics"]["bleu"] == {"label": "BLEU, corpus", "group": "overlap", "better": "higher", "top": 100.0}
    assert set(found["packages"]) == {"numpy", "rouge-score", "sacrebleu", "scikit-learn"}


def test_subsets_of_rows(tmp_path: Path, inputs: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, inputs)
    found = figures(tmp_path)
    # Three of four references affirm a finding of the chest; report 0 is in training.
    assert found["subsets"] == {"all": 40, "question_answering": 20, "summarisation": 20, "abnormal": 30, "clean": 39}
    assert found["scores"]["abnormal"]["model"]["exact_match"]["value"] == 1
    assert found["contamination"] == {
        "rows": 40,
        "report": 1,
        "near_report": 1,
        "prompt": 1,
        "reference": 20,
        "patient": 0,
        "clean": 39,
    }
    assert "of 40 inputs, 1 (2.5 %) stand in training word for word" in capsys.readouterr().out
    (first,) = [row for row in jsonlines.open(tmp_path / "scores.jsonl") if row["pair_id"] == "r1/0" and row["system"] == "model"]
    assert first["subsets"] == ["abnormal", "clean"]


def test_the_models_likelihoods_and_ends_are_no_floors(tmp_path: Path, inputs: tuple[Path, Path, Path]) -> None:
    finished = run(tmp_path, inputs)
    overall = figures(tmp_path)["scores"]["all"]
    assert overall["model"]["perplexity"]["value"] == pytest.approx(7.389056)  # e^(6 / 3)
    assert finished.summary["perplexity"] == pytest.approx(7.389056)
    assert overall["majority"]["perplexity"]["value"] is None and overall["majority"]["ended_itself"]["value"] is None


def test_answers_that_did_not_come_count_against_the_model(tmp_path: Path, inputs: tuple[Path, Path, Path]) -> None:
    rows = [prediction(n, task_of(n), ANSWERS[n % 4] if n else "", ANSWERS[n % 4], "stop" if n else "failed") for n in range(4)]
    run(tmp_path, (write(tmp_path / "some.jsonl", rows), *inputs[1:]))
    found = figures(tmp_path)
    assert found["scores"]["all"]["model"]["exact_match"]["value"] == 0.75
    assert found["finish_reasons"] == {"failed": 1, "stop": 3}


def test_scores_of_rows_hold_no_text(tmp_path: Path, inputs: tuple[Path, Path, Path]) -> None:
    run(tmp_path, inputs)
    rows = list(jsonlines.open(tmp_path / "scores.jsonl"))
    assert len(rows) == 5 * 40
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
    finished = run(tmp_path, (write(tmp_path / "constant.jsonl", rows), *inputs[1:]))
    assert "  does not beat           majority  +0.000 [+0.000, +0.000], p = 1" in capsys.readouterr().out
    assert finished.summary["beats_floors"] == 0
    assert figures(tmp_path)["finish_reasons"] == {"length": 12}


def test_without_training_pairs_there_are_the_floors_that_take_none(
    tmp_path: Path, inputs: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (inputs[1] / "train.jsonl").unlink()
    finished = run(tmp_path, inputs)
    assert "no training pairs at hand" in capsys.readouterr().out
    assert list(figures(tmp_path)["floors"]) == ["lead", "copy"]
    assert "rougeL_majority" not in finished.summary and "clean_share" not in finished.summary
    assert figures(tmp_path)["contamination"] is None


def test_rows_of_another_dataset_have_the_majority_alone(
    tmp_path: Path, inputs: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, (write(tmp_path / "stranger.jsonl", [prediction(99, "paraphrasing", "a", "a")]), *inputs[1:]))
    assert "the prompts stand neither in the dataset nor in prediction.file" in capsys.readouterr().out
    assert list(figures(tmp_path)["floors"]) == ["majority"]


def test_a_file_of_questions_needs_neither_dataset_nor_reports(tmp_path: Path, inputs: tuple[Path, Path, Path]) -> None:
    questions = tmp_path / "questions.jsonl"
    with jsonlines.open(questions, "w") as file:
        file.write_all(
            {"id": f"r{n}/0", "question": "Impression?", "report": "Clear lungs. More.", "reference": ANSWERS[n % 4]} for n in range(40)
        )
    finished = run(tmp_path, (inputs[0], None, None), file=str(questions))
    assert list(figures(tmp_path)["floors"]) == ["lead", "copy"]
    assert figures(tmp_path)["summarisation_against_impression"]["rougeL"]["value"] is None
    assert finished.summary["beats_floors"] == 1


def test_without_any_floor_there_is_no_verdict(tmp_path: Path, inputs: tuple[Path, Path, Path]) -> None:
    finished = run(tmp_path, (inputs[0], None, None))
    assert figures(tmp_path)["beats_floors"] is None
    assert "beats_floors" not in finished.summary and finished.summary["exact_match"] == 0.75


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
    finished = run(tmp_path, (write(tmp_path / "three.jsonl", rows), *inputs[1:]))
    difference = figures(tmp_path)["differences"]["all"]["model"]["lead"]["rougeL"]
    assert difference["low"] > 0 and difference["p_value"] == 2 / 8
    assert "does not beat           majority" in capsys.readouterr().out
    assert finished.summary["beats_floors"] == 0


def test_references_that_rouge_cannot_read_are_told(
    tmp_path: Path, inputs: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [prediction(n, "paraphrasing", "정상", "정상") for n in range(3)]
    finished = run(tmp_path, (write(tmp_path / "korean.jsonl", rows), *inputs[1:]))
    assert "3 references have no Latin letter or digit" in capsys.readouterr().out
    assert finished.summary.get("rougeL") is None
    assert finished.summary["exact_match"] == 1


def test_what_cannot_be_scored_is_a_mistake(tmp_path: Path, inputs: tuple[Path, Path, Path]) -> None:
    with pytest.raises(UserError, match="lacks 1 of the 1 reports"):
        run(tmp_path, (write(tmp_path / "stranger.jsonl", [prediction(99, "summarisation", "a", "a")]), *inputs[1:]))
    with pytest.raises(UserError, match="holds no prediction"):
        run(tmp_path, (write(tmp_path / "none.jsonl", []), *inputs[1:]))
    bare = [prediction(0, "summarisation", "a", None), prediction(1, "summarisation", "a", "a")]
    with pytest.raises(UserError, match="1 of 2 rows have no reference"):
        run(tmp_path, (write(tmp_path / "bare.jsonl", bare), *inputs[1:]))


def graded(questions: list[Any], **_: Any) -> Judgement:
    """A judge that gives 4 to every answer but the first, of which its reply could not be read."""
    from collections import Counter

    grades = [
        Grade(question.id, question.patient_id, question.task, "model", "accuracy", 4 if place else None)
        for place, question in enumerate(questions)
    ]
    provenance = Provenance(("gpt",), "gpt", "local", "single", "original", "0", "0", 0.0, 0, "2026-01-01")
    missing = Counter(unreadable=1)
    return Judgement(
        ("model",), ("accuracy",), 1.0, 4.0, len(grades), grades, [], len(grades), missing, Counter(model=1), Cost(40), provenance
    )


def test_a_judges_grades_stand_among_the_metrics_and_what_it_missed_is_told(
    tmp_path: Path, inputs: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def judge_answers(judge: Judge, questions: list[Any], *_: Any, **__: Any) -> Judgement:
        asked.extend(questions)
        return graded(questions)

    monkeypatch.setattr(judged, "judge_answers", judge_answers)
    people = tmp_path / "people.csv"
    people.write_text("id,criterion,score\n" + "".join(f"r{n}/0,accuracy,4\n" for n in range(1, 5)))
    judge = Judge(provider=type(NO_JUDGE.provider).local, model="gpt", base_url="http://127.0.0.1:1/v1")
    finished = run(tmp_path, inputs, judge=judge, human_scores=str(people))
    assert asked[1].messages[-1]["content"].startswith("Seen 1. More.") and asked[1].answers == {"model": ANSWERS[1]}
    found = figures(tmp_path)
    assert found["scores"]["all"]["model"]["judge_accuracy"] == {"value": 4.0, "low": 4.0, "high": 4.0, "rows": 39, "patients": 39}
    assert found["judge"]["missing"] == {"unreadable": 1}
    assert found["judge_and_people"]["compared"] == 4
    assert finished.summary["judge_accuracy"] == 4
    printed = capsys.readouterr().out
    assert "judge: accuracy" in printed and "unreadable 1" in printed and "judge and people agree" in printed

    with pytest.raises(UserError, match="judge=local: the questions of these predictions stand neither"):
        run(tmp_path, (write(tmp_path / "odd.jsonl", [replace(prediction(9, "t", "a", "a"), pair_id="odd")]), *inputs[1:]), judge=judge)


@pytest.mark.parametrize(
    ("given", "file", "expected"),
    [
        ({}, None, {"predictions", "dataset", "reports"}),
        ({"dataset": "own"}, None, {"predictions", "dataset"}),
        ({"dataset": "own", "reports": "own.jsonl"}, None, {"predictions", "dataset", "reports"}),
        ({}, "questions.jsonl", {"predictions"}),
        ({"dataset": "own"}, "questions.jsonl", {"predictions", "dataset"}),
    ],
)
def test_it_reads_what_there_is(given: dict[str, str], file: str | None, expected: set[str]) -> None:
    config = Config(inputs=Inputs(**given), prediction=PredictionSettings(file=file))
    assert set(stages.reads("evaluate", config)) == expected
