"""What an answer claims of the patient, read in the light of its instruction."""

import re
from dataclasses import dataclass, field

from radgpt.clinical.lexicon import expansion
from radgpt.faithfulness.marks import Mark, plain
from radgpt.faithfulness.quantities import Quantity
from radgpt.faithfulness.reported import words_of
from radgpt.faithfulness.sentences import Sentence, Statement, one_sided, read, sentence_spans

_POLAR = re.compile(
    r"[\s\"'*]*(?P<word>yes|no|possibly|probably|likely|maybe|not (?:that|according)|correct|none)\b(?=\s*(?:[.,;:!]|$|-\s))[\s.,;:!-]*"
)
_ASKS_POLAR = re.compile(r"(?:^|[?.!,:]\s+|\band\s+|so,?\s+)(?:is|are|was|were|does|do|did|has|have|can|could|any)\b")
_STANDS_FOR = re.compile(
    r"[\"'“«(*]*(?P<short>[A-Za-z][A-Za-z0-9]*(?:/[A-Za-z]*)?)[\"'”»)*]*,?(?: in (?:this|the) \w+,?)?"
    r" (?:stands for|is short for|means|is (?:an? |the )?(?:abbreviation|acronym|short form|initialism)(?: \w+)? for|refers to|expands to"
    r"|is expanded as|denotes|represents"
    r"|=|is)[:\s]+[\"'“«*]*(?P<long>[^.;:\n]{3,120})"
)
_GENERAL = re.compile(
    r"^(?:in general|generally|typically|usually|normally)\b"
    r"|\b(?:is|are) (?:a|an|the|another|when|where) (?:\w+[- ]){0,3}(?:term|condition|type|kind|word|name|process|disease"
    r"|test|picture|imaging|technique|abbreviation|way|sac|measure|disorder|problem in which)\b"
    r"|\b(?:refers? to|stands? for|is called|are called|is known as|are known as|is when"
    r"|occurs? when|happens? when|is defined|is short for)\b"
)
_WAS_REASON = re.compile(r"\s+(?:is|was|were|are)\s+(?:\w+\s+){0,2}(?:reason|indication|question)\b")
_REASON_ASKED = re.compile(r"\b(?:why|reason|indication|history|symptoms?|complain\w*|led to|ordered|purpose)\b")

_GROUNDS = re.compile(r"\b(?:in view of|in light of|because|given|due to|based on|seen on|as|since)\b")
_OTHERWISE = re.compile(r"\b(?:otherwise|apart from|aside from|except|other than)\b")
_VERB = re.compile(r"\b(?:is|are|was|were|has|have|shows?)\b")
_ELSEWHERE = re.compile(r"[,;()]|\b(?:but|while|which|and)\b")
_OF_THE_THING = re.compile(
    r"\b(?:the|this|these|that|those|either|both|his|her|your|my)\s+"
    r"(?:(?!patient|report|image|study|exam|chest|radiolog|radiograph|scan|film|lungs?|heart|cardi|mediastin|aort|bon|diaphragm|hemidiaphragm"
    r"|spine|trachea|vascul|pulmonary|pleura|silhouette)\w+\s+){0,2}$"
)
_EXISTS = re.compile(r"\b(?:present|seen|there|visible|noted|identified|evident|found|gone|resolved)\b")
_ASKS_CHANGE = re.compile(r"\bchang\w+|\bcompared? (?:with|to) (?:the )?(?:before|prior|previous|earlier)|\bsince\b|\bprogress\w*")
_ASKS_MEANING = re.compile(r"\b(?:stands? for|mean\w*|full form|long form|short for|in full|expan\w+|abbreviat\w+|acronym|spell\w*)\b")


@dataclass(slots=True)
class Claim:
    """One thing that an answer says, with what is to be checked of it."""

    kind: str
    """`statement`, `detail` (said of what the question asks about, or of nothing known), `quantity`, `abbreviation`."""
    start: int
    end: int
    statement: Statement | None = None
    mark: Mark | None = None
    quantity: Quantity | None = None
    subject: str = ""
    """The finding that a quantity or a detail is said of, if that is known."""
    regions: frozenset[str] = frozenset()
    """Parts of the body that the sentence of a detail names."""
    short: str = ""
    long: str = ""
    modalities: frozenset[str] = frozenset()
    """What kind of study advice names."""
    reason: bool = False
    """Said of why the study was made."""
    only: bool = False
    """A side that is said to be the only one."""


@dataclass(slots=True)
class Asked:
    """What an instruction asks about."""

    polar: bool
    statements: list[Statement]
    loose: list[Mark]
    reason: bool
    change: bool
    """Whether something has changed: «no» then denies the change, not the thing."""
    abbreviation: bool
    negated: bool

    @property
    def subject(self) -> Statement | None:
        """The one thing asked about, or None where there is none or more than one."""
        names = {(statement.kind, statement.name) for statement in self.statements}
        return self.statements[0] if len(names) == 1 else None


@dataclass(slots=True)
class Answer:
    """An answer as it was read."""

    text: str
    sentences: list[Sentence]
    claims: list[Claim] = field(default_factory=list)
    verbatim: list[tuple[Sentence, int]] = field(default_factory=list)
    """Sentences that stand in the report as they are, with their number there."""
    altered: list[Sentence] = field(default_factory=list)
    """The other sentences: they may repeat one of the report's with a word changed."""


def asked(instruction: str) -> Asked:
    """Read an instruction."""
    text = plain(instruction[:4000])
    statements: list[Statement] = []
    loose: list[Mark] = []
    for number, (start, end) in enumerate(sentence_spans(text, 0, len(text), lines=True)):
        sentence = read(text, start, end, number)
        statements += [statement for statement in sentence.statements if statement.name != "abnormality" or statement.region]
        loose += sentence.loose
    change = any("change" in statement.details for statement in statements) or any(mark.kind == "change" for mark in loose)
    return Asked(
        polar=bool(_ASKS_POLAR.search(text)),
        statements=statements,
        loose=loose,
        reason=bool(_REASON_ASKED.search(text)),
        change=change or bool(_ASKS_CHANGE.search(text)),
        abbreviation=bool(_ASKS_MEANING.search(text)),
        negated=any(statement.status == "absent" for statement in statements),
    )


def claims_of(answer: str, instruction: str, verbatim: dict[str, int], context: set[int]) -> Answer:
    """The claims of an answer. `verbatim`: the report's sentences by their words; `context`: those that assert nothing."""
    text = plain(answer)
    about = asked(instruction)
    read_as = Answer(text, [])
    subject = about.subject
    polar = _POLAR.match(text)
    begin = 0
    if polar and polar.group("word") in ("yes", "no", "possibly", "probably", "likely", "maybe", "correct"):
        begin = polar.end()
        presupposed = polar.group("word") == "no" and _presupposed(instruction, subject)
        if about.polar and subject is not None and not about.change and not presupposed:
            read_as.claims.append(_polar_claim(polar, about, subject))
    reason = False
    last = subject
    for number, (start, end) in enumerate(sentence_spans(text, begin, len(text), lines=True)):
        place = verbatim.get(words_of(text, start, end))
        sentence = read(text, start, end, number)
        read_as.sentences.append(sentence)
        told = (about.reason and number == 0) or reason
        reason = sentence.has("reason") and text[start:end].rstrip().endswith(":")
        if place is not None and end - start > 3 and (place not in context or told or about.reason or not sentence.statements):
            read_as.verbatim.append((sentence, place))
            last = next(iter(sentence.statements), last)
            continue
        read_as.altered.append(sentence)
        expanded = _abbreviation(answer, start, end) if about.abbreviation else None
        if expanded is not None:
            read_as.claims.append(expanded)
            continue
        read_as.claims += _claims_of_sentence(
            text,
            sentence,
            last,
            told,
            continues=number == 0 or sentence.has("pronoun") or (end - start < 40 and not _VERB.search(text, start, end)),
        )
        last = next((statement for statement in sentence.statements if statement.kind in ("finding", "device")), last)
    return read_as


def _advised(text: str, sentence: Sentence, advice: Statement) -> frozenset[str]:
    """The kinds of study that a sentence advises: not those that it names as grounds, as in «in view of the nodules on CT»."""
    return frozenset(
        mark.value
        for mark in sentence.marks
        if mark.kind == "modality"
        and not (
            _GROUNDS.search(text, advice.end, mark.start) if mark.start >= advice.start else _ELSEWHERE.search(text, mark.end, advice.start)
        )
    )


def _presupposed(instruction: str, subject: Statement | None) -> bool:
    """Whether a question takes its subject for granted: «no» to «is the fracture displaced?» does not deny the fracture."""
    text = plain(instruction[:4000])
    return subject is not None and _OF_THE_THING.search(text, 0, subject.start) is not None and not _EXISTS.search(text)


def _polar_claim(polar: re.Match[str], about: Asked, subject: Statement) -> Claim:
    word = polar.group("word")
    status = {"no": "absent", "yes": "present", "correct": "present", "probably": "likely", "likely": "likely"}.get(word, "possible")
    start = polar.start("word")
    if about.negated and status in ("present", "absent"):
        status = "mentioned"
    claimed = Statement(
        subject.kind,
        subject.name,
        status,
        start,
        polar.end("word"),
        -1,
        dict(subject.details),
        list(subject.sizes),
        subject.limits,
        subject.region,
    )
    if about.loose:
        for mark in about.loose:
            claimed.details.setdefault(mark.kind, []).append(mark)
    return Claim("statement", start, polar.end("word"), claimed)


def _abbreviation(answer: str, start: int, end: int) -> Claim | None:
    """The claim that an abbreviation stands for something."""
    match = _STANDS_FOR.search(answer, start, end)
    if match is None:
        return None
    if expansion(match.group("short")) is None and not (match.group("short").isupper() and len(match.group("short")) > 1):
        return None
    if match.group(0).split(match.group("short"), 1)[1].strip().startswith("is ") and not match.group("short").isupper():
        return None
    return Claim("abbreviation", match.start("short"), match.end("long"), short=match.group("short"), long=match.group("long"))


def _claims_of_sentence(text: str, sentence: Sentence, last: Statement | None, reason: bool, *, continues: bool) -> list[Claim]:
    claims: list[Claim] = []
    general = _GENERAL.search(text, sentence.start, sentence.end)
    stated = [statement for statement in sentence.statements if statement.status != "mentioned" or reason or sentence.has("reason")]
    if general is not None:
        stated = [
            statement
            for statement in stated
            if statement.end <= general.start() and text[sentence.start : statement.start].strip() not in ("", "a", "an")
        ]
    reasons = [mark.end for mark in sentence.marks if mark.kind == "reason"]
    excepted = _OTHERWISE.search(text, sentence.start, sentence.end)
    stated = [s for s in stated if not (excepted and s.kind == "normal" and (s.name == "chest" or excepted.start() <= s.start))]
    named = [
        statement for statement in stated if statement.kind in ("finding", "device") and statement.name not in ("abnormality", "device")
    ]
    for statement in stated:
        modalities = _advised(text, sentence, statement) if statement.kind == "advice" else frozenset()
        historical = reason or any(end <= statement.start for end in reasons) or bool(_WAS_REASON.match(text, statement.end))
        claims.append(Claim("statement", statement.start, statement.end, statement, modalities=modalities, reason=historical))
    owned = {id(size) for statement in sentence.statements for size in statement.sizes}
    if general is None:
        if not any(statement.kind in ("finding", "device") for statement in sentence.statements):
            subject = last.name if last is not None and continues else ""
            parts = frozenset(sentence.values("region") - ({"chest"} if subject and sentence.has("pronoun") else set()))
            claims += [
                Claim(
                    "detail",
                    mark.start,
                    mark.end,
                    mark=mark,
                    subject=subject,
                    regions=parts,
                    reason=reason,
                    only=mark.kind == "side" and one_sided(text, mark),
                )
                for mark in sentence.loose
                if mark.kind != "location" or not any(other.kind == "region" and other.start == mark.start for other in sentence.marks)
            ]
        for quantity in sentence.quantities:
            owner = next((s.name for s in named if any(size is quantity for size in s.sizes)), "") if id(quantity) in owned else ""
            claims.append(
                Claim(
                    "quantity",
                    quantity.start,
                    quantity.end,
                    quantity=quantity,
                    subject=owner or (last.name if last and continues and not named else ""),
                )
            )
        if (
            sentence.has("silence")
            and not any(statement.status in ("silent", "unreported") for statement in sentence.statements)
            and last is not None
        ):
            details = [mark for mark in sentence.marks if mark.kind == "silence"]
            silent = Statement(last.kind, last.name, "silent", details[0].start, details[0].end, -1)
            if not re.search(
                r"\b(?:size|side|location|position|degree|severity|extent|amount|number|exact\w*|age|caus\w+|how|which|where|when|what|why)\b",
                text[sentence.start : sentence.end],
            ):
                claims.append(Claim("statement", silent.start, silent.end, silent))
    return claims
