"""A dataset's card: figures in sight, hostile names inert, nothing from elsewhere, and no text of a report, instruction or answer."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from radgpt.config import Data, Dataset, Governance, Instructions, Source
from radgpt.instructions.card import Card, behind, score_name
from radgpt.instructions.card_page import BANNERS, MEANINGS, facts, html, markdown
from radgpt.instructions.filters import answer_tests, instruction_tests
from radgpt.records import Dropped, Generation, JudgedAnswer, Pair, Problem

HOSTILE = "</td><script>alert(1)</script>|`x`"
REPORT, ASKED, ANSWERED = "Heart is wide open today.", "Is the heart wide?", "It is wide indeed, so says the report."
FACTS = {"Source": "openi", "Seed": "7"}


def generation(number: int, text: str, teacher: str = "gpt-4o", outcome: str = "ok") -> Generation:
    return Generation(f"s{number}/0", f"s{number}", f"p{number}", "summarisation", outcome, text, "ab", "prompt-9", teacher, 100, 20, 0.25)


def judged(
    number: int, score: float | None, reason: str | None = None, kinds: tuple[str, ...] = (), decision: str | None = None
) -> JudgedAnswer:
    problems = [Problem(kind, 0, 2) for kind in kinds]
    row = (f"s{number}/0", f"s{number}", f"p{number}", "summarisation", ASKED, ANSWERED, reason, score, problems, [], "ab", "cd", decision)
    return JudgedAnswer(*row)


def pair(number: int, split: str, turns: int = 1, task: str = "summarisation") -> Pair:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"{REPORT}\n\n{ASKED}"}]
    messages += [{"role": "assistant", "content": ANSWERED}]
    messages += [{"role": "user", "content": ASKED}, {"role": "assistant", "content": ANSWERED}] * (turns - 1)
    return Pair(f"s{number}/0", f"s{number}", f"p{number}", task, split, messages, "ef", "ab", "cd")


@pytest.fixture
def card() -> Card:
    """Five instructions, of which one is dropped; four answers, of which two are dropped."""
    card = Card()
    for number in range(5):
        card.add_instruction(generation(number, ASKED, HOSTILE if number else "gpt-4o", "dropped: length" if number == 4 else "ok"))
    card.add_dropped_instruction(Dropped("s4/0", "teacher_length"))
    for number in range(4):
        card.add_answer(generation(number, ANSWERED, outcome="failed: HTTP 500 from a chatty server" if number == 3 else "ok"))
    card.add_judged(judged(0, 1.0, decision="accept"))
    card.add_judged(judged(1, None))
    card.add_judged(judged(2, 0.5, "unfaithful", ("side", "side", "negation")))
    card.add_judged(judged(3, 1.0, "cut_off"))
    card.add_pair(pair(0, "train"))
    card.add_pair(pair(0, "train", task="paraphrasing"))
    card.add_pair(pair(1, "test", turns=2))
    return card


def plain(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition("</style>")[2]).replace("\N{NO-BREAK SPACE}", " ").split())


def rows(text: str) -> list[list[str]]:
    """Cells of all rows of Markdown tables."""
    found = [line.strip("|").split("|") for line in text.replace("\N{NO-BREAK SPACE}", " ").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in found]


def test_figures_stand_in_the_page(card: Card) -> None:
    words = plain(html(card, Governance.credentialed, FACTS))
    for told in (
        "Dataset of 3 pairs",
        "Pairs 3 of 2 reports",
        "Patients 2 none in two splits",
        "Instructions kept 4 80.0 % of 5",
        "Answers kept 2 50.0 % of 4",
        "Wholly supported 66.7 % of 3 answers with something to check",
        "Tokens 1,080 prompts and replies",
        "Cost, US$ 2.25",
        "summarisation 1 0 1 2 66.7 %",
        "Patients 1 0 1 2",
        "teacher length 1 20.0 % The reply reached the longest length allowed.",
        "cut off 1 25.0 % It stops within a sentence",
        "all of it 1 1 50.0 %",
        "nothing to check 1 0 25.0 %",
        "half and more 0 1 25.0 %",
        "side 1 0 ",
        "2 turns; median 4, mean 4.0",
        "3 pairs; median 11, mean 11.0",
        "2 1 33.3 %",
        "instructions 5 500 100 1.25",
        "ok 4; dropped: length 1",
        "ok 3; failed 1",
        "1 accepted. A person's decision outweighs every filter.",
        "Seed 7",
    ):
        assert told in words


def test_figures_stand_in_the_markdown(card: Card) -> None:
    text = markdown(card, Governance.open, FACTS)
    found = rows(text)
    for row in (
        ["summarisation", "1", "0", "1", "2"],
        ["**pairs**", "2", "0", "1", "3"],
        ["**patients**", "1", "0", "1", "2"],
        ["teacher\\_length", "1", "20.0 %", "The reply reached the longest length allowed."],
        ["all of it", "1", "1", "50.0 %"],
        ["negation", "1", "0"],
        ["Answer", "2 turns", "8.0", "8", "8", "8"],
        ["answers", "4", "400", "80", "1.00", "gpt-4o", "prompt-9", "ok 3; failed 1"],
        ["Seed", "7"],
    ):
        assert row in found
    assert "Turns of a conversation: 1 in 2 pairs, 2 in 1 pair." in text


def test_front_matter_is_that_of_the_hugging_face_hub(card: Card) -> None:
    _, front, _ = markdown(card, Governance.restricted, FACTS).split("---\n", 2)
    matter = yaml.safe_load(front)
    assert matter["task_categories"] == ["summarization", "text-generation"]
    assert matter["size_categories"] == ["n<1K"] and matter["license"] == "other" and "governance-restricted" in matter["tags"]
    assert matter["configs"][0]["data_files"][0] == {"split": "train", "path": "dataset/train.jsonl"}


@pytest.mark.parametrize("governance", Governance)
def test_governance_is_told(card: Card, governance: Governance) -> None:
    assert f'<p class="banner {governance.name}" role="note">' in html(card, governance, FACTS)
    assert BANNERS[governance].replace("'", "&#39;") in html(card, governance, FACTS)
    assert BANNERS[governance] in markdown(card, governance, FACTS)


def test_no_text_and_no_id(card: Card) -> None:
    _, _, body = html(card, Governance.open, FACTS).partition("</style>")
    for told in (body, markdown(card, Governance.open, FACTS)):
        assert not re.search(r"\bwide (?:open|indeed)|wide\?|\bs\d\b|\bp\d\b|s0/0|chatty|Be brief", told)


class Elements(HTMLParser):
    """The tags of a page, and whether each is closed by its like."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in ("meta", "line", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("meta", "line", "rect"):
            assert self.open.pop() == tag


def test_hostile_names_are_inert_and_nothing_comes_from_elsewhere(card: Card) -> None:
    page = html(card, Governance.open, {HOSTILE: HOSTILE})
    elements = Elements(page)
    assert elements.open == [] and not elements.tags & {"script", "img", "link", "iframe", "a"}
    assert page.count("&lt;script&gt;") == 3
    for reference in ("http:", "https:", "src=", "href=", "url(", "@import", "//"):
        assert reference not in page
    text = markdown(card, Governance.open, {HOSTILE: HOSTILE})
    assert "<script>" not in text and "\\|\\`x\\`" in text


def test_a_card_of_nothing_and_one_of_instructions_brought_along(card: Card) -> None:
    assert "Dataset of 0 pairs" in html(Card(), Governance.open, {}) and "Not judged." in markdown(Card(), Governance.open, {})
    assert Elements(html(Card(), Governance.open, {})).open == []
    brought = Card()
    brought.add_answer(generation(0, ANSWERED))
    brought.add_judged(judged(0, 1.0))
    assert "Instructions kept – brought along: not counted here" in plain(html(brought, Governance.open, {}))


def test_patients_in_two_splits_are_told() -> None:
    card = Card()
    for split in ("train", "test"):
        card.add_pair(pair(0, split))
    assert "Patients 1 1 in more than one split" in plain(html(card, Governance.open, {}))
    assert "1 patient in more than one split." in markdown(card, Governance.open, {})


@pytest.mark.parametrize(
    ("score", "name"),
    [
        (1.0, "all of it"),
        (0.95, "90 % and more"),
        (0.5, "half and more"),
        (0.2, "less than half"),
        (0.0, "none of it"),
        (None, "nothing to check"),
    ],
)
def test_scores_have_names(score: float | None, name: str) -> None:
    assert score_name(score) == name


def test_every_reason_has_its_meaning() -> None:
    outcomes = {f"teacher_{name}" for name in ("length", "content_filter", "refusal", "empty", "invalid", "failed", "earlier_turn")}
    own = {"duplicate", "unfaithful", "earlier_turn_dropped", "missing_turn", "rejected_by_reviewer"}
    assert instruction_tests(Instructions()).keys() | answer_tests(Dataset()).keys() | outcomes | own == MEANINGS.keys()
    assert all(MEANINGS.values())


def test_facts_tell_what_was_read() -> None:
    told = facts(Data(source=Source.openi, path="/secret/place/reports.tgz"), Dataset(), 3, {"reports": "12ab"})
    assert told["Source"] == "openi, reports.tgz" and told["Read: reports"] == "sha256:12ab" and told["Seed"] == "3"
    assert "secret" not in " ".join(told.values())


def test_what_instructions_were_made_of_is_found_beside_them(tmp_path: Path) -> None:
    instructions, raw = tmp_path / "instructions.jsonl", tmp_path / "raw.jsonl"
    assert behind(instructions) == (None, None)
    described = {"id": "a", "stage": "s", "key": "k", "experiment": "e", "status": "done", "governance": "open", "argv": [], "started": ""}
    described |= {"reads": {"raw_instructions": {"path": str(raw)}}, "source_sha256": ""}
    (tmp_path / "manifest.json").write_text(json.dumps(described))
    assert behind(instructions) == (None, None)
    for file in (raw, tmp_path / "dropped_instructions.jsonl"):
        file.touch()
    assert behind(instructions) == (raw, tmp_path / "dropped_instructions.jsonl")
