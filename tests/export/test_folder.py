"""Templates render without our settings as they do with them; JSON files say nothing of this machine."""

import json
from pathlib import Path

import pytest
from transformers.utils.chat_template_utils import _compile_jinja_template

from radgpt.export.folder import pinned, tidy


@pytest.mark.parametrize(
    ("template", "alone", "given"),
    [
        # As Llama 3.2 writes it: today's date unless one is given.
        (
            "{%- if not date_string is defined %}{%- set date_string = 'today' %}{%- endif %}Date: {{ date_string }}",
            "Date: 26 Jul 2024",
            "Date: 1 May 2026",
        ),
        # As Qwen 3 writes it.
        ("A:{%- if enable_thinking is defined and enable_thinking is false %} <think></think>{%- endif %}", "A: <think></think>", "A:"),
        ("{{ 'Hello' }}", "Hello", "Hello"),
    ],
)
def test_settings_of_training_are_a_templates_defaults(template: str, alone: str, given: str) -> None:
    compiled = _compile_jinja_template(pinned(template))
    assert compiled.render() == alone
    assert compiled.render(date_string="1 May 2026", enable_thinking=True) == given


def test_a_template_without_settings_stays_as_it_is() -> None:
    assert pinned("{{ messages[0]['content'] }}") == "{{ messages[0]['content'] }}"


def test_only_what_describes_the_model_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"vocab_size": 3, "_model_name_or_path": "a GGUF", "is_local": True, "name": "é"}))
    tidy(file)
    assert file.read_text() == '{\n  "name": "é",\n  "vocab_size": 3\n}\n'
