"""Every command line in the README and in --help composes and passes the rules."""

import re
import shlex
from pathlib import Path

import pytest
from conftest import composed
from hydra.core.override_parser.overrides_parser import OverridesParser

from radgpt.cli import HELP

README = (Path(__file__).parent.parent / "README.md").read_text()


def commands() -> list[str]:
    """Commands that start a stage, with shell variables filled in; flags such as -m taken away."""
    teacher = re.search(r'export TEACHER="([^"]*)"', README)
    assert teacher
    lines = [
        *re.findall(r"^(?:python run\.py|docker exec -it radgpt radgpt) (.*)$", README, re.M),
        *re.findall(r"^  python run\.py (.*=.*)$", HELP, re.M),
    ]
    return [line.split("   ")[0].replace("$TEACHER", teacher[1]) for line in lines if "--help" not in line and "STAGE" not in line]


@pytest.mark.parametrize("command", commands())
def test_every_command_composes(command: str) -> None:
    words = [word for word in shlex.split(command) if word not in ("-m", "--cfg", "job")]
    overrides = OverridesParser.create().parse_overrides(words)
    # A sweep's comma list stands for its first value here.
    single = [
        f"{o.key_or_group}={next(iter(o.sweep_iterator()))}" if o.is_sweep_override() else word
        for o, word in zip(overrides, words, strict=True)
    ]
    # An experiment that is not the demo's leaves the place of the reports to its user.
    if any(word.startswith("experiment=hippo") for word in single) and not any(word.startswith("data.path=") for word in single):
        single.append("data.path=anything")
    assert composed(*single)


def test_there_are_commands_to_test() -> None:
    assert len(commands()) > 15


@pytest.mark.parametrize("script", ["scripts/demo.sh", "scripts/test.sh"])
def test_the_two_commands_exist(script: str) -> None:
    path = Path(__file__).parent.parent / script
    assert path.stat().st_mode & 0o111
    assert f"\n{script} " in README
