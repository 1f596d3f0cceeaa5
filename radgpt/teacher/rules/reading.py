"""Read a report as the rules teacher does: its sentences, and whether, where and how large they say that something is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from radgpt.clinical.lexicon import DEVICES, Finding, compiled
from radgpt.records import Report

REMOVED = re.compile(r"_{2,}|X{3,}", re.IGNORECASE)
"""What de-identification leaves: `___` in MIMIC-CXR, `XXXX` in Open-i."""

_NUMBERING = re.compile(r"(?:(?<=\s)|(?<=[a-z]\.)|^)\(?\d{1,2}[.)]\s*(?=[A-Za-z\"'_])")
_SPACE = re.compile(r"\s+")
_END = re.compile(r"(?<=[.!?])\s+|(?<=[a-z)]\.)(?=[A-Z][a-z])")
_TITLE_END = re.compile(r"(?:\b(?:Dr|Mr|Mrs|Ms|Drs|vs|approx|e\.g|i\.e|St|No)|\b[A-Z])\.$")
_WORD = re.compile(r"\w")
_EMPTY = compiled(r"chest|abdomen|findings?|impression|conclusion|end of report")
_HOUSEKEEPING = compiled(
    r"notif\w+|discussed with|communicat\w+|critical (?:result|finding)s?|telephone\w*|dictated|paged|transcrib\w+|this report"
    r"|examination consists of|attending|(?:un)?acknowledged"
)


def sentences(text: str) -> list[str]:
    """The sentences of a section, without list numbers, each ending in one full stop; those that say nothing are left out.

    >>> sentences("1. No effusion.. 2. Dr. Roe was told. 1.2 cm nodule")
    ['No effusion.', 'Dr. Roe was told.', '1.2 cm nodule.']
    """
    found: list[str] = []
    for item in _NUMBERING.split(_SPACE.sub(" ", text)):
        whole = ""
        for piece in _END.split(item.strip()):
            whole = f"{whole} {piece}".strip()
            if not _TITLE_END.search(piece):
                found.append(whole)
                whole = ""
        found.append(whole)
    tidy = (sentence.strip(" .;:,-*") for sentence in found)
    return [f"{sentence}{'' if sentence.endswith(('?', '!')) else '.'}" for sentence in tidy if _says_something(sentence)]


def _says_something(sentence: str) -> bool:
    rest = REMOVED.sub("", sentence)
    return bool(_WORD.search(rest)) and not _EMPTY.fullmatch(rest.strip()) and not rest.strip().isdigit()


def body(report: Report) -> list[str]:
    """The sentences of findings and impression, each once; of the whole text if the report has no sections at all."""
    texts = [report.sections[name] for name in ("findings", "impression") if name in report.sections]
    if not report.sections:
        texts = [report.text]
    return list(dict.fromkeys(sentence for text in texts for sentence in sentences(text)))


def clinical(found: Sequence[str]) -> list[str]:
    """Sentences without those on how the report was made or passed on."""
    return [sentence for sentence in found if not _HOUSEKEEPING.search(sentence)]


@dataclass(frozen=True)
class Statement:
    """What one sentence says about a finding."""

    status: str
    """`present`, `absent` or `uncertain`."""
    sentence: str
    side: str | None = None
    """`left`, `right` or `both`."""
    size: str | None = None
    """As the sentence says it: `small`, `1.2 cm`."""
    named: bool = True
    """False where the sentence only rules the finding out, as «lungs are clear» does consolidation."""


# The trigger-and-scope method of NegEx (Chapman et al., J Biomed Inform 2001;34:301), with triggers that radiographs need.
_NEGATION_BEFORE = compiled(
    r"no(?! (?:interval |significant |appreciable )*(?:change|increase|worsening|longer))|without(?! change)|rather than|no longer"
    r"|not(?! (?:\w+ )?(?:changed|well|be|only|entirely|excluded))|negative for|free (?:of|from)|clear of|absen(?:ce|t)(?: of)?|denies"
    r"|neither|nor|resolution of|resolved|exclud(?:es|ed|ing)|rules? out"
)
_NEGATION_AFTER = compiled(
    r"(?:is|are|was|were|has|have)(?: \w+)? (?:not|no longer)(?: been)?(?: \w+)? (?:seen|identified|present|evident"
    r"|visuali[sz]ed|demonstrated|visible|appreciated|noted)"
    r"|(?:is|are|has|have)(?: \w+)? (?:absent|resolved|cleared|removed)|(?:has|have) been removed|not (?:seen|identified"
    r"|present|evident|visuali[sz]ed)"
)
_UNCERTAIN_BEFORE = compiled(
    r"possib\w+|probabl[ey]|may|might|maybe|could|suspect\w*|suspicion|suspicious for|suggest\w*|likely|questionabl[ey]"
    r"|question|versus|vs"
    r"|can ?not (?:\w+ )?exclude|concern(?:ing)? for|differential|considerations?|presum\w+|potential\w*|equivocal"
)
_UNCERTAIN_AFTER = compiled(
    r"versus|vs|(?:is|are) (?:also )?(?:suspected|possible|questioned|likely|probable)|possible|(?:would be|is) a consideration"
    r"|less likely|is in question"
)
_ALTERNATIVE = re.compile(r"\b(?:and/)?or (?:[\w-]+ ){0,3}$", re.IGNORECASE), re.compile(r"^ ?(?:(?:and)?/|(?:and/)?or\b)", re.IGNORECASE)
_NO_CHANGE = compiled(r"(?:no|without) (?:[\w-]+ ){0,3}change")
_NOT_A_CLAIM = compiled(
    r"(?:evaluat\w+|assess\w*|correlat\w+|correlation|examin\w+|sensitiv\w+) (?:\w+ )?(?:for|of)|(?:to|and) exclude|ensure"
    r"|rule out|detect\w*"
)
_SCOPE_END = compiled(
    r"but|however|although|though|except|aside from|other than|apart from|there (?:is|are)|stable|unchanged|persistent|chronic"
    r"|mild|minimal"
    r"|redemonstrat\w+|again|with|(?:lungs|heart)(?: \w+)? (?:is|are)"
)
_SCOPE_MARK = re.compile(r"[;:(]")
_CANNOT_EXCLUDE = compiled(
    r"can ?not (?:be )?(?:entirely |completely )?(?:excluded?|ruled? out)|not (?:be )?(?:entirely |completely )?excluded"
    r"|difficult to exclude"
)
_LIMITED = compiled(r"(?:no|without) (?:\w+,? ){0,3}?(large|significant|sizable|sizeable)")
_SIDES = {
    "left": compiled(r"left"),
    "right": compiled(r"right"),
    "both": compiled(
        r"bilateral(?:ly)?|both|bibasilar|biapical|right and left|left and right|left greater than right|right greater than left"
    ),
}
_SIZE = re.compile(
    r"\b\d+(?:\.\d+)?(?: ?x ?\d+(?:\.\d+)?)* ?-?(?:cm|mm)\b"
    r"|\b(?:tiny|trace|small to moderate|moderate to large|mild to moderate|small|moderate(?: to severe)?|large|mild|severe"
    r"|minimal|massive|borderline)\b",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(r"[,;:]|\b(?:(?<!left )(?<!right )and|or|with|without|but|no)\b", re.IGNORECASE)


def read_finding(finding: Finding, found: Sequence[str]) -> Statement | None:
    """What the sentences say about a finding, or None if they do not speak of it.

    A sentence that affirms it outweighs one that is unsure, and that one outweighs denials; of equals the one that
    tells most counts, or else the first.
    """
    statements = [statement for sentence in found if (statement := _read_sentence(finding, sentence)) is not None]
    for status in ("present", "uncertain", "absent"):
        of_status = [statement for statement in statements if statement.status == status]
        if of_status:
            return max(of_status, key=lambda statement: statement.named + (statement.side is not None) + (statement.size is not None))
    return None


def _read_sentence(finding: Finding, sentence: str) -> Statement | None:
    claims: dict[str, re.Match[str]] = {}
    for match in finding.pattern.finditer(sentence):
        if not _NOT_A_CLAIM.search(sentence, 0, match.start()):
            claims.setdefault(status_at(sentence, match.start(), match.end()), match)
    for status in ("present", "uncertain", "absent"):
        if status in claims:
            clause = _clause(sentence, claims[status].start(), claims[status].end())
            size = _SIZE.search(clause)
            return Statement(status, sentence, side_of(clause), size.group().lower() if size else None)
    if finding.normal is not None and finding.normal.search(sentence):
        return Statement("absent", sentence, named=False)
    return None


def status_at(sentence: str, start: int, end: int) -> str:
    """`present`, `absent` or `uncertain`: what a sentence says of the words at start to end."""
    before, after = sentence[:start], sentence[end:]
    open_question = _CANNOT_EXCLUDE.search(after)
    if open_question and not re.search(r"[,;:]", after[: open_question.start()]):
        return "uncertain"
    if _in_scope(before, _NEGATION_BEFORE, before=True) or _in_scope(after, _NEGATION_AFTER, before=False):
        return "absent"
    alternative_before, alternative_after = _ALTERNATIVE
    if (alternative_before.search(before) or alternative_after.search(after)) and not _NO_CHANGE.search(before):
        return "uncertain"
    return "uncertain" if _UNCERTAIN_BEFORE.search(before) or _in_scope(after, _UNCERTAIN_AFTER, before=False) else "present"


def _in_scope(text: str, trigger: re.Pattern[str], *, before: bool) -> bool:
    """Whether a trigger stands before or after the words in question with nothing between that ends its scope."""
    matches = list(trigger.finditer(text))
    if not matches:
        return False
    between = text[matches[-1].end() :] if before else text[: matches[0].start()]
    return not (_SCOPE_END.search(between) or _SCOPE_MARK.search(between) or (not before and "," in between))


def _clause(sentence: str, start: int, end: int) -> str:
    """The words around start to end, up to the nearest comma or conjunction on each side."""
    cuts = [match.end() for match in _CLAUSE_END.finditer(sentence, 0, start)]
    after = _CLAUSE_END.search(sentence, end)
    return sentence[cuts[-1] if cuts else 0 : after.start() if after else len(sentence)]


def side_of(clause: str) -> str | None:
    """`left`, `right`, `both`, or None where the words name no side."""
    named = [side for side, pattern in _SIDES.items() if pattern.search(clause)]
    if "both" in named or len(named) == 2:
        return "both"
    return named[0] if named else None


def limit_of(before: str) -> str | None:
    """`large` in «no large», the words before a finding: the denial leaves a smaller one open. What comes after is not limited by it."""
    match = _LIMITED.search(before)
    return match.group(1).lower() if match else None


def devices_in(found: Sequence[str]) -> dict[str, str]:
    """Devices that the sentences say are there, each with the first sentence that says so."""
    present: dict[str, str] = {}
    for name, pattern in DEVICES.items():
        for sentence in found:
            match = pattern.search(sentence)
            if match and status_at(sentence, match.start(), match.end()) != "absent":
                present.setdefault(name, sentence)
    return present
