"""Chat templates that we ship, for base models and for tokenizers without one: formats that models know, in templates of our own.

Each marks the answer and the token that ends it with `{% generation %}`, for software that reads the mask off the template, and asks
for an answer with exactly what stands before one in a conversation. They write the content of messages as it is.
"""

from pathlib import Path

from radgpt.errors import UserError

_TALK = (
    "{%- for message in turns -%}"
    "{%- if message['role'] == 'assistant' -%}"
    "{{ CUE }}{% generation %}{{ ANSWER }}{% endgeneration %}{{ AFTER }}"
    "{%- else -%}{{ QUESTION }}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ CUE }}{%- endif -%}"
)

_ALL_TURNS = "{%- set turns = messages -%}"
_SYSTEM_APART = (
    "{%- if messages[0]['role'] == 'system' -%}{%- set system = messages[0]['content'] -%}{%- set turns = messages[1:] -%}"
    "{%- else -%}{%- set system = '' -%}{%- set turns = messages -%}{%- endif -%}"
)
_FIRST_BEHIND_SYSTEM = "(system + '\n\n' if loop.first and system else '') + message['content']"
_START = "{{ bos_token or '' }}"


def _talk(opening: str, *, question: str, cue: str, answer: str, after: str = "''") -> str:
    """A template of an opening and turns, each given as a Jinja expression over `message`."""
    parts = {"CUE": cue, "ANSWER": answer, "AFTER": after, "QUESTION": question}
    turns = _TALK
    for name, expression in parts.items():
        turns = turns.replace(f"{{{{ {name} }}}}", f"{{{{ {expression} }}}}")
    return opening + turns


PLAIN = "plain"
"""What a tokenizer without a template gets."""

CHAT_TEMPLATES = {
    # Role names and the tokenizer's own end-of-text token, so that no token is new to a base model.
    PLAIN: _talk(
        _START + _ALL_TURNS,
        question="message['role'] | capitalize + ': ' + message['content'] + '\n\n'",
        cue="'Assistant:'",
        answer="' ' + message['content'] + eos_token",
        after="'\n\n'",
    ),
    # No roles at all: the prompt's own words, then the answer.
    "bare": _talk(
        _START + _SYSTEM_APART,
        question=_FIRST_BEHIND_SYSTEM + " + '\n'",
        cue="''",
        answer="message['content'] + eos_token",
        after="'\n'",
    ),
    "alpaca": _talk(
        _START + _SYSTEM_APART + "{{ system + '\n\n' if system else '' }}",
        question="'### Instruction:\n' + message['content'] + '\n\n'",
        cue="'### Response:\n'",
        answer="message['content'] + eos_token",
        after="'\n\n'",
    ),
    "chatml": _talk(
        _ALL_TURNS,
        question="'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n'",
        cue="'<|im_start|>assistant\n'",
        answer="message['content'] + '<|im_end|>'",
        after="'\n'",
    ),
    # Without thoughts, in every turn alike: Qwen's own template takes them out of earlier turns.
    "qwen3": _talk(
        _ALL_TURNS,
        question="'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n'",
        cue="'<|im_start|>assistant\n<think>\n\n</think>\n\n'",
        answer="message['content'] + '<|im_end|>'",
        after="'\n'",
    ),
    "llama2": _talk(
        _SYSTEM_APART,
        question=(
            "(bos_token or '') + '[INST] ' + ('<<SYS>>\n' + system + '\n<</SYS>>\n\n' if loop.first and system else '')"
            " + message['content'] + ' [/INST]'"
        ),
        cue="''",
        answer="' ' + message['content'] + ' ' + eos_token",
    ),
    "llama3": _talk(
        _START + _ALL_TURNS,
        question="'<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] + '<|eot_id|>'",
        cue="'<|start_header_id|>assistant<|end_header_id|>\n\n'",
        answer="message['content'] + '<|eot_id|>'",
    ),
    "mistral": _talk(
        _START + _SYSTEM_APART,
        question="'[INST] ' + " + _FIRST_BEHIND_SYSTEM + " + '[/INST]'",
        cue="''",
        answer="' ' + message['content'] + eos_token",
    ),
    "gemma": _talk(
        _START + _SYSTEM_APART,
        question="'<start_of_turn>user\n' + " + _FIRST_BEHIND_SYSTEM + " + '<end_of_turn>\n'",
        cue="'<start_of_turn>model\n'",
        answer="message['content'] + '<end_of_turn>'",
        after="'\n'",
    ),
}


def chat_template(chosen: str) -> str:
    """The text of `model.chat_template`: one that we ship, by name, or a file's.

    Raises:
        UserError: there is neither.
    """
    if chosen in CHAT_TEMPLATES:
        return CHAT_TEMPLATES[chosen]
    try:
        return Path(chosen).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise UserError(
            f"model.chat_template={chosen} is neither a readable file nor a template that we ship; those are {', '.join(CHAT_TEMPLATES)}"
        ) from None
