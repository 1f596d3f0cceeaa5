"""Rewrite a sentence of a report in plain words, keeping what it denies, its sides and its numbers."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

from radgpt.clinical.lay_terms import PLAIN_NOUNS, PLAIN_PHRASES, PlainNoun
from radgpt.clinical.lexicon import compiled
from radgpt.teacher.rules.reading import REMOVED

_LENGTH = r"\d+(?:\.\d+)? ?-?(?:mm|cm)"
_SIZE = r"tiny|trace|minimal|small|mild|moderate|moderately large|large|massive|severe|marked"
_SIDE = r"left(?:[- ]sided)?|right(?:[- ]sided)?|bilateral"
_DESCRIPTOR = (
    r"acute|chronic|old|new|recent|remote|healed|healing|focal|diffuse|patchy|streaky|linear|dense|vague|calcified|scattered"
    r"|multiple|several|few"
    r"|stable|unchanged|persistent|residual|subsegmental|increased|decreased|increasing|worsening|enlarging|early|visible"
    r"|definite|suspicious|lobar"
    r"|obvious|evident|discrete|displaced|nondisplaced|bandlike|platelike|confluent|loculated|superimposed|prominent|round"
    r"|rounded|underlying|tortuous|normal|visuali[sz]ed"
)
_AMOUNTS = {
    **dict.fromkeys(("tiny", "trace", "minimal"), "very small"),
    **dict.fromkeys(("small", "mild"), "small"),
    "moderate": "moderate",
    **dict.fromkeys(("large", "moderately large", "massive", "severe", "marked"), "large"),
}
_DROPPED = {"focal", "subsegmental", "lobar", "discrete"}
"""Descriptors that mean nothing to a lay reader."""

_SIDES = {"left": "the left lung", "right": "the right lung", "both": "both lungs", "bilateral": "both lungs", "": "the lungs"}

_VERB = compiled(
    r"is|are|was|were|has|have|had|appears?|remains?|demonstrates?|shows?|may|might|could|can|cannot|suggests?|represents?"
    r"|reveals?|measures?"
    r"|overl(?:ies|ie)|lies|contains?|extends?|projects?|terminates?|recommend\w*|consider|correlate|indicates?|compared|do"
    r"|does|continues?"
)
_SEEN = re.compile(
    r",? (?:(?:is|are) )?(?:clearly )?(?:seen|identified|noted|present|visuali[sz]ed|demonstrated|evident|appreciated|visible"
    r"|detected|observed)\.$"
)
_SUBJECTS = (
    r"heart size|heart|lungs|bones|windpipe|middle of the chest|rib cage|diaphragm|lower corners? of the lungs?"
    r"|blood-vessel pattern of the lungs"
    r"|outlines? of the (?:heart and middle of the chest|heart|middle of the chest)|heart and middle of the chest"
    r"|main artery of the body|lung volumes"
)
_BARE_STATE = re.compile(
    rf"^(?:the )?({_SUBJECTS}) ((?:\w+ly |otherwise |also )?(?:normal|clear|unchanged|in |enlarged|intact|over-filled|not fully"
    rf"|winding|well|broadly|within))",
    re.IGNORECASE,
)
_PLACE_FOLLOWS = re.compile(r"\b(?:in|at|within|of|involving|overlying|throughout|over|near)(?: the)? $", re.IGNORECASE)
_PLACE_LEADS = re.compile(
    r"(?: (?:is|are|seen|noted|present|identified|again|also)){0,3} (?:in|at|within|of|involving|overlying|throughout)\b", re.IGNORECASE
)
_PART_FOLLOWS = re.compile(
    r"(?:^|[,;] ?|\b(?:there is|there are|of|in|at|over|overlying|and|or|with|without|within|behind|near|to|for|the|show|shows"
    r"|demonstrates?|otherwise|both"
    r"|no|is|are|on|from|by|above|below|through) )$",
    re.IGNORECASE,
)
_PART_LEADS = re.compile(
    r"^(?:[.,;]|$| (?:is|are|was|were|appears?|remains?|and|or|in|of|at|with|without|within|has|have|demonstrates?|shows?"
    r"|normal|unchanged|stable|clear|intact|but"
    r"|unremarkable|which|on|enlarged|may|by|seen|noted|grossly|mildly|to)\b)",
    re.IGNORECASE,
)
"""What may stand before and after «the heart»: anything else means that it is part of a longer term."""
_JARGON = compiled(
    r"\w*(?:hilar|hilum|hila|phrenic|silhouette|parenchym\w*|interstitial|interstitium|vasculature|vascularity|basilar|apical"
    r"|lingula\w*|lobar|lobes?|alveolar)"
    r"|\w*(?:medi|caud|cephal|anter|poster)i?ad|carina|cavoatrial|atri(?:um|al)|ventricle|spondyl\w*|retro\w+|peri\w+|para\w+"
    r"|supra\w+|infra\w+|sub\w+al"
    r"|apices|apex|kyphotic|lordotic|bronch\w+|aerat\w+|hypo\w+|hyper\w+|sulc\w+|granulomat\w+|opacification|consolidat\w+"
    r"|pneumo\w+|pleural?|(?-i:[A-Z]{2,}|[A-Z]-\w+|(?<=\w )The)"
    r"|eventration|effusions?|thor\w+|pectus|humer\w+|acromio\w+|costo\w+|fissures?|ectasia|recess\w*|zone|azygos|venous"
    r"|markings|cephalization|excavatum"
    r"|question\w*|cannot|consider\w*|correlat\w+|recommend\w*|distal|proximal|bullous|interposition|redemonstrat\w+|(?:upper"
    r"|mid|middle|lower) and"
    r"|azygous|cava|jugular|subclavian|catheter|fus\w+|endplate|osseous|etiolog\w+|differential|\w+megaly|\w+itis|\w+osis"
    r"|compatible|projection"
)
_NEGATIONS = compiled(r"no|not|without|negative for|free of|clear of|nor|neither|cannot|none")


def plain_language(sentence: str) -> str:
    """The sentence in plain words; jargon that the lexicon does not hold stays.

    >>> plain_language("No acute cardiopulmonary abnormality.")
    'The image shows no new heart or lung problem.'
    >>> plain_language("Small left pleural effusion.")
    'The image shows a small amount of fluid around the left lung.'
    """
    return _rewritten(sentence).text


def explainable(sentence: str) -> str | None:
    """The plain sentence, or None where it would be wrong, incomplete or no different.

    Incomplete is a rewriting that still holds jargon; wrong is one that has other sides, numbers or denials than the sentence.
    """
    if REMOVED.search(sentence) or len(sentence.split()) > 25 or re.search(r"[?():\[]", sentence):
        return None
    plain = _rewritten(sentence)
    same = all(measure(sentence) == measure(plain.text) for measure in (_side_count, _denials, _numbers))
    changed = _words(plain.text) - _words(sentence) - {"the", "image", "shows", "a", "an", "is", "are"}
    return plain.text if plain.sound and same and changed and not _JARGON.search(plain.text) else None


@dataclass
class _Rewriting:
    """A sentence on its way into plain words."""

    text: str
    """⟦n⟧ stands for the n-th place, ⟪n⟫ for the n-th noun: later patterns must not match inside plain words."""
    places: list[tuple[str, str]] = field(default_factory=list)
    """Preposition and plain words."""
    nouns: list[str] = field(default_factory=list)
    sound: bool = True
    """False once words were found that the rewriting has no grammar for."""


def _rewritten(sentence: str) -> _Rewriting:
    sentence = re.sub("[⟦⟧⟪⟫]", "", sentence)
    draft = _Rewriting(sentence.capitalize() if sentence == sentence.upper() else sentence)
    _mark_places(draft)
    for noun, pattern in _noun_patterns():
        draft.text = pattern.sub(_rewriter(noun, draft), draft.text)
    text = _plain_phrases(draft.text)
    draft.sound &= "⟫ ⟪" not in text and all(
        _PLACE_FOLLOWS.search(text[: match.start()]) and _PART_LEADS.search(text[match.end() :]) for match in re.finditer(r"⟦\d+⟧", text)
    )
    text = re.sub(r"⟪(\d+)⟫", lambda match: draft.nouns[int(match.group(1))], text)
    text = re.sub(r"(?:\b[Tt]he )?⟦(\d+)⟧", lambda match: draft.places[int(match.group(1))][1], text)
    text = re.sub(r"\bin (the (?:bottom|top) of)\b", r"at \1", text)
    text = re.sub(r"\b([Aa]n?) (?=\w)", _right_article, text)
    draft.text = _frame(text)
    draft.sound &= not re.search(r"\b(\w+) and \1\b", draft.text)
    return draft


def _denials(text: str) -> int:
    return len(_NEGATIONS.findall(text))


def _numbers(text: str) -> list[str]:
    return re.findall(r"\d+", text)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def _side_count(text: str) -> tuple[int, int, int]:
    found = re.findall(r"\b(?:(left)|(right)|(both|bilateral(?:ly)?|bibasilar|biapical))\b", text, flags=re.IGNORECASE)
    return sum(bool(left) for left, _, _ in found), sum(bool(right) for _, right, _ in found), sum(bool(both) for _, _, both in found)


@cache
def _noun_patterns() -> list[tuple[PlainNoun, re.Pattern[str]]]:
    modifier = rf"(?:{_LENGTH}|{_SIZE}|{_SIDE}|{_DESCRIPTOR}|⟦\d+⟧)"
    return [
        (
            noun,
            compiled(
                rf"(?P<article>(?:(?:an? )?area of|areas of|an?|the|both) )?(?P<modifiers>(?:{modifier},? ){{0,8}})(?P<head>{noun.pattern})"
            ),
        )
        for noun in PLAIN_NOUNS
    ]


@cache
def _phrase_patterns() -> list[tuple[re.Pattern[str], str]]:
    return [(compiled(pattern), plain) for pattern, plain in PLAIN_PHRASES]


def _plain_phrases(text: str) -> str:
    for pattern, plain in _phrase_patterns():
        text = pattern.sub(plain, text)
    return text


def _mark_places(draft: _Rewriting) -> None:
    """Put ⟦n⟧ for each place in the chest that the text names."""
    for part, preposition, pattern in _place_patterns():

        def put(match: re.Match[str], part: str = part, preposition: str = preposition) -> str:
            if part == "the heart":
                draft.places.append((preposition, part))
            else:
                side = "both" if match.group().lower().startswith(("bib", "bia")) else (match.group("side") or "").lower()
                draft.places.append((preposition, f"the {part} of {_SIDES[side]}"))
            return f"⟦{len(draft.places) - 1}⟧"

        draft.text = pattern.sub(put, draft.text)


@cache
def _place_patterns() -> list[tuple[str, str, re.Pattern[str]]]:
    side = r"(?:(?P<side>left|right|both|bilateral) )?"
    return [
        ("upper part", "in", compiled(rf"{side}upper (?:lung )?(?:lobes?|lungs?|zones?)")),
        ("lower part", "in", compiled(rf"{side}lower (?:lung )?(?:lobes?|lungs?|zones?)")),
        ("middle part", "in", compiled(rf"{side}(?:mid(?:dle)?[ -](?:lung )?(?:lobes?|lungs?|zones?)|midlungs?)")),
        ("bottom", "at", compiled(rf"{side}(?:(?:lung )?(?:bases?|basal|basilar)|bibasilar)")),
        ("top", "at", compiled(rf"{side}(?:(?:lung )?(?:apex|apices|apical)|biapical)")),
        ("the heart", "behind", compiled(r"retrocardiac")),
    ]


def _rewriter(noun: PlainNoun, draft: _Rewriting) -> Callable[[re.Match[str]], str]:
    """Put ⟪n⟫ for one noun with the words before it, «small left pleural effusion» as a whole."""

    def rewrite(match: re.Match[str]) -> str:
        before, after = match.string[: match.start()], match.string[match.end() :]
        article = (match.group("article") or "").strip().lower()
        size, adjectives, place, side = _read_modifiers(match.group("modifiers"), draft.places)
        side = "both" if article == "both" else side
        spelt = match.group("head").lower()
        plural = noun.plural is not None and (article == "areas of" or (spelt.endswith("s") and not spelt.endswith(("sis", "ss"))))
        head = noun.plural if plural and noun.plural is not None else noun.plain
        tail = ""
        if noun.kind == "part":
            draft.sound &= bool(_PART_FOLLOWS.search(before) and _PART_LEADS.search(after))
            adjectives = [side, *adjectives]
        elif "{lung}" in head and place is not None and place[0] != "behind":
            head = head.replace("{lung}", place[1])
        elif "{lung}" in head and place is None and (side or not _PLACE_LEADS.match(after)):
            head = head.replace("{lung}", _SIDES[side])
        else:
            head = re.sub(r" (?:in|around) \{lung\}", "", head)
            tail = f" {place[0]} {place[1]}" if place else {"both": " on both sides", "": ""}.get(side, f" on the {side}")
        if noun.kind == "amount" and size and size[0].isdigit():
            words = ["a", size, "pocket of", *adjectives]
        elif noun.kind == "amount" and size:
            words = ["" if _NEGATIONS.search(before) else "a", _AMOUNTS[size], "amount of", *adjectives]
        elif noun.kind == "part" or article == "the":
            words = ["the", size, *adjectives]
        elif noun.kind == "count" and not plural and (article.startswith("a") or before.lower() in ("", "there is ")):
            words = ["a", size, *adjectives]
        else:
            words = [size, *adjectives]
        draft.nouns.append(" ".join(word for word in (*words, head) if word) + tail)
        return f"⟪{len(draft.nouns) - 1}⟫"

    return rewrite


def _read_modifiers(modifiers: str, places: list[tuple[str, str]]) -> tuple[str, list[str], tuple[str, str] | None, str]:
    """Size, adjectives in plain words, place and side (`left`, `right`, `both` or nothing) among the words before a noun."""
    size, side, place, adjectives = "", "", None, []
    for word in re.findall(rf"{_LENGTH}|{_SIDE}|⟦\d+⟧|moderately large|[\w-]+", modifiers.lower()):
        if word.startswith("⟦"):
            place = places[int(word[1:-1])]
        elif re.fullmatch(_SIDE, word):
            side = "both" if word == "bilateral" else re.split("[- ]", word)[0]
        elif re.fullmatch(rf"{_SIZE}|{_LENGTH}", word):
            size = word
        elif word not in _DROPPED:
            adjectives.append(_plain_phrases(word))
    return size, adjectives, place, side


def _right_article(match: re.Match[str]) -> str:
    following = match.string[match.end() : match.end() + 1].lower()
    article = "an" if following in "aeiou" else "a"
    return f"{article.capitalize() if match.group(1)[0].isupper() else article} "


def _frame(text: str) -> str:
    """Make a whole sentence of a telegraphic one."""
    told = re.sub(r"^there (?:is|are|was|were) ", "", text, flags=re.IGNORECASE)
    if told != text or re.match(r"no ", told, re.IGNORECASE):
        told = _SEEN.sub(".", told)
    bare = _BARE_STATE.match(told)
    if bare:
        told = f"the {bare.group(1).lower()} {'are' if _is_plural(bare.group(1)) else 'is'} {told[bare.start(2) :]}"
    elif told != text or not _VERB.search(told):
        told = f"the image shows {told[:1].lower()}{told[1:]}"
    told = re.sub(r"\b(?:the )+the\b", "the", told, flags=re.IGNORECASE)
    return f"{told[:1].upper()}{told[1:]}"


def _is_plural(subject: str) -> bool:
    return subject.lower().startswith(("lungs", "bones", "outlines", "lower corners", "lung volumes", "heart and"))
