"""A teacher's settings are refused by name where they contradict each other, and secrets among them are never repeated."""

from typing import Any

import pytest

from radgpt.config import Provider, Teacher
from radgpt.errors import UserError


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"provider": Provider.local}, "teacher=local needs teacher.base_url"),
        ({"provider": Provider.azure, "api_version": "v"}, "teacher=azure needs teacher.base_url"),
        ({"provider": Provider.azure, "base_url": "https://a.example"}, "teacher=azure needs teacher.api_version"),
        ({"provider": Provider.openai}, "teacher=openai needs teacher.api_key_env"),
        ({"provider": Provider.bedrock}, "teacher=bedrock needs teacher.region, such as us-east-1"),
        ({"provider": Provider.vertex, "project": "p"}, "teacher=vertex needs teacher.region, such as europe-west4 or global"),
        ({"provider": Provider.vertex, "region": "global"}, "teacher=vertex needs teacher.project, such as radiology-123456"),
        ({"provider": Provider.bedrock, "region": "evil.example/"}, "teacher.region=evil.example/ is none"),
        ({"provider": Provider.vertex, "region": "global", "project": "../../p"}, "teacher.project=../../p is none"),
        ({"base_url": "127.0.0.1:8000"}, "teacher.base_url must look like http://host:port/path"),
        ({"base_url": "http://127.0.0.1\\@example.org/v1"}, "teacher.base_url must look like"),
        ({"max_tokens": 500, "max_tokens_per_minute": 400.0}, "teacher.max_tokens=500 must not exceed teacher.max_tokens_per_minute=400.0"),
        ({"max_in_flight": 0}, "teacher.max_in_flight=0 must be above 0"),
        ({"timeout": float("nan")}, "teacher.timeout=nan must be above 0"),
        ({"temperature": 3.0}, "teacher.temperature=3.0"),
    ],
)
def test_contradictions_are_named(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError) as refused:
        Teacher(**settings)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("setting", "secret"),
    [
        ("base_url", "https://me:pass-4b1d@host.example/v1"),
        ("base_url", "https://host.example/v1?api-key=pass-4b1d"),
        ("api_key_env", "sk-proj-4b1d"),
        ("api_key_env", "b" * 32),
    ],
)
def test_secrets_in_the_wrong_place_are_refused_and_not_repeated(setting: str, secret: str) -> None:
    settings: dict[str, Any] = {setting: secret}
    with pytest.raises(UserError, match=f"teacher.{setting} must") as refused:
        Teacher(**settings)
    assert secret not in str(refused.value) and "4b1d" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000/v1", "http://[::1]:8000/v1", "https://gpu-1.lab_net.example/llm/v1/", "http://vllm"]
)
def test_ordinary_addresses_pass(url: str) -> None:
    assert Teacher(provider=Provider.local, base_url=url, api_key_env="MY_COMPANY_AZURE_OPENAI_API_KEY_WEST").base_url == url
