"""Post chat completions through OpenAI's own client, which knows how OpenAI, Azure, Bedrock and Vertex authenticate."""

import logging
import os
from collections.abc import AsyncGenerator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from radgpt.config import Provider, Service
from radgpt.errors import UserError
from radgpt.governance.connections import request_guard
from radgpt.governance.endpoints import Endpoint
from radgpt.teacher.transports import Answer, LostError, lost, trusted
from radgpt.teacher.transports.events import EVENTS, events_in
from radgpt.teacher.transports.lean import read_json

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAIError

CREDENTIALS = {
    Provider.bedrock: "set AWS_BEARER_TOKEN_BEDROCK to a Bedrock API key, or set up AWS's own chain (`aws configure`, a profile, a role)",
    Provider.vertex: "sign in with `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a key file",
}
"""Where the credentials of a provider without `teacher.api_key_env` come from."""


class SdkTransport:
    """See `Transport`."""

    def __init__(self, service: Service, endpoint: Endpoint, key: str) -> None:
        self._provider = service.provider
        self._endpoint = endpoint
        self._client = connect(service, endpoint, key)
        # OpenAI may be set to keep completions for later; credentialed reports may not be kept.
        self._more = {"store": False} if endpoint.credentialed and service.provider is Provider.openai else {}

    async def send(self, body: dict[str, Any]) -> Answer:
        """See `Transport`."""
        import openai

        try:
            raw = await self._client.chat.completions.with_raw_response.create(**body | self._more)
        except openai.OpenAIError as error:
            return self._answer_in(error)
        return Answer(raw.http_response.status_code, raw.http_response.headers, read_json(raw.http_response.content))

    async def models(self) -> Answer:
        """The models that the server tells of; raises LostError as `send` does."""
        import openai

        try:
            raw = await self._client.models.with_raw_response.list()
        except openai.OpenAIError as error:
            return self._answer_in(error)
        return Answer(raw.http_response.status_code, raw.http_response.headers, read_json(raw.http_response.content))

    async def receive(self, body: dict[str, Any]) -> AsyncGenerator[Answer | Mapping[str, Any], None]:
        """Post one chat completion, and yield what the server sends of its reply as it comes.

        Closing the generator closes the connection, so that the server can stop writing.

        Yields:
            The JSON objects of the stream; or one Answer and nothing else, where the server refuses or does not stream.

        Raises:
            LostError: no answer came, or the stream broke off before its end.
            UserError: we refuse to connect there, or no credentials can be had.
        """
        import aiohttp
        import httpx2
        import openai

        more = {name: value for name, value in body.items() if name not in ("model", "messages")} | self._more
        asked = self._client.chat.completions.with_streaming_response.create(
            model=body["model"], messages=body["messages"], stream=True, extra_body=more
        )
        try:
            async with asked as response:
                if response.headers.get("content-type", "").startswith(EVENTS):
                    async for event in events_in(response.iter_bytes()):
                        yield event
                else:
                    yield Answer(response.status_code, response.headers, read_json(await response.read()))
        except openai.OpenAIError as error:
            yield self._answer_in(error)
        except (httpx2.HTTPError, aiohttp.ClientError, OSError) as error:
            try:
                raise lost(error, self._endpoint) from None
            except httpx2.HTTPError:
                raise LostError("connection lost") from None

    def _answer_in(self, error: "OpenAIError") -> Answer:
        """What the server answered, of which the client made an error; raises LostError or UserError where it was no answer."""
        import openai

        if isinstance(error, openai.APIStatusError):
            return Answer(error.response.status_code, error.response.headers, read_json(error.response.content))
        if isinstance(error, openai.APIConnectionError):
            try:
                raise lost(error, self._endpoint) from None
            except openai.APITimeoutError:
                raise LostError("timeout") from None
            except openai.APIConnectionError:
                raise LostError("connection lost") from None
        # What the client says of credentials may hold some of them.
        advice = CREDENTIALS.get(self._provider, "check teacher.api_key_env")
        raise UserError(f"teacher={self._provider.value}: no credentials could be had for {self._endpoint.url}: {advice}") from None

    async def close(self) -> None:
        """See `Transport`."""
        await self._client.close()


def connect(service: Service, endpoint: Endpoint, key: str) -> "AsyncOpenAI":
    """OpenAI's client for an endpoint: no retries, no redirects, no proxy unless the endpoint allows one.

    The address is always the gate's: variables such as OPENAI_BASE_URL or AWS_BEDROCK_BASE_URL lead nowhere else.

    Raises:
        UserError: what the provider's credentials need is not installed.
    """
    from openai import AsyncAzureOpenAI, AsyncOpenAI, DefaultAioHttpClient

    # One line for each request would flood the console, whose root logger Hydra sets to INFO.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    http_client = DefaultAioHttpClient(
        follow_redirects=False,
        trust_env=endpoint.proxied,
        verify=trusted(endpoint),
        timeout=service.timeout,
        event_hooks={"request": [request_guard(endpoint)] if endpoint.credentialed else []},
    )
    if service.provider is Provider.azure:
        return AsyncAzureOpenAI(
            azure_endpoint=endpoint.url,
            api_version=service.api_version,
            api_key=key,
            http_client=http_client,
            max_retries=0,
            timeout=service.timeout,
        )
    if service.provider in (Provider.bedrock, Provider.vertex):
        provider = bedrock_at(service, endpoint, key) if service.provider is Provider.bedrock else vertex_at(service, endpoint, key)
        return AsyncOpenAI(provider=provider, http_client=http_client, max_retries=0, timeout=service.timeout)
    return AsyncOpenAI(base_url=endpoint.url, api_key=key, http_client=http_client, max_retries=0, timeout=service.timeout)


def bedrock_at(service: Service, endpoint: Endpoint, key: str) -> Any:
    """Amazon Bedrock as the client knows it: a bearer token where there is one, else requests signed by AWS's chain (SigV4)."""
    from openai.providers import bedrock

    if service.api_key_env is not None:
        return bedrock(base_url=endpoint.url, region=service.region, api_key=key)
    if not os.environ.get("AWS_BEARER_TOKEN_BEDROCK"):
        require("botocore", "openai[bedrock]", service)
    return bedrock(base_url=endpoint.url, region=service.region)


def vertex_at(service: Service, endpoint: Endpoint, key: str) -> Any:
    """Google Vertex AI as the client knows it: an access token where one is given, else Application Default Credentials.

    Google's library fetches those from Google, by connections of its own in which no report is.
    """
    from openai.providers import vertex

    if service.api_key_env is not None:
        return vertex(base_url=endpoint.url, token_provider=lambda: key)
    require("google.auth", "openai[vertex]", service)
    return vertex(base_url=endpoint.url)


def require(module: str, package: str, service: Service) -> None:
    """Refuse a provider whose credentials need a package that is not installed."""
    try:
        found = find_spec(module)
    except ModuleNotFoundError:  # its parent is not there
        found = None
    if found is None:
        raise UserError(
            f"teacher={service.provider.value} finds no library for its credentials: run `pip install '{package}'`, "
            "or name the variable that holds a token in teacher.api_key_env"
        )
