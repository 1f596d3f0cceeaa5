"""Speak to a provider's Files and Batch services: upload, create, look, download, delete."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from radgpt.config import Provider, Teacher
from radgpt.errors import UserError
from radgpt.governance.endpoints import Endpoint
from radgpt.teacher.batch.parts import Limits
from radgpt.teacher.completions import Completion, Wait, codes_of, error_of, mending, read_refusal
from radgpt.teacher.transports import Answer, trusted
from radgpt.teacher.transports.lean import read_json

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI
    from openai.types import Batch

LIMITS = {
    Provider.openai: Limits(rows=50_000, bytes=200_000_000),
    Provider.azure: Limits(rows=100_000, bytes=200_000_000),
}
"""https://developers.openai.com/api/reference/resources/batches (create) and the table «Batch limits» of
https://learn.microsoft.com/azure/ai-foundry/openai/quotas-limits, both read in November 2026."""

URLS = {Provider.openai: "/v1/chat/completions", Provider.azure: "/chat/completions"}
"""What a request of a batch file names, as each provider's guide to batches writes it."""

QUEUE_FULL = ("token_limit_exceeded", "enqueued_token_limit_exceeded")
"""Codes of batches that would have put more tokens into the queue than the account may have there."""

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds between two tries of a call that did not get through; doubled each time."""

CLOCKS_APART = 3600.0
"""Seconds by which the provider's clock may differ from ours, where we look for what we made there."""

UNREADY = ("pending", "running", "notRunning", "uploading", "importing")
"""States of an uploaded file that Azure still works on."""

Result = TypeVar("Result")


class QueueFullError(Exception):
    """The account's queue does not take this batch now."""


class BatchService:
    """One account's services. Calls that don't get through are tried again for `patience` seconds."""

    def __init__(self, teacher: Teacher, endpoint: Endpoint, key: str, patience: float) -> None:
        self._teacher = teacher
        self._endpoint = endpoint
        self._patience = patience
        self._client = connect(teacher, endpoint, key)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def upload(self, path: Path, filename: str) -> str:
        """Upload a file of requests, and give its id once the provider is ready to use it."""

        def send() -> Any:
            with open(path, "rb") as file:
                return self._client.files.create(file=(filename, file), purpose="batch")

        file = self._call(send)
        name = str(file.id)
        deadline = time.monotonic() + self._patience
        while file.status in UNREADY and time.monotonic() < deadline:
            time.sleep(FIRST_WAIT)
            file = self._call(lambda: self._client.files.retrieve(name))
        return name

    def uploaded(self, name: str, since: float) -> str | None:
        """The id of the file that was uploaded under this name since then (seconds since 1970), if any."""
        return self._call(lambda: self._newest(self._client.files.list(purpose="batch"), since, lambda file: file.filename == name))

    def create(self, file: str, name: str) -> str:
        """Create the batch of an uploaded file, and give its id.

        Raises:
            QueueFullError: not now.
        """
        since = time.time()

        def send() -> str:
            batch = self._client.batches.create(
                input_file_id=file,
                endpoint=URLS[self._teacher.provider],  # type: ignore[arg-type]  # Azure's is not among OpenAI's
                completion_window="24h",
                metadata={"radgpt": name},
            )
            return str(batch.id)

        # An answer that was lost may have been a yes.
        return self._call(send, found=lambda: self.created(file, since), unknown=f"the file {file}")

    def created(self, file: str, since: float) -> str | None:
        """The id of the batch of an uploaded file that was created since then and didn't fail, if any."""
        return self._call(
            lambda: self._newest(
                self._client.batches.list(limit=100), since, lambda batch: batch.input_file_id == file and batch.status != "failed"
            )
        )

    def look(self, batch: str) -> "Batch":
        """How a batch is doing."""
        return self._call(lambda: self._client.batches.retrieve(batch), unknown=f"the batch {batch}")

    def download(self, file: str, path: Path) -> None:
        """Download a file that the provider made."""

        def stream() -> None:
            with self._client.files.with_streaming_response.content(file) as response, open(path, "wb") as target:
                for piece in response.iter_bytes():
                    target.write(piece)

        self._call(stream, unknown=f"the file {file}")

    def delete(self, *files: str | None) -> None:
        """Delete files, as far as they are still there: what they held is here."""
        import openai

        for file in files:
            if file:
                try:
                    self._client.files.delete(file)
                except openai.OpenAIError:
                    logging.getLogger(__name__).info("the provider's file %s could not be deleted", file)

    def _newest(self, listed: Any, since: float, fits: Callable[[Any], bool]) -> str | None:
        """The first listed thing that fits; lists begin with the newest."""
        for thing in listed:
            if (thing.created_at or 0) < since - CLOCKS_APART:
                break
            if fits(thing):
                return str(thing.id)
        return None

    def _call(self, call: Callable[[], Result], *, found: Callable[[], Result | None] | None = None, unknown: str | None = None) -> Result:
        """The result of a call; before it is made again, `found` may say that the last one got through after all.

        `unknown` is what the provider does not know if it answers 404.
        """
        import openai

        started, wait = time.monotonic(), FIRST_WAIT
        while True:
            try:
                return call()
            except openai.APIStatusError as error:
                if error.status_code == 404 and unknown:
                    raise UserError(
                        f"{self._endpoint.url} does not know {unknown}: if it was made with another key or address, give those again "
                        "(teacher.api_key_env, teacher.base_url); to submit it anew, delete the folder `batches` in the run's folder"
                    ) from None
                pause = self._read(error)
            except (openai.APIConnectionError, OSError) as error:
                cause = error.__cause__ or error
                if isinstance(cause, UserError):
                    raise cause from None
                pause = None
            if time.monotonic() - started > self._patience:
                raise UserError(
                    f"{self._endpoint.url} has answered no call for {self._patience:.0f} seconds: check teacher.base_url and the network; "
                    "batches under way go on there, and the same command picks them up"
                )
            time.sleep(min(LONGEST_WAIT, pause if pause is not None else wait))
            wait = min(LONGEST_WAIT, 2 * wait)
            if found and (result := found()) is not None:
                return result

    def _read(self, error: "APIStatusError") -> float | None:
        """Seconds to wait before another try, if the provider says so.

        Raises:
            UserError: no other try can succeed.
            QueueFullError: the batch must wait for others to end.
        """
        answer = Answer(error.response.status_code, error.response.headers, read_json(error.response.content))
        if not codes_of(error_of(answer.body)).isdisjoint(QUEUE_FULL):
            raise QueueFullError
        result = read_refusal(answer, self._teacher, self._endpoint, proven=False)
        if isinstance(result, Completion):
            raise UserError(mending(answer.status, error_of(answer.body), self._teacher, self._endpoint, {}))
        return result.seconds if isinstance(result, Wait) else None


def connect(teacher: Teacher, endpoint: Endpoint, key: str) -> "OpenAI":
    """OpenAI's client for the endpoint, held to what `transports.sdk.connect` holds its own to."""
    from openai import AzureOpenAI, DefaultHttpxClient, OpenAI

    logging.getLogger("httpx2").setLevel(logging.WARNING)
    http_client = DefaultHttpxClient(follow_redirects=False, trust_env=endpoint.proxied, verify=trusted(endpoint), timeout=teacher.timeout)
    if teacher.provider is Provider.azure:
        return AzureOpenAI(
            azure_endpoint=endpoint.url, api_version=teacher.api_version, api_key=key, http_client=http_client, max_retries=0
        )
    return OpenAI(base_url=endpoint.url, api_key=key, http_client=http_client, max_retries=0)
