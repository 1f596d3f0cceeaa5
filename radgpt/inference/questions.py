"""Read the questions that a file of the user's, or a split of the dataset, asks."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radgpt.config import ChatPrompt
from radgpt.errors import UserError
from radgpt.external import existing
from radgpt.inference.backend import Message
from radgpt.instructions.prompts import bare_messages, chat_messages, report_span
from radgpt.records import Pair, read_records
from radgpt.reports.readers import csv_rows, json_lines
from radgpt.reports.readers.table_file import TableFile

TASK = "question"
"""The task of a question whose file names none."""

KINDS = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz", ".csv", ".csv.gz")


@dataclass(frozen=True)
class Asked:
    """One question with what is known of where it comes from."""

    pair_id: str
    report_id: str
    patient_id: str
    task: str
    messages: list[Message]
    """System (optional), user, assistant, user, …; the last one is the user's."""
    reference: str | None
    """The answer that is held for right, if anyone gave one."""
    report_span: list[int] | None = None
    """As in `Pair`."""


def of_split(file: Path) -> Iterator[Asked]:
    """Yield the questions of a split of the dataset, in its order; raises UserError as `read_records` does."""
    for pair in read_records(file, Pair):
        yield Asked(pair.pair_id, pair.report_id, pair.patient_id, pair.task, pair.prompt, pair.reference, pair.report_span)


def of_file(setting: str, path: str, prompt: ChatPrompt) -> Iterator[Asked]:
    """Yield the questions of a JSONL or CSV file of any size, in its order.

    A row has `messages` (a conversation; one that ends with the assistant's turn gives the reference as well), or `question` and perhaps
    `report`, which the student's prompt is filled with; perhaps `reference`, and perhaps `id` (or `pair_id`), `report_id`, `patient_id`
    and `task`. Rows of the dataset are such rows. An id that is missing is the row's number from 1. In a CSV, `messages` are JSON.

    Args:
        setting: what names the file, for errors.

    Raises:
        UserError: no such file, or a line that is no such row, or has the id of an earlier one; never quotes it.
    """
    place = existing(setting, path)
    suffix = next((kind for kind in sorted(KINDS, key=len, reverse=True) if place.name.lower().endswith(kind)), None)
    if suffix is None or not place.is_file():
        raise UserError(f"{setting}={path} must be a file that ends in .jsonl or .csv, or in .jsonl.gz or .csv.gz")
    seen = set()
    for number, (where, row) in enumerate(rows(TableFile(str(place), suffix)), start=1):
        found = asked(row, str(number), where, prompt)
        if found.pair_id in seen:
            raise UserError(f"{where}: its id stands on an earlier line too; give every row an id of its own, or none to any")
        seen.add(found.pair_id)
        yield found


def rows(table: TableFile) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, row) of every row; what a CSV leaves empty is left out."""
    if not table.suffix.startswith(".csv"):
        yield from json_lines.rows(json_lines.items(table, ()), ())
        return
    columns = tuple(csv_rows.header(table) or ())
    for where, row in csv_rows.rows(csv_rows.items(table, columns), columns):
        filled = {name: value for name, value in row.items() if value.strip()}
        if "messages" in filled:
            try:
                filled["messages"] = json.loads(filled["messages"])
            except (ValueError, RecursionError):
                raise UserError(f"{where}: 'messages' is no JSON; mend or delete that line") from None
        yield where, filled


def asked(row: Mapping[str, Any], number: str, where: str, prompt: ChatPrompt) -> Asked:
    """The question of one row; raises UserError with the row's place and never its text."""
    given = {
        name: text_of(row, name, where) for name in ("question", "report", "reference", "id", "pair_id", "report_id", "patient_id", "task")
    }
    reference, span = given["reference"], None
    if row.get("messages") is not None:
        messages = conversation(row["messages"], where)
        if messages[-1]["role"] == "assistant":
            reference = reference or messages[-1]["content"]
            messages = messages[:-1]
    elif given["question"]:
        question, report = given["question"].strip(), given["report"]
        messages = chat_messages(prompt, report, question) if report else bare_messages(prompt, question)
        span = report_span(prompt, report, question) if report else None
    else:
        raise UserError(f"{where}: neither messages nor a question; each row needs 'messages', or 'question' and perhaps 'report'")
    pair_id = given["pair_id"] or given["id"] or number
    report_id = given["report_id"] or pair_id
    return Asked(pair_id, report_id, given["patient_id"] or report_id, given["task"] or TASK, messages, reference, span)


def text_of(row: Mapping[str, Any], name: str, where: str) -> str | None:
    """A text of a row, None where it is blank or missing; numbers may stand for ids."""
    value = row.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and name.endswith("id"):
        return str(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str):
        raise UserError(f"{where}: '{name}' is no text; mend or delete that line")
    return whole(value, name, where)


def whole(text: str, name: str, where: str) -> str:
    """The text; raises UserError where it holds half a surrogate pair, as JSON can and no tokenizer or file takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UserError(f"{where}: '{name}' holds half a character (a lone \\ud800 to \\udfff); mend or delete that line") from None
    return text


def conversation(value: Any, where: str) -> list[Message]:
    """Checked messages, of which only role and content are kept."""
    if not isinstance(value, list) or not all(
        isinstance(message, dict) and all(isinstance(message.get(part), str) for part in ("role", "content")) for message in value
    ):
        raise UserError(f"{where}: 'messages' is no list of messages with role and content; mend or delete that line")
    roles = [message["role"] for message in value]
    turns = roles[1:] if roles[:1] == ["system"] else roles
    if not turns or turns != (["user", "assistant"] * len(turns))[: len(turns)]:
        raise UserError(f"{where}: messages that are not system (or none), user, assistant, and so on in turns; mend or delete that line")
    return [{"role": message["role"], "content": whole(message["content"], "messages", where)} for message in value]
