"""The page of a comparison: figures in sight, hostile texts inert, nothing from elsewhere, no text in what is not shown."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from compared_models import compared_models

from radgpt.config import Governance
from radgpt.evaluation.page.comparison_page import html

MADE = {"Seed": "0", "Made": "today"}


@pytest.fixture(scope="module")
def page() -> str:
    return html(compared_models(), Governance.credentialed, MADE, 6)


class Elements(HTMLParser):
    """Tags with their attributes, and whether each is closed by its like."""

    VOID = ("meta", "line", "rect", "circle", "input")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<(style|script)>.*?</\1>", "", page, flags=re.S)).split())


def test_the_page_says_who_is_better_by_how_much(page: str) -> None:
    text = text_of(page)
    assert "2 models on 20 questions" in text
    assert "tuned is better than base : ROUGE-L +0.600 [+0.600, +0.600], p = " in text.replace("&nbsp;", " ")
    assert "ROUGE-L 0.800 [0.800, 0.800] 0.200 ▼ [0.200, 0.200] 0.100 [0.100, 0.100]" in text
    assert "less is better 0.000 [0.000, 0.000] 1.000 ▼ [1.000, 1.000]" in text
    assert "20 won, 0 tied, 0 lost" in text and "100&nbsp;%" in page
    assert "summarisation, 10" in text and "question answering, 10" in text


def test_what_is_known_of_the_models_is_told(page: str) -> None:
    text = text_of(page)
    assert "tuning.r 8 null" in text
    assert "Tokens generated a second 12.5 –" in text and "Cost, US$ 0.2500 –" in text
    assert "ended: stop 1 1" in text
    assert "The report stands in training word for word 3 15.0 %" in text.replace("\N{NO-BREAK SPACE}", " ")


def test_credentialed_texts_come_with_a_warning_on_top(page: str) -> None:
    assert page.index("Credentialed data. This page shows text") < page.index("<table")
    assert "Made-up reports" in html(compared_models(), Governance.synthetic, MADE, 6)


def test_texts_of_models_are_inert(page: str) -> None:
    assert "<img" not in page and page.count("<script>") == 1
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    elements = Elements(page)
    assert not elements.open
    assert not [name for _, attributes in elements.found for name in attributes if name.startswith("on")]


def test_the_page_takes_nothing_from_elsewhere_and_runs_only_its_own_script(page: str) -> None:
    elements = Elements(page)
    policy = next(attributes["content"] for tag, attributes in elements.found if attributes.get("http-equiv"))
    (script,) = re.findall(r"<script>(.*?)</script>", page, flags=re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert not re.search(r"https?://", page)
    assert not [attributes for tag, attributes in elements.found if tag in ("link", "img", "iframe") or "src" in attributes]


def test_examples_show_question_answers_and_what_filters_read(page: str) -> None:
    articles = [attributes for tag, attributes in Elements(page).found if tag == "article"]
    assert len(articles) == 6
    assert {one["data-task"] for one in articles} <= {"question_answering", "summarisation"}
    assert articles[0]["data-values"] == '{"tuned": 0.8, "base": 0.2}' and articles[0]["data-apart"] == "0.600000"
    text = text_of(page)
    assert "ROUGE-L 0.99" in text and "no text" in text and "REPORT TEXT" in text


def test_without_examples_the_page_has_no_text_and_no_script() -> None:
    page = html(compared_models(), Governance.open, MADE, 0)
    assert "REPORT" not in page and "alert" not in page and "<script" not in page and "filters" not in text_of(page)


def test_one_patient_and_no_training_split_leave_a_page_too() -> None:
    page = html(compared_models(contamination=None), Governance.open, MADE, 3)
    assert "Not known: no training split stands beside these questions." in page
