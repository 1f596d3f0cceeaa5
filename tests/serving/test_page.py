"""What a user of the page sees and does, in headless Chromium, with models that answer from a script."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from fake_backend import FakeBackend
from review_desk import chromium
from served_page import REPORT, ServedPage, page_served

pytest.importorskip("gradio", reason="gradio is not installed (pip install -e '.[web]')")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install -e '.[dev]')")

pytestmark = pytest.mark.slow

HOSTILE = (
    '</p><script>window.hacked = 1</script><img src=http://127.0.0.2/x onerror="window.hacked = 1"> ![](http://127.0.0.2/y) ${1+1} {{x}}'
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if chromium() is None:
        pytest.skip("no Chromium on this machine (apt install chromium)")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPage]:
    folder = tmp_path_factory.mktemp("page")
    with page_served(folder, FakeBackend(name="this"), FakeBackend(name="base"), samples={"Sample 1": REPORT}) as page:
        yield page


@pytest.fixture
def page(browser: Any, served: ServedPage) -> Iterator[Any]:
    """The page, opened; it fails the test if it met an error, asked anybody else for anything, or left a text in the browser."""
    for model in served.models.values():
        model.replies.clear()
        model.calls.clear()
        model.hold = None
        model.begun.clear()
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    errors: list[str] = []
    elsewhere: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    own = (served.address, "data:", "blob:")
    context.on("request", lambda request: None if request.url.startswith(own) else elsewhere.append(request.url))
    # What the page's own policy stopped was never sent.
    context.on("requestfailed", lambda request: elsewhere.remove(request.url) if request.failure == "csp" else None)
    opened.goto(served.address)
    opened.locator("#rg-message textarea").wait_for()
    yield opened
    kept = opened.evaluate("async () => JSON.stringify([{...localStorage}, {...sessionStorage}, await indexedDB.databases()])")
    context.close()
    assert (errors, elsewhere) == ([], [])
    assert kept == "[{},{},[]]"


def ask(page: Any, message: str) -> None:
    page.locator("#rg-message textarea").fill(message)
    page.locator("#rg-message textarea").press("Enter")


def answers(page: Any, side: int = 0) -> Any:
    return page.locator(".rg-chat").nth(side).locator(".message.bot")


def shows(page: Any, *texts: str, side: int = 0) -> None:
    """Wait until the answers of a side are these."""
    playwright.expect(answers(page, side)).to_have_text(list(texts))


def ended(page: Any) -> None:
    """Wait until the last answer has ended."""
    playwright.expect(page.locator("#rg-told")).to_contain_text("tokens")


def soon(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


def test_two_turns_stream_and_the_notice_is_in_view(page: Any, served: ServedPage) -> None:
    playwright.expect(page.get_by_role("note")).to_have_text("Research software, not for clinical use: answers may be wrong.")
    hold = served.models["this"].hold = Event()
    ask(page, "first question")
    shows(page, "You")
    hold.set()
    shows(page, "You said: first question")
    ended(page)
    ask(page, "second question")
    shows(page, "You said: first question", "You said: second question")
    assert [message["content"] for message in served.models["this"].calls[-1].messages] == [
        "You answer questions.", "first question", "You said: first question", "second question",
    ]  # fmt: skip
    playwright.expect(page.get_by_role("note")).to_be_in_viewport()


def test_stop_keeps_what_there_is_and_frees_the_model(page: Any, served: ServedPage) -> None:
    served.models["this"].hold = Event()
    ask(page, "a question")
    shows(page, "You")
    page.locator("#rg-message button").click()
    playwright.expect(page.locator("#rg-told")).to_contain_text("stopped")
    shows(page, "You")
    served.models["this"].hold = None
    ask(page, "another")
    shows(page, "You", "You said: another")


def test_retry_edit_and_undo(page: Any, served: ServedPage) -> None:
    ask(page, "one")
    shows(page, "You said: one")
    ended(page)
    served.models["this"].replies.append("Once more.")
    page.get_by_label("Retry", exact=True).click()
    shows(page, "Once more.")
    ended(page)
    page.get_by_label("Edit", exact=True).click()
    page.locator(".rg-chat textarea").fill("two")
    page.get_by_label("Submit").first.click()
    shows(page, "You said: two")
    assert [call.messages[-1]["content"] for call in served.models["this"].calls] == ["one", "one", "two"]
    ended(page)
    page.get_by_label("Undo", exact=True).click()
    playwright.expect(answers(page)).to_have_count(0)
    playwright.expect(page.locator("#rg-message textarea")).to_have_value("two")


def test_report_is_shown_by_sections_and_supports_answers(page: Any, served: ServedPage) -> None:
    page.get_by_role("button", name="Sample 1").click()
    playwright.expect(page.locator("#rg-report section h4")).to_have_text(["INDICATION", "FINDINGS", "IMPRESSION"])
    served.models["this"].replies.append("The heart is mildly enlarged. There is a right pneumothorax.")
    ask(page, "What is seen?")
    playwright.expect(page.locator("#rg-report mark")).to_have_text(["The heart is mildly enlarged.1"])
    playwright.expect(page.locator("#rg-report li.rg-wrong")).to_contain_text("There is a right pneumothorax.")
    assert REPORT in served.models["this"].calls[-1].messages[1]["content"]
    ended(page)
    ask(page, "and now?")
    shows(page, "The heart is mildly enlarged. There is a right pneumothorax.", "You said: and now?")
    playwright.expect(page.locator("#rg-report mark")).to_have_count(0)
    answers(page).first.click()
    playwright.expect(page.locator("#rg-report mark")).to_have_count(1)


def test_report_file_is_read_in_the_browser(page: Any, tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("FINDINGS: Clear lungs.", encoding="utf-8")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open file").click()
    chooser.value.set_files(tmp_path / "report.txt")
    playwright.expect(page.locator("#rg-report section p")).to_have_text(["Clear lungs."])


def test_another_report_begins_another_conversation(page: Any, served: ServedPage) -> None:
    ask(page, "one")
    shows(page, "You said: one")
    ended(page)
    page.locator("#rg-report-text textarea").fill("FINDINGS: Clear lungs.")
    ask(page, "two")
    shows(page, "You said: two")
    playwright.expect(page.locator("#rg-told")).to_contain_text("a new conversation has begun")


def test_two_models_answer_the_same_question_and_are_compared(page: Any, served: ServedPage) -> None:
    page.get_by_label("Beside it").click()
    page.get_by_role("option", name="base").click()
    holds = [served.models["this"], served.models["base"]]
    for model in holds:
        model.hold = Event()
    served.models["base"].replies.append("Another answer.")
    ask(page, "same question")
    shows(page, "You", side=0)
    shows(page, "Another", side=1)
    for model in holds:
        model.hold.set()
    page.get_by_role("button", name="Right is better").click()
    shows(page, "Another answer.", side=1)
    assert soon(lambda: bool(served.ratings()))
    row = served.ratings()[-1]
    assert row["rating"] == "right"
    assert {side: (said["model"], said["messages"][-1]["content"]) for side, said in row["answers"].items()} == {
        "left": ("this", "You said: same question"),
        "right": ("base", "Another answer."),
    }


def test_a_thumb_is_in_the_file_at_once(page: Any, served: ServedPage) -> None:
    ask(page, "rated question")
    shows(page, "You said: rated question")
    ended(page)
    page.get_by_label("Like", exact=True).click()
    playwright.expect(page.locator("#rg-told")).to_contain_text("Kept in feedback.jsonl")
    row = served.ratings()[-1]
    said = row["answers"]["left"]
    assert (row["rating"], said["model"], said["turn"], said["decoding"]["temperature"]) == ("up", "this", 1, 0.75)
    assert said["messages"] == [
        {"role": "system", "content": "You answer questions."},
        {"role": "user", "content": "rated question"},
        {"role": "assistant", "content": "You said: rated question"},
    ]


def test_texts_are_never_markup_and_load_nothing(page: Any, served: ServedPage) -> None:
    served.models["this"].replies.append(f"It says {HOSTILE}")
    page.locator("#rg-report-text textarea").fill(f"FINDINGS: {HOSTILE}")
    playwright.expect(page.locator("#rg-report section p")).to_have_text([HOSTILE])
    ask(page, f"Explain {HOSTILE}")
    ended(page)
    assert page.evaluate("window.hacked") is None


def test_a_mistake_is_told_and_the_message_is_given_back(page: Any, served: ServedPage) -> None:
    from radgpt.errors import UserError

    served.models["this"].replies.append(UserError("the endpoint is gone"))
    ask(page, "lost question")
    playwright.expect(page.locator("#rg-told .rg-error")).to_have_text("the endpoint is gone")
    playwright.expect(page.locator("#rg-message textarea")).to_have_value("lost question")
    playwright.expect(answers(page)).to_have_count(0)


def test_a_closed_tab_frees_the_model(browser: Any, served: ServedPage) -> None:
    model = served.models["this"]
    model.replies.clear()
    model.hold, before = Event(), model.given
    context = browser.new_context()
    tab = context.new_page()
    tab.goto(served.address)
    tab.locator("#rg-message textarea").wait_for()
    ask(tab, "a question that nobody waits for")
    shows(tab, "You")
    assert served.desk.conversations.answering == 1
    context.close()
    assert soon(lambda: served.desk.conversations.answering == 0)
    assert model.given == before + 1


def test_user_and_password(browser: Any, tmp_path: Path) -> None:
    with page_served(tmp_path, FakeBackend(), credentials=("rose", "secret")) as served:
        for password, welcome in (("wrong", False), ("secret", True)):
            context = browser.new_context()
            tab = context.new_page()
            tab.set_default_timeout(10_000)
            tab.goto(served.address)
            tab.get_by_label("username").fill("rose")
            tab.get_by_label("password").fill(password)
            tab.get_by_role("button", name="Login").click()
            if welcome:
                ask(tab, "hello")
                shows(tab, "You said: hello")
            else:
                tab.get_by_text("Incorrect").wait_for()
                assert tab.locator("#rg-message").count() == 0
            context.close()
