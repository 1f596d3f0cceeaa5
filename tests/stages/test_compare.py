"""Models side by side: figures that a hand can check, one page with the answers, and no text where none may be."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonlines
import pytest
from fake_openai import serve
from judging import grading, judge_at, three

from radgpt.config import ChatPrompt, Compare, DataUse, Evaluation, Governance, Grading, Judge
from radgpt.config import Prediction as PredictionSettings
from radgpt.errors import UserError
from radgpt.records import ComparedAnswer, Pair, Prediction, as_row, read_records
from radgpt.run import Run
from radgpt.stages import compare

REPORT = "FINDINGS: The heart is normal. There is a small left pleural effusion."
PROMPT = ChatPrompt(system="", first_turn="{report}\n\n{instruction}")
ANSWERS = ["No effusion.", "A small left effusion.", "A fracture of the right clavicle.", "Edema, 4.5 cm mass."]
ROWS = 24
LIKELIHOOD = {"reference_nll": 2.0, "reference_tokens": 2}


def reference(number: int) -> str:
    return ANSWERS[number % 4]


def pair(number: int, split: str = "test") -> Pair:
    task = "question_answering" if number < ROWS / 2 else "summarisation"
    question = f"What is seen in study {number}?"
    messages = [{"role": "user", "content": f"{REPORT}\n\n{question}"}, {"role": "assistant", "content": reference(number)}]
    return Pair(f"{split}{number}/0", f"{split}{number}", f"{split}p{number}", task, split, messages, "", "", "", [0, len(REPORT)])


def written(path: Path, rows: list[Any]) -> Path:
    with jsonlines.open(path, "w") as file:
        file.write_all(map(as_row, rows))
    return path


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    folder.mkdir()
    written(folder / "train.jsonl", [pair(number, "train") for number in range(4)])
    written(folder / "test.jsonl", [pair(number) for number in range(ROWS)])
    return folder


def predictions(tmp_path: Path, name: str, right: int, *, rows: int = ROWS, **changed: Any) -> str:
    """A file of predictions of which `right` in 4 are right."""
    found = [
        Prediction(
            f"test{number}/0",
            f"test{number}",
            f"testp{number}",
            pair(number).task,
            reference(number) if number % 4 < right else "Unsure.",
            **{"reference": reference(number), "finish_reason": "stop", "new_tokens": 3, "reference_nll": 2.0, "reference_tokens": 2}
            | changed,
        )
        for number in range(rows)
    ]
    return str(written(tmp_path / f"{name}.jsonl", found))


def run(directory: Path, dataset: Path | None, files: dict[str, str], judge: Judge | None = None, **more: Any) -> Run:
    directory.mkdir(exist_ok=True)
    settings = Compare(predictions=files, metric=more.pop("metric", "rougeL"), examples=more.pop("examples", 6))
    evaluation = Evaluation(bootstrap_samples=100, permutations=500, human_scores=more.pop("human_scores", None))
    asked = more.pop("prediction", PredictionSettings())
    started = Run(directory=directory, writes=compare.WRITES, **{"governance": Governance.synthetic} | more)
    compare.run(started, dataset, settings, evaluation, judge or Judge(), asked, PROMPT, DataUse(), 0)
    return started


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Three models: right in 3, in 3 (just as the first), and in none of 4."""
    return {name: predictions(tmp_path, name, right) for name, right in {"tuned": 3, "twin": 3, "base": 0}.items()}


def test_scores_tests_and_win_rates_of_every_pair(
    tmp_path: Path, dataset: Path, files: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    finished = run(tmp_path / "run", dataset, files)
    found = json.loads(finished.path("comparison").read_text())
    assert {model: found["scores"]["all"][model]["exact_match"]["value"] for model in files} == {"tuned": 0.75, "twin": 0.75, "base": 0}
    assert (found["rows"], found["patients"], found["compared_by"]) == (24, 24, "rougeL")
    pairs = {(one["model"], one["against"]): one for one in found["pairs"]}
    assert list(pairs) == [("tuned", "twin"), ("tuned", "base"), ("twin", "base")]
    assert (pairs["tuned", "twin"]["verdict"], pairs["tuned", "twin"]["value"]) == ("alike", 0)
    assert pairs["tuned", "base"]["verdict"] == pairs["twin", "base"]["verdict"] == "better"
    # The smallest of three p-values counts three times.
    assert pairs["tuned", "base"]["p_holm_over_pairs"] == pytest.approx(3 * pairs["tuned", "base"]["p_value"])
    wins = found["win_rates"]["all"]["tuned"]["base"]["rougeL"]
    assert (wins["wins"], wins["ties"], wins["losses"]) == (18, 6, 0) and wins["value"] == 21 / 24
    assert found["subsets"]["summarisation"] == 12 and "abnormal" in found["subsets"]
    # Of the train split's reports each is the same, but no patient is.
    assert found["contamination"]["report"] == 24 and found["contamination"]["patient"] == 0
    assert set(found["floors"]) == {"majority", "lead", "copy", "nearest"}

    assert finished.summary["rougeL_tuned"] == finished.summary["rougeL_twin"] > finished.summary["rougeL_base"] == 0
    assert finished.summary["models"] == 3 and "best" not in finished.summary
    printed = " ".join(capsys.readouterr().out.split())
    assert "all, 24 rows: tuned [95% interval over patients]" in printed
    assert "tuned is not told from twin +0.000" in printed
    assert "tuned beats base +0.750" in printed and "better on 18, equal on 6, worse on 0" in printed
    assert "sentence" not in printed.split("by task")[0], "the console shows a choice of metrics"


def test_a_model_that_beats_all_others_is_named(tmp_path: Path, dataset: Path, files: dict[str, str]) -> None:
    assert run(tmp_path / "run", dataset, {name: files[name] for name in ("base", "tuned")}).summary["best"] == "tuned"


def test_each_question_stands_with_all_answers_and_their_scores(tmp_path: Path, dataset: Path, files: dict[str, str]) -> None:
    finished = run(tmp_path / "run", dataset, files)
    rows = list(read_records(finished.path("compared_answers"), ComparedAnswer))
    assert [row.pair_id for row in rows] == [f"test{number}/0" for number in range(24)]
    assert rows[3].answers == {"tuned": "Unsure.", "twin": "Unsure.", "base": "Unsure."}
    assert rows[1].messages == pair(1).prompt and rows[1].reference == ANSWERS[1]
    assert rows[1].scores["tuned"]["rougeL"] == 1 and rows[1].scores["base"]["rougeL"] == 0
    assert rows[1].scores["tuned"]["perplexity"] == pytest.approx(2.718, abs=0.001)


def test_texts_stand_on_the_page_and_among_the_answers_alone(tmp_path: Path, dataset: Path, files: dict[str, str]) -> None:
    shown: list[Any] = []
    tracker = SimpleNamespace(log=lambda *what: None, log_scores=lambda *what: shown.append(what), log_texts=lambda *what: None)
    finished = run(tmp_path / "run", dataset, files, tracker=tracker)
    texts = ("clavicle", "Unsure", "pleural", "What is seen")
    for quiet in (finished.path("comparison").read_text(), json.dumps(shown), json.dumps(finished.summary)):
        assert not [text for text in texts if text in quiet]
    page = finished.path("page").read_text()
    assert all(text in page for text in texts)
    ((name, scores),) = shown
    assert name == "scores" and scores["tuned"]["exact_match"] == 0.75 and scores["majority"]["perplexity"] is None


def test_texts_go_to_the_tracker_only_through_its_gate(tmp_path: Path, dataset: Path, files: dict[str, str]) -> None:
    tables: list[Any] = []
    tracker = SimpleNamespace(
        log=lambda *what: None,
        log_scores=lambda *what: None,
        log_texts=lambda name, columns, rows: tables.append((name, list(columns), list(rows))),
    )
    run(tmp_path / "run", dataset, files, tracker=tracker, examples=2)
    ((name, columns, rows),) = tables
    assert (name, columns) == ("answers", ["id", "question", "reference", "tuned", "twin", "base"])
    assert rows[1] == ["test1/0", "What is seen in study 1?", ANSWERS[1], ANSWERS[1], ANSWERS[1], "Unsure."]


def test_the_same_inputs_give_the_same_figures(tmp_path: Path, dataset: Path, files: dict[str, str]) -> None:
    one, other = (run(tmp_path / name, dataset, files) for name in ("one", "other"))
    for artifact in ("comparison", "compared_answers"):
        assert one.path(artifact).read_bytes() == other.path(artifact).read_bytes()


def test_other_questions_or_references_are_refused(tmp_path: Path, dataset: Path, files: dict[str, str]) -> None:
    fewer = {"tuned": files["tuned"], "fewer": predictions(tmp_path, "fewer", 3, rows=20)}
    with pytest.raises(UserError, match=r"fewer lacks 4 of the 24 that tuned answered, and answered 0 others"):
        run(tmp_path / "run", dataset, fewer)
    other = {"tuned": files["tuned"], "other": predictions(tmp_path, "other", 3, reference="Something else.")}
    with pytest.raises(UserError, match=r"other and tuned were given other references for 24 of 24 questions"):
        run(tmp_path / "run", dataset, other)


def test_questions_that_nobody_knows_are_refused(tmp_path: Path, dataset: Path, files: dict[str, str]) -> None:
    written(dataset / "test.jsonl", [pair(number) for number in range(20)])
    with pytest.raises(UserError, match=r"the questions of these predictions stand neither in the dataset nor in prediction\.file"):
        run(tmp_path / "run", dataset, files)


def test_a_metric_or_a_name_that_cannot_be_is_refused_before_anything_is_scored(
    tmp_path: Path, dataset: Path, files: dict[str, str]
) -> None:
    with pytest.raises(UserError, match=r"compare\.metric=rougel is no metric here; did you mean compare\.metric=rougeL\?"):
        run(tmp_path / "run", dataset, files, metric="rougel")
    with pytest.raises(UserError, match=r"compare\.metric=judge_accuracy is no metric here"):
        run(tmp_path / "run", dataset, files, metric="judge_accuracy")
    with pytest.raises(UserError, match=r"models\.majority: a floor has that name"):
        run(tmp_path / "run", dataset, {"tuned": files["tuned"], "majority": files["base"]})


def test_questions_of_a_file_without_references_are_compared_by_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = tmp_path / "questions.jsonl"
    with jsonlines.open(asked, "w") as file:
        file.write_all({"id": f"test{number}/0", "question": "What is seen?", "report": REPORT} for number in range(ROWS))
    blank = {"reference": None, "reference_nll": None, "reference_tokens": 0}
    files = {name: predictions(tmp_path, name, right, **blank) for name, right in {"tuned": 3, "base": 0}.items()}
    finished = run(tmp_path / "run", None, files, prediction=PredictionSettings(file=str(asked)))
    found = json.loads(finished.path("comparison").read_text())
    assert found["pairs"][0]["verdict"] == "unknown" and found["contamination"] is None
    assert found["scores"]["all"]["tuned"]["ended_itself"]["value"] == 1
    assert "cannot be compared with" in capsys.readouterr().out
    assert "cannot be told from" in finished.path("page").read_text()


def test_a_judges_scores_stand_beside_the_metrics(tmp_path: Path, dataset: Path, files: dict[str, str]) -> None:
    files.pop("twin")
    with serve(reply=grading(lambda answer: three(1 if "Unsure" in answer else 4))) as server:
        finished = run(tmp_path / "run", dataset, files, judge_at(server, limit=12), metric="judge_accuracy")
    found = json.loads(finished.path("comparison").read_text())
    assert found["judge"]["questions"] == 12 and found["scores"]["all"]["tuned"]["judge_accuracy"]["rows"] == 12
    assert found["scores"]["all"]["base"]["judge_accuracy"]["value"] == 1
    assert found["scores"]["all"]["majority"]["judge_accuracy"]["value"] is None
    (one,) = found["pairs"]
    assert one["verdict"] == "better" and one["rows"] == 12
    rows = list(read_records(finished.path("compared_answers"), ComparedAnswer))
    assert {row.scores["base"]["judge_accuracy"] for row in rows} == {1, None}
    assert "judge: accuracy" in (page := finished.path("page").read_text()) and "What a language model made of the answers" in page


def test_a_judge_may_compare_pair_by_pair(tmp_path: Path, dataset: Path, files: dict[str, str]) -> None:
    files.pop("twin")

    def prefer(messages: list[dict[str, str]]) -> str:
        from judging import shown

        better = [label for label, text in shown(messages).items() if "Unsure" not in text]
        return json.dumps({"better": better[0] if len(better) == 1 else "tie"})

    with serve(reply=prefer) as server:
        finished = run(tmp_path / "run", dataset, files, judge_at(server, grading=Grading.pairwise))
    found = json.loads(finished.path("comparison").read_text())
    assert found["judge"]["win_rates"][0]["wins"] == 18 and found["judge"]["win_rates"][0]["ties"] == 6
    assert found["scores"]["all"]["tuned"]["judge_preference"]["value"] == 21 / 24


def test_peoples_scores_are_set_against_the_judges(tmp_path: Path, dataset: Path, files: dict[str, str]) -> None:
    files.pop("twin")
    scores = tmp_path / "people.csv"
    lines = [f"test{number}/0,{model},accuracy,{4 if model == 'tuned' and number % 4 < 3 else 1}" for number in range(8) for model in files]
    scores.write_text("\n".join(["id,system,criterion,score", *lines]) + "\n")
    with serve(reply=grading(lambda answer: three(1 if "Unsure" in answer else 4))) as server:
        finished = run(tmp_path / "run", dataset, files, judge_at(server), human_scores=str(scores))
    (agreement,) = json.loads(finished.path("comparison").read_text())["judge_and_people"]["rows"][:1]
    assert (agreement["criterion"], agreement["scores"], agreement["kappa"]["value"]) == ("accuracy", 16, 1)
    assert "How graders agree" in finished.path("page").read_text()
