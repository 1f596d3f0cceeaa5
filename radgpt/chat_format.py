"""Render chat messages to token ids, in one way for training, prediction and chat.

The model's own chat template does the rendering. Whatever the template, what stands before an answer in training is
token by token what stands before it when the model is asked: `training_ids` checks that.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

from radgpt.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = dict[str, str]
"""`{"role": system|user|assistant, "content": …}`."""

TEMPLATE_DATE = "26 Jul 2024"
"""Llama 3's templates write a date: the default of the 3.1 one, where later ones would write today's."""


def prompt_ids(tokenizer: "PreTrainedTokenizerBase", messages: list[Message]) -> list[int]:
    """Token ids of a conversation up to where the assistant's answer begins.

    Args:
        tokenizer: the model's, with a chat template.
        messages: system (optional), user, assistant, user, …; the last one is the user's.

    Raises:
        UserError: the model's template cannot render the conversation.
    """
    return render(tokenizer, fitted(tokenizer, messages), answer_next=True)


def training_ids(tokenizer: "PreTrainedTokenizerBase", messages: list[Message]) -> tuple[list[int], list[int]]:
    """Token ids of a whole conversation, and which of them are learned.

    Args:
        tokenizer: the model's, with a chat template.
        messages: system (optional), user, assistant, user, …; the last one is the assistant's.

    Returns:
        (ids, mask), of equal length. The mask is 1 for the text of every assistant's turn and the token that ends it (so that
        the model learns to stop), and 0 for all else: system and user turns, role headers, and white space after the end.

    Raises:
        UserError: the model's template cannot render the conversation, renders an answer differently from how it asks for it,
            or does not end an answer with a special token.
    """
    messages = fitted(tokenizer, messages)
    ids = render(tokenizer, messages)
    mask = [0] * len(ids)
    for position, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = render(tokenizer, messages[:position], answer_next=True)
        after = ids if position == len(messages) - 1 else render(tokenizer, messages[: position + 1])
        if ids[: len(before)] != before or ids[: len(after)] != after:
            raise UserError(
                f"model.name_or_path={tokenizer.name_or_path}: its chat template renders an answer differently from the prompt "
                "that asks for it, so a loss on answers alone cannot be taken; choose another model"
            )
        end = end_of_turn(tokenizer, ids, len(before), len(after))
        mask[len(before) : end] = [1] * (end - len(before))
    return ids, mask


def end_of_turn(tokenizer: "PreTrainedTokenizerBase", ids: list[int], start: int, stop: int) -> int:
    """The position after the last special token of ids[start:stop]: templates may put white space behind it."""
    special = special_ids(tokenizer, len(tokenizer))
    for position in range(stop - 1, start - 1, -1):
        if ids[position] in special:
            return position + 1
    raise UserError(
        f"model.name_or_path={tokenizer.name_or_path}: its chat template ends an answer with no special token, so the model would "
        "never learn to stop; choose another model"
    )


@lru_cache(maxsize=8)
def special_ids(tokenizer: "PreTrainedTokenizerBase", size: int) -> frozenset[int]:
    """Ids of all special tokens of a tokenizer with `size` tokens."""
    added = (number for number, token in tokenizer.added_tokens_decoder.items() if token.special)
    return frozenset(tokenizer.all_special_ids).union(added)


def fitted(tokenizer: "PreTrainedTokenizerBase", messages: list[Message]) -> list[Message]:
    """Messages without outer white space, as templates can take them: a system message that the template would drop, move
    or refuse goes to the start of the first user message."""
    messages = [{"role": message["role"], "content": message["content"].strip()} for message in messages]
    if messages[0]["role"] != "system" or takes_system(tokenizer, str(tokenizer.chat_template)):
        return messages
    system, user, *rest = messages
    return [{"role": "user", "content": f"{system['content']}\n\n{user['content']}".strip()}, *rest]


@lru_cache(maxsize=8)
def takes_system(tokenizer: "PreTrainedTokenizerBase", template: str) -> bool:
    """Whether a system message stays in place, from the first question to the second."""
    from jinja2 import TemplateError

    talk = [("system", "Qxa."), ("user", "Qxb."), ("assistant", "Qxc."), ("user", "Qxd.")]
    messages = [{"role": role, "content": content} for role, content in talk]
    try:
        asked = tokenizer.apply_chat_template(messages[:2], tokenize=False, add_generation_prompt=True)
        answered = tokenizer.apply_chat_template(messages[:3], tokenize=False)
        asked_again = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except TemplateError:
        return False
    return "Qxa." in asked and answered.startswith(asked) and asked_again.startswith(answered)  # type: ignore[arg-type, union-attr]


def render(tokenizer: "PreTrainedTokenizerBase", messages: list[Message], answer_next: bool = False) -> list[int]:
    """Token ids of messages; raises UserError where the template refuses them."""
    from jinja2 import TemplateError

    try:
        return tokenizer.apply_chat_template(  # type: ignore[return-value]
            messages, tokenize=True, add_generation_prompt=answer_next, return_dict=False, date_string=TEMPLATE_DATE
        )
    except TemplateError as error:
        raise UserError(
            f"model.name_or_path={tokenizer.name_or_path}: its chat template refuses the conversation ({error}); choose another model"
        ) from None
