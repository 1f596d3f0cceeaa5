"""Only the browser that was given the address gets anything, from the page itself, under this machine's own name."""

import http.client
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

import pytest
from review_desk import ANSWERS, Served, answered, review_served

from radgpt.review.decisions import judged_sha256, read_decisions


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with review_served(tmp_path) as review:
        yield review


def asked(
    served: Served, path: str, body: object = None, method: str | None = None, **headers: str | None
) -> tuple[int, str, http.client.HTTPMessage]:
    """(status, body, headers) of a request; a header given as None is left out."""
    own = f"127.0.0.1:{served.port}"
    sent = {"Host": own} | ({"Origin": f"http://{own}", "Content-Type": "application/json"} if body is not None else {})
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    connection.putrequest(method or ("GET" if body is None else "POST"), path, skip_host=True)
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    for name, value in (sent | {"Content-Length": str(len(content))}).items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders(content)
    response = connection.getresponse()
    return response.status, response.read().decode(), response.headers


@pytest.fixture
def cookie(served: Served) -> str:
    address = urlsplit(served.address)
    status, _, headers = asked(served, f"{address.path}?{address.query}")
    assert (status, headers["Location"]) == (303, "/")
    given = headers["Set-Cookie"]
    assert "HttpOnly" in given and "SameSite=Strict" in given
    return given.partition(";")[0]


VIEW = {"state": "any", "outcome": "any", "task": "any", "problems": False, "search": ""}


def decision(view: str, other: Mapping[str, object] = MappingProxyType({})) -> dict[str, object]:
    seen = judged_sha256(ANSWERS[1].instruction, ANSWERS[1].answer)
    made: dict[str, object] = {
        "view": view,
        "position": 1,
        "number": 1,
        "judged_sha256": seen,
        "decision": "accept",
        "instruction": None,
        "answer": None,
    }
    return made | {"note": ""} | dict(other)


def test_the_address_is_this_machines_and_its_token_random(served: Served, tmp_path: Path) -> None:
    address = urlsplit(served.address)
    assert address.hostname == "127.0.0.1" and len(address.query) > len("token=") + 30
    (tmp_path / "other").mkdir()
    with review_served(tmp_path / "other") as other:
        assert urlsplit(other.address).query != address.query


@pytest.mark.parametrize("path", ["/", "/?token=wrong", "/?token=%ff", "/review.js", "/api/status", "/api/answers/0", "/nothing"])
def test_without_the_token_nothing_is_told(served: Served, path: str) -> None:
    status, body, _ = asked(served, path)
    assert status == 403 and "effusion" not in body
    assert asked(served, path, Cookie="radgpt_review=wrong")[0] == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", "0.0.0.0", "", "[::1]"])
def test_another_name_for_this_machine_is_refused(served: Served, cookie: str, host: str) -> None:
    assert asked(served, "/api/status", Cookie=cookie, Host=host)[0] == 403
    address = urlsplit(served.address)
    assert asked(served, f"/?{address.query}", Host=host)[0] == 403


def test_a_tunnel_of_another_port_is_let_in(served: Served, cookie: str) -> None:
    assert asked(served, "/api/status", Cookie=cookie, Host="localhost:8080")[0] == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1", "https://127.0.0.1:{port}", None])
def test_other_pages_send_no_decision(served: Served, cookie: str, origin: str | None) -> None:
    given = origin and origin.replace("{port}", str(served.port))
    assert asked(served, "/api/undo", {"view": "1"}, Cookie=cookie, Origin=given)[0] == 403


@pytest.mark.parametrize("path", ["/", "/review.js", "/review.css", "/icon.svg", "/api/status", "/nothing"])
def test_every_reply_forbids_the_outside(served: Served, cookie: str, path: str) -> None:
    _, _, headers = asked(served, path, Cookie=cookie)
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "http" not in policy and "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store" and headers["Referrer-Policy"] == "no-referrer"


def test_a_decision_is_kept_and_the_next_answer_told(served: Served, cookie: str) -> None:
    view = json.loads(asked(served, "/api/views", VIEW, Cookie=cookie)[1])
    assert (view["total"], view["start"]) == (5, 0)
    status, body, _ = asked(served, "/api/decisions", decision(view["view"]), Cookie=cookie)
    assert status == 200 and json.loads(body)["next"] == 2
    assert read_decisions(served.decisions)["r1/1"].decision == "accept"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"judged_sha256": "other texts"}, 409),
        ({"decision": "withdrawn"}, 409),
        ({"decision": "edit", "instruction": "x", "answer": " "}, 409),
        ({"number": 99}, 404),
        ({"number": -1}, 404),
        ({"number": "1"}, 400),
        ({"view": "99"}, 404),
        ({"more": 1}, 400),
    ],
)
def test_what_cannot_stand_is_refused_and_not_kept(served: Served, cookie: str, change: dict[str, object], status: int) -> None:
    view = json.loads(asked(served, "/api/views", VIEW, Cookie=cookie)[1])["view"]
    assert asked(served, "/api/decisions", decision(view, change), Cookie=cookie)[0] == status
    assert read_decisions(served.decisions) == {}


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"x" * (2 << 20)])
def test_unreadable_requests_leave_no_trace_of_their_text(
    served: Served, cookie: str, body: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    assert asked(served, "/api/decisions", body, Cookie=cookie)[0] in (400, 413)
    assert asked(served, "/api/answers/999", Cookie=cookie)[0] == 404
    assert asked(served, "/api/views/1?start=-1&size=5", Cookie=cookie)[0] in (400, 404)
    assert asked(served, "/api/status", method="DELETE", Cookie=cookie)[0] == 405
    assert capfd.readouterr() == ("", "")


def test_an_empty_answer_cannot_be_accepted(tmp_path: Path) -> None:
    with review_served(tmp_path, [answered("r1/0", "What is seen?", "", "teacher_empty")], expected=1) as review:
        address = urlsplit(review.address)
        cookie = asked(review, f"/?{address.query}")[2]["Set-Cookie"].partition(";")[0]
        while not json.loads(asked(review, "/api/status", Cookie=cookie)[1])["finished"]:
            pass  # it is served before its answer is judged
        view = json.loads(asked(review, "/api/views", VIEW, Cookie=cookie)[1])["view"]
        made = decision(view, {"number": 0, "judged_sha256": judged_sha256("What is seen?", "")})
        status, body, _ = asked(review, "/api/decisions", made, Cookie=cookie)
        assert status == 409 and "no answer to accept" in body
