"""What the sentences of a text assert: findings, devices, normal parts and advice, each with its certainty and its details.

Assertion follows NegEx (Chapman et al., J Biomed Inform 2001;34:301) and ConText (Harkema et al., J Biomed Inform 2009;42:839): a cue acts
on the findings after or before it until something ends its scope. The rules teacher has a reader of its own: a judge that read as it does
would not see its mistakes.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from radgpt.faithfulness.marks import Mark, marks
from radgpt.faithfulness.quantities import Quantity, quantities
from radgpt.faithfulness.vocabulary import COMPOSED, HISTORY

_END = re.compile(
    r"[.!?]+[\"')\]]*(?=\s|$)|[.!?](?=[\"(])|\n[ \t]*\n|\n(?=[ \t]*(?:[-*•]|\(?\d{1,2}[.)])[ \t])"
    r"|(?<=[a-z])\.(?=[a-z]{2,} [a-z])|(?<=[a-z])\.(?=\d[.)])"
)
_LEAD_IN = re.compile(
    r"\b(?:reason|result|states?|is|was|are|says|notes?|reads|reports?|summary|impression|findings|indication)s?: ?(?=[\"\w])"
)
_LINE = re.compile(r"\n")
_TITLE = re.compile(r"\b(?:dr|mr|mrs|ms|drs|vs|approx|e\.g|i\.e|[a-z])\.$")
_NUMBERING = re.compile(r"[\s\"'“*•-]*(?:\(?\d{1,2}[.)](?=\s|[a-z\"'_])\s*)?[\s\"'*•-]*")
_BARE_NUMBER = re.compile(r"\(?\d{1,2}[.)]?")
_HARD = re.compile(r"[;:(]")
_RESTART = re.compile(
    r"(?:,|\band\b)\s*(?:and\s+)?(?:a|an|the|there|it|all|everything|some|his|her|your|this|he|she|you|is|are|has|have|was|were)\b(?!\s+(?:seen|identified|noted|or)\b)"
)
_VERB = re.compile(r"\b(?:is|are|was|were|has|have|had|shows?|remains?|appears?|lies|ends|terminates|measures)\b")
_BREAK = re.compile(r"[,;:()]|\b(?:and|or|with|without|but|no|which|that|while|is|are|has|have)\b")
_PREPOSITION = re.compile(
    r"\b(?:in|at|on|of|along|within|overlying|near|involving|to|throughout|over|around|behind|above|below|for|into|is|are|now|has|have|been)\s+(?:[\w]+\s+){0,2}$"
)
_OR_FOLLOWS = re.compile(r"\s*,?\s*(?:and/)?or\b")
_OR_LEADS = re.compile(r"\bor\s+(?:\w+\s+){0,2}$")
_VERSUS = re.compile(r"v(?:ersus|s)\b")
_AUXILIARY = re.compile(r"\b(?:(?:is|are|was|were|has|have|been)\s+)+$")
_LIST_GOES_ON = re.compile(r"[^.;:]{0,80}?\bor\b")
_PREDICATE = re.compile(r"\s+(?:is|are|was|were|appears?|remains?)\b")
_PLACED = re.compile(r"\b(?:in|of|within|around|at|both|for|to)\s+(?:the\s+|your\s+)?$")
_IS_NORMAL = re.compile(r"\s+(?:is|are|was|were|appears?|remains?)\s+(?:\w+ly\s+)?")
_BUT = re.compile(r"[;:]|\b(?:but|however|although|though|while|whereas|instead|and there (?:is|are))\b")
_COMMA_BUT_IN_LIST = re.compile(r",(?![^.;]*?,?\s(?:or|and)\s)")
_JOINED = re.compile(r"\b(?:with|and|but)\b|[.;:]")
_APPOSITION = re.compile(r",\s*(?:a|an)$")
_ASKS_DETAIL = re.compile(
    r"\b(?:what|why|how|which|when|where|who|size|amount|number|exact\w*|caus\w+|reason|severity|side|location|position|degree|extent|age|type)\b"
)
_NONE_OF = re.compile(r"\b(?:no|neither|none of)\s+(?:\w+\s+)?$")
_LATER_WORD = re.compile(r",\s+(?:now |still )?")
_THAN = re.compile(r"\s+(?:since|from|compared|than|as|on)\b")
_GONE = re.compile(r"resol|gone|longer|clear|remov|disappear")
_ONLY_BEFORE = re.compile(r"\bonly\s+(?:on\s+|in\s+)?(?:the\s+)?$|\bunilateral\w*\s+$")
_ONLY_AFTER = re.compile(r"(?:[\s-]+(?:side|lung|sided))?\s+(?:only|alone)\b")
_THAT_WAS = re.compile(r"\b(?:that|which)\s+(?:was|were|had been|has been)\s+(?:\w+\s+){1,5}?(?=(?:is|are|was|has|have)\b|$)")
_APART = re.compile(r"[;(]")
_RELATIVE = re.compile(r",?\s(?:which|that)\s(?:is|are|was|were|remains?|has|have|appears?)(?:\s\w+){0,3}\s$")
_MODIFIERS = re.compile(
    r"(?:\s|,|-|\b(?:and|or|left|right|sided|bilateral|apical|basilar|basal|upper|mid|middle|lower|lobes?|lung|zone|lingular|perihilar|hilar"
    r"|small|mild|moderate|large|severe)\b)*"
)
_PLACED_BEFORE = re.compile(r"\b(?:in|on|at|of|to|the|within)\s+(?:(?:left|right|upper|lower|mid|middle|small|mild|moderate|large)\s+)*$")
_CLAUSE = re.compile(r"[,;()]|\b(?:but|while|whereas|which)\b")

LONGEST = 1200
"""Characters of the longest sentence that is read as one: text without full stops is read in pieces, in time linear in its length."""

DETAILS = frozenset({"side", "location", "severity", "change"})
ASSERTED = ("sure", "present", "likely", "possible")


@dataclass(slots=True)
class Statement:
    """What a sentence says of one thing."""

    kind: str
    """`finding`, `device`, `normal` (a part of the body is as it should be), `advice`."""
    name: str
    """The finding, device or part."""
    status: str
    """`sure` (said to be beyond doubt), `present`, `likely`, `possible`, `absent`, `mentioned` (nothing is claimed), `silent` (the text
    says that the report does not say) or `unreported` (it says that the report does not describe any: silence or a denial)."""
    start: int
    end: int
    sentence: int
    details: dict[str, list[Mark]] = field(default_factory=dict)
    """`side`, `location`, `severity`, `change` to the words that say it of this thing."""
    sizes: list[Quantity] = field(default_factory=list)
    limits: frozenset[str] = frozenset()
    """What a denial is limited to, such as `large` or `acute`."""
    region: str = ""
    """The part that an `abnormality` is said of."""
    alternative: bool = False
    """Whether it is `possible` only as one of several that are named: «atelectasis or scarring», «atelectasis versus scarring»."""

    def values(self, detail: str) -> set[str]:
        """What is said of a detail; `both` sides are two."""
        found = {mark.value for mark in self.details.get(detail, ())}
        return (found - {"both"}) | {"left", "right"} if "both" in found else found


@dataclass(slots=True)
class Sentence:
    """One sentence with what stands in it."""

    start: int
    end: int
    marks: list[Mark]
    quantities: list[Quantity]
    statements: list[Statement] = field(default_factory=list)
    loose: list[Mark] = field(default_factory=list)
    """Details that no statement of the sentence takes."""

    def values(self, kind: str) -> set[str]:
        """The values of the marks of a kind."""
        return {mark.value for mark in self.marks if mark.kind == kind}

    def has(self, kind: str) -> bool:
        """Whether a mark of this kind stands in it."""
        return any(mark.kind == kind for mark in self.marks)


def sentence_spans(text: str, start: int, end: int, *, lines: bool) -> list[tuple[int, int]]:
    """Where the sentences of `plain` text stand, without list numbers; `lines`: a line's end ends its sentence, and so does a lead-in."""
    cuts = [(match.start(), match.end()) for match in _END.finditer(text, start, end) if not _title(text, match)]
    if lines:
        cuts += [match.span() for match in _LINE.finditer(text, start, end)]
        cuts += [(match.end(), match.end()) for match in _LEAD_IN.finditer(text, start, end)]
        cuts.sort()
    spans: list[tuple[int, int]] = []
    at = start
    for cut, following in [*cuts, (end, end)]:
        lead = _NUMBERING.match(text, at, max(cut, at))
        first = lead.end() if lead else at
        spans += [
            (piece, min(cut, piece + LONGEST)) for piece in range(first, cut, LONGEST) if not _BARE_NUMBER.fullmatch(text, piece, cut)
        ]
        at = max(at, following)
    return spans


def _title(text: str, match: re.Match[str]) -> bool:
    return (
        match.group().startswith(".")
        and bool(_TITLE.search(text, max(0, match.start() - 8), match.start() + 1))
        and match.end() - match.start() == 1
    )


def read(text: str, start: int, end: int, number: int) -> Sentence:
    """Read one sentence of `plain` text."""
    found = list(marks(text, start, end))
    sentence = Sentence(start, end, found, quantities(text, start, end))
    stops = _stops(text, sentence)
    subjects = _subjects(text, sentence)
    for mark, name, kind in subjects:
        status = "present" if kind == "advice" and not _denied(text, mark, found, stops, later=False) else _status(text, mark, found, stops)
        gone = status == "absent" and any(
            cue.kind == "negation_after" and cue.start >= mark.end and _GONE.search(text, cue.start, cue.end) for cue in found
        )
        limits = frozenset({"resolved"}) if gone else frozenset[str]()
        alternative = status == "possible" and _status(text, mark, found, stops, alternatives=False) not in ("possible", "absent")
        sentence.statements.append(Statement(kind, name, status, mark.start, mark.end, number, limits=limits, alternative=alternative))
    _attach(text, sentence)
    return sentence


def _subjects(text: str, sentence: Sentence) -> list[tuple[Mark, str, str]]:
    """What the sentence may say something of: (mark, name, kind), in order."""
    found = sentence.marks
    subjects: list[tuple[Mark, str, str]] = []
    used: set[int] = set()
    for place, mark in enumerate(found):
        if mark.kind in ("finding", "device"):
            subjects.append((mark, mark.value, mark.kind))
        elif mark.kind == "advice":
            subjects.append((mark, "advice", "advice"))
        elif mark.kind == "normal":
            subjects += [(mark, region.value, "normal") for region in _regions_of(text, place, found)]
        elif mark.kind in ("enlarged", "raised", "low"):
            for region in _regions_of(text, place, found)[:1]:
                name = COMPOSED.get((mark.kind, region.value))
                if name is not None and region.start not in used:
                    used.add(region.start)
                    subjects.append((Mark("finding", name, mark.start, mark.end), name, "finding"))
    composed = {(mark.start, name) for mark, name, kind in subjects if kind == "finding" and mark.value == name}
    return [row for row in subjects if row[2] != "finding" or (row[0].start, row[1]) in composed]


def _regions_of(text: str, place: int, found: list[Mark]) -> list[Mark]:
    """The parts of the body that a predicate at `place` is said of: those before it in its clause, or else the next one."""
    regions: list[Mark] = []
    predicate = found[place]
    for mark in reversed(found[:place]):
        if mark.start == predicate.start:
            continue
        if text.startswith("otherwise", mark.start):
            continue
        if mark.kind in ("stop", "normal", "enlarged", "finding", "negation_after") or _HARD.search(text, mark.end, predicate.start):
            break
        if mark.kind == "region":
            regions.append(mark)
    if regions and (
        len(regions) > 1 or not _CLAUSE.search(text, regions[0].end, predicate.start) or _VERB.search(text, regions[0].end, predicate.start)
    ):
        return regions[::-1]
    for mark in found[place + 1 :]:
        if (
            mark.kind in ("stop", "normal", "finding", "device")
            or _HARD.search(text, predicate.end, mark.start)
            or mark.start - predicate.end > 40
        ):
            break
        if mark.kind == "region" and not _VERB.search(text, predicate.end, mark.start):
            regions.append(mark)
    return regions


def _stops(text: str, sentence: Sentence) -> list[tuple[int, int]]:
    """Where the scope of a cue ends, beside stop words."""
    stops = [match.span() for match in _HARD.finditer(text, sentence.start, sentence.end)]
    stops += [match.span() for match in _RESTART.finditer(text, sentence.start, sentence.end)]
    for mark in sentence.marks:
        if (
            mark.kind == "region"
            and _PREDICATE.match(text, mark.end)
            and not _PLACED.search(text, max(sentence.start, mark.start - 16), mark.start)
            and not _NONE_OF.search(text, max(sentence.start, mark.start - 24), mark.start)
        ):
            stops.append((mark.start, mark.start))
        before = text[max(sentence.start, mark.start - 6) : mark.start].rstrip()
        if (
            ((mark.kind == "change" and mark.value == "unchanged") or mark.kind in ("severity", "normal"))
            and before.endswith((",", " and"))
            and not _LIST_GOES_ON.match(text, mark.end, sentence.end)
        ):
            stops.append((mark.start, mark.start))
    return stops


def _reaches(cue: Mark, mark: Mark, found: list[Mark], stops: list[tuple[int, int]]) -> bool:
    """Whether nothing between a cue and a later or earlier mark ends the cue's scope."""
    first, last = (cue.end, mark.start) if cue.start < mark.start else (mark.end, cue.start)
    if any(first <= start < last for start, _ in stops):
        return False
    return not any(other.kind == "stop" and first <= other.start < last for other in found)


def _denied(text: str, mark: Mark, found: list[Mark], stops: list[tuple[int, int]], *, later: bool = True) -> bool:
    for cue in found:
        if cue.kind == "negation" and cue.end <= mark.start and _reaches(cue, mark, found, stops):
            return True
        if (
            later
            and cue.kind == "negation_after"
            and cue.start >= mark.end
            and _reaches(cue, mark, found, stops)
            and not _VERB.search(_AUXILIARY.sub("", _THAT_WAS.sub(" ", text[mark.end : cue.start])))
            and not any(other.kind == "negation" and mark.end <= other.start < cue.start for other in found)
        ):
            return True
    return False


def _status(text: str, mark: Mark, found: list[Mark], stops: list[tuple[int, int]], *, alternatives: bool = True) -> str:
    """`alternatives`: that others are named beside it, with «or» or «versus», makes it possible."""
    if not alternatives:
        found = [cue for cue in found if not _VERSUS.match(text, cue.start)]
    for cue in found:
        if cue.kind == "silence" and (
            not _BUT.search(text, cue.end, mark.start) if cue.end <= mark.start else "," not in text[mark.end : cue.start]
        ):
            if cue.end <= mark.start and _ASKS_DETAIL.search(text, cue.end, mark.start):
                return "mentioned"
            return "unreported" if cue.value == "any" else "silent"
    if any(
        cue.kind == "no_claim"
        and cue.end <= mark.start
        and _reaches(cue, mark, found, stops)
        # «no complication such as a pneumothorax» denies its example.
        and not (cue.value == "example" and _denied(text, mark, found, stops))
        for cue in found
    ):
        return "mentioned"
    for cue in found:
        if (
            cue.kind == "possible_after"
            and cue.start >= mark.end
            and _reaches(cue, mark, found, stops)
            and _COMMA_BUT_IN_LIST.search(text, mark.end, cue.start) is None
        ):
            return "possible"
    if _denied(text, mark, found, stops) or _normal_follows(text, mark, found):
        return "absent"
    if any(cue.kind == "sure" and cue.end <= mark.start and _reaches(cue, mark, found, stops) for cue in found):
        return "sure"
    one_of_several = alternatives and (_OR_FOLLOWS.match(text, mark.end) or _an_alternative(text, mark, found))
    status = "possible" if one_of_several else "present"
    hedged = [stop for stop in stops if not _apposes(text, stop, found)]
    for cue in found:
        near = cue.end <= mark.start and _reaches(cue, mark, found, stops)
        after = cue.kind == "likely_after" and cue.start >= mark.end and _reaches(cue, mark, found, stops)
        if cue.kind == "possible" and cue.end <= mark.start and (cue.value == "list" or _reaches(cue, mark, found, hedged)):
            return "possible"
        if ((near and cue.kind == "likely") or after) and status == "present":
            status = "likely"
    return status


def _an_alternative(text: str, mark: Mark, found: list[Mark]) -> bool:
    """Whether it stands after «or» with another finding before that: not in «residual or recurrent pneumonia»."""
    match = _OR_LEADS.search(text, max(0, mark.start - 40), mark.start)
    return match is not None and any(
        other.kind in ("finding", "device", "normal") and other.end <= match.start() and not _JOINED.search(text, other.end, match.start())
        for other in found
    )


def _apposes(text: str, stop: tuple[int, int], found: list[Mark]) -> bool:
    """Whether a comma and article explain the finding before them: «may be atelectasis, a partial collapse»."""
    return (
        _APPOSITION.match(text, *stop) is not None
        and any(mark.kind == "finding" and mark.end == stop[0] for mark in found)
        and not _VERB.search(text, stop[1], found[-1].end)
    )


def _normal_follows(text: str, mark: Mark, found: list[Mark]) -> bool:
    """Whether the sentence says that what could be a finding is as it should be: «the interstitial markings are normal»."""
    return any(cue.kind == "normal" and cue.start > mark.end and _IS_NORMAL.fullmatch(text, mark.end, cue.start) for cue in found)


def _attach(text: str, sentence: Sentence) -> None:
    """Give each detail and size to the statement that it is said of."""
    statements = [statement for statement in sentence.statements if statement.kind != "advice"]
    regions = [mark for mark in sentence.marks if mark.kind == "region"]
    for mark in sentence.marks:
        if mark.kind in ("limit", "change", "severity"):
            _limit(text, mark, statements)
        if mark.kind in DETAILS:
            owner = _owner(text, mark.start, mark.end, statements, regions)
            if owner is not None and mark.kind == "side" and one_sided(text, mark):
                owner.limits |= {"one side"}
            if owner is None:
                sentence.loose.append(mark)
            elif not (owner.start <= mark.start and mark.end <= owner.end and mark.kind in ("severity", "change")):
                owner.details.setdefault(mark.kind, []).append(mark)
        if mark.kind == "region":
            owner = _owner(text, mark.start, mark.end, [statement for statement in statements if statement.name == "abnormality"], regions)
            if owner is not None and abs(mark.start - owner.start) < 60:
                owner.region = mark.value if owner.region in ("", "chest") else owner.region
    for quantity in sentence.quantities:
        if quantity.kind == "measurement":
            owner = _owner(text, quantity.start, quantity.end, statements, regions)
            if owner is not None:
                owner.sizes.append(quantity)


def one_sided(text: str, mark: Mark) -> bool:
    """Whether a side is said to be the only one: «on the left side only»."""
    return bool(_ONLY_BEFORE.search(text, max(0, mark.start - 30), mark.start) or _ONLY_AFTER.match(text, mark.end))


def _limit(text: str, mark: Mark, statements: Iterable[Statement]) -> None:
    for statement in statements:
        if statement.kind == "finding" and 0 <= statement.start - mark.end < 60 and "," not in text[mark.end : statement.start]:
            word = text[mark.start : mark.end]
            statement.limits |= {word if mark.kind == "limit" else mark.value}


def _broken(text: str, start: int, end: int, marked: list[Mark]) -> bool:
    """Whether a noun phrase cannot go on from start to end; an «or» within «heart or lung» does not count."""
    return any(not any(mark.start <= cut.start() < mark.end for mark in marked) for cut in _BREAK.finditer(text, start, end))


def _owner(text: str, start: int, end: int, statements: list[Statement], marked: list[Mark]) -> Statement | None:
    """The statement that words at start to end belong to: the noun they precede, or else the one they follow, or else the next."""
    before = [statement for statement in statements if statement.start <= start]
    after = [statement for statement in statements if statement.start > start]
    if before and before[-1].end >= end:
        return before[-1]
    follows = before and not _CLAUSE.search(text, before[-1].end, start)
    if before and _LATER_WORD.fullmatch(text, before[-1].end, start) and _THAN.match(text, end):
        return before[-1]
    if before and after and _RELATIVE.search(text, before[-1].end, start):
        return before[-1]
    if after and not text[end : after[0].start].strip():
        return after[0]
    if after and _MODIFIERS.fullmatch(text, end, after[0].start) and not _PLACED_BEFORE.search(text, max(0, start - 40), start):
        return after[0]
    leads = after and not _broken(text, end, after[0].start, marked) and after[0].start - end < 60
    if leads and not (follows and _PREPOSITION.search(text, before[-1].end, start) and not _broken(text, before[-1].end, start, marked)):
        return after[0]
    if follows:
        return before[-1]
    if after and not _APART.search(text, end, after[0].start):
        return after[0]
    return before[-1] if before else None


def asserts_history(statement: Statement) -> bool:
    """Whether it is something that a patient has or had, not something that an image shows."""
    return statement.name in HISTORY
