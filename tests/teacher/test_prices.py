"""A teacher's price is found under its model's name, and a list of prices with a mistake names it."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from radgpt.config import Budget, Provider, Teacher, TeacherMode
from radgpt.errors import UserError
from radgpt.teacher.prices import SHIPPED, Price, price_of, read_prices

OWN = "my-deployment: {prompt: 1, completion: 2.5, source: my contract, date: 2026-11-01}\n"


def teacher(model: str, **settings: Any) -> Teacher:
    return Teacher(**{"provider": Provider.openai, "model": model, "api_key_env": "MY_KEY"} | settings)


@pytest.mark.parametrize(
    ("model", "prompt"),
    [
        ("gpt-4o-mini", 0.15),
        ("gpt-4o-mini-2024-07-18", 0.15),
        ("gpt-4o", 2.50),
        ("gpt-4o-2024-08-06", 2.50),
        ("gpt-4o-2024-05-13", 5.00),
        ("gpt-4.1", 2.00),
        ("gpt-4.1-nano-2025-04-14", 0.10),
        ("gpt-4o-audio-preview", None),
        ("my-deployment", None),
    ],
)
def test_a_model_is_found_by_its_name_or_its_snapshot_s(model: str, prompt: float | None) -> None:
    price = price_of(teacher(model))
    assert (price.prompt if price else None) == prompt


def test_each_shipped_price_has_its_source_and_day() -> None:
    for name, entry in read_prices(SHIPPED).items():
        assert entry.source.startswith("https://") and date.fromisoformat(entry.date) < date.today(), name
        assert 0 < entry.prompt < entry.completion and entry.batch_discount == 0.5, name


def test_batches_take_half_off_and_usd_is_by_the_million() -> None:
    whole, half = price_of(teacher("gpt-4o-mini")), price_of(teacher("gpt-4o-mini", mode=TeacherMode.batch))
    assert whole and half and (half.prompt, half.completion) == (whole.prompt / 2, whole.completion / 2) == (0.075, 0.30)
    assert Price(0.15, 0.60).usd(2_000_000, 500_000) == pytest.approx(0.60)


def test_teachers_of_one_s_own_are_free_unless_a_list_says_otherwise(tmp_path: Path) -> None:
    local: dict[str, Any] = {"provider": Provider.local, "base_url": "http://127.0.0.1:1/v1", "api_key_env": None}
    path = tmp_path / "prices.yaml"
    path.write_text(OWN)
    for free in (Teacher(), teacher("gpt-4o", **local), teacher("other", **local, prices=str(path))):
        assert price_of(free) == Price(0, 0)
    assert price_of(teacher("my-deployment", **local, prices=str(path))) == Price(1, 2.5, "my contract", "2026-11-01")
    assert price_of(teacher("gpt-4o", prices=str(path))) is None  # one's own list stands for the shipped one


def test_a_cap_in_dollars_needs_a_price() -> None:
    with pytest.raises(UserError) as raised:
        price_of(teacher("my-deployment", budget=Budget(usd=5)))
    assert str(raised.value).startswith("teacher.budget.usd=5 needs the price of teacher.model=my-deployment, which prices.yaml does not")
    assert "set teacher.prices to a YAML file with a line like my-deployment: {prompt: 0.15, completion: 0.60," in str(raised.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: {prompt: 1\nb: [", "line 2: no YAML"),
        ("- a\n", "no list of models"),
        ("a: 0.15\n", ": a: no entry"),
        (OWN.replace("prompt", "promt"), ": my-deployment.promt: no such key"),
        (OWN.replace(", date: 2026-11-01", ""), ": my-deployment.date: missing"),
        (OWN.replace("2.5", "-2"), ": my-deployment.completion=-2: must be US dollars a million tokens, 0 or more"),
        (OWN.replace("2.5", ".inf"), ": my-deployment.completion=inf: must be"),
        (OWN.replace("2.5", "'2.5'"), ": my-deployment.completion=2.5: must be"),
        (OWN.replace("prompt: 1", "prompt: 1, batch_discount: 50"), ": my-deployment.batch_discount=50: must be a share in [0, 1]"),
        (OWN.replace("2026-11-01", "last week"), ": my-deployment.date=last week: must be a day"),
        (OWN.replace("my contract", "''"), ": my-deployment.source: must say where"),
    ],
)
def test_a_mistake_in_a_list_is_named(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as raised:
        price_of(teacher("a", prices=str(path)))
    assert str(raised.value).startswith(f"teacher.prices={path}") and says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere.yaml: cannot be read \(No such file"):
        price_of(teacher("a", prices=str(tmp_path / "nowhere.yaml")))
