"""Answers of several servers mean the same in their several words."""

from typing import Any

import pytest

from radgpt.config import Provider, Teacher
from radgpt.errors import UserError
from radgpt.governance.endpoints import Endpoint
from radgpt.teacher.ask import QUESTION
from radgpt.teacher.completions import Completion, Failure, Wait, kept, read_answer, second_chances
from radgpt.teacher.transports import Answer

ENDPOINT = Endpoint("https://llm.example.org/v1")
TEACHER = Teacher(provider=Provider.local, model="m", base_url=ENDPOINT.url)


def meaning(status: int, body: Any, headers: dict[str, str] | None = None, *, proven: bool = True) -> Completion | Wait | Failure:
    return read_answer(Answer(status, headers or {}, body), TEACHER, ENDPOINT, proven=proven)


def test_a_completion_with_all_it_tells() -> None:
    body = {
        "id": "chatcmpl-7",
        "model": "m-2026",
        "system_fingerprint": "fp_1",
        "choices": [{"finish_reason": "stop", "message": {"content": "Clear."}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3},
    }
    assert meaning(200, body, {"apim-request-id": "az-1"}) == Completion("ok", "Clear.", "m-2026", 12, 3, "stop", "az-1", "fp_1")
    assert meaning(200, body) == Completion("ok", "Clear.", "m-2026", 12, 3, "stop", "chatcmpl-7", "fp_1")


def test_lone_surrogates_become_question_marks() -> None:
    body = {"model": "m\ud800", "choices": [{"finish_reason": "stop", "message": {"content": "Clear\udfff."}}]}
    assert meaning(200, body) == Completion("ok", "Clear?.", "m?", finish_reason="stop")


@pytest.mark.parametrize(
    ("choice", "outcome"),
    [
        ({"finish_reason": "stop", "message": {"content": " \n"}}, "empty"),
        ({"finish_reason": "stop", "message": {"content": None}}, "empty"),
        ({"finish_reason": "length", "message": {"content": None}}, "length"),
        ({"finish_reason": "content_filter", "message": {"content": "Cle"}}, "content_filter"),
        ({"finish_reason": "stop", "message": {"content": None, "refusal": "No."}}, "refusal"),
        ({"finish_reason": "tool_calls", "message": {"content": None, "tool_calls": [{}]}}, "invalid"),
        ({"finish_reason": "stop", "message": {"content": [{"type": "text", "text": "Clear."}]}}, "invalid"),
        ({"finish_reason": "stop", "text": "Clear."}, "invalid"),
        ("Clear.", "invalid"),
    ],
)
def test_completions_that_bring_no_text(choice: Any, outcome: str) -> None:
    result = meaning(200, {"choices": [choice]})
    assert isinstance(result, Completion) and (result.outcome, result.text) == (outcome, "")


def test_a_cut_reply_is_an_answer_and_nothing_that_a_teacher_wrote() -> None:
    cut = meaning(200, {"choices": [{"finish_reason": "length", "message": {"content": "Cle"}}]})
    assert isinstance(cut, Completion) and (cut.outcome, cut.text) == ("length", "Cle")
    assert kept(cut, QUESTION) == ("ok", "Cle") and second_chances(QUESTION) == {"invalid": 2}
    assert kept(cut, "answer") == ("dropped: length", "") and second_chances("answer")["length"] == 1
    assert kept(Completion("length"), QUESTION) == ("dropped: length", "")


def test_one_choice_was_asked_for() -> None:
    choice = {"finish_reason": "stop", "message": {"content": "Clear."}}
    for choices in ([], [choice, choice]):
        result = meaning(200, {"choices": choices})
        assert isinstance(result, Completion) and result.outcome == "invalid"


@pytest.mark.parametrize("body", [None, [], "welcome", {"choices": None}, {"status": "ok"}])
def test_what_is_no_chat_completion(body: Any) -> None:
    result = meaning(200, body)
    assert isinstance(result, Failure) and result.reason == "no chat completion" and "ending in /v1" in str(result.advice)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "…", "code": "context_length_exceeded"}}),
        (400, {"object": "error", "message": "This model's maximum context length is 4096 tokens", "code": 400}),
        (400, {"error": {"code": 400, "message": "the request exceeds the available context size", "type": "exceed_context_size_error"}}),
        (400, {"error": {"message": "Input is too long for requested model."}}),
        (400, [{"error": {"code": 400, "message": "The input token count (9) exceeds the maximum", "status": "INVALID_ARGUMENT"}}]),
        (413, None),
    ],
)
def test_a_prompt_that_is_too_long_is_its_rows_trouble(status: int, body: Any) -> None:
    assert meaning(status, body, proven=False) == Completion("length")


@pytest.mark.parametrize(
    "error",
    [
        {"code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}},
        {"code": "400", "innererror": {"code": "ResponsibleAIPolicyViolation"}},
        {"code": "content_policy_violation"},
    ],
)
def test_a_filtered_prompt(error: dict[str, Any]) -> None:
    assert meaning(400, {"error": error}, proven=False) == Completion("content_filter")


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"type": "requests", "code": "rate_limit_exceeded"}},
        {"error": {"code": "429", "message": "… exceeded token rate limit of your current OpenAI S0 pricing tier …"}},
        [{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}],
        None,
    ],
)
def test_too_many_requests_in_all_words(body: Any) -> None:
    assert meaning(429, body, {"retry-after": "3"}) == Wait(3.0)


@pytest.mark.parametrize(("status", "code"), [(429, "insufficient_quota"), (403, "billing_not_active"), (402, None)])
def test_no_quota_stops_the_run(status: int, code: str | None) -> None:
    with pytest.raises(UserError, match="no quota left: add credit"):
        meaning(status, {"error": {"code": code}})


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504, 529])
def test_servers_troubles_may_pass(status: int) -> None:
    assert meaning(status, None) == Failure(f"HTTP {status}")


def test_a_refused_request_is_a_settings_fault_until_others_were_answered() -> None:
    error = {"error": {"code": "unsupported_value", "param": "top_p", "message": "SECRET"}}
    with pytest.raises(UserError, match=r"unsupported_value.*check teacher.top_p=1.0") as refused:
        meaning(400, error, proven=False)
    assert "SECRET" not in str(refused.value)
    assert meaning(400, error) == Completion("invalid")
    with pytest.raises(UserError, match="HTTP 401"):
        meaning(401, None)
