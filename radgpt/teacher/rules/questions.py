"""Question answering by rule: what can be asked of a report, and answers that quote the sentence they rest on."""

import re
from collections.abc import Callable, Sequence

from radgpt.clinical.lexicon import ANATOMY, DEVICES, FINDINGS, Finding, compiled
from radgpt.records import Report
from radgpt.teacher.rules.reading import body, clinical, devices_in, limit_of, read_finding, sentences

NOT_STATED = "The report does not state this."
LONGEST_QUOTE = 45
"""Words of the longest passage that a question is asked about."""

FINDING_WORDINGS = (
    "Is there {phrase}?",
    "Does the report describe {phrase}?",
    "Does the image show {phrase}?",
    "Does the patient have {phrase}?",
)
SIDE_WORDINGS = ("On which side is the {name}?", "Which side is affected by the {name}?", "Where is the {name}, left or right?")
SIZE_WORDINGS = ("How large is the {name}?", "What is the size of the {name}?", "How big is the {name}?")
REASON_WORDINGS = ("Why was this study done?", "What is the indication for this study?", "What is the reason for this examination?")
TECHNIQUE_WORDINGS = ("How was this study performed?", "Which technique was used?", "Which views were taken?")
COMPARISON_WORDINGS = (
    "Which earlier study was used for comparison?",
    "What was this study compared with?",
    "Is an earlier study available for comparison?",
)
IMPRESSION_WORDINGS = ("What is the impression?", "What does the radiologist conclude?", "What is the overall conclusion of this report?")
SEVERITY_WORDINGS = ("How severe is the {name}?", "What is the severity of the {name}?", "To what degree is the {name} present?")
ANATOMY_WORDINGS = ("What does the report say about the {part}?", "Describe the {part}.", "What is reported about the {part}?")
DEVICE_WORDINGS = (
    "Which lines, tubes or devices are described?",
    "Are any medical devices described?",
    "What hardware does the report mention?",
)
POSITION_WORDINGS = ("Where is the {device}?", "What is the position of the {device}?", "Describe the position of the {device}.")
CHANGE_WORDINGS = ("What has changed since the earlier study?", "How does this compare with before?", "Is there any interval change?")
ADVICE_WORDINGS = ("Is any follow-up recommended?", "What does the radiologist recommend?", "Which further steps are advised?")

_SEVERITIES = ("mild", "minimal", "mild to moderate", "moderate", "moderate to severe", "severe", "borderline")
_POSITION = compiled(
    r"tips?|terminat\w*|positions?|overl\w+|project\w*|above|below|at|leads?|within|over|near|ends?|located|in (?:the|place"
    r"|stable|good|satisfactory|expected)"
)
_CHANGE = compiled(
    r"stable|unchanged|(?:no|without) (?:\w+ ){0,3}change|interval|improv\w+|wors\w+|increas(?:ed|ing)|decreas(?:ed|ing)"
    r"|resol\w+|progress\w*|since|compared"
)
_ADVICE = compiled(
    r"recommend\w*|follow-?up|followup|suggest (?:\w+ ){0,3}(?:ct|study|correlation|evaluation)|correlat\w+"
    r"|further (?:evaluation|imaging|characteri[sz]ation|workup)"
    r"|consider (?:\w+ ){0,4}(?:ct|study|radiograph\w*|imaging|x-?ray)|advised|may be helpful|may be of benefit"
)
_NO_STUDY = compiled(
    r"none|no (?:\w+ ){0,3}(?:available|comparison\w*|prior\w*|study|studies|films?|images?|exam\w*)|not available|n/?a|unavailable"
)

_ASKS_SIDE = compiled(r"which side|what side|left or right|laterality|unilateral|where is the (?!tip)")
_ASKS_SIZE = compiled(r"how (?:large|big|severe)|severity|to what degree|size of|what size|extent of|measure\w*")
_ASKS_REASON = compiled(r"why|indication|reason|clinical (?:question|history|information)|history|complain\w*|symptoms?")
_ASKS_TECHNIQUE = compiled(
    r"technique|views?|how was (?:this|the) (?:study|exam\w*)|projections?|modality|kind of (?:study|exam\w*)|type of (?:study|exam\w*)"
)
_ASKS_COMPARISON = compiled(
    r"compared (?:with|to)|for comparison|(?:earlier|prior|previous) (?:study|studies|exam\w*|imaging) (?:was|were|is"
    r"|are) (?:used|available)|comparison study"
)
_ASKS_IMPRESSION = compiled(r"impression|conclu\w+|overall|diagnosis|main (?:result|message|finding)")
_ASKS_DEVICE = compiled(r"devices?|hardware|lines|tubes|implants?|instrumentation|catheters")
_ASKS_CHANGE = compiled(
    r"(?<!degenerative )chang\w+|compare with before|interval|progress\w*|improv\w+|worse\w*|since (?:the )?(?:last|earlier"
    r"|prior|previous)|new since"
)
_ASKS_ADVICE = compiled(r"recommend\w*|follow-?up|advised?|next steps?|further steps|suggested")


def quoted(passage: str) -> str:
    """A passage in double quotes; those within it become single ones."""
    return '"' + passage.replace('"', "'") + '"'


def stated(found: Sequence[str]) -> str:
    """The sentences as an answer."""
    return f"The report states: {quoted(' '.join(found))}"


def section(report: Report, *names: str) -> str:
    """The tidy text of the first of these sections that says something, or nothing."""
    for name in names:
        found = sentences(report.sections.get(name, ""))
        if found:
            return " ".join(found)
    return ""


def reason(report: Report) -> str:
    """Why the study was done, or nothing."""
    return section(report, "indication", "history")


def askable(report: Report) -> list[tuple[float, list[str]]]:
    """What can be asked of this report and answered from it: (weight, wordings of one question)."""
    found = body(report)
    asked = [(weight, wordings) for weight, wordings in _sections_to_ask(report) if wordings]
    asked += _findings_to_ask(found)
    for part, pattern in ANATOMY.items():
        about = [sentence for sentence in clinical(found) if pattern.search(sentence)]
        if about and _short(about):
            asked.append((0.6, [wording.format(part=part) for wording in ANATOMY_WORDINGS]))
    devices = devices_in(found)
    if devices:
        asked.append((1.5, list(DEVICE_WORDINGS)))
    for device, sentence in devices.items():
        if _POSITION.search(sentence) and _short([sentence]):
            asked.append((1.5, [wording.format(device=device) for wording in POSITION_WORDINGS]))
    if _sentences_on(found, _CHANGE) and _short(_sentences_on(found, _CHANGE)):
        asked.append((1.0, list(CHANGE_WORDINGS)))
    if found:
        asked.append((1.5 if _sentences_on(found, _ADVICE) else 0.15, list(ADVICE_WORDINGS)))
    return asked


def _sections_to_ask(report: Report) -> list[tuple[float, list[str]]]:
    impression = section(report, "impression")
    return [
        (1.0, list(REASON_WORDINGS) if reason(report) else []),
        (0.7, list(TECHNIQUE_WORDINGS) if section(report, "technique") else []),
        (0.5, list(COMPARISON_WORDINGS) if section(report, "comparison") else []),
        (1.0, list(IMPRESSION_WORDINGS) if impression and _short([impression]) else []),
    ]


def _findings_to_ask(found: Sequence[str]) -> list[tuple[float, list[str]]]:
    asked: list[tuple[float, list[str]]] = []
    unmentioned = []
    for finding in FINDINGS:
        statement = read_finding(finding, found)
        wordings = [wording.format(phrase=finding.phrase) for wording in FINDING_WORDINGS]
        if statement is None:
            unmentioned.append(wordings)
            continue
        asked.append((0.4 if statement.status == "absent" else 1.2, wordings))
        if statement.status == "present" and statement.side:
            asked.append((0.8, [wording.format(name=finding.name) for wording in SIDE_WORDINGS]))
        if statement.status == "present" and statement.size:
            detailed = SEVERITY_WORDINGS if statement.size in _SEVERITIES else SIZE_WORDINGS
            asked.append((0.8, [wording.format(name=finding.name) for wording in detailed]))
    if found:
        asked += [(0.6 / len(unmentioned), wordings) for wordings in unmentioned]
    return asked


def _short(found: Sequence[str]) -> bool:
    return sum(len(sentence.split()) for sentence in found) <= LONGEST_QUOTE


def answer(question: str, report: Report) -> str:
    """Answer a question from the report, by what it asks for; quotes the nearest sentence where its form is unknown."""
    found = body(report)
    finding = _named(question)
    device = next((name for name, pattern in DEVICES.items() if pattern.search(question)), None)
    if finding is not None and _ASKS_SIZE.search(question):
        return _answer_detail(finding, found, "size")
    if finding is not None and _ASKS_SIDE.search(question):
        return _answer_detail(finding, found, "side")
    if device is not None:
        return _answer_device(device, found)
    if finding is not None and not _ASKS_CHANGE.search(question):
        return _answer_finding(finding, found)
    for asks, reply in _FORMS:
        if asks.search(question):
            return reply(report, found)
    for part, pattern in ANATOMY.items():
        if re.search(rf"\b{part}\b", question, re.IGNORECASE):
            about = [sentence for sentence in clinical(found) if pattern.search(sentence)]
            return stated(about) if about else f"The report does not mention the {part}."
    nearest = _nearest(question, found)
    return stated([nearest]) if nearest else NOT_STATED


def _named(question: str) -> Finding | None:
    """The finding that a question names, in its name or in any word for it."""
    by_name = [finding for finding in FINDINGS if re.search(rf"\b{finding.name}\b", question, re.IGNORECASE)]
    by_pattern = [finding for finding in FINDINGS if finding.pattern.search(question)]
    return next(iter(by_name or by_pattern), None)


def _answer_finding(finding: Finding, found: Sequence[str]) -> str:
    statement = read_finding(finding, found)
    if statement is None:
        return f"The report does not mention {finding.phrase}."
    if statement.status == "absent":
        named = finding.pattern.search(statement.sentence)
        limit = limit_of(statement.sentence[: named.start()]) if named else None
        verdict = "No" if limit is None else f"No {limit} one"
    else:
        details = [detail for detail in (statement.size, _side_phrase(statement.side)) if detail]
        verdict = ", ".join(["Yes" if statement.status == "present" else "Possibly", *details])
    return f"{verdict}. {stated([statement.sentence])}"


def _side_phrase(side: str | None) -> str | None:
    return {"both": "on both sides", None: None}.get(side, f"on the {side}")


def _answer_detail(finding: Finding, found: Sequence[str], detail: str) -> str:
    statement = read_finding(finding, found)
    if statement is None or statement.status == "absent":
        return _answer_finding(finding, found)
    value = statement.size if detail == "size" else _side_phrase(statement.side)
    return (
        f"{value[0].upper()}{value[1:]}. {stated([statement.sentence])}"
        if value
        else f"The report does not state the {detail}. {stated([statement.sentence])}"
    )


def _answer_device(device: str, found: Sequence[str]) -> str:
    about = [sentence for sentence in found if DEVICES[device].search(sentence)]
    about.sort(key=lambda sentence: not _POSITION.search(sentence))
    return stated(about[:1]) if about else f"The report does not mention a {device}."


def _answer_reason(report: Report, found: Sequence[str]) -> str:
    text = reason(report)
    return f"The indication was: {quoted(text)}" if text else NOT_STATED


def _answer_technique(report: Report, found: Sequence[str]) -> str:
    text = section(report, "technique", "examination")
    return f"The technique was: {quoted(text)}" if text else NOT_STATED


def _answer_comparison(report: Report, found: Sequence[str]) -> str:
    text = section(report, "comparison")
    if text and _NO_STUDY.search(text):
        return "No earlier study was available for comparison."
    return f"The comparison was: {quoted(text)}" if text else NOT_STATED


def _answer_impression(report: Report, found: Sequence[str]) -> str:
    text = section(report, "impression")
    return f"The impression is: {quoted(text)}" if text else NOT_STATED


def _answer_devices(report: Report, found: Sequence[str]) -> str:
    devices = devices_in(found)
    if not devices:
        return "The report does not mention any device."
    names = list(devices)
    listed = ", ".join(names[:-1]) + (" and " if names[:-1] else "") + names[-1]
    return f"{listed[0].upper()}{listed[1:]}. {stated(list(dict.fromkeys(devices.values()))[:2])}"


def _answer_change(report: Report, found: Sequence[str]) -> str:
    about = _sentences_on(found, _CHANGE)
    return stated(about[:3]) if about else NOT_STATED


def _answer_advice(report: Report, found: Sequence[str]) -> str:
    about = _sentences_on(found, _ADVICE)
    return f"Yes. {stated(about[:2])}" if about else "No follow-up is recommended in the report."


_FORMS: tuple[tuple[re.Pattern[str], Callable[[Report, Sequence[str]], str]], ...] = (
    (_ASKS_ADVICE, _answer_advice),
    (_ASKS_COMPARISON, _answer_comparison),
    (_ASKS_CHANGE, _answer_change),
    (_ASKS_DEVICE, _answer_devices),
    (_ASKS_IMPRESSION, _answer_impression),
    (_ASKS_TECHNIQUE, _answer_technique),
    (_ASKS_REASON, _answer_reason),
)
"""What a question asks for, tried in this order, and how that is answered."""

_COMMON = frozenset(
    re.findall(r"\w+", "the a an is are was were of in on for to and or with this that what which how does do did has have any there it be")
)
"""Words that tell nothing about what a question asks for."""


def _sentences_on(found: Sequence[str], pattern: re.Pattern[str]) -> list[str]:
    return [sentence for sentence in clinical(found) if pattern.search(sentence)]


def _nearest(question: str, found: Sequence[str]) -> str | None:
    """The sentence that shares most words with the question, if any is shared."""
    asked = set(re.findall(r"\w+", question.lower())) - _COMMON
    overlap = {sentence: len(asked & set(re.findall(r"\w+", sentence.lower()))) for sentence in found}
    best = max(overlap, key=overlap.__getitem__, default=None)
    return best if best is not None and overlap[best] else None
