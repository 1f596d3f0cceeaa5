"""Counts of eight reports by hand; parts that are merged, saved and read again; bounds on what is held."""

import json
import time

import pytest
from eight_reports import EIGHT, quality_of, report

from radgpt.records import Report, Section
from radgpt.reports import quality
from radgpt.reports.quality import Flagged, Quality, flagged_rows
from radgpt.reports.repeats import Duplicates


def test_counts_of_eight_reports() -> None:
    found = quality_of(EIGHT)
    assert found.summary(found.duplicates()) == {
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
    found = quality_of(EIGHT)
    assert found.vouchers("findings") == [("header", 3), ("last_paragraph", 1), ("merged", 1)]
    assert found.vouchers("impression") == [("header", 3)]
    assert found.vouchers("other") == [("none", 1)]
    assert found.present("wet_read") == 1
    # r7 has an empty FINDINGS too, beside one with text.
    assert found.empty == {"findings": 1, "impression": 1}


def test_a_section_without_a_place_is_vouched_for_by_nothing() -> None:
    found = quality_of([Report("r", "p", "", {"findings": "Clear lungs."})])
    assert found.vouchers("findings") == [("none", 1)]
    assert found.lengths("text", "words") == {2: 1}


def test_of_two_parts_under_one_name_where_the_last_and_empty_one_counts_the_section_is_empty() -> None:
    spans = [Section("history", "HISTORY", "header", 9, 15), Section("history", "HISTORY", "header", 25, 25)]
    found = quality_of([Report("r", "p", "HISTORY: Fever.\nHISTORY: ", {}, spans=spans)])
    assert (found.present("history"), found.empty["history"]) == (0, 1)


def test_repeats_and_patients_are_those_of_all_that_is_counted_by_now() -> None:
    found = quality_of(EIGHT[:1])
    assert (found.patients(), found.duplicates()) == (1, Duplicates(0, 0, 0, 0, []))
    found.add(EIGHT[1:4])
    once = Duplicates(repeats=1, groups=1, across_patients=1, held_out=1, largest=[(2, ["r1", "r2"])])
    assert (found.patients(), found.duplicates()) == (3, once)
    found.merge(quality_of(EIGHT[:1]))
    assert (found.patients(), found.duplicates().repeats) == (3, 2)


def test_unknown_headers_with_examples() -> None:
    found = quality_of([report(f"r{place}", "p", ("other", "Dose", "none", "x"), ("other", "dose ", "none", "y")) for place in range(5)])
    assert [(name, header.count, header.report_ids) for name, header in found.common_headers()] == [("DOSE", 10, ["r0", "r1", "r2"])]


def test_unknown_headers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "MOST_HEADERS", 5)
    monkeypatch.setattr(quality, "HEADERS_KEPT", 4)
    names = ["A", "A", "B", "B", "C", "D", "E", "F"]
    found = quality_of([report(f"r{place}", "p", ("other", name, "none", "x")) for place, name in enumerate(names)])
    assert {name: header.count for name, header in found.headers.items()} == {"A": 2, "B": 2}
    assert found.headers_dropped == 4


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
    found = quality_of([report("r\x1b[2J\n1", "p", ("other", "DOSE\x07\u202e", "none", "x"), flags=["merged"])])
    assert list(found.headers) == ["DOSE��"]
    assert found.flagged_ids == {"merged": ["r�[2J�1"]}
    # Kept as they are where they are compared, and shown without what a console would act upon.
    assert found.ids() == ["r\x1b[2J\n1"]
    found.add([report("r\0\ud800", "p", ("other", "DOSE\x07\u202e", "none", "x"))])
    assert found.ids() == ["r\x1b[2J\n1", "r�\ud800"]
    assert found.duplicates().largest == [(2, ["r�[2J�1", "r��"])]


def test_metadata_and_labels() -> None:
    found = quality_of(EIGHT)
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
            part = quality_of(EIGHT[start:end], lambda texts: [len(text) for text in texts])
            total.merge(part)
        return json.dumps(total.as_json())

    assert told() == told(4) == told(1, 2, 3, 4, 5, 6, 7) == told(0, 7)


def test_merging_is_associative() -> None:
    def parts() -> list[Quality]:
        return [quality_of(EIGHT[:3]), quality_of(EIGHT[3:6]), quality_of(EIGHT[6:])]

    first, second, third = parts()
    first.merge(second)
    first.merge(third)
    left, middle, right = parts()
    middle.merge(right)
    left.merge(middle)
    assert first == left


def test_lists_of_ids_stay_bounded_when_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "FLAGGED_IDS", 3)
    parts = [quality_of([Report(f"{part}{place}", "p", "", {}, flags=["merged"]) for place in range(2)]) for part in "abc"]
    parts[0].merge(parts[1])
    parts[0].merge(parts[2])
    assert parts[0].flagged_ids == {"merged": ["a0", "a1", "b0"]}
    assert parts[0].flags == {"merged": 6}


def test_json_and_back() -> None:
    found = quality_of(EIGHT, lambda texts: [1 for _ in texts])
    again = Quality.from_json(json.loads(json.dumps(found.as_json())))
    assert again == found
    assert json.dumps(again.as_json()) == json.dumps(found.as_json())
    assert again.duplicates() == found.duplicates() and again.summary(again.duplicates()) == found.summary(found.duplicates())


def test_memory_and_json_stay_small() -> None:
    found = quality_of([Report(f"s{50_000_000 + place}", f"p{place // 3}", f"Report {place}.", {}) for place in range(2_000)])
    packed = sum(len(getattr(found, name)) for name in quality.PACKED)
    assert packed == 2_000 * (17 + len("s50000000\0"))
    assert len(json.dumps(found.as_json())) < 2_000 * 37 + 1_000


def test_tokens_are_counted_beside_words() -> None:
    asked = []

    def count_tokens(texts: list[str]) -> list[int]:
        asked.append(len(texts))
        return [2 * len(text.split()) for text in texts]

    found = quality_of(EIGHT, count_tokens)
    assert asked == [8 + 5 + 3]
    assert found.lengths("findings", "words") == {1: 1, 3: 3, 5: 1}
    assert found.lengths("findings", "tokens") == {2: 1, 6: 3, 10: 1}
    assert found.lengths("impression", "tokens") == {2: 2, 6: 1}


def test_rows_of_flagged_reports() -> None:
    assert list(flagged_rows(EIGHT)) == [
        Flagged("r3", ["merged"]),
        Flagged("r4", ["unheaded"]),
        Flagged("r6", ["no_narrative"]),
        Flagged("r8", ["no_narrative", "split_conflict"]),
    ]
