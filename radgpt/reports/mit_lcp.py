"""Split reports as MIT-LCP's code for MIMIC-CXR does, mistakes included, so that its mimic_cxr_sectioned.csv can be made again.

The rules are those of txt/section_parser.py and txt/create_section_files.py in https://github.com/MIT-LCP/mimic-cxr (MIT licence, read
at commit 3190146), told in our own words:

- A header is what stands in capitals between the one space that begins a line and a colon before white space. Digits, `&`, small
  letters, a colon before text, and the very first line of a report make no header.
- After a header the rest of its line is skipped (of the next line, if the header ends its own), so a header without text hides the next.
- Names that are not known are looked through for known ones, then for words of a study's title: `COMMUNICATION OF FINDINGS` and
  `REASON FOR CHEST X-RAY` become findings. `PFI` becomes history, `NDICATION` impression.
- Findings and impressions without text are left out. If none is left, the last section gives up what follows its first paragraph:
  the last paragraph.
- Of sections that share a name the last counts, though it be empty.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from radgpt.records import EXTRA_SECTIONS, SECTIONS, Section
from radgpt.reports import overrides
from radgpt.reports.line_breaks import trimmed, unified, way_back

HEADER = re.compile(r"\n ([-A-Z ()/,]+):\s")
PARAGRAPH_BREAK = "\n \n"
"""A blank line, which MIMIC-CXR writes as one space."""
NARRATIVE = ("impression", "findings")

ALIASES = {
    "impression": "conclusion|impresson|imprression|imoression|impressoin|imprssion|impresion|imperssion|mpression|impession|ndication",
    "findings": "finding|findins|findindgs|findgings|findngs|findnings|finidngs",
    "history": "clinical information|pfi",
    "indication": "reason for examination|reason for exam|clinical indication|idication",
    "examination": "exam|type of examination",
    "comparison": "reference exam|comparision|comparsion|comparrison|comparisions",
    "recommendations": "recommendation|recommendation(s)",
    "wet read": "wetread",
}
"""Section to the other names that it goes by, without those that CONTAINED or STUDY_TITLE find anyway."""
NAMES = {alias: name for name, aliases in ALIASES.items() for alias in aliases.split("|")}
CONTAINED = ("impression", "findings", "history", "comparison", "addendum")
"""A name that holds one of these is that section; the first of them counts."""
STUDY_TITLE = re.compile(
    "chest|portable|ribs|bone window|two views|(?:pa|ap|one|lateral|frontal) view|pa and lat|ap and lateral|lateral and (?:pa|ap)"
    "|frontal (?:and|upright|semi-upright)"
)

REPORTED = (*SECTIONS, "last_paragraph")
CSV_COLUMNS = ("impression", "findings", "last_paragraph", "comparison")
"""Sections in mimic_cxr_sectioned.csv, in order."""


class Stretch(NamedTuple):
    """One section as MIT-LCP's code finds it."""

    name: str
    """As they call it; any header in small letters if they have no name for it."""
    header: str
    provenance: str
    start: int
    end: int
    """Characters from `start` up to `end`, white space at either end among them."""


def report_sections(report_id: str, text: str) -> tuple[dict[str, str], list[Section], list[str]]:
    """What a Report holds of a text: sections, spans with published overrides applied, and flags.

    Sections are the last of each name, without line breaks other than `\\n`; `last_paragraph` stands beside the seven. The row of
    mimic_cxr_sectioned.csv is `report_id` and its CSV_COLUMNS, and nothing for the studies that `overrides` lists.
    """
    found = sections(text)
    spans = overrides.apply(report_id, text, found)
    provenances = {span.provenance for span in spans}
    last = {span.name: span for span in spans}
    if "override" in provenances:
        last |= {span.name: span for span in spans if span.provenance == "override"}
    texts = {
        name: unified(text[last[name].start : last[name].end]) for name in REPORTED if name in last and last[name].end > last[name].start
    }
    facts = {
        "merged": "merged" in provenances,
        "unheaded": "last_paragraph" in texts,
        "override": spans is not found,
        "no_narrative": not ("findings" in texts or "impression" in texts or "last_paragraph" in texts),
    }
    return texts, spans, [flag for flag, holds in facts.items() if holds]


def sections(text: str) -> list[Section]:
    """Every section in order, with places in `text` as it was given, whatever its line breaks; names that we have none for are `other`."""
    plain = unified(text)
    found = [(stretch, trimmed(plain, stretch.start, stretch.end)) for stretch in stretches(plain)]
    if len(plain) < len(text):
        back = way_back(text)
        found = [(stretch, (back(start), back(end))) for stretch, (start, end) in found]
    return [Section(our_name(stretch.name), stretch.header, stretch.provenance, start, end) for stretch, (start, end) in found]


def stretches(text: str) -> list[Stretch]:
    """The sections of a text whose line breaks are all `\\n`, in order."""
    header = HEADER.search(text)
    found = [Stretch("preamble", "", "none", 0, header.start(1)) if header else Stretch("full report", "", "none", 0, len(text))]
    headed = False
    while header:
        start = header.end()
        line_end = text.find("\n", start)
        following = HEADER.search(text, line_end) if line_end >= 0 else None
        end = following.start() if following else len(text)
        name, provenance = meaning(header[1])
        narrative = name in NARRATIVE
        if not narrative or text[start:end].strip():
            found.append(Stretch(name, header[1].strip(), provenance, start, end))
            headed = headed or narrative
        header = following
    if not headed:
        found[-1:] = with_last_paragraph(text, found[-1])
    return found


def with_last_paragraph(text: str, last: Stretch) -> list[Stretch]:
    """The last section cut behind its first paragraph, if it has more of them."""
    end = text.find(PARAGRAPH_BREAK, last.start, last.end)
    if end < 0:
        return [last]
    return [last._replace(end=end), Stretch("last_paragraph", "", "last_paragraph", end + len(PARAGRAPH_BREAK), last.end)]


@lru_cache(maxsize=4096)
def meaning(header: str) -> tuple[str, str]:
    """The name of the section under a header, and its provenance."""
    name = header.strip().lower()
    if name in NAMES:
        return NAMES[name], "header"
    if contained := next((known for known in CONTAINED if known in name), None):
        return contained, "merged" if "impression" in name and "finding" in name else "header"
    return ("findings", "title") if STUDY_TITLE.search(name) else (name, "header")


@lru_cache(maxsize=4096)
def our_name(name: str) -> str:
    """A name of theirs among ours."""
    ours = name.replace(" ", "_")
    return ours if ours in SECTIONS or ours in EXTRA_SECTIONS else "other"
