"""Only the browser that was given the address rates; its cookie is another than the review's."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from rating_desk import rating_served
from review_desk import Served


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with rating_served(tmp_path) as rating:
        yield rating


class Browser:
    """What a page does, without one."""

    def __init__(self, served: Served) -> None:
        self.jar = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar), urllib.request.ProxyHandler({}))
        self.base = f"http://127.0.0.1:{served.port}"

    def ask(self, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        sent = {} if body is None else {"Content-Type": "application/json", "Origin": self.base}
        request = urllib.request.Request(self.base + path, data, sent | headers)
        try:
            with self._opener.open(request, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@pytest.mark.parametrize("path", ["/", "/?token=wrong", "/rate.js", "/base.css", "/api/opened", "/api/questions/0"])
def test_without_the_token_nothing_is_told(served: Served, path: str) -> None:
    status, body = Browser(served).ask(path)
    assert status == 403 and "effusion" not in body and "stage=rate" in body


def test_a_grade_is_kept_and_bad_ones_are_refused(served: Served) -> None:
    browser = Browser(served)
    browser.ask(served.address.removeprefix(browser.base))
    assert [cookie.name for cookie in browser.jar] == ["radgpt_rate"]
    question = json.loads(browser.ask("/api/questions/0")[1])
    made = {"number": 0, "sha256": question["sha256"], "answer": 0, "criterion": "accuracy", "score": 4}
    status, body = browser.ask("/api/grades", made)
    assert status == 200 and json.loads(body)["question"]["answers"][0]["scores"]["accuracy"] == 4
    assert served.decisions.read_text().count("\n") == 1
    for change, wanted in (
        ({"score": 5}, 409), ({"score": "4"}, 400), ({"answer": 9}, 404), ({"number": 9}, 404), ({"sha256": "x"}, 409), ({"more": 1}, 400),
    ):  # fmt: skip
        assert browser.ask("/api/grades", made | change)[0] == wanted
    assert browser.ask("/api/grades", made, Origin="http://evil.example")[0] == 403
    assert browser.ask("/api/questions/x")[0] == 400
    assert served.decisions.read_text().count("\n") == 1
    assert json.loads(browser.ask("/api/undo", {})[1])["question"]["answers"][0]["scores"]["accuracy"] is None
