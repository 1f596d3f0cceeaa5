"""Count what a preprocess run found: sections and what vouches for them, lengths, repeated texts, flags and headers never seen before."""

import base64
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from radgpt.pages.spread import spread
from radgpt.records import EXTRA_SECTIONS, Report
from radgpt.reports.lengths import count_words
from radgpt.reports.repeats import (
    SPLIT_CODES,
    Duplicates,
    count_patients,
    count_straddling,
    find_duplicates,
    packed_id,
    patient_digest,
    text_digest,
    unpacked_ids,
)
from radgpt.wording import clipped, printable, ranked

MEASURED = ("text", "findings", "impression")
"""What lengths are taken of."""
MOST_HEADERS = 5_000
"""Distinct unknown headers that are held at once."""
HEADERS_KEPT = 4_500
"""How many may stay when the rarest are dropped; the room saves dropping at every new one."""
LONGEST_HEADER = 80
"""Characters of a header; a longer one is cut."""
EXAMPLES = 3
"""Report ids beside an unknown header."""
FLAGGED_IDS = 200
"""Report ids beside a flag."""
MOST_LABELS = 600
"""Kinds of metadata, and values of labels, that are counted; MIMIC-CXR has fewer than 100."""
LABEL_VALUES = (1, 0, -1)
"""Present, absent, uncertain."""


@dataclass(frozen=True)
class Flagged:
    """One row of flagged.jsonl: a report that a reader should look at."""

    report_id: str
    flags: list[str]


def flagged_rows(reports: Iterable[Report]) -> Iterator[Flagged]:
    """The reports that carry a flag, in order."""
    return (Flagged(report.report_id, list(report.flags)) for report in reports if report.flags)


@dataclass
class UnknownHeader:
    """A header that the parser has no name for."""

    count: int = 0
    report_ids: list[str] = field(default_factory=list)
    """The first EXAMPLES of them."""

    def add(self, count: int, report_ids: list[str]) -> None:
        """Count more of it, in later reports."""
        self.count += count
        for report_id in report_ids:
            if len(self.report_ids) < EXAMPLES and report_id not in self.report_ids:
                self.report_ids.append(report_id)


@dataclass
class Quality:
    """The counts of some reports. Merged in the order of the reports, they are those of all; memory is 17 bytes and an id a report."""

    reports: int = 0
    flagged: int = 0
    """Reports with a flag."""
    splits: Counter[str] = field(default_factory=Counter)
    """Prescribed split, or `none`, to reports."""
    narrative: Counter[str] = field(default_factory=Counter)
    """`both`, `findings`, `impression` (that one alone) or `neither` to reports."""
    provenance: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(section, what vouches for its first part with text) to reports with text for the section."""
    empty: Counter[str] = field(default_factory=Counter)
    """Section to reports with a header for it and no text."""
    flags: Counter[str] = field(default_factory=Counter)
    flagged_ids: dict[str, list[str]] = field(default_factory=dict)
    """Flag to the first FLAGGED_IDS reports with it."""
    words: Counter[tuple[str, int]] = field(default_factory=Counter)
    tokens: Counter[tuple[str, int]] = field(default_factory=Counter)
    """(one of MEASURED, length) to reports that have the part; tokens are empty without a tokenizer."""
    headers: dict[str, UnknownHeader] = field(default_factory=dict)
    """Unknown header, in capitals, to how often and where it stands."""
    headers_dropped: int = 0
    """Occurrences of the rarest headers, dropped where more than MOST_HEADERS were held."""
    metadata: Counter[str] = field(default_factory=Counter)
    """Kind of metadata to reports that have it."""
    labels: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    """(metadata, label, one of LABEL_VALUES) to reports, for metadata that gives numbers by label; a view of the study is a label."""
    text_digests: bytearray = field(default_factory=bytearray)
    patient_digests: bytearray = field(default_factory=bytearray)
    split_codes: bytearray = field(default_factory=bytearray)
    report_ids: bytearray = field(default_factory=bytearray)
    """Eight bytes, eight bytes, one byte, and an id that a zero byte ends for each report, in order; `repeats` packs and reads them."""

    def add(self, reports: Sequence[Report], count_tokens: Callable[[list[str]], list[int]] | None = None) -> None:
        """Count reports, in words and, where there is something to count them with, in tokens too; best many at once."""
        for report in reports:
            self.add_one(report)
        texts = [("text", whole_text(report)) for report in reports]
        texts += [(part, report.sections[part]) for part in MEASURED[1:] for report in reports if report.sections.get(part)]
        for lengths, count in ((self.words, count_words), (self.tokens, count_tokens)):
            if count:
                lengths.update(zip((part for part, _ in texts), count([text for _, text in texts]), strict=True))

    def add_one(self, report: Report) -> None:
        """Count one report, but for its lengths."""
        sections = report.sections
        self.reports += 1
        self.splits[report.split or "none"] += 1
        findings, impression = sections.get("findings"), sections.get("impression")
        self.narrative[("both" if impression else "findings") if findings else "impression" if impression else "neither"] += 1
        self.add_spans(report)
        if report.flags:
            self.add_flags(report)
        if report.metadata:
            self.add_metadata(report.metadata)
        self.text_digests += text_digest(whole_text(report))
        self.patient_digests += patient_digest(report.patient_id)
        self.split_codes.append(SPLIT_CODES.get(report.split, 0))
        self.report_ids += packed_id(report.report_id)

    def add_flags(self, report: Report) -> None:
        """Count a report's flags."""
        self.flagged += 1
        for flag in report.flags:
            self.flags[flag] += 1
            if len(ids := self.flagged_ids.setdefault(flag, [])) < FLAGGED_IDS:
                ids.append(printable(report.report_id))

    def add_spans(self, report: Report) -> None:
        """Count a report's sections, and its headers that no section is known for."""
        sections = report.sections
        vouched: dict[str, str] = {}
        headed: dict[str, str] = {}
        for span in report.spans:
            name = span.name
            if span.end == span.start:
                headed[name] = span.provenance
            elif name not in vouched:
                vouched[name] = span.provenance
            if name == "other" and span.header:
                self.add_header(span.header, report.report_id)
        for name in sections:
            if name not in vouched:
                vouched[name] = "none"
        for item in vouched.items():
            # MIT-LCP's rules let a later part without text take the place of an earlier one: the section is empty then.
            if item[0] in sections or item[0] in EXTRA_SECTIONS:
                self.provenance[item] += 1
            else:
                self.empty[item[0]] += 1
        for name in headed:
            if name not in vouched:
                self.empty[name] += 1

    def add_header(self, header: str, report_id: str) -> None:
        """Count one occurrence of an unknown header."""
        name = clipped(printable(" ".join(header.upper().split())), LONGEST_HEADER)
        self.headers.setdefault(name, UnknownHeader()).add(1, [printable(report_id)])
        self.bound_headers()

    def add_metadata(self, metadata: dict[str, Any]) -> None:
        """Count which metadata there is, and its labels; other values are not kept, as they might be text."""
        for kind, value in metadata.items():
            if value is None or value in ("", [], {}):
                continue
            if kind in self.metadata or len(self.metadata) < MOST_LABELS:
                self.metadata[kind] += 1
            if kind == "views":
                value = dict.fromkeys([value] if isinstance(value, str) else map(str, value), 1)
            if isinstance(value, dict):
                for label, number in value.items():
                    if number not in LABEL_VALUES:
                        continue
                    key = (kind, label, int(number))
                    if key in self.labels or len(self.labels) < MOST_LABELS:
                        self.labels[key] += 1

    def bound_headers(self) -> None:
        """Drop the rarest unknown headers where too many are held."""
        if len(self.headers) <= MOST_HEADERS:
            return
        rare = 0
        while len(self.headers) > HEADERS_KEPT:
            rare += 1
            self.headers_dropped += sum(header.count for header in self.headers.values() if header.count <= rare)
            self.headers = {name: header for name, header in self.headers.items() if header.count > rare}

    def merge(self, later: "Quality") -> None:
        """Count the reports of `later` too, which follow these in the source."""
        self.reports += later.reports
        self.flagged += later.flagged
        for name in (*COUNTERS, *COUNTERS_OF_TUPLES):
            getattr(self, name).update(getattr(later, name))
        for flag, ids in later.flagged_ids.items():
            held = self.flagged_ids.setdefault(flag, [])
            held += ids[: FLAGGED_IDS - len(held)]
        for name, header in later.headers.items():
            self.headers.setdefault(name, UnknownHeader()).add(header.count, header.report_ids)
        self.headers_dropped += later.headers_dropped
        self.bound_headers()
        for name in PACKED:
            getattr(self, name).extend(getattr(later, name))

    def as_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads: the same for the same reports, however they were divided among workers."""
        return {
            "reports": self.reports,
            "flagged": self.flagged,
            "headers_dropped": self.headers_dropped,
            "flagged_ids": dict(sorted(self.flagged_ids.items())),
            "headers": {name: [header.count, *header.report_ids] for name, header in sorted(self.headers.items())},
            **{name: dict(sorted(getattr(self, name).items())) for name in COUNTERS},
            **{name: [[*key, times] for key, times in sorted(getattr(self, name).items())] for name in COUNTERS_OF_TUPLES},
            **{name: base64.b64encode(getattr(self, name)).decode() for name in PACKED},
        }

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> "Quality":
        """The counts that `as_json` told."""
        found = cls(row["reports"], row["flagged"], headers_dropped=row["headers_dropped"], flagged_ids=row["flagged_ids"])
        found.headers = {name: UnknownHeader(count, report_ids) for name, (count, *report_ids) in row["headers"].items()}
        for name in COUNTERS:
            setattr(found, name, Counter(row[name]))
        for name in COUNTERS_OF_TUPLES:
            setattr(found, name, Counter({tuple(key): times for *key, times in row[name]}))
        for name in PACKED:
            setattr(found, name, bytearray(base64.b64decode(row[name])))
        return found

    def vouchers(self, section: str) -> list[tuple[str, int]]:
        """What vouches for a section, in how many reports; the commonest first."""
        return ranked(Counter({provenance: times for (name, provenance), times in self.provenance.items() if name == section}))

    def present(self, section: str) -> int:
        """Reports with text for a section."""
        return sum(times for _, times in self.vouchers(section))

    def lengths(self, part: str, unit: str) -> Counter[int]:
        """Length to reports, of one of MEASURED, in `words` or `tokens`."""
        counts: Counter[tuple[str, int]] = getattr(self, unit)
        return Counter({length: times for (name, length), times in counts.items() if name == part})

    def ids(self) -> list[str]:
        """The ids of the reports, in order."""
        return unpacked_ids(self.report_ids)

    def patients(self) -> int:
        """Different patients, as counted so far."""
        return count_patients(self.patient_digests)

    def straddling(self) -> int:
        """Patients that the source puts into more than one split, as counted so far."""
        return count_straddling(self.patient_digests, self.split_codes)

    def duplicates(self) -> Duplicates:
        """Reports whose text another one has, as counted so far; it takes a tenth of a second for 228,000 reports."""
        return find_duplicates(self.text_digests, self.patient_digests, self.split_codes, self.report_ids)

    def common_headers(self) -> list[tuple[str, UnknownHeader]]:
        """Unknown headers, the commonest first."""
        return sorted(self.headers.items(), key=lambda item: (-item[1].count, item[0]))

    def summary(self, duplicates: Duplicates) -> dict[str, int | float]:
        """Headline metrics: numbers only."""
        numbers: dict[str, int | float] = {
            "reports": self.reports,
            "patients": self.patients(),
            "with_findings": self.present("findings"),
            "with_impression": self.present("impression"),
            "with_both": self.narrative["both"],
            "merged": self.flags["merged"],
            "unheaded": self.flags["unheaded"],
            "no_narrative": self.flags["no_narrative"],
            "duplicates": duplicates.repeats,
            "unknown_headers": len(self.headers),
            "findings_words": spread(self.lengths("findings", "words")).median,
            "impression_words": spread(self.lengths("impression", "words")).median,
        }
        if self.splits.keys() & {"validation", "test"}:
            numbers["held_out_duplicates"] = duplicates.held_out
        return numbers


COUNTERS = ("splits", "narrative", "empty", "flags", "metadata")
COUNTERS_OF_TUPLES = ("provenance", "words", "tokens", "labels")
PACKED = ("text_digests", "patient_digests", "split_codes", "report_ids")
"""Fields of Quality by how they are merged and told."""


def whole_text(report: Report) -> str:
    """A report's text, or that of its sections where it has none beside them."""
    return report.text or "\n".join(report.sections.values())
