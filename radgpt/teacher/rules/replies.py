"""Write instructions and grounded answers by rule, the same for the same seed."""

import re
from collections.abc import Sequence

from radgpt.clinical.lexicon import ABNORMAL, FINDINGS, TOKEN, abbreviations_in, expansion
from radgpt.draws import generator
from radgpt.errors import UserError
from radgpt.records import FOLLOW_UP, TASKS, Report
from radgpt.teacher.ask import Reply, Request
from radgpt.teacher.rules import questions
from radgpt.teacher.rules.plain_language import explainable, plain_language
from radgpt.teacher.rules.questions import quoted
from radgpt.teacher.rules.reading import REMOVED, body, clinical, read_finding, sentences, status_at
from radgpt.teacher.rules.scope import beyond_rules

MODEL = "rules"
SUMMARY_WORDS = 35
"""Longest extractive summary, in words; a first sentence longer than this is taken whole."""

COMMON_ABBREVIATIONS = frozenset({"AP", "PA", "CT", "cm", "mm"})
"""Asked about less often: nearly every report has one of them."""

ABBREVIATION_WORDINGS = (
    "What does {abbreviation} stand for in this report?",
    "Expand the abbreviation {abbreviation}.",
    "What is the full form of {abbreviation}?",
    "Spell out {abbreviation} as it is used here.",
)
SENTENCE_WORDINGS = (
    "Rewrite this sentence in plain language: {sentence}",
    "Explain this to the patient: {sentence}",
    "Put this into everyday words: {sentence}",
)
IMPRESSION_WORDINGS = (
    "Explain the impression in words that a patient understands.",
    "Rewrite the impression in plain language.",
    "Put the impression into everyday words.",
)
SUMMARY_WORDINGS = (
    "Summarise this report briefly.",
    "Give a short summary of the result.",
    "Sum up the key result.",
)
REASON_WORDINGS = (
    "Summarise the reason for the study and its result.",
    "Give the reason for this study and its result in brief.",
    "Sum up why the study was done and what it showed.",
)
ABNORMAL_WORDINGS = (
    "List the abnormal findings.",
    "Summarise only the abnormal findings.",
    "Which findings are abnormal? Sum them up.",
)

_QUOTED = re.compile(r"[\"“«](.+?)[\"”»]", re.DOTALL)
_REASON = re.compile(r"\b(?:reason|why|indication)\b", re.IGNORECASE)
_ABNORMAL = re.compile(r"\babnormal", re.IGNORECASE)


def reply(request: Request, seed: int) -> Reply:
    """Answer a request from the report's sections; outcome `empty` where the report gives nothing for the task.

    An instruction depends on the seed and on the request's `generation_id`: the n-th instruction of a report asks for
    something else than those before it, as long as the report has more to ask about. An answer depends on the instruction's
    text and the report alone.
    """
    assert request.report is not None
    if request.kind == "instruction":
        text = _instruction(request.task, request.report, request.generation_id, seed, request.turns)
    else:
        text = _answer(request.task, request.instruction or "", request.report)
    return Reply(
        outcome="ok" if text else "dropped: empty",
        text=text,
        model=MODEL,
        prompt_tokens=sum(len(message["content"].split()) for message in request.messages),
        completion_tokens=len(text.split()),
    )


def _instruction(task: str, report: Report, generation_id: str, seed: int, turns: int) -> str:
    """The n-th of the things that can be asked, and below it, numbered, what else is asked in later turns: questions, as many as there are.

    Nothing where the task gives nothing to ask.
    """
    # Each conversation takes up where the one before it ended.
    number = int(generation_id.rpartition("/")[2]) * turns
    first = _nth(task, report, number, seed)
    if not first or turns == 1:
        return first
    others = len(questions.askable(report)) - (task == "question_answering")
    later = [_nth("question_answering", report, number + place, seed) for place in range(1, min(turns, others + 1))]
    return "\n".join(f"{place}. {text}" for place, text in enumerate([first, *later], start=1))


def _nth(task: str, report: Report, turn: int, seed: int) -> str:
    """The n-th of the things that can be asked, in an order and in words drawn for this report; nothing where there are none."""
    if task not in TASKS:
        raise UserError(beyond_rules(task))
    candidates = {
        "question_answering": questions.askable,
        "abbreviation_expansion": _abbreviations_to_ask,
        "paraphrasing": _passages_to_paraphrase,
        "summarisation": _summaries_to_ask,
    }[task](report)
    if not candidates:
        return ""
    draw = generator(seed, report.report_id, task)
    # A weighted order without replacement (Efraimidis & Spirakis, Inf Process Lett 2006;97:181).
    order = sorted(((draw.random() ** (1 / weight), number) for number, (weight, _) in enumerate(candidates)), reverse=True)
    wordings = candidates[order[turn % len(order)][1]][1]
    return wordings[(draw.randrange(len(wordings)) + turn) % len(wordings)]


def _answer(task: str, instruction: str, report: Report) -> str:
    if task not in (*TASKS, FOLLOW_UP):
        raise UserError(beyond_rules(task))
    answers = {
        "question_answering": questions.answer,
        FOLLOW_UP: questions.answer,
        "abbreviation_expansion": _expand,
        "paraphrasing": _paraphrase,
        "summarisation": _summarise,
    }
    return answers[task](instruction, report)


def _abbreviations_to_ask(report: Report) -> list[tuple[float, list[str]]]:
    text = " ".join(report.sections.values()) or report.text
    return [
        (
            0.3 if abbreviation in COMMON_ABBREVIATIONS else 1.0,
            [wording.format(abbreviation=abbreviation) for wording in ABBREVIATION_WORDINGS],
        )
        for abbreviation in abbreviations_in(REMOVED.sub("_", text))
    ]


def _expand(instruction: str, report: Report) -> str:
    asked = abbreviations_in(instruction)
    used = [abbreviation for abbreviation in asked if abbreviation in TOKEN.findall(report.text)]
    if not asked:
        return "The report does not say what it stands for."
    abbreviation = (used or asked)[0]
    return f"{abbreviation} stands for {expansion(abbreviation)}."


def _passages_to_paraphrase(report: Report) -> list[tuple[float, list[str]]]:
    passages = [
        (1.0, [wording.format(sentence=quoted(sentence)) for wording in SENTENCE_WORDINGS])
        for sentence in clinical(body(report))
        if explainable(sentence)
    ]
    impression = clinical(sentences(report.sections.get("impression", "")))
    short = sum(len(sentence.split()) for sentence in impression) <= SUMMARY_WORDS
    if short and all(map(_tellable, impression)) and any(map(explainable, impression)):
        passages.append((1.0, list(IMPRESSION_WORDINGS)))
    return passages


def _tellable(sentence: str) -> bool:
    """Whether a sentence of an impression reads well in plain words: rewritten, or plain as it stands."""
    return explainable(sentence) is not None or (plain_language(sentence).removeprefix("The image shows ").lower() == sentence.lower())


def _paraphrase(instruction: str, report: Report) -> str:
    passage = _QUOTED.search(instruction)
    if passage:
        found = sentences(passage.group(1))
    elif re.search(r"\bfindings?\b", instruction, re.IGNORECASE) and "findings" in report.sections:
        found = clinical(sentences(report.sections["findings"]))
    else:
        found = clinical(sentences(report.sections.get("impression", ""))) or clinical(body(report))
    return " ".join(plain_language(sentence) for sentence in found)


def _summaries_to_ask(report: Report) -> list[tuple[float, list[str]]]:
    if not _key_sentences(report):
        return []
    asked = [(1.0, list(SUMMARY_WORDINGS)), (1.0 if _abnormal_findings(report) else 0.3, list(ABNORMAL_WORDINGS))]
    if questions.reason(report):
        asked.append((1.5, list(REASON_WORDINGS)))
    return asked


def _summarise(instruction: str, report: Report) -> str:
    key = " ".join(_key_sentences(report))
    if _ABNORMAL.search(instruction):
        return " ".join(_within(_abnormal_findings(report), 2 * SUMMARY_WORDS)) or "The report describes no abnormal findings."
    reason = questions.reason(report)
    if _REASON.search(instruction) and reason:
        return f"Reason: {reason} Result: {key or 'not stated.'}"
    return key


def _abnormal_findings(report: Report) -> list[str]:
    """From the findings section; from the impression only where that has none, lest a finding be told twice."""
    return abnormal_sentences(sentences(report.sections.get("findings", ""))) or abnormal_sentences(body(report))


def abnormal_sentences(found: Sequence[str]) -> list[str]:
    """The sentences that affirm a finding or leave it open, in the report's order."""
    return [sentence for sentence in clinical(found) if _is_abnormal(sentence)]


def _is_abnormal(sentence: str) -> bool:
    if any((statement := read_finding(finding, [sentence])) and statement.status != "absent" for finding in FINDINGS):
        return True
    return any(status_at(sentence, match.start(), match.end()) != "absent" for match in ABNORMAL.finditer(sentence))


def _key_sentences(report: Report) -> list[str]:
    """The impression, or, without one, what is abnormal in the findings, or else their first sentence."""
    impression = clinical(sentences(report.sections.get("impression", "")))
    if sum(len(sentence.split()) for sentence in impression) <= SUMMARY_WORDS and impression:
        return impression
    source = impression or clinical(body(report))
    chosen = set(_within(abnormal_sentences(source) or source[:1], SUMMARY_WORDS))
    return [sentence for sentence in source if sentence in chosen]


def _within(found: Sequence[str], words: int) -> list[str]:
    """The first sentences that fit into so many words, at least one if there is any."""
    kept: list[str] = []
    for sentence in found:
        if kept and sum(len(other.split()) for other in kept) + len(sentence.split()) > words:
            break
        kept.append(sentence)
    return kept
