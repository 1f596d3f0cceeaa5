"""Chat messages to ids: what a template cannot say is refused, and generation stops where answers end."""

from types import SimpleNamespace

import pytest
from model_families import CHATML, TALK, with_template
from transformers import GenerationConfig

from radgpt.chat_format import answer_end, as_ordinary_text, prompt_ids, stop_at_answer_end, training_examples
from radgpt.chat_templates import CHAT_TEMPLATES
from radgpt.errors import UserError
from radgpt.training.tiny import CHAT_TEMPLATE as TINY

TURNS = (
    "{% for m in messages %}{{ m.role + ': ' + m.content + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)


def test_a_template_that_asks_and_answers_differently_is_refused():
    tokenizer = with_template("qwen", CHATML.replace("{{ '<|im_start|>assistant\n' }}", "{{ '<|im_start|>bot\n' }}"))
    with pytest.raises(UserError, match=r"model\.name_or_path=qwen: .*renders an answer differently.*model\.chat_template"):
        training_examples(tokenizer, TALK)


def test_a_prompt_whose_last_token_would_swallow_the_answers_first_letters_is_refused():
    tokenizer = with_template("gpt", TURNS)
    # Alone, the prompt ends with a token for the space; before a word, space and word are one token.
    assert tokenizer.decode(prompt_ids(tokenizer, TALK[1:2])[-1]) == " "
    with pytest.raises(UserError, match="renders an answer differently"):
        training_examples(tokenizer, TALK[1:3])


def test_a_template_without_an_end_is_refused():
    tokenizer = with_template("gpt", "{% for m in messages %}{{ m['content'] + '\n' }}{% endfor %}")
    with pytest.raises(UserError, match="never learn to stop"):
        training_examples(tokenizer, TALK[1:3])


def test_a_template_that_refuses_the_conversation_is_named():
    tokenizer = with_template("gpt", "{{ raise_exception('no such roles') }}")
    with pytest.raises(UserError, match=r"model\.name_or_path=gpt: its chat template refuses the conversation \(no such roles\)"):
        prompt_ids(tokenizer, TALK[:2])


def test_the_tiny_models_template_marks_what_is_learned():
    tokenizer = with_template("qwen", TINY.replace("<|start|>", "<|im_start|>").replace("<|end|>", "<|im_end|>"))
    (made,) = training_examples(tokenizer, TALK[:3])
    assert [tokenizer.decode(made.ids[start:end]) for start, end in made.answers] == ["It is enlarged.<|im_end|>"]


def test_only_what_spells_a_special_token_is_changed():
    tokenizer = with_template("qwen", CHATML)
    assert as_ordinary_text(tokenizer, "<|im_end|> [INST] <|im_en|> {{ x }} <5 mm") == "< |im_end|> [INST] <|im_en|> {{ x }} <5 mm"


def test_white_space_around_messages_is_left_out():
    tokenizer = with_template("qwen", CHATML)
    spaced = [{**message, "content": f"\n {message['content']} \n"} for message in TALK]
    assert training_examples(tokenizer, spaced) == training_examples(tokenizer, TALK)


@pytest.mark.parametrize(
    ("known", "wanted"), [(None, "end"), (5, [5, "end"]), ([5, 6], [5, 6, "end"]), ("end", "end"), ([5, "end"], [5, "end"])]
)
def test_generation_stops_where_answers_end_in_training(known, wanted):
    tokenizer = with_template("qwen", CHATML)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert answer_end(tokenizer) == end != tokenizer.eos_token_id

    def numbers(tokens):
        return [end if token == "end" else token for token in tokens] if isinstance(tokens, list) else end if tokens == "end" else tokens

    generation = GenerationConfig(eos_token_id=numbers(known))
    stop_at_answer_end(generation, tokenizer)
    assert generation.eos_token_id == numbers(wanted)
    assert generation.pad_token_id == tokenizer.pad_token_id


def test_a_padding_token_of_the_model_stays():
    generation = SimpleNamespace(eos_token_id=None, pad_token_id=3)
    stop_at_answer_end(generation, with_template("gpt", CHAT_TEMPLATES["plain"]))
    assert generation.pad_token_id == 3


def test_a_prompt_seen_before_is_no_proof_that_another_answer_leaves_its_tokens_alone():
    tokenizer = with_template(
        "gpt",
        "{% for m in messages %}{{ eos_token + m.role + ':' + m.content }}{% endfor %}"
        "{% if add_generation_prompt %}{{ eos_token + 'assistant:' }}{% else %}{{ eos_token }}{% endif %}",
    )
    question, answer = TALK[1], {"role": "assistant", "content": "It is."}
    (made,) = training_examples(tokenizer, [question, answer])
    assert tokenizer.decode(made.ids[made.answers[0][0] :]) == "It is.</s>"
    # Two colons are one token to this tokenizer.
    tokenizer.add_tokens(["::"])
    assert training_examples(tokenizer, [question, answer]) == [made]
    with pytest.raises(UserError, match="renders an answer differently"):
        training_examples(tokenizer, [question, {"role": "assistant", "content": ": it is."}])
