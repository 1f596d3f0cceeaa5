"""What is learned under each template that we ship, and under templates with the habits of well-known models."""

import pytest
from conftest import composed
from model_families import ANSWERS, CHATML, FAMILIES, LLAMA3, QWEN3, TALK, with_template

from radgpt.chat_format import answer_end, prompt_ids, special_ids, tails, training_examples
from radgpt.chat_templates import CHAT_TEMPLATES, chat_template
from radgpt.config import Method, Model
from radgpt.errors import UserError
from radgpt.keys import key
from radgpt.models import load_tokenizer
from radgpt.origin import Origin

SHIPPED = {
    "plain": ("gpt", " ", "</s>"),
    "bare": ("gpt", "", "</s>"),
    "alpaca": ("gpt", "", "</s>"),
    "chatml": ("qwen", "", "<|im_end|>"),
    "qwen3": ("qwen", "", "<|im_end|>"),
    "llama2": ("llama2", " ", " </s>"),
    "llama3": ("llama3", "", "<|eot_id|>"),
    "mistral": ("mistral", " ", "</s>"),
    "gemma": ("gemma", "", "<end_of_turn>"),
}
"""Template to the family of a tokenizer that has its tokens, and what stands before and after the learned text of an answer."""

CASES = {
    **{f"shipped-{name}": (family, CHAT_TEMPLATES[name], before, after) for name, (family, before, after) in SHIPPED.items()},
    **{f"shipped-{name}-llama2": ("llama2", CHAT_TEMPLATES[name], SHIPPED[name][1], "</s>") for name in ("plain", "bare", "alpaca")},
    **FAMILIES,
}

every_template = pytest.mark.parametrize("case", CASES)


def learned(tokenizer, messages):
    """The text of every run of learned tokens, over all examples of a conversation."""
    texts = []
    for made in training_examples(tokenizer, messages):
        run = []
        for token, wanted in zip([*made.ids, 0], [*made.mask, 0], strict=True):
            if wanted:
                run.append(token)
            elif run:
                texts.append(tokenizer.decode(run))
                run = []
    return texts


def test_every_shipped_template_is_tried():
    assert SHIPPED.keys() == CHAT_TEMPLATES.keys()


@every_template
def test_exactly_the_answers_and_their_ends_are_learned(case):
    family, template, before, after = CASES[case]
    assert learned(with_template(family, template), TALK) == [before + answer + after for answer in ANSWERS]
    assert learned(with_template(family, template), TALK[1:3]) == [before + ANSWERS[0] + after]


@every_template
def test_a_report_that_spells_special_tokens_brings_none_in(case):
    family, template, _, _ = CASES[case]
    tokenizer = with_template(family, template)
    special = special_ids(tokenizer, len(tokenizer))
    spelt = " ".join(map(tokenizer.convert_ids_to_tokens, sorted(special)))
    hostile = [{**message, "content": f"{message['content']} {spelt}, {spelt}."} for message in TALK]

    def brought_in(ids):
        return [token for token in ids if token in special]

    made, harmless = (training_examples(tokenizer, messages) for messages in (hostile, TALK))
    assert [brought_in(one.ids) for one in made] == [brought_in(one.ids) for one in harmless]
    starts = [one.ids[:start] for one in made for start, _ in one.answers]
    assert starts == [prompt_ids(tokenizer, hostile[:2]), prompt_ids(tokenizer, hostile[:4])]


@every_template
def test_a_model_is_asked_with_the_tokens_it_was_trained_behind(case):
    family, template, _, _ = CASES[case]
    tokenizer = with_template(family, template)
    # The second time, ends of prompts are looked up.
    for _ in range(2):
        starts = [(made.ids, start) for made in training_examples(tokenizer, TALK) for start, _ in made.answers]
        assert [ids[:start] for ids, start in starts] == [prompt_ids(tokenizer, TALK[:2]), prompt_ids(tokenizer, TALK[:4])]


@every_template
def test_the_end_of_an_answer_is_learned_though_it_is_the_padding_token(case):
    family, template, _, after = CASES[case]
    tokenizer = with_template(family, template)
    tokenizer.pad_token = after.strip()
    assert tokenizer.pad_token_id == answer_end(tokenizer)
    made = training_examples(tokenizer, TALK[:3])[0]
    assert made.mask[made.answers[0][1] - 1] == 1 and made.ids[made.answers[0][1] - 1] == tokenizer.pad_token_id


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_templates_mark_what_is_learned_for_other_software(name):
    tokenizer = with_template(SHIPPED[name][0], CHAT_TEMPLATES[name])
    trimmed = [{**message, "content": message["content"].strip()} for message in TALK]
    told = tokenizer.apply_chat_template(trimmed, return_assistant_tokens_mask=True, return_dict=True)
    (made,) = training_examples(tokenizer, TALK)
    assert (told["input_ids"], told["assistant_masks"]) == (made.ids, made.mask)


def test_each_answer_is_an_example_where_the_template_takes_thoughts_out_of_earlier_ones():
    tokenizer = with_template("qwen", QWEN3)
    first, second = (tokenizer.decode(made.ids) for made in training_examples(tokenizer, TALK))
    assert first.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\nIt is enlarged.<|im_end|>\n")
    assert "<|im_start|>assistant\nIt is enlarged.<|im_end|>\n" in second
    assert second.count("<think>") == 1
    assert len(training_examples(with_template("qwen", CHATML), TALK)) == 1


def test_a_model_that_can_think_is_asked_to_answer_at_once():
    asked = with_template("qwen", QWEN3)
    assert asked.decode(prompt_ids(asked, TALK[:2])).endswith("assistant\n<think>\n\n</think>\n\n")


def test_no_template_writes_the_date_of_today():
    tokenizer = with_template("llama3", LLAMA3)
    assert "Today Date: 26 Jul 2024" in tokenizer.decode(prompt_ids(tokenizer, TALK[:2]))


SYSTEM_AT_THE_END = "{% for m in messages[1:] %}{{ m.content + eos_token }}{% endfor %}{{ messages[0].content }}"


@pytest.mark.parametrize(
    ("family", "template"),
    [FAMILIES["mistral"][:2], FAMILIES["gemma2"][:2], ("gpt", SYSTEM_AT_THE_END)],
    ids=["moved", "refused", "at the end"],
)
def test_a_system_message_that_has_no_place_opens_the_first_question(family, template):
    tokenizer = with_template(family, template)
    text = tokenizer.decode(prompt_ids(tokenizer, TALK[:4]))
    assert "Answer from the report.\n\nHeart is enlarged." in text
    assert text.count("Answer from the report.") == 1


@pytest.mark.parametrize("case", ["qwen2", "qwen3", "llama2", "llama3", "gemma3"])
def test_a_system_message_stays_where_the_template_puts_it(case):
    family, template, _, _ = CASES[case]
    tokenizer = with_template(family, template)
    own = tokenizer.apply_chat_template(
        TALK[:2], tokenize=False, add_generation_prompt=True, date_string="26 Jul 2024", enable_thinking=False
    )
    assert prompt_ids(tokenizer, TALK[:2]) == tokenizer(own, add_special_tokens=False)["input_ids"]


def test_only_ends_behind_special_tokens_are_looked_up():
    tokenizer = with_template("llama2", CHAT_TEMPLATES["plain"])
    training_examples(tokenizer, TALK[:3])
    # The prompt is one stretch from the opening token on, too long to be kept.
    assert set(tails(tokenizer, len(tokenizer))) == set()
    tokenizer = with_template("qwen", CHATML)
    training_examples(tokenizer, TALK)
    assert set(tails(tokenizer, len(tokenizer))) == {"assistant\n", ""}


def test_a_template_whose_tokens_the_tokenizer_lacks_is_refused():
    with pytest.raises(UserError, match=r"no special token of its tokenizer.*model\.chat_template, such as plain"):
        training_examples(with_template("gpt", CHAT_TEMPLATES["chatml"]), TALK)


def test_a_template_is_chosen_by_name_or_file(tmp_path):
    (tmp_path / "own.jinja").write_text("{{ 'mine' }}")
    assert chat_template("alpaca") == CHAT_TEMPLATES["alpaca"]
    assert chat_template(str(tmp_path / "own.jinja")) == "{{ 'mine' }}"
    with pytest.raises(UserError, match=r"model\.chat_template=chatlm is neither .* plain, bare, alpaca"):
        chat_template("chatlm")


def tokenizer_on_disk(folder, template=None):
    tokenizer = with_template("gpt", template)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize(
    ("own", "chosen", "wanted"),
    [(None, None, CHAT_TEMPLATES["plain"]), (CHATML, None, CHATML), (None, "alpaca", CHAT_TEMPLATES["alpaca"]), (CHATML, "bare", "bare")],
)
def test_a_base_gets_the_chosen_template_else_keeps_its_own_else_the_plain_one(tmp_path, own, chosen, wanted):
    model = Model(name_or_path="base", chat_template=chosen)
    assert load_tokenizer(model, tokenizer_on_disk(tmp_path, own)).chat_template == CHAT_TEMPLATES.get(wanted, wanted)


def test_a_checkpoint_keeps_the_template_that_it_was_trained_with(tmp_path):
    trained = Model(name_or_path="base", chat_template="alpaca")
    load_tokenizer(trained, tokenizer_on_disk(tmp_path / "base")).save_pretrained(tmp_path / "checkpoint")
    Origin.of(trained, Method.lora).write(tmp_path / "checkpoint")
    asked = Model(name_or_path="base", chat_template="bare")
    assert load_tokenizer(asked, str(tmp_path / "checkpoint")).chat_template == CHAT_TEMPLATES["alpaca"]


def test_the_template_is_in_the_keys_of_stages_that_use_the_model_and_in_no_others(tmp_path):
    file = tmp_path / "own.jinja"

    def keys_with(stage, text=None, name=None):
        if text is not None:
            file.write_text(text)
        chosen = name or (str(file) if text is not None else None)
        return key(composed(*([f"model.chat_template={chosen}"] if chosen else [])), stage)

    tuned = [
        keys_with("finetune"),
        keys_with("finetune", name="alpaca"),
        keys_with("finetune", "{{ 1 }}"),
        keys_with("finetune", "{{ 2 }}"),
    ]
    assert len(set(tuned)) == 4
    assert keys_with("generate_answers") == keys_with("generate_answers", name="alpaca")
    with pytest.raises(UserError, match=r"model\.chat_template=alpacca does not exist, and is none of alpaca, bare, chatml"):
        keys_with("finetune", name="alpacca")
