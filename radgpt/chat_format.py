"""Render chat messages to token ids, in one way for training, prediction and chat.

The model's own chat template does the rendering. Whatever the template, what stands before an answer in training is
token by token what stands before it when the model is asked: `training_examples` sees to that. The special tokens are the template's
alone: what only spells one in a message is read as ordinary text (`as_ordinary_text`).
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from radgpt.errors import UserError

if TYPE_CHECKING:
    from transformers import BatchEncoding, GenerationConfig, PreTrainedTokenizerBase

Message = dict[str, str]
"""`{"role": system|user|assistant, "content": …}`."""

TEMPLATE_SETTINGS: dict[str, Any] = {
    # Llama 3's templates write a date: the default of the 3.1 one, where later ones would write today's.
    "date_string": "26 Jul 2024",
    # Templates of models that can think (Qwen 3, SmolLM 3) then ask for the answer at once, which is all that we train.
    "enable_thinking": False,
}

LONGEST_TAIL = 80
"""Characters behind a prompt's last special token up to which its tokens are remembered: role headers are shorter."""


@dataclass(frozen=True)
class Example:
    """Token ids of a conversation, and where its answers stand."""

    ids: list[int]
    answers: list[tuple[int, int]]
    """(start, end) of every answer that is learned, in tokens, with the token that ends it."""

    @property
    def mask(self) -> list[int]:
        """1 for every token that is learned, 0 for all else: system and user turns, role headers, white space after an answer's end."""
        mask = [0] * len(self.ids)
        for start, end in self.answers:
            mask[start:end] = [1] * (end - start)
        return mask


def prompt_ids(tokenizer: "PreTrainedTokenizerBase", messages: list[Message]) -> list[int]:
    """Token ids of a conversation up to where the assistant's answer begins.

    Args:
        tokenizer: the model's, with a chat template.
        messages: system (optional), user, assistant, user, …; the last one is the user's.

    Raises:
        UserError: the model's template cannot render the conversation.
    """
    return list(encode(tokenizer, render(tokenizer, fitted(tokenizer, messages), answer_next=True))["input_ids"])


def training_examples(tokenizer: "PreTrainedTokenizerBase", messages: list[Message]) -> list[Example]:
    """A whole conversation as token ids, with every answer learned behind exactly what the model is asked with.

    That is one example, unless the template shows earlier answers otherwise than it asks for them (Qwen 3 takes the block of thoughts
    out of them). Then each answer is an example of its own, behind the conversation as it stands when that answer is asked for.

    Args:
        tokenizer: the model's, with a chat template.
        messages: system (optional), user, assistant, user, …; the last one is the assistant's.

    Raises:
        UserError: the model's template cannot render the conversation, renders an answer differently from how it asks for it,
            or does not end an answer with a special token.
    """
    messages = fitted(tokenizer, messages)
    positions = [position for position, message in enumerate(messages) if message["role"] == "assistant"]
    if whole := example(tokenizer, messages, positions):
        return [whole]
    examples = [example(tokenizer, messages[: position + 1], [position]) for position in positions]
    if None in examples:
        raise UserError(
            f"model.name_or_path={tokenizer.name_or_path}: its chat template renders an answer differently from the prompt that asks "
            "for it, so a loss on answers alone cannot be taken; choose another one with model.chat_template"
        )
    return [made for made in examples if made]


def example(tokenizer: "PreTrainedTokenizerBase", messages: list[Message], positions: list[int]) -> Example | None:
    """Messages with the answers at some positions learned; None where one of them does not follow what asks for it."""
    text = render(tokenizer, messages)
    encoded = encode(tokenizer, text)
    ids = list(encoded["input_ids"])
    answers = []
    for position in positions:
        start = tokens_of(tokenizer, text, encoded, render(tokenizer, messages[:position], answer_next=True))
        stop: int | None = len(ids)
        if position < len(messages) - 1:
            # White space at a text's end may give other tokens than before a next turn, and is not learned.
            stop = tokens_of(tokenizer, text, encoded, render(tokenizer, messages[: position + 1]).rstrip())
        if start is None or stop is None:
            return None
        answers.append((start, end_of_turn(tokenizer, ids, start, stop)))
    return Example(ids, answers)


def tokens_of(tokenizer: "PreTrainedTokenizerBase", text: str, encoded: "BatchEncoding", beginning: str) -> int | None:
    """How many tokens of a text its beginning takes; None if it is no beginning, or if it gives other tokens when it stands alone.

    Tokenizers cut a text at special tokens and treat what lies between on its own. So only what follows the last special token of the
    beginning can turn out differently, and that is most often a role header: its tokens are looked up rather than made again.
    """
    if not text.startswith(beginning):
        return None
    ids = encoded["input_ids"]
    last, tail = -1, ""
    if encoded.is_fast:
        last, end = last_special(tokenizer, encoded, len(beginning))
        tail = beginning[end:]
    remembered = tails(tokenizer, len(tokenizer))
    if last >= 0 and tail in remembered and ids[last + 1 : last + 1 + len(remembered[tail])] == remembered[tail]:
        return last + 1 + len(remembered[tail])
    alone = encode(tokenizer, beginning)["input_ids"]
    if ids[: len(alone)] != alone:
        return None
    if last >= 0 and len(tail) <= LONGEST_TAIL:
        remembered[tail] = alone[last + 1 :]
    return len(alone)


def last_special(tokenizer: "PreTrainedTokenizerBase", encoded: "BatchEncoding", stop: int) -> tuple[int, int]:
    """(position, end in characters) of the last special token within a text's first `stop` characters; (-1, 0) if there is none."""
    ids, special = encoded["input_ids"], special_ids(tokenizer, len(tokenizer))
    for position in range(len(ids) - 1, -1, -1):
        if ids[position] in special:
            place = encoded.token_to_chars(position)
            if place is not None and place.end <= stop:
                return position, place.end
    return -1, 0


@lru_cache(maxsize=8)
def tails(tokenizer: "PreTrainedTokenizerBase", size: int) -> dict[str, list[int]]:
    """What has followed a special token, with its tokens, for a tokenizer with `size` tokens; `tokens_of` fills it."""
    return {}


def answer_end(tokenizer: "PreTrainedTokenizerBase") -> int:
    """Id of the token that ends an answer under the tokenizer's chat template; raises UserError as `training_examples` does."""
    made = training_examples(tokenizer, [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}])[0]
    return made.ids[made.answers[0][1] - 1]


def stop_at_answer_end(generation_config: "GenerationConfig", tokenizer: "PreTrainedTokenizerBase") -> None:
    """Make generation stop at the token that ends an answer in training, beside those that the base stops at.

    Otherwise a model that has learned another template than its base's would end its answers and be made to go on. A template that
    cannot be trained with changes nothing.
    """
    try:
        end = answer_end(tokenizer)
    except UserError:
        return
    known = generation_config.eos_token_id
    ends = known if isinstance(known, list) else [] if known is None else [known]
    if end not in ends:
        generation_config.eos_token_id = [*ends, end] if ends else end
    if generation_config.pad_token_id is None:
        generation_config.pad_token_id = tokenizer.pad_token_id


def end_of_turn(tokenizer: "PreTrainedTokenizerBase", ids: list[int], start: int, stop: int) -> int:
    """The position after the first of the special tokens that ids[start:stop] ends with, among which there may be white space: templates
    put a line end behind the end of a turn, and Phi 3's the end of text behind the last one."""
    special, end = special_ids(tokenizer, len(tokenizer)), None
    for position in range(stop - 1, start - 1, -1):
        if ids[position] in special:
            end = position + 1
        elif not is_blank(tokenizer, ids[position]):
            break
    if end is None:
        raise UserError(
            f"model.name_or_path={tokenizer.name_or_path}: its chat template ends an answer with no special token of its tokenizer, so the "
            "model would never learn to stop; choose another one with model.chat_template, such as plain"
        )
    return end


@lru_cache(maxsize=4096)
def is_blank(tokenizer: "PreTrainedTokenizerBase", token: int) -> bool:
    """Whether a token is white space."""
    return not str(tokenizer.decode([token])).strip()


@lru_cache(maxsize=8)
def special_ids(tokenizer: "PreTrainedTokenizerBase", size: int) -> frozenset[int]:
    """Ids of all special tokens of a tokenizer with `size` tokens."""
    added = (number for number, token in tokenizer.added_tokens_decoder.items() if token.special)
    return frozenset(tokenizer.all_special_ids).union(added)


def fitted(tokenizer: "PreTrainedTokenizerBase", messages: list[Message]) -> list[Message]:
    """Messages without outer white space and special tokens, as templates can take them: a system message that the template would drop,
    move or refuse goes to the start of the first user message."""
    messages = [{"role": message["role"], "content": as_ordinary_text(tokenizer, message["content"].strip())} for message in messages]
    if messages[0]["role"] != "system" or takes_system(tokenizer, str(tokenizer.chat_template)):
        return messages
    system, user, *rest = messages
    return [{"role": "user", "content": f"{system['content']}\n\n{user['content']}".strip()}, *rest]


def as_ordinary_text(tokenizer: "PreTrainedTokenizerBase", text: str) -> str:
    """A text with a space behind the first character of whatever spells a special token: `<|im_end|>` in a report becomes `< |im_end|>`.

    Tokenizers would else read it as the token itself, and so take a report's words for the end of a turn or the start of another. A
    space is kept by every tokenizer, where signs that nobody sees are unknown to some and dropped by others.
    """
    return spellings(tokenizer, len(tokenizer)).sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)


@lru_cache(maxsize=8)
def spellings(tokenizer: "PreTrainedTokenizerBase", size: int) -> re.Pattern[str]:
    """What spells a special token of a tokenizer with `size` tokens, the longest first; single characters are left alone."""
    texts = (str(tokenizer.convert_ids_to_tokens(number)).strip() for number in special_ids(tokenizer, size))
    split = sorted({text for text in texts if len(text) > 1}, key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, split)) or r"(?!)")


@lru_cache(maxsize=8)
def takes_system(tokenizer: "PreTrainedTokenizerBase", template: str) -> bool:
    """Whether a system message stands before the first question, and stays there when the second one is asked."""
    from jinja2 import TemplateError

    talk = [("system", "Qxa."), ("user", "Qxb."), ("assistant", "Qxc."), ("user", "Qxd.")]
    messages = [{"role": role, "content": content} for role, content in talk]
    try:
        asked, asked_again = (
            str(tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True, **TEMPLATE_SETTINGS))
            for asked in (messages[:2], messages)
        )
    except TemplateError:
        return False
    opening = asked.partition("Qxb.")[0]
    return "Qxa." in opening and asked_again.partition("Qxb.")[0] == opening


def render(tokenizer: "PreTrainedTokenizerBase", messages: list[Message], answer_next: bool = False) -> str:
    """The text of messages under the chat template; raises UserError where that refuses them."""
    from jinja2 import TemplateError

    try:
        return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=answer_next, **TEMPLATE_SETTINGS))
    except TemplateError as error:
        raise UserError(
            f"model.name_or_path={tokenizer.name_or_path}: its chat template refuses the conversation ({error}); choose another one with "
            "model.chat_template"
        ) from None


def encode(tokenizer: "PreTrainedTokenizerBase", text: str) -> "BatchEncoding":
    """Token ids of a rendered text, which has its special tokens in it, as `apply_chat_template` makes them."""
    return tokenizer(text, add_special_tokens=False)
