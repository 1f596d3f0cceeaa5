"""Split a radiology report into its sections, with character offsets and what says so."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from radgpt.records import SECTIONS, Section
from radgpt.reports.header_words import ASIDE, COMMENT, SIGNATURE, STRONG
from radgpt.reports.headers import MERGED, MESSAGES, ORGAN, OTHER_READS, START, TITLE, opens, stands_alone, words_of

LINE_LABEL = re.compile(r"\n[^\S\n]*+([^\W_][^\n:;：.?!]{1,70}+|[*#\[•-]++[^\n:;：.?!]{1,70}+)(?:\.{0,40}+([:;：])|(?=\n|\Z))")
"""What stands at the start of a line, up to its colon or to its end."""
DASHED = re.compile(r"\n[^\S\n]*([A-Z][A-Z /&()'-]{2,40}[A-Z)]) ?[-–—]{1,2}(?=\s)")
"""A header in capitals with a dash instead of its colon."""
SIGNED_ADDENDUM = re.compile(r"\n[^\S\n]*((?:[*#]+ ?)*(ADDENDUM\b|Addendum(?=[^\S\n]*(?:by\b|#|\d|:|\n|\Z))))")
"""The word that begins an addendum, whatever stands behind it."""
SIGNED_LINE = re.compile(
    r"\n[^\S\n]*((?:electronically |e-)?(?:signed|dictated|transcribed|verified|approved|finali[sz]ed) by\b)",
    re.IGNORECASE,
)
"""The beginning of a signature that has no colon."""
ITEM = re.compile(r"\n[^\S\n]*(\d{1,2})[.)]\s")
"""A numbered point."""
CAPITALS_AT_END = re.compile(r"(?<![^\s.:])[A-Z](?:[A-Z/&'-]|[ ](?=[A-Z/&(-]))*(?:\([A-Z]+\))?(?= ?\Z)")
SMALL_WITHIN = re.compile(r"(?:(?<=[.?!:)\]_] )|(?<=[.?!:)\]_]  ))([A-Z][a-z]+(?:[ /&][A-Za-z]+){0,3}) ?:(?=\s)")
"""A header in small letters after the end of a sentence, for texts without line breaks."""
FINAL_REPORT = "FINAL REPORT "
RULE_START = "_" * 10
RULE = re.compile(r"_{10,}")
RULE_LINE = re.compile(r"^_{10,}$", re.MULTILINE)
PARAGRAPH_BREAK = re.compile(r"\n[^\S\n]*\n\s*")
MANY_BREAKS = re.compile(r"\n{3,}")
NOTHING_ABOVE = re.compile(r"(?:\n[^\S\n]*\n|FINAL REPORT|_{10,}|\A)\s*\Z")
LOOK_BACK = 90
"""Characters to look back over: more than a line with its indentation."""
LONGEST_NAME = 60
"""Characters of a header within a line."""
LONGEST_BARE_NAME = 40
"""Characters of a header without a colon."""
UNKNOWN_WORDS = range(1, 7)
"""Words of a header that we do not know."""
FEWEST_WORDS = 4
"""Words of a text that may be the findings under a header that we do not know."""
NARRATIVE = ("findings", "impression")
CONTEXT = frozenset(("examination", "history", "indication", "technique", "comparison"))
"""Sections that stand before what was seen."""
SEEN = frozenset(("findings", "impression", MERGED, TITLE, ORGAN))
"""What the radiologist saw and made of it."""
OPENS_FINDINGS = SEEN - {"impression"}
BESIDE_THE_REPORT = frozenset((SIGNATURE, *MESSAGES, *OTHER_READS))
FURTHER = frozenset(("OTHER", "ADDITIONAL", "INCIDENTAL", "SIGNIFICANT", "POSITIVE"))
"""Such FINDINGS are a label where what was seen is being told."""
OTHER = "other"
"""A header that we do not know."""
NAMED = frozenset((*SECTIONS, *MESSAGES, SIGNATURE, *OTHER_READS, OTHER))
"""Kinds that are names of sections."""
LABELS = frozenset((TITLE, ORGAN, OTHER))
"""Headers only where no known one says otherwise."""


@dataclass(slots=True)
class Block:
    """A header and the text under it, up to the next header."""

    kind: str
    """What the header opens: a section, what `headers.opens` names beside them, or OTHER."""
    name: str
    """The header as it stands, without its colon; empty for what separates without a name."""
    header: int
    """Where the header starts."""
    start: int
    """Where the header ends and, once that is known, where its text starts."""
    end: int = 0
    """Where its text ends; equal to `start` if there is none. Neither end has white space."""


@dataclass(frozen=True)
class Parsed:
    """What `parse` found."""

    text: str
    """The report as it was given."""
    spans: list[Section]
    """Everything in it, in order and without overlap; extra sections are kept apart from the seven."""
    flags: list[str]
    """`merged`: one header stands for findings and impression; its text is under findings.
    `unheaded`: no header stands above the findings; they are the paragraphs that no header claims.
    `no_narrative`: there are neither findings nor impression."""

    @property
    def sections(self) -> dict[str, str]:
        """The seven as far as they are there, in the order of SECTIONS."""
        return section_texts(self.text, self.spans, SECTIONS)


def as_mapping(text: str) -> dict[str, str]:
    """The sections of a report by name, the extra ones after the seven, without offsets and flags."""
    parsed = parse(text)
    return section_texts(text, parsed.spans, [*SECTIONS, *(span.name for span in parsed.spans)])


def as_text(sections: Mapping[str, str]) -> str:
    """The canonical rendering of sections; parsing it gives them back."""
    return "\n\n".join(f"{name.upper()}:\n{text}" for name, text in sections.items())


def section_texts(text: str, spans: Sequence[Section], names: Sequence[str]) -> dict[str, str]:
    """Name to text, for each of `names` that has any: parts joined by a blank line, lines stripped, one blank line between paragraphs,
    lines of underscores left out; nothing else is changed."""
    found: dict[str, list[str]] = {}
    for span in spans:
        if span.end > span.start and span.name in names and (part := tidy(text[span.start : span.end])):
            found.setdefault(span.name, []).append(part)
    return {name: "\n\n".join(found[name]) for name in names if name in found}


def tidy(text: str) -> str:
    """Strip every line, leave one blank line between paragraphs, and drop lines of underscores."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\n" in text:
        text = "\n".join([line.strip() for line in text.split("\n")])
    if RULE_START in text:
        text = RULE_LINE.sub("", text).strip()
    return MANY_BREAKS.sub("\n\n", text) if "\n\n\n" in text else text


def parse(text: str) -> Parsed:
    """Split a report; any text will do.

    A header is a name that we know (`headers.opens`) before a colon at the start of a line, alone on a line, or in capitals before a
    colon within a line. Other labels (`Dr. ___:`, `8:45`, and `LUNGS:` within findings) are text. Sections that occur twice are joined
    in order. Wet reads, addenda, notifications and recommendations belong to none of the seven.
    """
    # One kind of line break, without moving a character; the break in front makes every line begin with one.
    lines = "\n" + (text.replace("\r\n", " \n").replace("\r", "\n") if "\r" in text else text)
    blocks = headers_in(lines)
    if may_hold_words(blocks):
        blocks = without_words_of_what_was_seen(lines, blocks)
    kinds = {block.kind for block in blocks}
    if COMMENT in kinds:
        read_comments(blocks, concluded="impression" in kinds or MERGED in kinds)
    if "impression" in kinds and OPENS_FINDINGS.isdisjoint(kinds):
        read_interpretation(blocks)
    if RULE_START in lines or not kinds.isdisjoint(OTHER_READS):
        blocks = without_other_reads(blocks)
    if not kinds.isdisjoint(LABELS):
        blocks = without_labels(blocks)
    blocks = with_texts(lines, blocks)
    if not kinds.isdisjoint(MESSAGES):
        blocks = with_lists_resumed(lines, blocks)
    flags = ["merged"] if MERGED in kinds and any(block.kind == MERGED for block in blocks) else []
    if claimed := with_unheaded_findings(lines, blocks):
        blocks = claimed
        flags.append("unheaded")
    spans = spans_of(blocks)
    for span in spans:
        # A line of underscores is no text.
        if span.name in NARRATIVE and span.start < span.end and (text[span.start] != "_" or tidy(text[span.start : span.end])):
            break
    else:
        flags.append("no_narrative")
    return Parsed(text, spans, flags)


def read_comments(blocks: list[Block], *, concluded: bool) -> None:
    """Take comments for the impression of a report that has none, else for a section of their own."""
    for block in blocks:
        if block.kind == COMMENT:
            block.kind = OTHER if concluded else "impression"


def read_interpretation(blocks: list[Block]) -> None:
    """Take an interpretation above an impression for the findings that have no other header."""
    first, *others = [block for block in blocks if block.kind == "impression"]
    if others and "INTERPRETATION" in first.name.upper():
        first.kind = "findings"


def may_hold_words(headers: list[Block]) -> bool:
    """Whether a header stands below findings or an impression that such text holds as a word now and then."""
    below = False
    for header in headers:
        if below and (header.kind in CONTEXT or header.kind == "findings"):
            return True
        below = below or header.kind in SEEN
    return False


def without_words_of_what_was_seen(lines: str, headers: list[Block]) -> list[Block]:
    """Drop headers that are words of the findings or the impression under way.

    Such are, below findings, context headers within a line, in small letters where the findings' own is in capitals or where no
    paragraph begins, and single common words; and OTHER FINDINGS and the like below either.
    """
    if lines.count("\n", 0, 2000) < 3:
        return headers
    kept: list[Block] = []
    below: Block | None = None
    for header in headers:
        kind = header.kind
        if below is not None:
            if kind == "findings" and header.name.partition(" ")[0].upper() in FURTHER:
                continue
            if kind in CONTEXT and below.kind != "impression" and is_word_of_findings(lines, header, below):
                continue
        kept.append(header)
        if kind in SEEN:
            below = header
        elif kind in NAMED:
            below = None
    return kept


def is_word_of_findings(lines: str, header: Block, findings: Block) -> bool:
    """Whether a context header below findings is a word of theirs."""
    if lines[lines.rfind("\n", 0, header.header) + 1 : header.header].strip():
        return True
    if header.name.isupper():
        telling = stands_alone(header.name) and not STRONG.keys().isdisjoint(words_of(header.name))
        return not telling and not nothing_above(lines, header.header)
    return findings.name.isupper() or not nothing_above(lines, header.header)


def headers_in(lines: str) -> list[Block]:
    """Every header by its name and place, in order; a line of underscores is a START without a name."""
    found = line_headers(lines)
    explained = len([header for header in found if lines[header.start - 1] == ":"])
    within = headers_within(lines, found) if lines.count(":") > explained else []
    rules = [Block(START, "", match.start(), match.end()) for match in RULE.finditer(lines)] if RULE_START in lines else []
    dashed = dashed_headers(lines, found) if " -" in lines or "–" in lines or "—" in lines else []
    signed = (
        signed_headers(lines, [*found, *dashed]) if "ed by" in lines or "ED BY" in lines or "DENDUM" in lines or "dendum" in lines else []
    )
    if within or rules or dashed or signed:
        found = sorted([*found, *within, *rules, *dashed, *signed], key=lambda header: header.header)
    return found


class Name(NamedTuple):
    """What stands at the start of a line, as far as it can be told without the line."""

    kind: str | None
    text: str
    """Without white space at its end."""
    capitals: bool
    number: bool
    """Whether it ends with a digit."""
    start: int
    """Where it begins, after a `FINAL REPORT` that has lost its line break."""


@lru_cache(maxsize=16384)
def read_name(written: str) -> Name:
    """Read a name, once for all the reports that it stands in."""
    start = 0
    if written.startswith(FINAL_REPORT) and written[len(FINAL_REPORT) :].strip():
        start = len(written) - len(written[len(FINAL_REPORT) :].lstrip())
    name = written[start:]
    return Name(opens(name), name.rstrip(), name.isupper(), name[-1].isdigit(), start)


def line_headers(lines: str) -> list[Block]:
    """Headers that begin a line."""
    found = []
    small = False
    for match in LINE_LABEL.finditer(lines):
        written, colon = match.groups()
        name = read_name(written)
        kind = name.kind
        if kind is None and not name.capitals and not name.start:
            continue
        start, end = match.start(1), match.end()
        if name.start:
            found.append(Block(START, "FINAL REPORT", start, start + len(FINAL_REPORT)))
            start += name.start
        if name.number and lines[end : end + 1].isdigit():
            # The colon of a time of day.
            continue
        if kind is None:
            if colon == ":" and name.capitals and may_be_unknown(lines, name.text, start):
                found.append(Block(OTHER, name.text, start, end))
        elif (colon == ":" and name.capitals and RULE_START not in written) or is_header_line(lines, name, colon, start):
            small = small or not name.capitals
            found.append(Block(kind, name.text, start, end))
    if small and any(header.kind != START and header.name.isupper() for header in found):
        # Where headers are written in capitals, `Chest comparison:` is a label within one.
        found = [header for header in found if header.name.isupper() or header.kind in BESIDE_THE_REPORT or stands_alone(header.name)]
    return found


def is_header_line(lines: str, name: Name, colon: str | None, start: int) -> bool:
    """Whether a line, or its start up to a colon, that reads as a known name is a header and no part of a wrapped sentence."""
    label = name.kind in (TITLE, ORGAN)
    if RULE_START in name.text:
        return False
    if not colon:
        if name.kind == START:
            return True
        if label or len(name.text) > LONGEST_BARE_NAME or name.text[0].islower() or " - " in name.text or stands_alone(name.text) is None:
            return False
        if name.capitals and not in_capitals(lines):
            return True
    elif colon == ";":
        return name.capitals and not label
    elif name.capitals or (name.kind != TITLE and (not name.text[0].isalpha() or name.text[0].isupper() or in_small_letters(lines))):
        return True
    return nothing_above(lines, start)


@lru_cache(maxsize=1)
def in_capitals(text: str) -> bool:
    """Whether a whole text is in capitals, which then tell nothing; asked of one text many times."""
    return text.isupper()


@lru_cache(maxsize=1)
def in_small_letters(text: str) -> bool:
    """Whether a whole text is in small letters."""
    return text.islower()


def nothing_above(lines: str, place: int) -> bool:
    """Whether a paragraph begins there."""
    return NOTHING_ABOVE.search(lines, max(0, place - LOOK_BACK), place) is not None


def may_be_unknown(lines: str, name: str, start: int) -> bool:
    """Whether a name in capitals that we do not know heads a paragraph of its own."""
    return sum(map(str.isalpha, name)) > 2 and len(name.split()) in UNKNOWN_WORDS and nothing_above(lines, start)


def headers_within(lines: str, known: Sequence[Block]) -> list[Block]:
    """Headers in capitals before a colon anywhere, and in small letters too where the text has lost its line breaks.

    `known` are those that begin a line: what they open is not looked for within lines, where it would be quoted.
    """
    found = []
    ends = {header.start for header in known}
    opened = {header.kind for header in known}
    flattened = lines.count("\n", 0, 2000) < 3
    colon = lines.find(":")
    while colon != -1:
        before = lines[colon - 1]
        if colon + 1 not in ends and (before.isupper() or before == ")" or (before == " " and flattened)):
            header = header_at_end(lines, max(0, colon - LONGEST_NAME), colon, opened)
            if header:
                found.append(header)
        colon = lines.find(":", colon + 1)
    if flattened:
        for match in SMALL_WITHIN.finditer(lines):
            if match.end() not in ends and (kind := stands_alone(match[1])) and kind not in opened:
                found.append(Block(kind, match[1], match.start(1), match.end()))
    return found


def header_at_end(lines: str, start: int, colon: int, opened: set[str]) -> Block | None:
    """The header in capitals that ends at a colon, if it is none of what is opened already."""
    capitals = CAPITALS_AT_END.search(lines, start, colon)
    if capitals is None:
        return None
    name = capitals[0]
    if ends_sentence(lines, capitals.start()) and (kind := opens(name)) and kind not in (TITLE, ORGAN, *opened):
        return Block(kind, name, capitals.start(), colon + 1)
    # The end of what stands before may be in capitals too: the longest name that we know counts.
    while name:
        if (
            (kind := stands_alone(name))
            and kind not in opened
            and (kind in BESIDE_THE_REPORT or not STRONG.keys().isdisjoint(words_of(name)))
        ):
            return Block(kind, name, capitals.end() - len(name), colon + 1)
        name = name.partition(" ")[2]
    return None


def ends_sentence(lines: str, place: int) -> bool:
    """Whether a sentence has ended before this place, or text was removed there."""
    return lines[max(0, place - 3) : place].rstrip().endswith((".", "?", "!", "_"))


def dashed_headers(lines: str, known: Sequence[Block]) -> list[Block]:
    """Headers that begin a line in capitals and end with a dash, but for those that `known` ones begin with."""
    begun = {header.header for header in known}
    return [
        Block(kind, match[1], match.start(1), match.end())
        for match in DASHED.finditer(lines)
        if match.start(1) not in begun and (kind := stands_alone(match[1]))
    ]


def signed_headers(lines: str, known: Sequence[Block]) -> list[Block]:
    """Addenda and signatures that begin a line and run on in it, but for those that are `known`."""
    begun = {header.header for header in known}
    found = [Block("addendum", match[2], match.start(1), match.end()) for match in SIGNED_ADDENDUM.finditer(lines)]
    found += [
        Block(SIGNATURE, match[1], match.start(1), match.end())
        for match in SIGNED_LINE.finditer(lines)
        if nothing_above(lines, match.start(1))
    ]
    return [header for header in found if header.header not in begun]


def without_other_reads(headers: list[Block]) -> list[Block]:
    """Drop the headers within wet reads and addenda, which last until a line closes them, or to the end once the report has been read.

    Lines that close nothing, such as one that underlines a header, are dropped too.
    """
    kept: list[Block] = []
    inside = False
    last_start = max((place for place, header in enumerate(headers) if header.kind == START), default=-1)
    seen = False
    for place, header in enumerate(headers):
        inside = inside and header.kind != START
        closes_nothing = not header.name and bool(kept) and kept[-1].kind not in OTHER_READS and kept[-1].kind != "notification"
        if inside or closes_nothing:
            continue
        kept.append(header)
        seen = seen or header.kind in SEEN
        if header.kind in OTHER_READS:
            inside = place < last_start or seen
    return kept


def without_labels(headers: list[Block]) -> list[Block]:
    """Drop titles, organs and unknown headers, but where they open something: findings that have no header, or a section of no known
    name that stands outside of what was seen."""
    headed = any(header.kind in ("findings", MERGED) for header in headers)
    kept: list[Block] = []
    below_seen = False
    for header in headers:
        if header.kind in LABELS and (below_seen or (headed and header.kind != OTHER)):
            continue
        kept.append(header)
        below_seen = header.kind in SEEN
    return kept


def with_texts(lines: str, headers: list[Block]) -> list[Block]:
    """The headers with their texts, under one more for what stands above them all; the name of an organ is part of its text."""
    blocks = [Block(START, "", 0, 0), *headers]
    end = len(lines)
    for block in reversed(blocks):
        set_text(lines, block, block.header if block.kind == ORGAN else block.start, end)
        end = block.header
    return blocks


def with_lists_resumed(lines: str, blocks: list[Block]) -> list[Block]:
    """The blocks with the points of a numbered impression that a message has come between: they go on in the impression."""
    resumed: list[Block] = []
    last = 0
    name = ""
    for block in blocks:
        resumed.append(block)
        if block.kind == "impression":
            name = block.name
            last = max((int(match[1]) for match in ITEM.finditer("\n" + lines[block.start : block.end])), default=0)
        elif block.kind not in MESSAGES:
            last = 0
        elif last:
            following = next((match for match in ITEM.finditer(lines, block.start, block.end) if int(match[1]) == last + 1), None)
            if following:
                start = following.start()
                resumed.append(set_text(lines, Block("impression", name, start, start), start, block.end))
                set_text(lines, block, block.start, start)
    return resumed


def set_text(lines: str, block: Block, start: int, end: int) -> Block:
    """Let the block's text be what lies between two places, without the white space there."""
    below = lines[start:end].lstrip()
    text = below.rstrip()
    if text:
        block.start = end - len(below)
    block.end = block.start + len(text)
    return block


def with_unheaded_findings(lines: str, blocks: list[Block]) -> list[Block] | None:
    """The blocks with findings that no header opens, for a report that has no header for them; None where there are none such.

    They are what follows the first paragraph under the last context header above the impression; without context headers, what follows
    the title in the text above all headers; or else the text under the last header above the impression, if we do not know it.
    """
    for block in blocks:
        if block.kind in OPENS_FINDINGS and (block.kind != TITLE or block.end > block.start):
            return None
    ends = next((place for place, block in enumerate(blocks) if block.kind == "impression"), len(blocks))
    above = [place for place, block in enumerate(blocks[:ends]) if block.end > block.start]
    context = [place for place in above if blocks[place].kind in CONTEXT]
    free = [place for place in above if blocks[place].kind == START]
    place = context[-1] if context else free[-1] if free else None
    if place is not None:
        claimer = blocks[place]
        cut = end_of_first_paragraph(lines, claimer) if context else end_of_title(lines, claimer)
        if cut is not None:
            unclaimed = set_text(lines, Block("findings", "", cut, cut), cut, claimer.end)
            return [*blocks[:place], set_text(lines, claimer, claimer.start, cut), unclaimed, *blocks[place + 1 :]]
    unknown = [place for place in above if blocks[place].kind == OTHER]
    if context and unknown and unknown[-1] == above[-1] > context[-1]:
        block = blocks[above[-1]]
        text = lines[block.start : block.end]
        if text.endswith((".", "?", "!")) and len(text.split()) >= FEWEST_WORDS and ASIDE.isdisjoint(words_of(block.name)):
            block.kind = TITLE
            return blocks
    return None


def end_of_first_paragraph(lines: str, block: Block) -> int | None:
    """Where the paragraph that a header claims ends, if another follows."""
    match = PARAGRAPH_BREAK.search(lines, block.start, block.end)
    return match.start() if match else None


def end_of_title(lines: str, block: Block) -> int | None:
    """Where the leading paragraphs end that are no sentence, if a sentence follows them; a text without sentences is no title at all."""
    start = block.start
    for match in PARAGRAPH_BREAK.finditer(lines, block.start, block.end):
        if lines[start : match.start()].endswith((".", "?", "!")):
            break
        start = match.end()
    else:
        if not lines[start : block.end].endswith((".", "?", "!")):
            return block.start
    return start


def spans_of(blocks: list[Block]) -> list[Section]:
    """The sections that blocks stand for, with places in the report as it was given."""
    spans = []
    examined: bool | None = None
    for block in blocks:
        kind, name, start, end = block.kind, block.name, block.start - 1, block.end - 1
        if kind in NAMED:
            if name:
                spans.append(Section(kind, name, "header", start, end))
            elif start < end:
                spans.append(Section(kind, "", "last_paragraph", start, end))
        elif kind == MERGED:
            spans.append(Section("findings", name, "merged", start, end))
        elif kind == TITLE:
            # The title names the examination, where nothing else does.
            if examined is None:
                examined = any(other.kind == "examination" and other.end > other.start for other in blocks)
            spans.append(Section("preamble" if examined else "examination", "", "title", block.header - 1, block.header - 1 + len(name)))
            examined = True
            if start < end:
                spans.append(Section("findings", name, "title", start, end))
        elif start < end:
            spans.append(Section("findings", "", "title", start, end) if kind == ORGAN else Section("preamble", "", "none", start, end))
    return spans
