"""The tiny model is the same whenever it is made from the same things."""

from radgpt.artifacts import digest
from radgpt.config import Model, ModelSource
from radgpt.models import load_tokenizer
from radgpt.training.tiny import make_tiny

MODEL = Model(source=ModelSource.tiny, name_or_path="tiny", tiny_hidden_size=16, tiny_layers=1, tiny_vocab_size=280)
TEXTS = ["No pleural effusion.", "No pneumothorax or effusion.", "Heart size is normal."]


def test_same_texts_and_seed_give_the_same_bytes(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        make_tiny(MODEL, TEXTS, seed, tmp_path / name)
    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")


def test_the_tokenizer_spells_what_it_never_saw(tmp_path):
    make_tiny(MODEL, TEXTS, 0, tmp_path)
    tokenizer = load_tokenizer(MODEL, str(tmp_path))
    assert len(tokenizer) == 280
    assert tokenizer.decode(tokenizer("Größe: 3 µm → ✓").input_ids) == "Größe: 3 µm → ✓"
