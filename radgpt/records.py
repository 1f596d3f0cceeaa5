"""One small frozen dataclass for each kind of row that stages hand on, and their JSONL reading."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import jsonlines
import orjson

from radgpt.errors import UserError

SECTIONS = ("examination", "history", "indication", "technique", "comparison", "findings", "impression")
"""The seven sections that stages work with, in the order in which reports carry them."""

TASKS = ("question_answering", "abbreviation_expansion", "paraphrasing", "summarisation")
"""What an instruction may ask for: the four tasks of the original Radiology-GPT."""

FURTHER_TASKS = (
    "findings_to_impression",
    "self_instruct",
    "named_entity_recognition",
    "relation_extraction",
    "temporal_information_extraction",
    "coreference_resolution",
)
"""What else we have prompts for: the report's own impression from the rest of it; anything, in the manner of self-instruct (Wang et al.,
ACL 2023); the tasks that Asclepius (Kweon et al., arXiv:2309.00237) has beside the four."""

SECTION_ANSWERS = {"findings_to_impression": "impression"}
"""Task to the section of the report that answers it: no teacher is asked, and the student does not see that section."""

FOLLOW_UP = "follow_up"
"""The task of a conversation's later turns."""

SPLITS = ("train", "validation", "test")


Record = TypeVar("Record")


EXTRA_SECTIONS = ("preamble", "wet_read", "addendum", "notification", "recommendations", "signature", "last_paragraph", "other")
"""What else a report may hold; kept apart from the seven, never given to a model as one of them."""

PROVENANCES = ("header", "merged", "title", "last_paragraph", "override", "source", "none")
"""What says that a stretch of text is a section: a header of its own; one header for findings and impression; the study's title; its
place below the last header, where no header claims it; MIT-LCP's published list of odd reports; a source that tells sections apart
itself; nothing (the text is no section)."""


@dataclass(slots=True)
class Section:
    """One stretch of a report's text: what stands under one header, or under none. (Not frozen: that triples the cost of millions.)"""

    name: str
    """One of SECTIONS or EXTRA_SECTIONS."""
    header: str
    """The header as it stands, without its colon; empty where there is none."""
    provenance: str
    """One of PROVENANCES."""
    start: int
    end: int
    """Characters of the report's text, from `start` up to `end`, without the header and without white space at either end.
    An empty section has `start == end`."""


@dataclass(slots=True)
class Report:
    """One radiology report, split into its sections. (Not frozen, as Section.)"""

    report_id: str
    """Study id in MIMIC-CXR (`s50414267`), uId in Open-i (`CXR3029`)."""
    patient_id: str
    """Splits never separate two reports that share it."""
    text: str
    """The report as its source holds it."""
    sections: dict[str, str]
    """Section name (one of SECTIONS) to its text, its parts joined; absent or empty sections are left out. Split as MIT-LCP's code does,
    a report may have its `last_paragraph` here too."""
    split: str | None = None
    """The split that the source prescribes (one of SPLITS), if any."""
    flags: list[str] = field(default_factory=list)
    """What a reader should know before trusting the sections, such as `unheaded`."""
    spans: list[Section] = field(default_factory=list)
    """Where everything stands in `text`, in order and without overlap, extra sections among it."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """What the source says of the study beside its text, such as `views` and `chexpert` labels."""

    def __post_init__(self) -> None:
        if self.spans and isinstance(self.spans[0], dict):
            self.spans = [Section(**span) for span in self.spans]


@dataclass(frozen=True)
class Generation:
    """One reply of a teacher, as it came, with what it was asked for."""

    generation_id: str
    """`<report_id>/<n>`: the n-th instruction of a report; the answer to it keeps the id."""
    report_id: str
    patient_id: str
    task: str
    outcome: str
    """`ok`; `dropped: length|content_filter|refusal|empty|invalid` where the teacher replied without a usable text; `failed: …` where it
    did not reply; `dropped: earlier_turn` where it was not asked, as the turn before has no usable answer."""
    text: str
    prompt_sha256: str
    """Digest of the messages sent; with `prompt_version` and the ids it traces a row to its prompt."""
    prompt_version: str
    teacher: str
    """The model that replied, as it names itself; `report` where the report itself gave the text."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    """What it cost at the prices in force when it was asked, in US dollars; 0 where nothing is charged."""
    attestation_sha256: str | None = None
    """Digest of the attestation under which the report left this machine; None where it did not need one."""


@dataclass(frozen=True)
class Instruction:
    """One accepted instruction about one report."""

    instruction_id: str
    """`<report_id>/<n>`, the id of the generation that it was parsed from; `<report_id>/<n>.<t>` from a conversation's second turn on."""
    report_id: str
    patient_id: str
    task: str
    text: str
    prompt_sha256: str
    turn: int = 1
    """Its place in the conversation, from 1; rows of a conversation follow each other."""

    @property
    def conversation_id(self) -> str:
        """`<report_id>/<n>`, which the turns of a conversation share."""
        return conversation_of(self.instruction_id)


def conversation_of(instruction_id: str) -> str:
    """The id of an instruction without its turn: `s1/0` for `s1/0.2`."""
    report_id, _, number = instruction_id.rpartition("/")
    return f"{report_id}/{number.partition('.')[0]}"


@dataclass(frozen=True)
class Problem:
    """Something that an answer says and its report does not support."""

    kind: str
    """What is wrong, such as `negation` or `side`."""
    start: int
    end: int
    """The words at fault: characters of the answer."""


@dataclass(frozen=True)
class Evidence:
    """A stretch of the report that supports a stretch of the answer."""

    start: int
    end: int
    """Characters of the report's text."""
    answer_start: int
    answer_end: int


@dataclass(frozen=True)
class JudgedAnswer:
    """One parsed answer beside its instruction, what speaks for and against it, and whether it is kept."""

    instruction_id: str
    report_id: str
    patient_id: str
    task: str
    instruction: str
    answer: str
    reason: str | None
    """Why it is dropped; None if it is kept."""
    faithfulness: float | None
    """Share of its checkable claims that the report supports, in [0, 1]; None where there was nothing to check."""
    problems: list[Problem]
    evidence: list[Evidence]
    instruction_prompt_sha256: str
    answer_prompt_sha256: str
    decision: str | None = None
    """What a person decided of it (one of DECISIONS), if anything."""

    def __post_init__(self) -> None:
        for name, kind in (("problems", Problem), ("evidence", Evidence)):
            rows = getattr(self, name)
            if rows and isinstance(rows[0], dict):
                object.__setattr__(self, name, [kind(**row) for row in rows])


DECISIONS = ("accept", "reject", "edit", "withdraw")
"""What a person may decide of an answer; `withdraw` takes back what was decided before."""


@dataclass(frozen=True)
class Decision:
    """What a person decided of one answer, under `stage=review`. The last decision on an answer counts."""

    instruction_id: str
    decision: str
    """One of DECISIONS."""
    judged_sha256: str
    """Digest of the instruction and answer that the person saw: on other texts under the same id it says nothing."""
    instruction: str | None = None
    answer: str | None = None
    """The texts as edited, for `edit`."""
    note: str = ""
    reviewer: str = ""
    decided: str = ""
    """When, as ISO 8601 in UTC."""


@dataclass(frozen=True)
class Pair:
    """One conversation about a report, most often of one instruction and its answer, ready to train on."""

    pair_id: str
    """The id of its conversation, `<report_id>/<n>`."""
    report_id: str
    patient_id: str
    task: str
    split: str
    messages: list[dict[str, str]]
    """Chat messages `{"role": system|user|assistant, "content": …}`; the last one is the assistant's."""
    report_sha256: str
    instruction_prompt_sha256: str
    answer_prompt_sha256: str
    report_span: list[int] | None = None
    """[start, end): characters of the first user message that are the report; None where nobody knows."""

    @property
    def fault(self) -> str | None:
        """What keeps `messages` from being a conversation to train on, in words for the user; None where nothing does."""
        if not all({"role", "content"} <= message.keys() for message in self.messages):
            return "a message without role or content"
        roles = [message["role"] for message in self.messages]
        turns = roles[1:] if roles[:1] == ["system"] else roles
        if not turns or turns != ["user", "assistant"] * (len(turns) // 2):
            return "messages that are not system (or none), user, assistant, and so on in turns, the assistant's last"
        return None

    @property
    def prompt(self) -> list[dict[str, str]]:
        """The messages up to the reference answer."""
        return self.messages[:-1]

    @property
    def reference(self) -> str:
        """The answer that the pair holds for right."""
        return self.messages[-1]["content"]


@dataclass(frozen=True)
class Dropped:
    """One row that post-processing left out; its text stays in the raw file."""

    id: str
    """The id of its generation."""
    reason: str
    """The name of the test that it failed, or why the teacher gave no usable text."""


@dataclass(frozen=True)
class Prediction:
    """What a model answered to one pair's prompt."""

    pair_id: str
    report_id: str
    patient_id: str
    task: str
    text: str
    reference: str | None
    """The answer that the pair holds for right; None where a file of questions gave none."""
    finish_reason: str
    """`stop` (the model ended its turn), `length` (`decoding.max_new_tokens` was reached), `overlong` (the prompt left no room), or, from
    an endpoint, `content_filter`, `refusal`, `empty`, `invalid` or `failed`."""
    new_tokens: int
    """Tokens generated, the one that ends the turn included."""
    reference_nll: float | None = None
    """Summed negative log-likelihood of the reference's tokens under the model, its end included, in nats to three
    decimals; None where not measured."""
    reference_tokens: int = 0
    """Those tokens."""


@dataclass(frozen=True)
class ComparedAnswer:
    """One question and what each compared model answered, as `stage=compare` leaves it and `stage=rate` shows it."""

    pair_id: str
    report_id: str
    patient_id: str
    task: str
    messages: list[dict[str, str]]
    """The conversation up to the question, as every model was asked it; the last message is the user's."""
    reference: str | None
    """The answer that is held for right; None where nobody gave one."""
    answers: dict[str, str]
    """Name of a model to its answer, in the order of `models`."""
    scores: dict[str, dict[str, float | None]] = field(default_factory=dict)
    """Name of a model to metric to value; None where a metric says nothing of the answer, or a judge's reply was unusable."""


def as_row(record: Any) -> dict[str, Any]:
    """The JSON object of a record, fields in their declared order."""
    return asdict(record)


def as_line(record: Any) -> bytes:
    """A record as one line of JSONL: fields in their declared order, UTF-8, with its line end."""
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def read_records(path: Path, kind: type[Record]) -> Iterator[Record]:
    """Yield the records of a JSONL file.

    Raises:
        UserError: the file is missing, or a line is no JSON object with the fields of `kind`, each of its type;
            the message names the file and the line and never quotes it.
    """
    return checked(path, read_rows(path), kind)


def parse_lines(path: Path, lines: Iterable[tuple[int, bytes]], kind: type[Record]) -> Iterator[Record]:
    """Yield the records of some (number from 1, text) lines of a JSONL file; raises UserError as `read_records` does."""

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        for number, line in lines:
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                row = None
            if not isinstance(row, dict):
                raise UserError(f"{path}, line {number}: not a JSON object; mend or delete that line")
            yield number, row

    return checked(path, rows(), kind)


def checked(path: Path, rows: Iterable[tuple[int, dict[str, Any]]], kind: type[Record]) -> Iterator[Record]:
    """Yield the records of the (line number, JSON object) rows of a file; raises UserError as `read_records` does."""
    checks = field_checks(kind)  # type: ignore[arg-type]
    names = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    required = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}  # type: ignore[arg-type]
    for number, row in rows:
        if missing := sorted(required - row.keys()):
            raise UserError(f"{path}, line {number}: no field '{missing[0]}' (a {kind.__name__} has {', '.join(sorted(names))})")
        if strange := sorted(row.keys() - names):
            raise UserError(f"{path}, line {number}: '{strange[0]}' is no field of a {kind.__name__}")
        if wrong := next((name for name, value in row.items() if not checks[name](value)), None):
            raise UserError(f"{path}, line {number}: '{wrong}' is not what a {kind.__name__} holds there; mend or delete that line")
        record = kind(**row)
        if fault := getattr(record, "fault", None):
            raise UserError(f"{path}, line {number}: {fault}; mend or delete that line")
        yield record


@cache
def field_checks(kind: type) -> dict[str, Callable[[Any], bool]]:
    """Field of a record to the test of its value as JSON gives it."""
    return {name: value_check(hint) for name, hint in get_type_hints(kind).items()}


def value_check(hint: Any) -> Callable[[Any], bool]:
    """Whether a JSON value is of a type, one of those that records have: texts, numbers, lists, mappings, records, and unions of them."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value: True
    if origin in (Union, UnionType):
        tests = [value_check(argument) for argument in arguments]
        return lambda value: any(test(value) for test in tests)
    if origin is list:
        of_item = value_check(arguments[0])
        return lambda value: isinstance(value, list) and all(map(of_item, value))
    if origin is dict:
        of_value = value_check(arguments[1])
        return lambda value: isinstance(value, dict) and all(map(of_value, value.values()))
    if is_dataclass(hint):
        tests_of = field_checks(hint)  # type: ignore[arg-type]
        return lambda value: (
            isinstance(value, dict) and value.keys() == tests_of.keys() and all(tests_of[name](part) for name, part in value.items())
        )
    if hint is float:
        return lambda value: isinstance(value, float | int)
    return lambda value: isinstance(value, hint)


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, JSON object) of a JSONL file; raises UserError as `read_records` does."""
    try:
        with jsonlines.open(path) as reader:
            yield from enumerate(reader.iter(type=dict), start=1)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist") from None
    except jsonlines.InvalidLineError as error:
        raise UserError(f"{path}, line {error.lineno}: not a JSON object; mend or delete that line") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text") from None


def canonical_json(value: Any) -> str:
    """The one spelling of a JSON value that digests are taken of."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def canonical_digest(value: Any) -> str:
    """SHA-256 of a JSON value in its one spelling, in hexadecimal; half a surrogate pair, as broken text may hold one, counts as itself."""
    return hashlib.sha256(canonical_json(value).encode("utf-8", "surrogatepass")).hexdigest()
