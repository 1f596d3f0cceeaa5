"""Post chat completions through OpenAI's own client, which knows how OpenAI, Azure, Bedrock and Vertex authenticate."""

import logging
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from radgpt.config import Provider, Teacher
from radgpt.errors import UserError
from radgpt.governance.connections import request_guard
from radgpt.governance.endpoints import Endpoint
from radgpt.teacher.transports import Answer, LostError, lost, trusted
from radgpt.teacher.transports.lean import read_json

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CREDENTIALS = {
    Provider.bedrock: "set AWS_BEARER_TOKEN_BEDROCK to a Bedrock API key, or set up AWS's own chain (`aws configure`, a profile, a role)",
    Provider.vertex: "sign in with `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to a key file",
}
"""Where the credentials of a provider without `teacher.api_key_env` come from."""


class SdkTransport:
    """See `Transport`."""

    def __init__(self, teacher: Teacher, endpoint: Endpoint, key: str) -> None:
        self._provider = teacher.provider
        self._endpoint = endpoint
        self._client = connect(teacher, endpoint, key)
        # OpenAI may be set to keep completions for later; credentialed reports may not be kept.
        self._more = {"store": False} if endpoint.credentialed and teacher.provider is Provider.openai else {}

    async def send(self, body: dict[str, Any]) -> Answer:
        """See `Transport`."""
        import openai

        try:
            raw = await self._client.chat.completions.with_raw_response.create(**body | self._more)
        except openai.APIStatusError as error:
            return Answer(error.response.status_code, error.response.headers, read_json(error.response.content))
        except openai.APIConnectionError as error:
            try:
                raise lost(error, self._endpoint) from None
            except openai.APITimeoutError:
                raise LostError("timeout") from None
            except openai.APIConnectionError:
                raise LostError("connection lost") from None
        except openai.OpenAIError:
            # What the client says of credentials may hold some of them.
            advice = CREDENTIALS.get(self._provider, "check teacher.api_key_env")
            raise UserError(f"teacher={self._provider.value}: no credentials could be had for {self._endpoint.url}: {advice}") from None
        return Answer(raw.http_response.status_code, raw.http_response.headers, read_json(raw.http_response.content))

    async def close(self) -> None:
        """See `Transport`."""
        await self._client.close()


def connect(teacher: Teacher, endpoint: Endpoint, key: str) -> "AsyncOpenAI":
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
        timeout=teacher.timeout,
        event_hooks={"request": [request_guard(endpoint)] if endpoint.credentialed else []},
    )
    if teacher.provider is Provider.azure:
        return AsyncAzureOpenAI(
            azure_endpoint=endpoint.url,
            api_version=teacher.api_version,
            api_key=key,
            http_client=http_client,
            max_retries=0,
            timeout=teacher.timeout,
        )
    if teacher.provider in (Provider.bedrock, Provider.vertex):
        provider = bedrock_at(teacher, endpoint, key) if teacher.provider is Provider.bedrock else vertex_at(teacher, endpoint, key)
        return AsyncOpenAI(provider=provider, http_client=http_client, max_retries=0, timeout=teacher.timeout)
    return AsyncOpenAI(base_url=endpoint.url, api_key=key, http_client=http_client, max_retries=0, timeout=teacher.timeout)


def bedrock_at(teacher: Teacher, endpoint: Endpoint, key: str) -> Any:
    """Amazon Bedrock as the client knows it: a bearer token where there is one, else requests signed by AWS's chain (SigV4)."""
    from openai.providers import bedrock

    if teacher.api_key_env is not None:
        return bedrock(base_url=endpoint.url, region=teacher.region, api_key=key)
    if not os.environ.get("AWS_BEARER_TOKEN_BEDROCK"):
        require("botocore", "openai[bedrock]", teacher)
    return bedrock(base_url=endpoint.url, region=teacher.region)


def vertex_at(teacher: Teacher, endpoint: Endpoint, key: str) -> Any:
    """Google Vertex AI as the client knows it: an access token where one is given, else Application Default Credentials.

    Google's library fetches those from Google, by connections of its own in which no report is.
    """
    from openai.providers import vertex

    if teacher.api_key_env is not None:
        return vertex(base_url=endpoint.url, token_provider=lambda: key)
    require("google.auth", "openai[vertex]", teacher)
    return vertex(base_url=endpoint.url)


def require(module: str, package: str, teacher: Teacher) -> None:
    """Refuse a provider whose credentials need a package that is not installed."""
    try:
        found = find_spec(module)
    except ModuleNotFoundError:  # its parent is not there
        found = None
    if found is None:
        raise UserError(
            f"teacher={teacher.provider.value} finds no library for its credentials: run `pip install '{package}'`, "
            "or name the variable that holds a token in teacher.api_key_env"
        )
