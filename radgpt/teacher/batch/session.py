"""Ask through a provider's batch service: at half the price and within a day, picked up again wherever a run was cut off."""

import hashlib
import itertools
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from radgpt.config import Teacher
from radgpt.errors import UserError
from radgpt.governance.endpoints import Endpoint
from radgpt.teacher.ask import Reply, Request, reply_of
from radgpt.teacher.batch.parts import FOLDER, Part, Parts, Row
from radgpt.teacher.batch.service import LIMITS, QUEUE_FULL, URLS, BatchService, QueueFullError
from radgpt.teacher.budget import Budget, BudgetSpentError
from radgpt.teacher.completions import QUOTA_CODES, Completion, Failure, Wait, kept, mapping, read_answer, second_chances, with_limit
from radgpt.teacher.estimates import estimate_for
from radgpt.teacher.journal import Journal
from radgpt.teacher.progress import Progress
from radgpt.teacher.row_keys import keyed_body
from radgpt.teacher.transports import Answer

if TYPE_CHECKING:
    from openai.types import Batch

FIRST_LOOK, LONGEST_LOOK = 2.0, 60.0
"""Seconds between two looks at batches under way; half as long again each time that nothing ended."""

SMALLEST_PART = 50
"""Requests below which a batch is not worth its wait: none is halved further where the account's queue takes no more tokens, and a
budget that allows no more is spent."""

ENDED = ("completed", "failed", "expired", "cancelled")
"""States that a batch doesn't leave."""


class BatchSession:
    """One teacher's batches, beside its journal."""

    def __init__(
        self,
        teacher: Teacher,
        endpoint: Endpoint,
        key: str,
        seed: int,
        journal: Journal,
        budget: Budget,
        patience: float,
        progress: Progress,
        rounds: int = 1,
    ) -> None:
        """`rounds` is how often `ask` will be called, each time with what depends on the replies before."""
        self._teacher = teacher
        self._endpoint = endpoint
        self._seed = seed
        self._journal = journal
        self._budget = budget
        self._progress = progress
        self._estimate = estimate_for(teacher)
        self._parts = Parts(journal.path.parent / FOLDER, URLS[teacher.provider], LIMITS[teacher.provider])
        self._service = BatchService(teacher, endpoint, key, patience)
        self._failed: dict[str, Reply] = {}
        self._stop: UserError | None = None
        if rounds > 1:
            why = (
                "one for each turn of a conversation, or for every two epochs of instructions.pool_epoch reports (a larger one makes fewer)"
            )
            if teacher.section == "judge":
                why = "what cannot be read is asked for once more"
            self._say(
                f"{teacher.section}.mode=batch takes up to {rounds:,} rounds of batches, one after the other and up to 24 hours each: {why}"
            )
        for part in self._parts.open():
            for row in self._parts.rows(part):
                budget.hold(budget.price(row.tokens, row.max_tokens))

    def ask(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """Yield a reply for each request, in order, once all of them have their outcome.

        Raises:
            UserError: the provider refuses what any request would send, or cannot be reached.
            BudgetSpentError: a cap would be passed; what was within it is asked and kept before.
        """
        keys: list[bytes] = []
        self._failed.clear()
        waiting = {bytes.fromhex(row.key) for part in self._parts.open() for row in self._parts.rows(part)}
        spent: BudgetSpentError | None = None

        def fresh() -> Iterator[Row]:
            """Rows that are to be asked; those that the journal or a batch holds are not."""
            for request in requests:
                key, body = keyed_body(self._teacher, request, self._seed)
                keys.append(bytes.fromhex(key))
                if keys[-1] not in waiting and not self._journal.get(key):
                    yield self._row(key, body, request)

        def affordable(rows: Iterator[Row], first: list[Row]) -> Iterator[Row]:
            """Rows within the budget; the first beyond it is left in `first`."""
            nonlocal spent
            for row in itertools.chain(first[:], rows):
                try:
                    self._budget.reserve(row.tokens, row.max_tokens)
                except BudgetSpentError as error:
                    spent, first[:] = error, [row]
                    return
                yield row

        rows, left = fresh(), list[Row]()
        while True:
            spent, written = None, 0
            for part in self._parts.write(affordable(rows, left), attempt=1):
                self._parts.commit(part)
                written += part.rows
            self._wait_for_all()
            if spent is None:
                break
            # What came took less than it might have, so that more may be asked; but a few requests are not worth a day.
            if written < SMALLEST_PART:
                raise self._budget.stopped(spent.cap)
        for key in keys:
            known = self._journal.get(key.hex())
            yield reply_of(known) if known else self._failed[key.hex()]

    def _wait_for_all(self) -> None:
        try:
            self._finish()
        except KeyboardInterrupt:
            if under_way := [part for part in self._parts.open() if part.batch]:
                self._say(f"batches left running at the provider: {len(under_way)}; the same command picks them up")
            raise

    def close(self) -> None:
        """Close the connections."""
        self._service.close()

    def _row(self, key: str, body: dict[str, Any], request: Request) -> Row:
        told = request.origin | {"started": datetime.now(UTC).isoformat(timespec="seconds")}
        tokens = self._estimate.tokens(self._estimate.size(request.messages))
        return Row(key, body, told, tokens, self._teacher.max_tokens)

    def _finish(self) -> None:
        """Submit what is open, and wait until all of it has ended."""
        held: set[int] = set()
        pause, told = FIRST_LOOK, 0
        while waiting := self._parts.open():
            held |= {part.number for part in waiting if not (part.batch or part.number in held or self._submit(part))}
            under_way = [part for part in self._parts.open() if part.batch]
            if not under_way:  # so the queue is empty, and yet too small
                self._halve(waiting[0])
                held.clear()
                continue
            if len(under_way) > told:
                rows = sum(part.rows for part in under_way)
                self._say(
                    f"batches under way: {len(under_way)}, of {rows:,} requests; Ctrl-C leaves them there, the same command picks them up"
                )
            ended, done = 0, 0
            for part in under_way:
                batch = self._service.look(str(part.batch))
                if batch.status not in ENDED:
                    done += batch.request_counts.completed + batch.request_counts.failed if batch.request_counts else 0
                elif self._take_in(part, batch):
                    ended += 1
                else:
                    held.add(part.number)
            if self._stop:
                raise self._stop
            told = sum(part.batch is not None for part in self._parts.open())
            if ended:
                held.clear()  # there is room in the queue again
                pause = FIRST_LOOK
            elif told:
                self._progress.note(f"{done:,} rows done in {told} batches under way")
                time.sleep(pause)
                pause = min(LONGEST_LOOK, 1.5 * pause)

    def _submit(self, part: Part) -> bool:
        """Upload a part and create its batch, unless that was done already; False if the queue is full."""
        content = self._parts.requests(part)
        with open(content, "rb") as file:
            name = f"radgpt-{hashlib.file_digest(file, 'sha256').hexdigest()[:24]}.jsonl"
        batch = None
        if part.file is not None and part.begun is not None:
            batch = self._service.created(part.file, part.begun)
        else:
            known = self._service.uploaded(name, part.begun) if part.begun else None
            if known is None:
                part = self._parts.change(part, begun=time.time())
                known = self._service.upload(content, name)
            part = self._parts.change(part, file=known)
        if batch is None:
            try:
                batch = self._service.create(str(part.file), name)
            except QueueFullError:
                return False
        self._parts.change(part, batch=batch)
        return True

    def _halve(self, part: Part) -> None:
        """Make two parts of one that the queue is too small for."""
        if part.rows < 2 * SMALLEST_PART:
            raise UserError(
                f"teacher.mode=batch: the account's queue for teacher.model={self._teacher.model} does not take even {part.rows} requests: "
                "wait for its other batches to end, or set teacher.mode=live; replies so far are kept"
            )
        halves = list(self._parts.write(self._parts.rows(part), part.attempt, most=(part.rows + 1) // 2))
        self._parts.commit(*halves, replace(part, ended=True))
        self._service.delete(part.file)

    def _take_in(self, part: Part, batch: "Batch") -> bool:
        """Keep what a batch brought, and write what it left open into new parts; False if the queue was too full to begin it."""
        codes = [str(error.code) for error in (batch.errors.data if batch.errors else None) or [] if error.code]
        if batch.status == "failed" and codes:
            if not set(codes).isdisjoint(QUEUE_FULL):
                self._parts.change(part, batch=None)
                return False
            self._parts.change(part, begun=None, file=None, batch=None)
            self._service.delete(part.file)
            raise UserError(self._refused(codes[0]))
        with self._parts.looked_up(part) as rows:

            def left() -> Iterator[Row]:
                for key, line in self._brought(batch):
                    if (row := rows.take(key)) is not None:
                        yield from self._settle(row, part.attempt, line)
                reason = f"batch {batch.status}" if batch.status != "completed" else "no answer in the batch"
                for row in rows.rest():
                    yield from self._missed(row, part.attempt, Failure(reason))

            later = list(self._parts.write(left(), part.attempt + 1))
        self._journal.sync()
        self._parts.commit(*later, replace(part, ended=True))
        self._service.delete(part.file, batch.output_file_id, batch.error_file_id)
        return True

    def _brought(self, batch: "Batch") -> Iterator[tuple[str, dict[str, Any]]]:
        """Key and content of each row of a batch's files."""
        path = self._parts.folder / "download.jsonl"
        for file in (batch.output_file_id, batch.error_file_id):
            if file is None:
                continue
            self._service.download(file, path)
            with open(path, "rb") as lines:
                for line in lines:
                    try:
                        row = orjson.loads(line)
                    except ValueError:
                        continue  # its request is asked again
                    if isinstance(row, dict):
                        yield str(row.get("custom_id")), row
            path.unlink()

    def _settle(self, row: Row, attempt: int, line: dict[str, Any]) -> list[Row]:
        """Keep a row's reply; gives the row if it is to be asked again."""
        if self._journal.get(row.key):  # kept by a run that was cut off here
            self._budget.release(self._budget.price(row.tokens, row.max_tokens))
            return []
        response = mapping(line.get("response"))
        status = response.get("status_code")
        if not isinstance(status, int):
            return self._missed(row, attempt, Failure(str(mapping(line.get("error")).get("code") or "no answer in the batch")))
        answer = Answer(status, {"x-request-id": str(response.get("request_id") or "")}, response.get("body"))
        result: Completion | Wait | Failure
        try:
            result = read_answer(answer, self._teacher, self._endpoint, proven=True)
        except UserError as error:
            self._stop = self._stop or error
            result = Failure(f"HTTP {status}")
        if not isinstance(result, Completion):
            return self._missed(row, attempt, result if isinstance(result, Failure) else Failure("HTTP 429"))
        usd = self._budget.settle(self._budget.price(row.tokens, row.max_tokens), result.prompt_tokens, result.completion_tokens)
        row = replace(
            row,
            prompt_tokens=row.prompt_tokens + result.prompt_tokens,
            completion_tokens=row.completion_tokens + result.completion_tokens,
            usd=row.usd + usd,
        )
        cut = result.outcome == "length"
        kind = str(row.told["kind"])
        if attempt <= second_chances(kind).get(result.outcome, 0) and (result.finish_reason is not None or not cut):
            longest = row.max_tokens * (2 if cut else 1)
            try:
                self._budget.reserve(row.tokens, longest)
            except BudgetSpentError:
                pass  # then this is what it ends with
            else:
                return [replace(row, max_tokens=longest, body=with_limit(row.body, self._teacher, longest))]
        reply = self._reply(row, attempt, *kept(result, kind), result)
        self._journal.put(row.key, row.told | asdict(reply))
        return []

    def _missed(self, row: Row, attempt: int, failure: Failure) -> list[Row]:
        """What becomes of a row without a reply: asked again, or failed."""
        if self._journal.get(row.key):
            self._budget.release(self._budget.price(row.tokens, row.max_tokens))
            return []
        if attempt < self._teacher.max_attempts:
            return [row]
        self._budget.release(self._budget.price(row.tokens, row.max_tokens))
        self._failed[row.key] = self._reply(row, attempt, f"failed: {failure.reason}", "", None)
        return []

    def _reply(self, row: Row, attempt: int, outcome: str, text: str, completion: Completion | None) -> Reply:
        return Reply(
            outcome,
            text,
            (completion.model if completion else None) or self._teacher.model,
            prompt_tokens=row.prompt_tokens,
            completion_tokens=row.completion_tokens,
            usd=row.usd,
            request_id=completion.request_id if completion else None,
            system_fingerprint=completion.system_fingerprint if completion else None,
            attempts=attempt,
            attestation_sha256=self._endpoint.attestation_sha256,
            finish_reason=completion.finish_reason if completion else None,
        )

    def _refused(self, code: str) -> str:
        """The line for a user whose batch was refused as a whole."""
        if code in QUOTA_CODES:
            return f"{self._endpoint.url} says that the account has no quota left ({code}): add credit, and give the same command again"
        shown = code if code.replace("_", "").isalnum() else "no code"
        return (
            f"{self._endpoint.url} refuses the batch ({shown}): check that teacher.model={self._teacher.model} may be used in batches "
            "(on Azure: that it names a batch deployment), or set teacher.mode=live; replies so far are kept"
        )

    def _say(self, line: str) -> None:
        """Tell the user."""
        print(f"{self._teacher.section}: {line}", file=sys.stderr, flush=True)
