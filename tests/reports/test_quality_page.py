"""The page of a preprocess run: figures in sight, hostile headers inert, no report text, nothing from elsewhere."""

import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from radgpt.config import Governance
from radgpt.records import SECTIONS, Report, Section
from radgpt.reports.quality import Quality
from radgpt.reports.quality_page import FLAGS, chart_of, render

FACTS = {"Source": "mimic_cxr", "Dataset digest": "9f2c1b", "Versions": "radgpt 0.1.0"}
HOSTILE = "</th><script>alert('x')</script><img onerror=alert(1)>"
SENTENCES = {
    "examination": "Frontal radiograph of the chest.",
    "history": "Woman with fever and rigors.",
    "indication": "Rule out a consolidation.",
    "technique": "Single upright view.",
    "comparison": "None available today.",
    "findings": "A catheter ends in the atrium.",
    "impression": "Catheter ends too deep.",
    "other": "Technologist was in a hurry.",
}


def page_of(quality: Quality, governance: Governance, facts: dict[str, str]) -> str:
    return render(quality, quality.duplicates(), governance, facts)


class Elements(HTMLParser):
    """The tags of a page, and whether each is closed by its like."""

    VOID = ("meta", "line", "rect")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] += 1
        self.attributes.update(name for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def full_report(number: int) -> Report:
    """A report with every section, every flag, labels and a hostile header."""
    text, spans = "", []
    for name, sentence in SENTENCES.items():
        spans.append(Section(name, HOSTILE if name == "other" else name.upper(), "header", len(text), len(text) + len(sentence)))
        text += f"{sentence}\n"
    sections = {name: SENTENCES[name] for name in SECTIONS}
    metadata = {"views": ["AP"], "chexpert": {"Edema": 1, "Fracture": -1}}
    return Report(f"s{number}", f"p{number}", text, sections, ("train", "test")[number % 2], [*FLAGS], spans, metadata)


@pytest.fixture(scope="module")
def quality() -> Quality:
    found = Quality()
    reports = [full_report(number) for number in range(1_234)]
    found.add(reports, lambda texts: [len(text) for text in texts])
    return found


@pytest.fixture(scope="module")
def page(quality: Quality) -> str:
    return page_of(quality, Governance.credentialed, FACTS)


def test_figures_stand_in_it(page: str) -> None:
    words = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "Quality of 1,234 reports" in words
    assert "Reports 1,234 each counted as a patient’s of its own" in words
    assert "findings and impression: 1,234 (100.0 %)" in words
    assert "1,234 reports; median 6, mean 6.0, 95&nbsp;% up to 6, longest 6" in words
    assert (
        "1 text stands in more than one report, 1 of them in reports of more than one patient; 1,233 reports repeat an earlier one."
        in words
    )
    assert "617 validation or test reports have the text of a training report." in words
    assert "Dataset digest 9f2c1b" in words
    assert "s0 s1 s2 s3" in words
    assert "Edema 1,234 0 0 0" in words and "Fracture 0 0 1,234 0" in words
    assert all(meaning in words.replace("&#39;", "'") for meaning in FLAGS.values())


def test_same_bytes_again(quality: Quality, page: str) -> None:
    assert page_of(Quality.from_json(quality.as_json()), Governance.credentialed, FACTS) == page


def test_every_element_is_closed_and_tables_have_headers(page: str) -> None:
    elements = Elements(page)
    assert elements.open == []
    assert elements.counts["figure"] == 6
    assert elements.counts["th"] > elements.counts["tr"] / 2 and elements.attributes["scope"] == elements.counts["th"]


def test_hostile_headers_ids_flags_and_facts_are_inert(page: str) -> None:
    assert "&lt;/TH&gt;&lt;SCRIPT&gt;ALERT(&#39;X&#39;)&lt;/SCRIPT&gt;&lt;IMG ONERROR=ALERT(1)&gt;" in page
    found = Quality()
    found.add(
        [Report(HOSTILE, HOSTILE, "Clear.", {"findings": "Clear."}, None, [HOSTILE], metadata={HOSTILE: {HOSTILE: 1}, "views": HOSTILE})]
    )
    told = page_of(found, Governance.open, {HOSTILE: HOSTILE})
    assert told.count("&lt;script&gt;") >= 7
    for one in (page, told):
        elements = Elements(one)
        assert not elements.counts.keys() & {"script", "img", "link", "iframe", "object", "base", "form"}
        assert not [name for name in elements.attributes if name.startswith("on")]


def test_nothing_from_elsewhere(page: str) -> None:
    for reference in ("http:", "https:", "src=", "href=", "@import", "url(", "data:", "//"):
        assert reference not in page
    assert "default-src 'none'; style-src 'unsafe-inline'" in page


def test_no_sentence_of_any_report(page: str) -> None:
    plain = " ".join(page.lower().split())
    for sentence in SENTENCES.values():
        assert sentence.lower().rstrip(".") not in plain


@pytest.mark.parametrize(
    ("governance", "told"),
    [
        (Governance.credentialed, "Keep this file where the reports may be: it holds header text and report ids."),
        (Governance.restricted, "pass it on only where the licence lets you pass on the reports"),
        (Governance.open, "Open data."),
        (Governance.synthetic, "Made-up reports"),
    ],
)
def test_banner(quality: Quality, governance: Governance, told: str) -> None:
    assert f'<p class="banner {governance.name}" role="note">' in (page := page_of(quality, governance, FACTS))
    assert told in page


def test_page_of_nothing_and_of_one_report() -> None:
    assert "Quality of 0 reports" in page_of(Quality(), Governance.open, {})
    found = Quality()
    found.add([Report("r", "p", "", {})])
    told = page_of(found, Governance.open, {})
    assert "Quality of 1 report<" in told and "No two reports have the same text." in told and "No report carries a flag." in told
    assert Elements(told).open == []


def test_bars_stand_within_the_plot_and_tell_their_bounds() -> None:
    found = Quality(words=Counter({("findings", 10): 60, ("findings", 25): 139, ("findings", 400): 1}))
    chart = chart_of(found, "findings", "words")
    assert chart is not None
    assert [(bar.bounds, bar.count, bar.open) for bar in chart.bars if bar.count] == [
        ("10–11", 60, False),
        ("24–25", 139, False),
        ("26 or more", 1, True),
    ]
    assert chart.y_labels[0] == (200, "0") and chart.y_labels[-1] == (26, "150")
    assert all(bar.x >= 60 and bar.x + bar.width <= 432 and 26 <= bar.y <= 200 for bar in chart.bars)
    assert chart_of(found, "impression", "words") is None
