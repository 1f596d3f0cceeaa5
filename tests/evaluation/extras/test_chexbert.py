"""CheXbert's loader, with a checkpoint of the published layout around a tiny random BERT."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from tiny_bert import save_tiny_bert, tiny_bert

from radgpt.config import Evaluation
from radgpt.errors import UserError
from radgpt.evaluation.extras import extra_metrics, open_extras
from radgpt.evaluation.extras.chexbert import HEADS
from radgpt.evaluation.metrics import summed
from radgpt.evaluation.observations import FIVE

ANSWERS = ["no effusion .", "there is a left effusion", "small right pneumothorax , no effusion", "no no", "left\n\n small"]
REFERENCES = ["there is left effusion", "small effusion", "no pneumothorax", "a", "right small"]


def checkpoint() -> dict[str, torch.Tensor]:
    """Names and shapes as in the file that is published, saved from a model on several GPUs."""
    generator = torch.Generator().manual_seed(2)
    state = {f"module.bert.{name}": value for name, value in tiny_bert().state_dict().items()}
    state["module.bert.embeddings.position_ids"] = torch.arange(64)[None]
    for number in range(14):
        classes = 2 if number == 13 else 4
        state[f"module.linear_heads.{number}.weight"] = torch.randn(classes, 32, generator=generator)
        state[f"module.linear_heads.{number}.bias"] = torch.randn(classes, generator=generator)
    return state


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_tiny_bert(tmp_path)
    torch.save({"epoch": 7, "model_state_dict": checkpoint()}, tmp_path / "chexbert.pth")
    return tmp_path


def wanted(folder: Path, uncertain: str = "positive") -> Evaluation:
    return Evaluation(extras=["chexbert"], weights={"chexbert": str(folder)}, uncertain=uncertain)


def classes(folder: Path, texts: list[str]) -> Any:
    """(texts, 14) class of each head, one text at a time, by the published recipe."""
    from transformers import AutoTokenizer

    tokenizer, state, bert = AutoTokenizer.from_pretrained(folder), checkpoint(), tiny_bert()
    found = []
    for text in texts:
        with torch.inference_mode():
            first = bert(**tokenizer(" ".join(text.split()), return_tensors="pt")).last_hidden_state[0, 0]
        weights = [(state[f"module.linear_heads.{number}.weight"], state[f"module.linear_heads.{number}.bias"]) for number in range(14)]
        found.append([int((weight @ first + bias).argmax()) for weight, bias in weights])
    return np.array(found)


@pytest.mark.parametrize(("uncertain", "there"), [("positive", (1, 3)), ("negative", (1,))])
def test_f1_of_the_heads_labels(folder: Path, uncertain: str, there: tuple[int, ...]) -> None:
    evaluation = wanted(folder, uncertain)
    columns = open_extras(evaluation)[0].score(ANSWERS, REFERENCES)
    said, true = np.isin(classes(folder, ANSWERS), there), np.isin(classes(folder, REFERENCES), there)
    five = [HEADS.index(name) for name in FIVE]
    expected = {
        "chexbert_micro_f1": f1_score(true, said, average="micro"),
        "chexbert_macro_f1": f1_score(true, said, average="macro", zero_division=np.nan),
        "chexbert5_micro_f1": f1_score(true[:, five], said[:, five], average="micro"),
        "chexbert5_macro_f1": f1_score(true[:, five], said[:, five], average="macro", zero_division=np.nan),
    }
    found = {name: summed(metric, columns[name]) for name, metric in extra_metrics(evaluation).items()}
    assert found == {name: pytest.approx(value, abs=1e-9) for name, value in expected.items()}
    assert 0 < expected["chexbert_micro_f1"] < 1


def test_the_last_head_is_no_finding() -> None:
    assert (HEADS[0], HEADS[-2], HEADS[-1], len(HEADS)) == ("Enlarged Cardiomediastinum", "Support Devices", "No Finding", 14)


def test_another_models_checkpoint_is_refused(folder: Path) -> None:
    torch.save({"model_state_dict": {"weight": torch.zeros(1)}}, folder / "chexbert.pth")
    with pytest.raises(UserError, match=r"evaluation.weights.chexbert=.* are not those of CheXbert; get chexbert.pth of"):
        open_extras(wanted(folder))


def test_a_file_that_is_no_checkpoint_is_refused(folder: Path) -> None:
    (folder / "chexbert.pth").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(UserError, match=r"evaluation.weights.chexbert=.* cannot be loaded \(UnpicklingError\); get chexbert.pth of"):
        open_extras(wanted(folder))


def test_a_folder_without_the_checkpoint_is_refused(folder: Path) -> None:
    (folder / "chexbert.pth").unlink()
    with pytest.raises(UserError, match=r"has no chexbert.pth; get chexbert.pth of StanfordAIMI/RRG_scorers"):
        open_extras(wanted(folder))


def test_results_name_the_checkpoint_and_what_uncertain_counts_as(folder: Path) -> None:
    about = open_extras(wanted(folder, "negative"))[0].about
    assert (about["uncertain"], len(about["model_sha256"])) == ("negative", 64)
