"""What a reader of the comparison's page can filter and order, in headless Chromium, from a file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from compared_models import compared_models
from review_desk import chromium

from radgpt.config import Governance
from radgpt.evaluation.page.comparison_page import html

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install -e '.[dev]')")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The page; it fails the tests if it met an error or asked anybody for anything."""
    if chromium() is None:
        pytest.skip("no Chromium on this machine (apt install chromium)")
    file = Path(tmp_path_factory.mktemp("page")) / "comparison.html"
    file.write_text(html(compared_models(), Governance.synthetic, {"Seed": "0"}, 6), encoding="utf-8")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 390, "height": 800})
        met: list[str] = []
        opened.on("pageerror", lambda error: met.append(str(error)))
        opened.on("console", lambda message: met.append(message.text))
        opened.on("request", lambda request: None if request.url == file.as_uri() else met.append(request.url))
        opened.goto(file.as_uri())
        yield opened
        assert met == []
        browser.close()


def shown(page: Any) -> list[str]:
    return [text.split("/")[0] for text in page.locator(".example:visible h3").all_text_contents()]


def choose(page: Any, **values: str) -> None:
    page.reload()
    for name, value in values.items():
        page.select_option(f"select[name={name}]", value)


def test_examples_are_filtered_by_task_kind_words_and_abnormality(page: Any) -> None:
    page.reload()
    everything = shown(page)
    assert len(everything) == 6 and page.locator(".filters output").text_content() == "6 of 6"
    choose(page, task="summarisation")
    even = shown(page)
    assert even and all(int(id[1:]) % 2 == 0 for id in even) and len(even) < 6
    choose(page, kind="worst")
    assert 0 < len(shown(page)) < 6
    page.reload()
    page.fill("input[name=sought]", f"QUESTION {everything[2][1:]}")
    assert everything[2] in shown(page) and len(shown(page)) < 6
    page.fill("input[name=sought]", "nothing holds this")
    assert shown(page) == [] and page.get_by_text("No example fits.").is_visible()
    page.reload()
    page.check("input[name=abnormal]")
    assert set(shown(page)) <= {"r3"}


def test_examples_are_ordered_by_a_models_scores(page: Any) -> None:
    choose(page, order="model:tuned")
    assert shown(page) == sorted(shown(page), key=lambda id: int(id[1:]))
    choose(page, order="best")
    assert shown(page) == sorted(shown(page), key=lambda id: -int(id[1:]))


def test_nothing_is_wider_than_a_telephone(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") == 390
