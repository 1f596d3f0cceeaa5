"""What a reviewer sees and does, in headless Chromium."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from review_desk import ANSWERS, HOSTILE, TEXT, Served, chromium, review_served

from radgpt.records import Decision, JudgedAnswer
from radgpt.review.decisions import decision_rows, judged_sha256, read_decisions
from radgpt.review.ledger import open_ledger

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install -e '.[dev]')")


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
    with review_served(tmp_path) as review:
        yield review


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
    opened.get_by_text("of 5 decided").wait_for()
    opened.locator(".turn.active").wait_for()
    yield opened
    context.close()
    assert (errors, elsewhere) == ([], [])


def shows(page: Any, id: str) -> None:
    """Wait until an answer is the one to decide on."""
    playwright.expect(page.locator(".turn.active .id")).to_have_text(id)


def decided(page: Any, count: int) -> None:
    playwright.expect(page.locator("#decided-text")).to_have_text(f"{count} of 5 decided")


def test_pair_and_report_stand_side_by_side(page: Any) -> None:
    shows(page, "r1/0")
    assert "token" not in page.url
    assert page.locator(".instruction").inner_text() == "What is seen?"
    assert page.locator("#report h3").all_inner_texts() == ["FINDINGS", "IMPRESSION"]
    assert page.locator("#report .text").all_inner_texts() == ["Small left effusion 🫁. The heart is normal.", "Left effusion."]
    assert page.locator("#pair .problem").inner_text() == "large"
    assert page.locator("#pair .kind").inner_text() == "negation"
    assert "50 % supported" in page.locator(".turn-head").inner_text()
    assert "dropped: unfaithful" in page.locator(".turn-head").inner_text()


def test_evidence_lights_up_on_both_sides(page: Any) -> None:
    mark, place = page.locator("#pair mark"), page.locator("#report mark")
    assert (mark.inner_text(), place.inner_text()) == ("small left effusion", "Small left effusion")
    assert page.locator("mark.lit").count() == 0
    place.hover()
    assert page.locator("mark.lit").count() == 2
    page.locator("h1").hover()
    assert page.locator("mark.lit").count() == 0
    page.keyboard.press("]")
    assert page.locator("mark.lit").count() == 2
    page.locator("h1").hover()
    page.evaluate("getSelection().selectAllChildren(document.querySelector('#report .text'))")
    playwright.expect(page.locator("mark.lit")).to_have_count(2)


def test_keys_decide_move_and_take_back(page: Any, served: Served) -> None:
    page.keyboard.press("a")
    shows(page, "r1/1")
    decided(page, 1)
    page.keyboard.press("n")
    page.keyboard.type("too short, says a radiologist")
    page.keyboard.press("Enter")
    page.keyboard.press("r")
    shows(page, "r1/2")
    standing = read_decisions(served.decisions)
    assert [(id, one.decision, one.note, one.reviewer) for id, one in standing.items()] == [
        ("r1/0", "accept", "", "rose"),
        ("r1/1", "reject", "too short, says a radiologist", "rose"),
    ]
    assert standing["r1/0"].judged_sha256 == judged_sha256(ANSWERS[0].instruction, ANSWERS[0].answer)
    page.keyboard.press("k")
    shows(page, "r1/1")
    page.keyboard.press("ArrowDown")
    shows(page, "r1/2")
    page.keyboard.press("u")
    shows(page, "r1/1")
    page.keyboard.press("u")
    shows(page, "r1/0")
    decided(page, 0)
    assert read_decisions(served.decisions) == {}
    assert [row.decision for row in decision_rows(served.decisions)] == ["accept", "reject", "withdraw", "withdraw"]
    page.keyboard.press("?")
    assert page.locator("#help").is_visible() and str(served.decisions) in page.locator("#where").inner_text()


def test_undo_brings_an_earlier_decision_back(page: Any, served: Served) -> None:
    page.keyboard.press("a")
    shows(page, "r1/1")
    page.keyboard.press("k")
    shows(page, "r1/0")
    page.keyboard.press("r")
    shows(page, "r1/1")
    page.keyboard.press("u")
    shows(page, "r1/0")
    playwright.expect(page.locator(".stamp")).to_have_text("✓ accepted")
    assert read_decisions(served.decisions)["r1/0"].decision == "accept"


def test_an_edit_keeps_both_texts_as_typed(page: Any, served: Served) -> None:
    page.keyboard.press("e")
    page.locator("#edit-answer").fill("A small left effusion; the heart is normal. ara")
    page.locator("#edit-instruction").fill("What does the film show?")
    page.keyboard.press("Control+Enter")
    shows(page, "r1/1")
    edit = read_decisions(served.decisions)["r1/0"]
    assert (edit.decision, edit.instruction, edit.answer) == (
        "edit",
        "What does the film show?",
        "A small left effusion; the heart is normal. ara",
    )
    page.keyboard.press("k")
    shows(page, "r1/0")
    assert page.locator(".turn.active > .answer").inner_text() == "A small left effusion; the heart is normal. ara"
    page.locator("summary").click()
    assert page.locator(".original .answer").inner_text().startswith("There is a small left effusion.")
    page.keyboard.press("e")
    page.keyboard.press("Escape")
    assert page.locator("#edit-answer").count() == 0


def test_filters_and_search_narrow_the_list_which_stays_as_it_was(page: Any) -> None:
    rows = page.locator("#rows li")
    for control, choice, wanted in [
        ("#outcome", "dropped:unfaithful", ["What is seen?"]),
        ("#outcome", "any", None),
        ("#task", "summarisation", ["Sum up the report."]),
        ("#task", "any", None),
    ]:
        page.locator(control).select_option(choice)
        playwright.expect(rows).to_have_count(5 if wanted is None else len(wanted))
        if wanted:
            assert page.locator("#rows .row-text").all_inner_texts() == wanted
    page.locator("#problems").check()
    playwright.expect(rows).to_have_count(1)
    page.locator("#problems").uncheck()
    page.keyboard.press("/")
    page.keyboard.type("ON THE LEFT")
    playwright.expect(rows).to_have_count(1)
    shows(page, "r1/2")
    page.locator("#search").fill("nobody says this")
    playwright.expect(page.locator("#pair")).to_contain_text("No answer fits these filters")
    page.get_by_role("button", name="Show all answers").click()
    playwright.expect(rows).to_have_count(5)
    page.locator("#state").select_option("undecided")
    page.locator("h1").click()
    page.locator("#accept").click()
    decided(page, 1)
    playwright.expect(rows).to_have_count(5)
    page.locator("#state").select_option("decided")
    playwright.expect(rows).to_have_count(1)


def test_turns_of_a_conversation_are_shown_together(page: Any, served: Served) -> None:
    page.locator("#rows button").nth(2).click()
    shows(page, "r1/2")
    assert page.locator(".turn .instruction").all_inner_texts() == ["Is there an effusion?", "How large is it?"]
    page.get_by_role("button", name="Turn 2 of 2").click()
    shows(page, "r1/2.2")
    page.keyboard.press("r")
    decided(page, 1)
    assert list(read_decisions(served.decisions)) == ["r1/2.2"]


def test_a_reload_and_a_new_start_go_on_where_the_reviewer_left(page: Any, browser: Any, served: Served, tmp_path: Path) -> None:
    page.keyboard.press("j")
    shows(page, "r1/1")
    page.keyboard.press("a")
    shows(page, "r1/2")
    page.reload()
    shows(page, "r1/2")
    decided(page, 1)
    assert page.locator("#rows .row.accept").count() == 1
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "decisions.jsonl").write_bytes(served.decisions.read_bytes())
    with review_served(tmp_path / "again") as again:
        second = browser.new_page()
        second.goto(again.address)
        shows(second, "r1/2")
        decided(second, 1)
        second.close()


def test_the_page_opens_before_all_is_judged_and_finds_where_the_reviewer_left(browser: Any, tmp_path: Path) -> None:
    with open_ledger(tmp_path / "decisions.jsonl", "x") as ledger:
        for judged in ANSWERS[:2]:
            ledger.append(Decision(judged.instruction_id, "accept", judged_sha256(judged.instruction, judged.answer)))
    two, all_of_them = threading.Event(), threading.Event()

    def slowly() -> Iterator[JudgedAnswer]:
        for number, judged in enumerate(ANSWERS):
            if number in (1, 3):
                {1: two, 3: all_of_them}[number].wait(20)
            yield judged

    with review_served(tmp_path, slowly()) as review:
        page = browser.new_page()
        page.goto(review.address)
        shows(page, "r1/0")
        playwright.expect(page.locator("#judging")).to_have_text("checking answers: 1 so far")
        decided(page, 1)
        two.set()
        shows(page, "r1/2")
        playwright.expect(page.locator("#rows li")).to_have_count(3)
        all_of_them.set()
        playwright.expect(page.locator("#rows li")).to_have_count(5)
        playwright.expect(page.locator("#judging")).to_be_hidden()
        shows(page, "r1/2")
        page.close()


def test_a_page_whose_server_has_ended_says_so(browser: Any, tmp_path: Path) -> None:
    with review_served(tmp_path) as review:
        page = browser.new_page()
        page.goto(review.address)
        shows(page, "r1/0")
    page.keyboard.press("a")
    playwright.expect(page.get_by_role("alert")).to_contain_text("The review has ended on this machine.")
    page.close()


def test_a_decision_on_other_texts_is_told_and_does_not_count(browser: Any, tmp_path: Path) -> None:
    with open_ledger(tmp_path / "decisions.jsonl", "x") as ledger:
        ledger.append(Decision("r1/0", "accept", judged_sha256("What is seen?", "Nothing.")))
    with review_served(tmp_path) as review:
        page = browser.new_page()
        page.goto(review.address)
        shows(page, "r1/0")
        decided(page, 0)
        assert "decided before, on other texts" in page.locator(".turn-head").inner_text()
        page.close()


def test_markup_in_a_text_is_only_text(page: Any) -> None:
    page.locator("#rows button").nth(4).click()
    shows(page, "r2/0")
    assert page.locator("#report .text").inner_text() == f"FINDINGS: {HOSTILE}"
    assert page.locator(".answer").inner_text() == f"It says {HOSTILE}"
    assert page.locator("#rows .row-text").nth(4).inner_text().startswith("Explain </p><script>")
    assert page.locator("img, #pair script, #report script, #rows script").count() == 0
    assert page.evaluate("window.hacked") is None


def test_the_page_could_not_make_markup_of_a_text_if_it_tried(browser: Any, served: Served) -> None:
    page = browser.new_page()
    page.goto(served.address)
    tried = "(() => { try { document.body.innerHTML = '<i>'; return 'made' } catch (error) { return error.name } })()"
    assert page.evaluate(tried) == "TypeError"
    page.close()


def test_a_narrow_window_stacks_the_panes(page: Any) -> None:
    page.set_viewport_size({"width": 700, "height": 900})
    pair, report = page.locator("#pair").bounding_box(), page.locator("#report").bounding_box()
    assert report["y"] >= pair["y"] + pair["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    assert not page.locator("#rows").is_visible()
    page.locator("#toggle-list").click()
    assert page.locator("#rows").is_visible()


def test_every_control_has_a_name(page: Any) -> None:
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, input, select, textarea')].filter((one) => !one.labels?.length && !one.textContent.trim()"
        " && !one.getAttribute('aria-label')).map((one) => one.id)"
    )
    assert nameless == []
    assert page.locator("#pair mark").get_attribute("aria-describedby") == page.locator("#report mark").get_attribute("id")
    assert TEXT.startswith(page.locator("#report .title").inner_text())
