"""Split a radiology report into its seven sections."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from radgpt.records import SECTIONS, Report
from radgpt.reports.headers import Kind, Mark, opens

CANDIDATE = re.compile(
    r"""
      ^[^\S\n]* (?P<line>[A-Za-z0-9][\w\ \t()/,&'\#-]{1,58}+) (?: (?P<colon>:+|;) (?!(?<=\d:)\d) | $ )
    | ^[^\S\n]* (?P<rule>_{10,}) [^\S\n]*$
    | (?<=\s) (?P<within>[A-Z][A-Z\ /&-]{2,58}+ (?:\([A-Z]+\))?) :
    """,
    re.MULTILINE | re.VERBOSE,
)
CAPITALS_AT_END = re.compile(r"(?<!\S)[A-Z][A-Z /&-]{2,}(?:\([A-Z]+\))?$")
RULE = re.compile(r"^_{10,}$", re.MULTILINE)
PARAGRAPH_BREAK = re.compile(r"\n{2,}")
PARAGRAPH_ENDS = re.compile(r"(?:\n[^\S\n]*\n|FINAL REPORT|_{10,}|\A)\s*\Z")
LINE = 90
"""Characters to look back over: more than a line with its indentation."""
CONTEXT = ("examination", "history", "indication", "technique", "comparison")
"""Sections that stand before what was seen."""
SEEN = ("findings", "impression", Mark.merged, Mark.title, Mark.organ)
"""What the radiologist saw and made of it."""


@dataclass(frozen=True)
class Sections:
    """What `parse` found."""

    sections: dict[str, str]
    """Name (one of `records.SECTIONS`, in that order) to text; empty sections are left out.
    Lines are stripped and one blank line stands between paragraphs; nothing else is changed."""
    flags: list[str] = field(default_factory=list)
    """`merged`: one header stands for findings and impression; its text is under findings.
    `unheaded`: no header stands above the findings; they are the paragraphs that no header claims.
    `no_narrative`: there are neither findings nor impression."""


@dataclass(frozen=True)
class Header:
    """A header in a report."""

    kind: Kind
    name: str
    """As it stands, without its colon."""
    start: int
    end: int
    """Characters of the report from `start` up to `end` are the header."""


@dataclass(frozen=True)
class Block:
    """A header's kind and name, and the text up to the next header."""

    kind: Kind
    name: str
    text: str


def as_mapping(text: str) -> dict[str, str]:
    """The sections of a report by name, without flags."""
    return parse(text).sections


def as_report(report_id: str, patient_id: str, text: str, split: str | None = None) -> Report:
    """A report of a source that gives text without sections."""
    parsed = parse(text)
    return Report(report_id, patient_id, text, parsed.sections, split, parsed.flags)


def parse(text: str) -> Sections:
    """Split a report; any text will do.

    A header is a name that we know (`headers.opens`) before a colon at the start of a line, alone on a line, or in capitals before a
    colon within a line. Other labels (`Dr. ___:`, `8:45`, and `LUNGS:` within findings) are text. Sections that occur twice are joined
    in order. Wet reads, addenda, notifications and recommendations belong to none of the seven.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    headers = without_labels(without_other_reads(list(known_headers(text))))
    blocks = blocks_between(text, headers)
    flags = []
    if any(block.kind is Mark.merged for block in blocks):
        flags.append("merged")
    if (claimed := with_unheaded_findings(blocks)) is not blocks:
        blocks = claimed
        flags.append("unheaded")
    sections = joined(blocks)
    if not sections.keys() & {"findings", "impression"}:
        flags.append("no_narrative")
    return Sections(sections, flags)


def known_headers(text: str) -> Iterator[Header]:
    """Every header that we know by name, in order; a line of underscores counts as a start of the final report without a name."""
    capitals_nowhere = text == text.lower()
    for match in CANDIDATE.finditer(text):
        if match["rule"]:
            yield Header(Mark.start, "", match.start("rule"), match.end("rule"))
            continue
        name, start = match["line"] or match["within"], match.start("line" if match["line"] else "within")
        if match["line"]:
            kind = opens(name)
            if kind is not None and is_header_line(match, kind, capitals_nowhere):
                yield Header(kind, name.rstrip(), start, match.end())
                continue
            capitals = CAPITALS_AT_END.search(name) if match["colon"] == ":" else None
            if capitals is None:
                continue
            name, start = capitals[0], start + capitals.start()
        kind = opens(name)
        if kind is not None and kind not in (Mark.title, Mark.organ):
            yield Header(kind, name, start, match.end())


def is_header_line(match: re.Match[str], kind: Kind, capitals_nowhere: bool) -> bool:
    """Whether a line, or its start up to a colon, that reads as a known name is a header and no part of a wrapped sentence."""
    name, before_colon = match["line"], bool(match["colon"])
    if kind in (Mark.title, Mark.organ) and not before_colon:
        return False
    if name.isupper():
        return True
    begins_like_one = name[0].isupper() or name[0].isdigit() or capitals_nowhere
    if begins_like_one and before_colon and kind is not Mark.title:
        return True
    return PARAGRAPH_ENDS.search(match.string, max(0, match.start() - LINE), match.start()) is not None


def without_other_reads(headers: list[Header]) -> list[Header]:
    """Drop the headers within wet reads and addenda, which last until a line closes them, or to the end once the report has been read.

    Lines that close nothing, such as one that underlines a header, are dropped too.
    """
    kept: list[Header] = []
    inside = False
    for position, header in enumerate(headers):
        inside = inside and header.kind is not Mark.start
        closes_nothing = not header.name and bool(kept) and kept[-1].kind not in (Mark.other_read, Mark.message)
        if inside or closes_nothing:
            continue
        kept.append(header)
        if header.kind is Mark.other_read:
            closed = any(later.kind is Mark.start for later in headers[position:])
            inside = closed or any(earlier.kind in SEEN for earlier in kept)
    return kept


def without_labels(headers: list[Header]) -> list[Header]:
    """Drop titles and organs, but where they open the findings of a report that has no header for them."""
    headed = any(header.kind in ("findings", Mark.merged) for header in headers)
    kept: list[Header] = []
    for header in headers:
        below_findings = bool(kept) and kept[-1].kind in SEEN
        if header.kind in (Mark.title, Mark.organ) and (headed or below_findings):
            continue
        kept.append(header)
    return kept


def blocks_between(text: str, headers: list[Header]) -> list[Block]:
    """The report as blocks, the first of them holding what stands above all headers; the name of an organ is part of its text."""
    bounds = [Header(Mark.start, "", 0, 0), *headers, Header(Mark.start, "", len(text), len(text))]
    return [
        Block(header.kind, header.name, tidy(text[header.start if header.kind is Mark.organ else header.end : following.start]))
        for header, following in pairwise(bounds)
    ]


def tidy(text: str) -> str:
    """Strip every line, leave one blank line between paragraphs, and drop lines of underscores."""
    stripped = "\n".join(map(str.strip, text.split("\n")))
    return PARAGRAPH_BREAK.sub("\n\n", RULE.sub("", stripped)).strip()


def with_unheaded_findings(blocks: list[Block]) -> list[Block]:
    """Give paragraphs that no header claims to the findings, in a report that has no header for them; else the same list.

    They are what follows the first paragraph under the last context header above the impression or, without context headers, what
    follows the title in the text above all headers.
    """
    if any(block.kind in SEEN and block.kind != "impression" and (block.text or block.kind is not Mark.title) for block in blocks):
        return blocks
    ends = next((position for position, block in enumerate(blocks) if block.kind == "impression"), len(blocks))
    above = [position for position, block in enumerate(blocks[:ends]) if block.text]
    context = [position for position in above if blocks[position].kind in CONTEXT]
    free = [position for position in above if blocks[position].kind is Mark.start]
    if not context and not free:
        return blocks
    place = context[-1] if context else free[-1]
    block = blocks[place]
    own, unclaimed = first_paragraph_and_rest(block) if context else title_and_rest(block)
    if not unclaimed:
        return blocks
    return [*blocks[:place], Block(block.kind, block.name, own), Block("findings", "", unclaimed), *blocks[place + 1 :]]


def first_paragraph_and_rest(block: Block) -> tuple[str, str]:
    """The paragraph that a header claims, and those after it."""
    own, _, rest = block.text.partition("\n\n")
    return own, rest


def title_and_rest(block: Block) -> tuple[str, str]:
    """Leading paragraphs that are no sentence, and those after them; a text without sentences is all rest."""
    paragraphs = block.text.split("\n\n")
    titles = next((count for count, paragraph in enumerate(paragraphs) if paragraph.endswith((".", "?", "!"))), 0)
    return "\n\n".join(paragraphs[:titles]), "\n\n".join(paragraphs[titles:])


def joined(blocks: list[Block]) -> dict[str, str]:
    """Section to text, repeated sections joined by a blank line."""
    found: dict[str, list[str]] = {name: [] for name in SECTIONS}
    for block in blocks:
        if block.kind in (Mark.merged, Mark.title, Mark.organ):
            found["findings"].append(block.text)
        elif isinstance(block.kind, str):
            found[block.kind].append(block.text)
    texts = {name: "\n\n".join(filter(None, found[name])) for name in SECTIONS}
    if not texts["examination"]:
        texts["examination"] = next((block.name for block in blocks if block.kind is Mark.title), "")
    return {name: text for name, text in texts.items() if text}
