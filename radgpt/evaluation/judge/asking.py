"""Put answers to a judge, read its replies, and ask once more where one cannot be read."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from radgpt.config import Governance, Grading, Judge
from radgpt.evaluation.judge.judgement import FIRST, PREFERENCE, SECOND, TIE, Cost, Grade, JudgedQuestion, Judgement, Provenance, Verdict
from radgpt.evaluation.judge.prompts import LABELS, Prompt, asked_again, prompt_of, wording_sha256
from radgpt.evaluation.judge.replies import Scores, read_reply
from radgpt.evaluation.judge.rubric import Rubric, read_rubric
from radgpt.evaluation.judge.showings import Showing, drawn, refuse_unfit, same_texts, showings_of
from radgpt.teacher.ask import JUDGEMENT, Reply, Request, open_teacher
from radgpt.teacher.progress import Log

Put = Callable[[Iterable[Request], int], Iterator[Reply]]
"""Puts so many requests to the judge, and yields a reply to each, in order."""


@dataclass
class Heard:
    """What came back."""

    said: list[tuple[Showing, Scores | str | None]] = field(default_factory=list)
    """None where the reply could not be used."""
    missing: Counter[str] = field(default_factory=Counter)
    missing_of: Counter[str] = field(default_factory=Counter)
    models: dict[str, None] = field(default_factory=dict)
    """Names under which the server replied, in the order of their first reply."""
    attestations: set[str] = field(default_factory=set)
    requests: int = 0
    asked_again: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0

    def count(self, reply: Reply) -> None:
        """Add what a reply took."""
        self.requests += 1
        self.prompt_tokens += reply.prompt_tokens
        self.completion_tokens += reply.completion_tokens
        self.usd += reply.usd
        if not reply.outcome.startswith("failed"):
            self.models[reply.model] = None
        if reply.attestation_sha256:
            self.attestations.add(reply.attestation_sha256)


def judge_answers(
    judge: Judge,
    questions: Sequence[JudgedQuestion],
    governance: Governance,
    seed: int,
    journal: Path,
    *,
    earlier: Sequence[Path] = (),
    attestation: str | None = None,
    log: Log | None = None,
    dry_run: bool = False,
) -> Judgement:
    """Have every answer graded, or every two of them compared, as `judge.grading` says.

    Where several answers are shown, their order is drawn by seed for each question and repeat; with `judge.both_orders` they are shown in
    the reverse of it as well. A reply that cannot be read is asked for once more, and is missing if that one cannot be read either: it
    counts as nothing, not as a score. Every reply is in the file `journal` before it counts, and is not asked for again.

    Args:
        judge: a judge that is one (`provider` is not none).
        questions: each with the same systems' answers.
        earlier, attestation, log, dry_run: as `open_teacher` has them.

    Raises:
        UserError: the rubric cannot be read, there are too few systems or too many to be shown together, or as `open_teacher`.
        DryRunEnd: a dry run has counted what would be asked.
    """
    rubric = read_rubric(judge.rubric, "judge.rubric")
    systems = tuple(questions[0].answers) if questions else ()
    refuse_unfit(judge.grading, systems)
    chosen = drawn(questions, judge.limit, seed)
    showings = [showing for question in chosen for showing in showings_of(question, judge, seed)]
    told = [showing for showing in showings if not same_texts(showing, judge.grading)]
    version = wording_sha256(rubric)

    def put(requests: Iterable[Request], total: int) -> Iterator[Reply]:
        with open_teacher(
            judge, governance, seed, journal, earlier=earlier, attestation=attestation, total=total, log=log, dry_run=dry_run
        ) as ask:
            yield from ask(requests)

    heard = hear(put, told, rubric, judge.grading, seed, version)
    pairwise = judge.grading is Grading.pairwise
    same = [verdict_of(showing, TIE, asked=False) for showing in showings if same_texts(showing, judge.grading)]
    return Judgement(
        systems=systems,
        criteria=(PREFERENCE,) if pairwise else rubric.names,
        lowest=0.0 if pairwise else float(rubric.lowest),
        highest=1.0 if pairwise else float(rubric.highest),
        questions=len(chosen),
        grades=[] if pairwise else [grade for showing, said in heard.said for grade in grades_of(showing, said, rubric)],
        verdicts=in_order([verdict_of(showing, said) for showing, said in heard.said] + same, chosen) if pairwise else [],
        replies=len(told),
        missing=heard.missing,
        missing_of=heard.missing_of,
        cost=Cost(heard.requests, heard.asked_again, heard.prompt_tokens, heard.completion_tokens, heard.usd),
        provenance=Provenance(
            judge=tuple(heard.models),
            asked_model=judge.model,
            provider=judge.provider.value,
            grading=judge.grading.value,
            rubric=judge.rubric,
            rubric_sha256=rubric.sha256,
            prompt_sha256=version,
            temperature=judge.temperature,
            seed=seed,
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            attestation_sha256=min(heard.attestations, default=None),
        ),
    )


def hear(put: Put, showings: Sequence[Showing], rubric: Rubric, grading: Grading, seed: int, version: str) -> Heard:
    """Ask about every showing, then once more about those whose reply could not be read; what was said stands in their order."""
    heard = Heard()
    said: dict[int, Scores | str | None] = {}
    why: dict[int, str] = {}
    unread: dict[int, Prompt] = {}
    asked: dict[int, Prompt] = {}

    def request(place: int, prompt: Prompt, more: str = "") -> Request:
        showing = showings[place]
        return Request(f"{showing.id}{more}", JUDGEMENT, showing.question.task, prompt.messages, prompt_version=version)

    def first_requests() -> Iterator[Request]:
        for place, showing in enumerate(showings):
            asked[place] = prompt_of(showing.question, showing.texts, rubric, grading, seed)
            yield request(place, asked[place])

    for place, reply in enumerate(put(first_requests(), len(showings))):
        heard.count(reply)
        prompt = asked.pop(place)
        said[place], problem = read(reply, prompt)
        if problem is not None:
            why[place] = problem
            if reply.outcome == "ok":
                unread[place] = asked_again(prompt, reply.text)
    if unread:
        again = (request(place, prompt, " again") for place, prompt in unread.items())
        for place, reply in zip(unread, put(again, len(unread)), strict=True):
            heard.count(reply)
            heard.asked_again += 1
            said[place], problem = read(reply, unread[place])
            if problem is None:
                del why[place]
            else:
                why[place] = problem
    heard.said = [(showing, said[place]) for place, showing in enumerate(showings)]
    heard.missing = Counter(why.values())
    heard.missing_of = Counter(system for place in why for systems in showings[place].systems for system in systems)
    return heard


def read(reply: Reply, prompt: Prompt) -> tuple[Scores | str | None, str | None]:
    """(what a reply says, None), or (None, why it says nothing that can be used)."""
    return read_reply(reply.text, prompt.form) if reply.outcome == "ok" else (None, reply.outcome)


def grades_of(showing: Showing, said: Scores | str | None, rubric: Rubric) -> Iterator[Grade]:
    """A grade for each system and criterion, without a score where nothing usable was said."""
    question = showing.question
    for position, systems in enumerate(showing.systems):
        scores = said[LABELS[position]] if isinstance(said, dict) else {}
        for system in systems:
            for criterion in rubric.names:
                yield Grade(
                    question.id, question.patient_id, question.task, system, criterion, scores.get(criterion),
                    showing.repeat, showing.reverse, position, len(showing.systems),
                )  # fmt: skip


def verdict_of(showing: Showing, said: Scores | str | None, *, asked: bool = True) -> Verdict:
    """Whom a label stands for."""
    question, ((first,), (second,)) = showing.question, showing.systems
    winner = {LABELS[0]: FIRST, LABELS[1]: SECOND, TIE: TIE}[said] if isinstance(said, str) else None
    return Verdict(question.id, question.patient_id, question.task, first, second, winner, showing.repeat, showing.reverse, asked)


def in_order(verdicts: list[Verdict], questions: Sequence[JudgedQuestion]) -> list[Verdict]:
    """Verdicts in the order of their questions."""
    places = {question.id: place for place, question in enumerate(questions)}
    return sorted(verdicts, key=lambda verdict: places[verdict.id])
