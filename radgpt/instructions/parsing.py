"""Cut the wrapping from a teacher's reply: numbering, labels, quotes, chat tags and remarks around the text that was asked for."""

import re
from collections.abc import Iterator

_END_OF_TURN = re.compile(r"<\|(?:im_end|eot_id|end|endoftext|end_of_text|eom_id)\|>|<end_of_turn>|</s>|<｜end▁of▁sentence｜>")
_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL)
_CHAT_TAG = re.compile(
    r"<\|(?:im_start|start_header_id)\|>\s*(?:assistant|model)?|<\|end_header_id\|>|<\|(?:assistant|begin_of_text)\|>"
    r"|<start_of_turn>\s*(?:model)?|</?s>|\[/?INST\]|<</?SYS>>|</?think(?:ing)?>|<\|[a-z_]{1,30}\|>"
)
"""Tags of the chat templates of Llama 2 and 3, ChatML, Gemma, Phi and Zephyr, which small models write out."""
_FENCE = re.compile(r"^\s*```\w*\s*$", re.MULTILINE)
_SPACE = re.compile(r"[ \t\u00a0]+")
_REMARK = re.compile(
    r"(?:sure|certainly|of course|okay|ok|great|absolutely|here(?:'s|’s| is| are)|below (?:is|are)|based on (?:the|this) report)\b"
    r"[^?\n]*[:!.]",
    re.IGNORECASE,
)
_REMARK_BEFORE = re.compile(
    r"(?:(?:sure|certainly|of course|okay|ok)[,!.]\s*)*here(?:'s|’s| is| are)\b[^?\n:]*\b(?:question|instruction|task|one|example)s?\b"
    r"[^?\n:]*:\s+(?=\S)",
    re.IGNORECASE,
)
_BULLET = re.compile(r"(?:[-*•–]\s+|\(?\d{1,2}[.):]\s+|#+\s+)")
_NUMBER = re.compile(r"(?:\(?\d{1,2}[.):]\s+|#+\s+)")
_SECOND = re.compile(r"\(?2[.):]\s")
_NUMBER_WITHIN = re.compile(r"(?<=[?.!\"”]) (?=\(?\d{1,2}[.)] \S)|(?<=[?.!]\"), (?=\")")
"""Where a list that stands on one line goes on."""
_JSON_BRACKETS = re.compile(r"\A\[(?=\")|(?<=\")\]\Z")
_INSTRUCTION_LABEL = re.compile(
    r"\**(?:(?:new|example|generated|first|second|third|follow-?up|the|a) )?"
    r"(?:question|instruction|task|prompt|query|q|turn|user|human|doctor|physician|clinician(?: (?:could |might |may )?(?:asks?|says?),?)?)"
    r"(?: ?#?\d+)?(?: \([^)\n]{0,30}\))?\**\s*(?:[:.]\**\s*|(?<=s,)\s+|(?=\Z))",
    re.IGNORECASE,
)
_ANSWER_LABEL = re.compile(r"\**(?:(?:final )?answer|response|reply|output|reworded text|summary|a)\**\s*:\**\s*", re.IGNORECASE)
_ANSWER_LINE = re.compile(r"\**(?:(?:expected |final )?answer|response|reply|assistant|a)(?: ?#?\d+)?\**\s*:", re.IGNORECASE)
_NEXT_LABEL = re.compile(r"\n?\s*\**(?:(?:expected )?answer|response|a)(?: ?#?\d+)?\**\s*:.*", re.IGNORECASE | re.DOTALL)
_TALKS_ON = re.compile(r"\n\s*\**(?:question|instruction|user|human)(?: ?#?\d+)?\**\s*:.*", re.IGNORECASE | re.DOTALL)
"""A model that goes on with a question of its own after its answer."""
_QUOTES = {'"': '"', "'": "'", "“": "”", "«": "»", "‘": "’", "`": "`"}


def parse_instruction(reply: str) -> str:
    """The one instruction in a reply, on one line; the first where the teacher wrote a list. Empty if there is none.

    >>> parse_instruction('Sure, here is one:\\n1. **Question:** "Is there a pneumothorax?"\\n2. Is there an effusion?')
    'Is there a pneumothorax?'
    """
    return next(_instructions(_lines(reply)), "")


def parse_turns(reply: str, turns: int) -> list[str]:
    """The questions of a conversation in a reply, each on one line, at most so many; answers and remarks between them are left out.

    Where some lines are numbered or labelled, or else bulleted, only those are questions, and what follows «Question 2:» on the next line.

    >>> parse_turns('Here they are:\\n1. Is there an effusion?\\nAnswer: Yes.\\n2. On which side?\\nI hope this helps.', 3)
    ['Is there an effusion?', 'On which side?']
    """
    if turns == 1:
        return [text] if (text := parse_instruction(reply)) else []
    lines = [part for line in _lines(reply) for part in _NUMBER_WITHIN.split(line)]
    opens = next((way for way in (_numbered, _bulleted) if any(map(way, lines))), None)
    found: list[str] = []
    # A prompt's last words may stand for the first number.
    awaited = opens is None or bool(_SECOND.match(next(line for line in lines if opens(line))))
    while lines and len(found) < turns:
        line, rest = lines[0], lines[1:]
        if _ANSWER_LINE.match(_without_bullet(line)):
            awaited = opens is None
        elif awaited or (opens is not None and opens(line)):
            text = next(_instructions([line]), "")
            if text.endswith(":") and rest and not (opens and opens(rest[0])):
                text, rest = next(_instructions(lines[:2]), ""), rest[1:]
            found += [text] if text else []
            awaited = opens is None or not text
        lines = rest
    return found


def parse_answer(reply: str) -> str:
    """The answer in a reply, its line breaks kept; empty if there is none.

    >>> parse_answer('**Answer:** "No effusion."')
    'No effusion.'
    """
    text = _tidy(reply)
    first, _, rest = text.partition("\n")
    if rest and _REMARK.fullmatch(first) and first.endswith(":"):
        text = rest.strip()
    text = _ANSWER_LABEL.sub("", text, count=1) if _ANSWER_LABEL.match(text) else text
    return _unquoted(_TALKS_ON.sub("", text))


def _instructions(lines: list[str]) -> Iterator[str]:
    """The instructions of a reply's lines, unwrapped; one that ends in a colon takes the next line with it."""
    while lines:
        line, lines = _peel(lines[0]), lines[1:]
        if not line or _REMARK.fullmatch(line):
            continue
        line = _NEXT_LABEL.sub("", line) if "?" in line else line
        if line.endswith(":") and lines:
            line = f"{line} {_without_bullet(lines[0])}"
            lines = lines[1:]
        if line := _unquoted(line):
            yield line


def _numbered(line: str) -> bool:
    """Whether a line says by a number or a label that an instruction begins."""
    return bool(_NUMBER.match(line) or _INSTRUCTION_LABEL.match(_without_bullet(line)))


def _without_bullet(line: str) -> str:
    match = _BULLET.match(line)
    return line[match.end() :] if match else line


def _bulleted(line: str) -> bool:
    return bool(_BULLET.match(line))


def _lines(reply: str) -> list[str]:
    """The lines of a reply that hold a word, without the brackets of a JSON list around them."""
    lines = (_JSON_BRACKETS.sub("", line) for line in _tidy(reply).split("\n"))
    return [line for line in lines if re.search(r"\w", line)]


def _tidy(reply: str) -> str:
    """The reply without what belongs to the chat rather than to the text."""
    text = _THOUGHT.sub("", re.sub(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", "\n", reply))
    turn = next((part for part in _END_OF_TURN.split(text) if part.strip()), "")
    text = _SPACE.sub(" ", _FENCE.sub("", _CHAT_TAG.sub("", turn)))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in text.split("\n"))).strip()


def _peel(line: str) -> str:
    """The line without the remarks, bullets, numbers and labels before it and the marks around it."""
    while True:
        inner = line
        for wrapping in (_BULLET, _INSTRUCTION_LABEL, _REMARK_BEFORE):
            match = wrapping.match(inner)
            inner = inner[match.end() :] if match else inner
        inner = _unquoted(inner)
        if inner == line:
            return line
        line = inner


def _unquoted(text: str) -> str:
    """The text without quotes, emphasis or a list's comma that embrace or end the whole of it."""
    text = text.strip()
    if len(text) > 3 and text[0] in _QUOTES and text[-1] == "," and text[-2] == _QUOTES[text[0]]:
        text = text[:-1]
    for mark in ("**", "*", "_"):
        inner = text[len(mark) : -len(mark)]
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark) and mark not in inner and inner.strip():
            text = inner.strip()
    closing = _QUOTES.get(text[:1])
    inner = text[1:-1]
    if closing and len(text) > 2 and text.endswith(closing) and closing not in inner and text[0] not in inner:
        return inner.strip()
    return text
