"""What a rater sees and does, in headless Chromium."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rating_desk import ROWS, rating_served
from review_desk import HOSTILE, Served, chromium

from radgpt.rating.blinding import blinded, drawn
from radgpt.rating.ledger import read_ratings, standing

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install -e '.[dev]')")

QUESTIONS = [blinded(row, 0, "rose") for row in drawn(ROWS, None, 0)]
PLACES = {question.pair_id: number for number, question in enumerate(QUESTIONS)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if chromium() is None:
        pytest.skip("no Chromium on this machine (apt install chromium)")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with rating_served(tmp_path) as rating:
        yield rating


@pytest.fixture
def page(browser: Any, served: Served) -> Iterator[Any]:
    """The page, opened; it fails the test if it met an error or asked anybody else for anything."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(5_000)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    elsewhere: list[str] = []
    context.on(
        "request", lambda request: None if request.url.startswith(f"http://127.0.0.1:{served.port}/") else elsewhere.append(request.url)
    )
    opened.goto(served.address)
    opened.locator(".card").first.wait_for()
    yield opened
    context.close()
    assert (errors, elsewhere) == ([], [])


def go_to(page: Any, id: str) -> None:
    """Walk to a question."""
    for _ in QUESTIONS:
        page.keyboard.press("k")
    for _ in range(PLACES[id]):
        before = page.locator(".answers-head .id").inner_text()
        page.keyboard.press("j")
        playwright.expect(page.locator(".answers-head .id")).not_to_have_text(before)
    playwright.expect(page.locator(".answers-head .id")).to_contain_text(id)


def press(page: Any, *keys: str) -> None:
    """Press keys, each once the one before is kept."""
    for key in keys:
        with page.expect_response("**/api/*"):
            page.keyboard.press(key)


def pressed(page: Any) -> list[str]:
    return page.locator("[aria-pressed=true]").all_inner_texts()


def test_report_question_and_answers_are_shown_without_names(page: Any) -> None:
    go_to(page, "r1/0")
    assert "token" not in page.url
    text = page.locator(".conversation").inner_text()
    assert "The heart size is normal." in text and "Is there an effusion?" in text
    assert page.locator(".conversation .question").inner_text() == "Is there an effusion?"
    shown = page.locator(".card .answer").all_inner_texts()
    assert shown == [answer.text for answer in QUESTIONS[PLACES["r1/0"]].answers]
    assert not page.locator("details .text").first.is_visible()
    assert not any(name in page.content() for name in ("tuned", ">base", '"base"'))


def test_keys_grade_all_and_prefer_one(page: Any, served: Served) -> None:
    go_to(page, "r1/0")
    press(page, "4", "3", "4", "1", "2", "3", "a")
    assert pressed(page) == ["4", "3", "4", "1", "2", "3", "A"]
    playwright.expect(page.locator(".complete")).to_have_text("✓ complete")
    playwright.expect(page.locator("#complete-text")).to_have_text("1 of 3 complete")
    first, second = (answer.systems[0] for answer in QUESTIONS[PLACES["r1/0"]].answers)
    kept = standing(read_ratings(served.decisions))
    assert [(one.systems[0], one.criterion, one.score, one.rater) for one in kept.values()] == [
        (first, "accuracy", 4, "rose"), (first, "conciseness", 3, "rose"), (first, "understandability", 4, "rose"),
        (second, "accuracy", 1, "rose"), (second, "conciseness", 2, "rose"), (second, "understandability", 3, "rose"),
        (first, "preference", 1, "rose"),
    ]  # fmt: skip
    press(page, "0")
    assert pressed(page)[-1] == "none is better"
    press(page, "u", "u")
    assert pressed(page) == ["4", "3", "4", "1", "2", "3"]
    page.keyboard.press("Enter")
    playwright.expect(page.locator(".answers-head .id")).not_to_contain_text("r1/0")


def test_whoever_types_fast_loses_no_key(page: Any, served: Served) -> None:
    go_to(page, "r1/0")
    for key in ("4", "3", "4", "1", "2", "3", "b", "Enter"):
        page.keyboard.press(key)
    playwright.expect(page.locator(".answers-head .id")).not_to_contain_text("r1/0")
    kept = [one.score for one in read_ratings(served.decisions)]
    assert kept == [4, 3, 4, 1, 2, 3, 1]


def test_the_mouse_grades_moves_the_mark_and_takes_back(page: Any) -> None:
    go_to(page, "r1/0")
    page.get_by_role("button", name="conciseness of answer B: 2").click()
    playwright.expect(page.locator("[aria-pressed=true]")).to_have_text("2")
    playwright.expect(page.locator(".scale.marked .criterion")).to_have_text("understandability", ignore_case=True)
    playwright.expect(page.locator("#legend")).to_contain_text("Hard to make sense of.")
    page.keyboard.press("ArrowUp")
    press(page, "Delete")
    assert pressed(page) == []
    page.get_by_role("button", name="none is better").click()
    playwright.expect(page.locator(".choice[aria-pressed=true]")).to_have_count(1)
    page.get_by_role("button", name="none is better").click()
    playwright.expect(page.locator("[aria-pressed=true]")).to_have_count(0)


def test_equal_answers_are_graded_once_without_a_preference(page: Any) -> None:
    go_to(page, "r3/0")
    assert page.locator(".card").count() == 1 and page.locator(".preference").count() == 0
    press(page, "4", "4", "4")
    playwright.expect(page.locator(".complete")).to_have_count(1)


def test_hostile_texts_stay_texts(page: Any) -> None:
    go_to(page, "r2/0")
    assert f"It says {HOSTILE}" in page.locator(".card .answer").all_inner_texts()
    assert page.evaluate("window.hacked") is None and page.locator(".card img").count() == 0


def test_a_reload_and_a_new_start_go_on_where_the_rater_left(page: Any, browser: Any, served: Served, tmp_path: Path) -> None:
    go_to(page, "r3/0")
    press(page, "4", "3", "2")
    page.reload()
    page.locator(".card").first.wait_for()
    playwright.expect(page.locator("#complete-text")).to_have_text("1 of 3 complete")
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "ratings.jsonl").write_bytes(served.decisions.read_bytes())
    with rating_served(tmp_path / "again") as again:
        second = browser.new_page()
        second.goto(again.address)
        playwright.expect(second.locator("#complete-text")).to_have_text("1 of 3 complete")
        playwright.expect(second.locator(".answers-head .id")).not_to_contain_text("r3/0")
        second.close()


def test_a_page_whose_server_has_ended_says_so(browser: Any, tmp_path: Path) -> None:
    with rating_served(tmp_path) as rating:
        page = browser.new_page()
        page.goto(rating.address)
        page.locator(".card").first.wait_for()
    page.keyboard.press("4")
    playwright.expect(page.get_by_role("alert")).to_contain_text("The rating has ended on this machine.")
    page.close()


def test_no_reply_of_the_server_names_a_model(page: Any) -> None:
    replies: list[str] = []
    page.on("response", lambda response: replies.append(response.text()) if "/api/" in response.url else None)
    go_to(page, "r1/0")
    press(page, "4", "b", "u")
    page.wait_for_timeout(100)
    assert replies and not any(name in json.dumps(replies) for name in ("tuned", "base"))
