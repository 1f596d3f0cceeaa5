"""Judge an answer by its report: the share of its claims that the report supports, what is wrong, and what speaks for it."""

from dataclasses import dataclass

from radgpt.faithfulness.alterations import alterations
from radgpt.faithfulness.claims import claims_of
from radgpt.faithfulness.reported import read_report
from radgpt.faithfulness.support import Check, checks
from radgpt.records import Evidence, Problem, Report

LONGEST = 20_000
"""Characters of an answer that are judged; what a looping model writes beyond them is left unread."""


@dataclass(frozen=True)
class Verdict:
    """What speaks for and against an answer."""

    score: float | None
    """Share of its checkable claims that the report supports, in [0, 1]; None where it claims nothing that can be checked."""
    problems: list[Problem]
    evidence: list[Evidence]


def judge(answer: str, instruction: str, report: Report) -> Verdict:
    """Judge an answer to an instruction about a report. Never raises, whatever the texts hold."""
    reported = read_report(report)
    read = claims_of(answer[:LONGEST], instruction, reported.verbatim, reported.context)
    found: list[Check] = []
    for sentence, place in read.verbatim:
        source = reported.sentences[place]
        found.append(Check(sentence.start, sentence.end, None, source.start, source.end))
    for claim in read.claims:
        found += checks(claim, reported)
    for sentence in read.altered:
        found += [
            Check(mark.start, mark.end, kind)
            for kind, mark in alterations(read.text, sentence, reported)
            if not any(check.problem == kind and sentence.start <= check.start < sentence.end for check in found)
        ]
    problems = list(dict.fromkeys(Problem(check.problem, check.start, check.end) for check in found if check.problem is not None))
    evidence = list(
        dict.fromkeys(
            Evidence(check.report_start, check.report_end, check.start, check.end)
            for check in found
            if check.problem is None and check.report_start >= 0
        )
    )
    score = sum(check.problem is None for check in found) / len(found) if found else None
    return Verdict(score, sorted(problems, key=lambda problem: problem.start), sorted(evidence, key=lambda item: item.answer_start))
