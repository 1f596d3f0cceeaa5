"""Counts of eight reports by hand; parts that are merged, saved and read again; bounds on what is held."""

import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from radgpt.config import Governance
from radgpt.errors import UserError
from radgpt.records import Report, Section
from radgpt.reports import quality
from radgpt.reports.quality import Duplicates, Flagged, Quality, Spread, count_words, flagged_rows, share, spread, token_counter


def report(report_id: str, patient_id: str, *stretches: tuple[str, str, str, str], **more: object) -> Report:
    """A report of stretches (section, header, what vouches for it, text)."""
    text, spans, sections = "", [], {}
    for name, header, provenance, body in stretches:
        text += f"{header}: " if header else ""
        spans.append(Section(name, header, provenance, len(text), len(text) + len(body)))
        text += f"{body}\n"
        if body and name != "other":
            sections[name] = f"{sections[name]}\n\n{body}" if name in sections else body
    return Report(report_id, patient_id, text, sections, spans=spans, **more)  # type: ignore[arg-type]


EIGHT = [
    report(
        "r1",
        "p1",
        ("findings", "FINDINGS", "header", "Both lungs clear."),
        ("impression", "IMPRESSION", "header", "Normal."),
        split="train",
    ),
    # The same words, other capitals and spaces.
    report(
        "r2",
        "p2",
        ("findings", "Findings", "header", "Both  lungs clear."),
        ("impression", "Impression", "header", "normal."),
        split="test",
    ),
    report("r3", "p2", ("findings", "FINDINGS AND IMPRESSION", "merged", "A nodule on the left."), split="train", flags=["merged"]),
    report("r4", "p3", ("indication", "INDICATION", "header", "Cough."), ("findings", "", "last_paragraph", "Clear."), flags=["unheaded"]),
    report("r5", "p3", ("findings", "FINDINGS", "header", ""), ("impression", "IMPRESSION", "header", "Stable small nodule.")),
    report("r6", "p4", ("history", "HISTORY", "header", "Fever."), ("impression", "IMPRESSION", "header", ""), flags=["no_narrative"]),
    report(
        "r7",
        "p5",
        ("other", "Lung volumes", "none", "Low."),
        ("findings", "FINDINGS", "header", "Tube in place."),
        ("other", "LUNG  VOLUMES", "none", "Still low."),
        ("findings", "FINDINGS", "header", ""),
        ("wet_read", "WET READ", "none", "Tube seen."),
        metadata={"views": ["AP", "AP", "LATERAL"], "chexpert": {"Edema": 1.0, "Fracture": -1, "Pneumonia": None}, "images": 3, "mesh": []},
    ),
    Report("r8", "p6", "", {}, flags=["no_narrative", "split_conflict"]),
]


def counted(reports: list[Report], count_tokens: Callable[[list[str]], list[int]] | None = None) -> Quality:
    found = Quality()
    found.add(reports, count_tokens)
    return found


def test_counts_of_eight_reports() -> None:
    found = counted(EIGHT)
    assert found.summary() == {
        "reports": 8,
        "patients": 6,
        "with_findings": 5,
        "with_impression": 3,
        "with_both": 2,
        "merged": 1,
        "unheaded": 1,
        "no_narrative": 2,
        "duplicates": 1,
        "unknown_headers": 1,
        "findings_words": 3,
        "impression_words": 1,
        "held_out_duplicates": 1,
    }
    assert found.narrative == {"both": 2, "findings": 3, "impression": 1, "neither": 2}
    assert found.splits == {"train": 2, "test": 1, "none": 5}
    assert found.flags == {"merged": 1, "unheaded": 1, "no_narrative": 2, "split_conflict": 1}
    assert found.flagged == 4
    assert found.flagged_ids == {"merged": ["r3"], "unheaded": ["r4"], "no_narrative": ["r6", "r8"], "split_conflict": ["r8"]}


def test_sections_and_what_vouches_for_them() -> None:
    found = counted(EIGHT)
    assert found.vouchers("findings") == [("header", 3), ("last_paragraph", 1), ("merged", 1)]
    assert found.vouchers("impression") == [("header", 3)]
    assert found.vouchers("other") == [("none", 1)]
    assert found.present("wet_read") == 1
    # r7 has an empty FINDINGS too, beside one with text.
    assert found.empty == {"findings": 1, "impression": 1}


def test_a_section_without_a_place_is_vouched_for_by_nothing() -> None:
    found = counted([Report("r", "p", "", {"findings": "Clear lungs."})])
    assert found.vouchers("findings") == [("none", 1)]
    assert found.lengths("text", "words") == {2: 1}


def test_of_two_parts_under_one_name_where_the_last_and_empty_one_counts_the_section_is_empty() -> None:
    spans = [Section("history", "HISTORY", "header", 9, 15), Section("history", "HISTORY", "header", 25, 25)]
    found = counted([Report("r", "p", "HISTORY: Fever.\nHISTORY: ", {}, spans=spans)])
    assert (found.present("history"), found.empty["history"]) == (0, 1)


def test_repeats() -> None:
    assert counted(EIGHT).duplicates == Duplicates(repeats=1, groups=1, across_patients=1, held_out=1, largest=[(2, ["r1", "r2"])])
    of_one_patient = [
        Report(f"r{number}", "p", text, {}) for number, text in enumerate(["Clear.", "Edema.", "clear.", "edema. ", "CLEAR."])
    ]
    assert counted(of_one_patient).duplicates == Duplicates(3, 2, 0, 0, [(3, ["r0", "r2", "r4"]), (2, ["r1", "r3"])])


def test_groups_listed_are_the_largest_and_the_first_of_equal_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "GROUPS", 2)
    monkeypatch.setattr(quality, "IDS_IN_GROUP", 2)
    found = counted([Report(str(place), "p", text, {}) for place, text in enumerate(["b", "a", "c", "a", "b", "c", "c", "b", "d"])])
    assert found.duplicates.largest == [(3, ["0", "4"]), (3, ["2", "5"])]


def test_reports_without_text_repeat_none() -> None:
    assert counted([Report(name, name, " \n", {}) for name in "abc"]).duplicates == Duplicates(0, 0, 0, 0, [])
    assert Quality().duplicates == Duplicates(0, 0, 0, 0, [])
    assert Quality().summary()["patients"] == 0


def test_unknown_headers_with_examples() -> None:
    found = counted([report(f"r{place}", "p", ("other", "Dose", "none", "x"), ("other", "dose ", "none", "y")) for place in range(5)])
    assert [(name, header.count, header.report_ids) for name, header in found.common_headers()] == [("DOSE", 10, ["r0", "r1", "r2"])]


def test_unknown_headers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "MOST_HEADERS", 5)
    monkeypatch.setattr(quality, "HEADERS_KEPT", 4)
    names = ["A", "A", "B", "B", "C", "D", "E", "F"]
    found = counted([report(f"r{place}", "p", ("other", name, "none", "x")) for place, name in enumerate(names)])
    assert {name: header.count for name, header in found.headers.items()} == {"A": 2, "B": 2}
    assert found.headers_dropped == 4
    assert "2 or more, 8 times" in found.console(Governance.credentialed)


def test_many_headers_that_all_differ_are_held_within_bounds_and_quickly() -> None:
    found = Quality()
    started = time.perf_counter()
    for number in range(30_000):
        found.add_header(f"HEADER {number} {'LONG ' * 50}", "r")
    assert len(found.headers) <= quality.MOST_HEADERS
    assert max(map(len, found.headers)) == quality.LONGEST_HEADER
    assert sum(header.count for header in found.headers.values()) + found.headers_dropped == 30_000
    assert time.perf_counter() - started < 5


def test_control_characters_of_headers_and_ids_are_replaced() -> None:
    found = counted([report("r\x1b[2J\n1", "p", ("other", "DOSE\x07\u202e", "none", "x"), flags=["merged"])])
    assert list(found.headers) == ["DOSE��"]
    assert found.flagged_ids == {"merged": ["r�[2J�1"]}
    # Kept as they are where they are compared, and shown without what a console would act upon.
    assert found.ids() == ["r\x1b[2J\n1"]
    found.add([report("r\0\ud800", "p", ("other", "DOSE\x07\u202e", "none", "x"))])
    assert found.ids() == ["r\x1b[2J\n1", "r�\ud800"]
    assert found.duplicates.largest == [(2, ["r�[2J�1", "r��"])]


def test_metadata_and_labels() -> None:
    found = counted(EIGHT)
    assert found.metadata == {"views": 1, "chexpert": 1, "images": 1}
    assert found.labels == {
        ("views", "AP", 1): 1,
        ("views", "LATERAL", 1): 1,
        ("chexpert", "Edema", 1): 1,
        ("chexpert", "Fracture", -1): 1,
    }


def test_parts_merged_are_the_whole() -> None:
    def told(*cuts: int) -> str:
        total = Quality()
        for start, end in zip((0, *cuts), (*cuts, 8), strict=True):
            part = counted(EIGHT[start:end], lambda texts: [len(text) for text in texts])
            total.merge(part)
        return json.dumps(total.as_json())

    assert told() == told(4) == told(1, 2, 3, 4, 5, 6, 7) == told(0, 7)


def test_merging_is_associative() -> None:
    def parts() -> list[Quality]:
        return [counted(EIGHT[:3]), counted(EIGHT[3:6]), counted(EIGHT[6:])]

    first, second, third = parts()
    first.merge(second)
    first.merge(third)
    left, middle, right = parts()
    middle.merge(right)
    left.merge(middle)
    assert first == left


def test_lists_of_ids_stay_bounded_when_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "FLAGGED_IDS", 3)
    parts = [counted([Report(f"{part}{place}", "p", "", {}, flags=["merged"]) for place in range(2)]) for part in "abc"]
    parts[0].merge(parts[1])
    parts[0].merge(parts[2])
    assert parts[0].flagged_ids == {"merged": ["a0", "a1", "b0"]}
    assert parts[0].flags == {"merged": 6}


def test_json_and_back() -> None:
    found = counted(EIGHT, lambda texts: [1 for _ in texts])
    again = Quality.from_json(json.loads(json.dumps(found.as_json())))
    assert again == found
    assert json.dumps(again.as_json()) == json.dumps(found.as_json())
    assert again.summary() == found.summary()
    assert again.console(Governance.open) == found.console(Governance.open)


def test_json_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="another version"):
        Quality.from_json(Quality().as_json() | {"version": 0})


def test_memory_and_json_stay_small() -> None:
    found = counted([Report(f"s{50_000_000 + place}", f"p{place // 3}", f"Report {place}.", {}) for place in range(2_000)])
    packed = sum(len(getattr(found, name)) for name in quality.PACKED)
    assert packed == 2_000 * (17 + len("s50000000\0"))
    assert len(json.dumps(found.as_json())) < 2_000 * 37 + 1_000


def test_spread() -> None:
    assert spread(Counter({3: 1})) == Spread(1, 3.0, 3, 3, 3, 3)
    assert spread(Counter({1: 50, 10: 45, 100: 4, 7_000: 1})) == Spread(100, 79.0, 1, 10, 100, 7_000)
    assert spread(Counter(range(1, 101))) == Spread(100, 50.5, 50, 95, 99, 100)
    assert spread(Counter()) == Spread(0, 0.0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("part", "whole", "told"),
    [(0, 9, "0.0 %"), (9, 9, "100.0 %"), (1, 5_000, "<0.1 %"), (4_999, 5_000, ">99.9 %"), (1, 8, "12.5 %"), (0, 0, "–")],
)
def test_share(part: int, whole: int, told: str) -> None:
    assert share(part, whole) == told


def test_words_are_what_stands_between_white_space() -> None:
    texts = ["", " one ", "two\nwords", "\tthree  more words\r\n", "nul\0 is\0none", "é è", "last"]
    assert count_words(texts) == [0, 1, 2, 3, 3, 2, 1]
    assert count_words([]) == [] and count_words([""]) == [0]


def test_tokens_are_counted_beside_words() -> None:
    asked = []

    def count_tokens(texts: list[str]) -> list[int]:
        asked.append(len(texts))
        return [2 * len(text.split()) for text in texts]

    found = counted(EIGHT, count_tokens)
    assert asked == [8 + 5 + 3]
    assert found.lengths("findings", "words") == {1: 1, 3: 3, 5: 1}
    assert found.lengths("findings", "tokens") == {2: 1, 6: 3, 10: 1}
    assert found.lengths("impression", "tokens") == {2: 2, 6: 1}


@pytest.mark.slow
def test_token_counter_of_a_folder(tmp_path: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(WordLevel({"[UNK]": 0, "clear": 1, ".": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", model_max_length=2).save_pretrained(str(tmp_path))
    count_tokens = token_counter(str(tmp_path))
    assert count_tokens(["Lungs clear.", "clear", ""]) == [3, 1, 0]
    assert count_tokens([]) == []


@pytest.mark.slow
def test_a_tokenizer_that_is_not_there_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data\.tokenizer=.*nowhere cannot be loaded \(.*\); give a folder"):
        token_counter(str(tmp_path / "nowhere"))


def test_rows_of_flagged_reports() -> None:
    assert list(flagged_rows(EIGHT)) == [
        Flagged("r3", ["merged"]),
        Flagged("r4", ["unheaded"]),
        Flagged("r6", ["no_narrative"]),
        Flagged("r8", ["no_narrative", "split_conflict"]),
    ]


def test_console() -> None:
    assert counted(EIGHT).console(Governance.open).splitlines() == [
        "8 reports of 6 patients",
        "",
        "  section             reports     share    empty   what says so",
        "  history                   1    12.5 %        0   header 100.0 %",
        "  indication                1    12.5 %        0   header 100.0 %",
        "  findings                  5    62.5 %        1   header 60.0 %, last_paragraph 20.0 %, merged 20.0 %",
        "  impression                3    37.5 %        1   header 100.0 %",
        "  wet_read                  1    12.5 %        0   none 100.0 %",
        "  other                     1    12.5 %        0   none 100.0 %",
        "",
        "  pairs        2 with findings and impression (25.0 %)",
        "               the others: 3 without impression, 1 without findings, 2 without either",
        "  flags        no_narrative 2, merged 1, split_conflict 1, unheaded 1; 4 reports, all in flagged.jsonl",
        "  repeats      1 report with the text of an earlier one; 1 held out with that of a training report",
        "  new headers  1, 2 times: LUNG VOLUMES 2",
    ]


@pytest.mark.parametrize("governance", [Governance.credentialed, Governance.restricted])
def test_console_tells_no_header_of_data_that_are_not_free(governance: Governance) -> None:
    told = counted(EIGHT).console(governance)
    assert told.endswith("\n  new headers  1, 2 times")
    assert "LUNG VOLUMES" not in told
