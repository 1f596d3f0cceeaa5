"""Who may open the page, and where it stands."""

import importlib.util
import socket

import pytest

from radgpt.config import Serve
from radgpt.errors import UserError
from radgpt.serving import server


def test_user_and_password_come_from_settings_and_environment() -> None:
    assert server.credentials_of(Serve(), {}) is None
    assert server.credentials_of(Serve(user="rose", password_env="SECRET"), {"SECRET": "x"}) == ("rose", "x")


@pytest.mark.parametrize("environment", [{}, {"RADGPT_PASSWORD": ""}])
def test_a_user_without_a_password_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(UserError, match=r"serve.user=rose needs a password: set the environment variable RADGPT_PASSWORD"):
        server.credentials_of(Serve(user="rose"), environment)


def test_an_empty_user_is_refused() -> None:
    with pytest.raises(UserError, match=r"serve.user= is empty"):
        server.credentials_of(Serve(user=""), {"RADGPT_PASSWORD": "x"})


def test_the_page_listens_on_this_machine_alone() -> None:
    with server.listening(0) as listening:
        address, port = listening.getsockname()
        assert address == "127.0.0.1"
        with pytest.raises(UserError, match=rf"serve.port={port} cannot be used"):
            server.listening(port)
        socket.create_connection((address, port)).close()


def test_missing_gradio_is_told_with_the_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "find_spec", lambda name: None if name == "gradio" else importlib.util.find_spec(name))
    with pytest.raises(UserError, match=r"pip install 'radgpt\[web\]'"):
        server.require_gradio()
