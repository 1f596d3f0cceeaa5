"""Cut the wrapping from a teacher's reply: numbering, labels, quotes and remarks around the one text that was asked for."""

import re

_FENCE = re.compile(r"^\s*```\w*\s*$", re.MULTILINE)
_SPACE = re.compile(r"[ \t\u00a0]+")
_REMARK = re.compile(
    r"(?:sure|certainly|of course|okay|ok|great|absolutely|here(?:'s| is| are)|below (?:is|are))\b[^?\n]*[:!.]", re.IGNORECASE
)
_BULLET = re.compile(r"(?:[-*•–]\s+|\(?\d{1,2}[.):]\s+|#+\s+)")
_INSTRUCTION_LABEL = re.compile(
    r"\**(?:(?:new|example|generated) )?(?:question|instruction|task|prompt|query|q)(?: ?#?\d+)?\**\s*[:.]\**\s*", re.IGNORECASE
)
_ANSWER_LABEL = re.compile(r"\**(?:(?:final )?answer|response|reply|output|a)\**\s*:\**\s*", re.IGNORECASE)
_NEXT_LABEL = re.compile(r"\n?\s*\**(?:answer|response|a)\**\s*:.*", re.IGNORECASE | re.DOTALL)
_QUOTES = {'"': '"', "'": "'", "“": "”", "«": "»", "‘": "’", "`": "`"}


def parse_instruction(reply: str) -> str:
    """The one instruction in a reply, on one line; the first where the teacher wrote a list. Empty if there is none.

    >>> parse_instruction('Sure, here is one:\\n1. **Question:** "Is there a pneumothorax?"\\n2. Is there an effusion?')
    'Is there a pneumothorax?'
    """
    lines = [line for line in _tidy(reply).split("\n") if line]
    while lines:
        line, lines = _peel(lines[0], _INSTRUCTION_LABEL), lines[1:]
        if not line or _REMARK.fullmatch(line):
            continue
        line = _NEXT_LABEL.sub("", line) if "?" in line else line
        if line.endswith(":") and lines:
            line = f"{line} {_BULLET.sub('', lines[0], count=1)}"
        return _unquoted(line)
    return ""


def parse_answer(reply: str) -> str:
    """The answer in a reply, its line breaks kept; empty if there is none.

    >>> parse_answer('**Answer:** "No effusion."')
    'No effusion.'
    """
    text = _tidy(reply)
    first, _, rest = text.partition("\n")
    if rest and _REMARK.fullmatch(first) and first.endswith(":"):
        text = rest.strip()
    return _unquoted(_ANSWER_LABEL.sub("", text, count=1) if _ANSWER_LABEL.match(text) else text)


def _tidy(reply: str) -> str:
    text = _SPACE.sub(" ", _FENCE.sub("", reply.replace("\r\n", "\n")))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.strip() for line in text.split("\n"))).strip()


def _peel(line: str, label: re.Pattern[str]) -> str:
    """The line without the bullets, numbers and labels before it and the bold marks around it."""
    while True:
        inner = line
        for wrapping in (_BULLET, label):
            match = wrapping.match(inner)
            inner = inner[match.end() :] if match else inner
        inner = _unquoted(inner)
        if inner == line:
            return line
        line = inner


def _unquoted(text: str) -> str:
    """The text without quotes or bold marks that embrace the whole of it."""
    text = text.strip()
    if len(text) > 4 and text.startswith("**") and text.endswith("**") and "**" not in text[2:-2]:
        text = text[2:-2].strip()
    closing = _QUOTES.get(text[:1])
    inner = text[1:-1]
    if closing and len(text) > 2 and text.endswith(closing) and closing not in inner and text[0] not in inner:
        return inner.strip()
    return text
