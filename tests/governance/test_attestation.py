"""An attestation is read strictly: what is missing, unknown, doubled or not literally true is named, and values are not repeated."""

import hashlib
import re
from datetime import date
from pathlib import Path

import pytest

from radgpt.errors import UserError
from radgpt.governance.attestation import read_attestation

TODAY = date(2026, 11, 24)

GOOD = """provider: Example LLM
host: llm.example.org
zero_retention: true
no_training: true
no_human_review: true
evidence: contract 17, clause 4
who: A. Researcher
date: 2026-11-01
"""


def written(folder: Path, text: str) -> str:
    path = folder / "attestation.yaml"
    path.write_text(text)
    return str(path)


def told(folder: Path, text: str) -> str:
    with pytest.raises(UserError) as refused:
        read_attestation(written(folder, text), TODAY)
    line = str(refused.value)
    assert line.startswith(f"governance.attestation={folder}/attestation.yaml: ") and "\n" not in line
    return line.partition(".yaml: ")[2]


def test_a_good_one_is_kept_by_its_digest(tmp_path: Path) -> None:
    claim = read_attestation(written(tmp_path, GOOD), TODAY)
    assert claim.host == "llm.example.org" and claim.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    assert read_attestation(written(tmp_path, GOOD.replace("2026-11-01", '"2026-11-01"')), TODAY).host == claim.host


@pytest.mark.parametrize("key", ["provider", "host", "zero_retention", "no_training", "no_human_review", "evidence", "who", "date"])
def test_every_key_is_needed_once(key: str, tmp_path: Path) -> None:
    lines = GOOD.splitlines(keepends=True)
    (line,) = (line for line in lines if line.startswith(f"{key}:"))
    assert told(tmp_path, GOOD.replace(line, "")).startswith(f"{key} is missing; an attestation needs provider, host,")
    assert told(tmp_path, GOOD + line).startswith(f"{key} stands there twice")
    assert told(tmp_path, GOOD.replace(line, f"{key}:\n")).startswith(key)


@pytest.mark.parametrize("key", ["zero_retention", "no_training", "no_human_review"])
@pytest.mark.parametrize("value", ["false", '"yes"', '"true"', "1", "[true]", "True-ish", "~"])
def test_a_promise_must_be_literally_true(key: str, value: str, tmp_path: Path) -> None:
    assert told(tmp_path, GOOD.replace(f"{key}: true", f"{key}: {value}")).startswith(f"{key} must be true")


def test_a_later_true_does_not_cover_an_earlier_false(tmp_path: Path) -> None:
    assert told(tmp_path, GOOD.replace("no_training: true", "no_training: false\nno_training: true")).startswith("no_training stands there")


@pytest.mark.parametrize(
    "host",
    [
        "LLM.example.org",
        "'*.example.org'",
        "llm.example.org:443",
        "https://llm.example.org",
        "llm.example.org/v1",
        "[a.org, b.org]",
        "7",
        ".org",
    ],
)
def test_a_host_is_one_name(host: str, tmp_path: Path) -> None:
    assert told(tmp_path, GOOD.replace("host: llm.example.org", f"host: {host}")).startswith("host must be one host's name in lower case")


@pytest.mark.parametrize(
    ("day", "says"),
    [
        ("2026-08-26", None),
        ("2026-08-25", "it was made on 2026-08-25 and expired on 2026-11-23; check the provider's terms again and renew it"),
        ("2026-11-24", None),
        ("2026-11-25", "2026-11-25 lies in the future"),
        ("2026-11-01T10:00:00", "must be a day such as 2026-01-31"),
        ("20261101", "must be a day"),
        ('"2026-02-30"', "must be a day"),
        ("yesterday", "must be a day"),
    ],
)
def test_dates(day: str, says: str | None, tmp_path: Path) -> None:
    text = GOOD.replace("2026-11-01", day)
    if says is None:
        assert read_attestation(written(tmp_path, text), TODAY)
    else:
        assert says in told(tmp_path, text)


@pytest.mark.parametrize("text", ["", "- provider\n", "just words", "7"])
def test_a_file_without_keys(text: str, tmp_path: Path) -> None:
    assert told(tmp_path, text).startswith("it holds no keys")


@pytest.mark.parametrize("text", ["host: [", "date: 2026-02-30\n", "a: !!python/object/apply:os.getcwd []\n", "\x00"])
def test_a_file_that_is_no_yaml(text: str, tmp_path: Path) -> None:
    assert told(tmp_path, text).startswith("it cannot be read as YAML")


def test_an_unknown_key_is_named_and_no_value_repeated(tmp_path: Path) -> None:
    line = told(tmp_path, GOOD + "api_key: sk-4b1d\n")
    assert line.startswith("api_key is no key of an attestation") and "4b1d" not in line


def test_the_readmes_example_is_one(tmp_path: Path) -> None:
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text()
    (example,) = re.findall(r"```yaml\n(# attestation.*?)```", readme, re.DOTALL)
    assert read_attestation(written(tmp_path, example), date(2026, 11, 24)).host == "llm.example.org"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"governance\.attestation=nowhere\.yaml: No such file"):
        read_attestation("nowhere.yaml", TODAY)
