"""A report's sections with what supports an answer, as HTML in which no text is markup."""

import re

from radgpt.inference.chat.grounding import Grounded, grounding
from radgpt.serving.report_view import Checked, numbered, report_html

REPORT = "FINDINGS: Small left effusion. The heart is normal.\nIMPRESSION: Left effusion."


def test_sections_stand_under_their_headers() -> None:
    assert re.findall(r"<h4>(.*?)</h4><p>(.*?)</p>", report_html(REPORT)) == [
        ("FINDINGS", "Small left effusion. The heart is normal."),
        ("IMPRESSION", "Left effusion."),
    ]


def test_a_report_without_headers_is_shown_whole() -> None:
    assert "<p>Normal chest.</p>" in report_html("Normal chest.")


def test_no_report_is_told() -> None:
    assert "answers come from the model alone" in report_html(" \n")


def test_support_is_marked_with_the_number_of_its_sentence() -> None:
    answer = "Hello. The heart is normal. There is a right pneumothorax."
    shown = report_html(REPORT, Checked("Answer 1", answer, grounding(REPORT, "What?", answer)))
    assert "<mark>The heart is normal.<sup>2</sup></mark>" in shown
    assert '<li value="2" class="rg-right">The heart is normal. <span class="rg-verdict">supported</span></li>' in shown
    assert re.search(r'<li value="3" class="rg-wrong">There is a right <u title="\w+">pneumothorax</u>', shown)
    assert '<li value="1"' not in shown


def test_an_answer_that_claims_nothing_is_told() -> None:
    assert "It claims nothing" in report_html(REPORT, Checked("Answer 1", "Hello.", grounding(REPORT, "Hi", "Hello.")))


def test_stretches_that_overlap_become_one() -> None:
    sentences = [Grounded((0, 1), ((0, 10),), ()), Grounded((1, 2), ((5, 12), (20, 25)), ())]
    assert numbered(sentences) == [((0, 12), [1, 2]), ((20, 25), [2])]


def test_no_text_is_markup() -> None:
    hostile = "<b>Small</b> left effusion & more."
    shown = report_html(f"FINDINGS: {hostile}", Checked("<i>", hostile, grounding(f"FINDINGS: {hostile}", "", hostile)))
    assert "<b>" not in shown and "<i>" not in shown and "&lt;b&gt;Small&lt;/b&gt;" in shown
