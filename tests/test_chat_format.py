"""Chat messages to ids: what is learned is the assistant's text and its end, whatever the template."""

import pytest

from radgpt.chat_format import prompt_ids, training_ids
from radgpt.config import Model, ModelSource
from radgpt.errors import UserError
from radgpt.models import PLAIN_CHAT_TEMPLATE, load_tokenizer
from radgpt.training.tiny import CHAT_TEMPLATE, make_tiny

TALK = [
    {"role": "system", "content": "Answer from the report."},
    {"role": "user", "content": "Heart is enlarged.\n\nHow is the heart?"},
    {"role": "assistant", "content": " It is enlarged. "},
    {"role": "user", "content": "And the lungs?"},
    {"role": "assistant", "content": "The report does not say."},
]

CHATML = (
    "{% for m in messages %}{% if loop.first and m['role'] != 'system' %}{{ '<|start|>system\nBe kind.<|end|>\n' }}{% endif %}"
    "{{ '<|start|>' + m['role'] + '\n' + m['content'] + '<|end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant\n' }}{% endif %}"
)
LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}"
    "{% set first = '<<SYS>>\n' + messages[0]['content'] + '\n<</SYS>>\n\n' %}"
    "{% else %}{% set rest = messages %}{% set first = '' %}{% endif %}"
    "{% for m in rest %}{% if m['role'] == 'user' %}"
    "{{ '<|start|>[INST] ' + (first if loop.index0 == 0 else '') + m['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] + ' <|end|>' }}{% endif %}{% endfor %}"
)
LLAMA3 = (
    "{{ '<|start|>' }}{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
    "{% for m in messages %}{{ '[header]' + m['role'] + '[header]\n\n' }}"
    "{% if m['role'] == 'system' %}{{ 'Today: ' + date_string + '\n' }}{% endif %}{{ m['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[header]assistant[header]\n\n' }}{% endif %}"
)
NO_SYSTEM = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "{{ '<|start|>' + m['role'] + ': ' + m['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start|>assistant:' }}{% endif %}"
)
SYSTEM_LAST = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' }}"
    "{% if loop.last and messages[0]['role'] == 'system' %}{{ messages[0]['content'] + '\n\n' }}{% endif %}{{ m['content'] + '[/INST]' }}"
    "{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] + '<|end|>' }}{% endif %}{% endfor %}"
)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    model = Model(source=ModelSource.tiny, name_or_path="tiny", tiny_hidden_size=16, tiny_layers=1, tiny_vocab_size=400)
    make_tiny(model, [message["content"] for message in TALK], 0, folder)
    return load_tokenizer(model, str(folder))


def learned(tokenizer, messages):
    """The text of each run of learned tokens."""
    ids, mask = training_ids(tokenizer, messages)
    runs, run = [], []
    for token, wanted in zip([*ids, 0], [*mask, 0], strict=True):
        if wanted:
            run.append(token)
        elif run:
            runs.append(tokenizer.decode(run))
            run = []
    return runs


@pytest.mark.parametrize("template", [CHAT_TEMPLATE, CHATML, LLAMA3], ids=["tiny", "chatml", "llama3"])
def test_exactly_the_answers_and_their_ends_are_learned(tokenizer, template):
    tokenizer.chat_template = template
    assert learned(tokenizer, TALK) == ["It is enlarged.<|end|>", "The report does not say.<|end|>"]


@pytest.mark.parametrize("template", [LLAMA2, SYSTEM_LAST, PLAIN_CHAT_TEMPLATE], ids=["llama2", "system-last", "plain"])
def test_templates_with_a_space_before_the_answer(tokenizer, template):
    tokenizer.chat_template = template
    ending = " <|end|>" if template is LLAMA2 else "<|end|>"
    assert learned(tokenizer, TALK) == [f" It is enlarged.{ending}", f" The report does not say.{ending}"]


@pytest.mark.parametrize("template", [CHAT_TEMPLATE, CHATML, LLAMA2, LLAMA3, NO_SYSTEM, SYSTEM_LAST, PLAIN_CHAT_TEMPLATE])
@pytest.mark.parametrize("turns", [2, 4])
def test_a_model_is_asked_with_the_tokens_it_was_trained_behind(tokenizer, template, turns):
    tokenizer.chat_template = template
    prompt = prompt_ids(tokenizer, TALK[:turns])
    ids, mask = training_ids(tokenizer, TALK[: turns + 1])
    assert ids[: len(prompt)] == prompt
    assert mask[len(prompt)] == 1
    assert mask[len(prompt) - 1] == 0


@pytest.mark.parametrize("template", [NO_SYSTEM, SYSTEM_LAST], ids=["refused", "moved"])
def test_a_system_message_that_has_no_place_opens_the_first_question(tokenizer, template):
    tokenizer.chat_template = template
    text = tokenizer.decode(prompt_ids(tokenizer, TALK[:4]))
    assert "Answer from the report.\n\nHeart is enlarged." in text
    assert text.count("Answer from the report.") == 1


def test_no_template_writes_the_date_of_today(tokenizer):
    tokenizer.chat_template = LLAMA3
    assert "Today: 26 Jul 2024" in tokenizer.decode(prompt_ids(tokenizer, TALK[:2]))


def test_a_template_that_asks_and_answers_differently_is_refused(tokenizer):
    tokenizer.chat_template = CHATML.replace("<|start|>assistant\n", "<|start|>bot\n")
    with pytest.raises(UserError, match=r"model\.name_or_path=.*renders an answer differently"):
        training_ids(tokenizer, TALK)


def test_a_template_without_an_end_is_refused(tokenizer):
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] + '\n' }}{% endfor %}"
    with pytest.raises(UserError, match="never learn to stop"):
        training_ids(tokenizer, TALK[1:3])
