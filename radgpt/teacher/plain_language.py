"""Rewrite a sentence of a report in plain words, keeping what it denies, its sides and its numbers."""

import re
from collections.abc import Callable
from functools import cache

from radgpt.teacher.lexicon import PLAIN_NOUNS, PLAIN_PHRASES, PlainNoun, compiled
from radgpt.teacher.reading import REMOVED

_SIZE = r"tiny|trace|minimal|small|mild|moderate|moderately large|large|massive|severe|marked"
_SIDE = r"left(?:[- ]sided)?|right(?:[- ]sided)?|bilateral"
_DESCRIPTOR = (
    r"acute|chronic|old|new|recent|remote|healed|healing|focal|diffuse|patchy|streaky|linear|dense|vague|calcified|scattered|multiple|several|few"
    r"|stable|unchanged|persistent|residual|subsegmental|increased|decreased|increasing|worsening|enlarging|early|visible|definite|suspicious|lobar"
    r"|obvious|evident|discrete|displaced|nondisplaced|bandlike|platelike|confluent|loculated|superimposed|prominent|round|rounded|underlying|tortuous"
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
    r"is|are|was|were|has|have|had|appears?|remains?|demonstrates?|shows?|may|might|could|can|cannot|suggests?|represents?|reveals?|measures?"
    r"|overl(?:ies|ie)|lies|contains?|extends?|projects?|terminates?|recommend\w*|consider|correlate|indicates?|compared|do|does|continues?"
)
_SEEN = re.compile(r",? (?:(?:is|are) )?(?:clearly )?(?:seen|identified|noted|present|visuali[sz]ed|demonstrated|evident|appreciated|visible|detected|observed)\.$")
_SUBJECTS = (
    r"heart size|heart|lungs|bones|windpipe|middle of the chest|rib cage|diaphragm|lower corners? of the lungs?|blood-vessel pattern of the lungs"
    r"|outlines? of the (?:heart and middle of the chest|heart|middle of the chest)|heart and middle of the chest|body's main artery|lung volumes"
)
_BARE_STATE = re.compile(
    rf"^(?:the )?({_SUBJECTS}) ((?:\w+ly |otherwise |also )?(?:normal|clear|unchanged|in |enlarged|intact|over-filled|not fully|winding|well|broadly|within))", re.IGNORECASE
)
_JARGON = compiled(
    r"\w*(?:hilar|hilum|hila|phrenic|silhouette|parenchym\w*|interstitial|interstitium|vasculature|vascularity|basilar|apical|lingula\w*|lobar|lobes?|alveolar)"
    r"|\w*(?:medi|caud|cephal|anter|poster)i?ad|carina|cavoatrial|atri(?:um|al)|ventricle|spondyl\w*|retro\w+|peri\w+|para\w+|supra\w+|infra\w+|sub\w+al"
    r"|apices|apex|kyphotic|lordotic|bronch\w+|aerat\w+|hypo\w+|hyper\w+|sulc\w+|granulomat\w+|opacification|consolidat\w+|pneumo\w+|pleural?|(?-i:[A-Z]{2,})"
    r"|eventration|effusions?|thor\w+|pectus|humer\w+|acromio\w+|costo\w+|fissures?|ectasia|recess\w*|zone|azygos|venous|markings|cephalization|excavatum"
    r"|azygous|cava|jugular|subclavian|catheter|fus\w+|endplate|osseous|etiolog\w+|differential|\w+megaly|\w+itis|\w+osis|compatible|projection"
)
_NEGATIONS = compiled(r"no|not|without|negative for|free of|clear of|nor|neither|cannot|none")


def plain_language(sentence: str) -> str:
    """The sentence in plain words; jargon that the lexicon does not hold stays.

    >>> plain_language("No acute cardiopulmonary abnormality.")
    'The image shows no new heart or lung problem.'
    >>> plain_language("Small left pleural effusion.")
    'The image shows a small amount of fluid around the left lung.'
    """
    places: list[tuple[str, str]] = []
    nouns: list[str] = []
    text = _mark_places(sentence, places)
    for noun, pattern in _noun_patterns():
        text = pattern.sub(_rewriter(noun, places, nouns), text)
    text = _plain_phrases(text)
    text = re.sub(r"⟪(\d+)⟫", lambda match: nouns[int(match.group(1))], text)
    text = re.sub(r"(?:\b[Tt]he )?⟦(\d+)⟧", lambda match: places[int(match.group(1))][1], text)
    return _frame(re.sub(r"\b([Aa]n?) (?=\w)", _right_article, text))


def explainable(sentence: str) -> str | None:
    """The plain sentence, or None where it would be wrong, incomplete or no different.

    Incomplete is a rewriting that still holds jargon; wrong is one that has other sides, numbers or denials than the sentence.
    """
    if REMOVED.search(sentence) or len(sentence.split()) > 30 or "?" in sentence or "(" in sentence:
        return None
    plain = plain_language(sentence)
    same = all(
        measure(sentence) == measure(plain) for measure in (_side_count, lambda text: len(_NEGATIONS.findall(text)), lambda text: re.findall(r"\d+", text))
    )
    changed = _words(plain) - _words(sentence) - {"the", "image", "shows", "a", "an", "is", "are"}
    return plain if same and changed and not _JARGON.search(plain) else None


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def _side_count(text: str) -> tuple[int, int, int]:
    found = re.findall(r"\b(?:(left)|(right)|(both|bilateral(?:ly)?|bibasilar|biapical))\b", text, flags=re.IGNORECASE)
    return sum(bool(left) for left, _, _ in found), sum(bool(right) for _, right, _ in found), sum(bool(both) for _, _, both in found)


@cache
def _noun_patterns() -> list[tuple[PlainNoun, re.Pattern[str]]]:
    modifier = rf"(?:{_SIZE}|{_SIDE}|{_DESCRIPTOR}|⟦\d+⟧)"
    return [
        (noun, compiled(rf"(?P<article>(?:an?|the|both) )?(?P<modifiers>(?:{modifier},? )*)(?P<head>{noun.pattern})")) for noun in PLAIN_NOUNS
    ]


@cache
def _phrase_patterns() -> list[tuple[re.Pattern[str], str]]:
    return [(compiled(pattern), plain) for pattern, plain in PLAIN_PHRASES]


def _plain_phrases(text: str) -> str:
    for pattern, plain in _phrase_patterns():
        text = pattern.sub(plain, text)
    return text


def _mark_places(sentence: str, places: list[tuple[str, str]]) -> str:
    """Put ⟦n⟧ for each place in the chest; `places` takes (preposition, plain words)."""
    for part, preposition, pattern in _place_patterns():

        def put(match: re.Match[str], part: str = part, preposition: str = preposition) -> str:
            if part == "the heart":
                places.append((preposition, part))
            else:
                side = "both" if match.group().lower().startswith(("bib", "bia")) else (match.group("side") or "").lower()
                places.append((preposition, f"the {part} of {_SIDES[side]}"))
            return f"⟦{len(places) - 1}⟧"

        sentence = pattern.sub(put, sentence)
    return sentence


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


def _rewriter(noun: PlainNoun, places: list[tuple[str, str]], nouns: list[str]) -> Callable[[re.Match[str]], str]:
    """Put ⟪n⟫ for one noun with the words before it, «small left pleural effusion» as a whole; `nouns` takes its plain words.

    A mark, not the words: nouns that are tried later must not match inside plain words.
    """

    def rewrite(match: re.Match[str]) -> str:
        article = (match.group("article") or "").strip().lower()
        size, descriptors, where, side = "", [], None, "both" if article == "both" else ""
        for word in re.findall(rf"{_SIDE}|⟦\d+⟧|moderately large|[\w-]+", match.group("modifiers"), flags=re.IGNORECASE):
            lower = word.lower()
            if word.startswith("⟦"):
                where = places[int(word[1:-1])]
            elif re.fullmatch(_SIDE, lower):
                side = "both" if lower == "bilateral" else lower.split("-")[0].split()[0]
            elif re.fullmatch(_SIZE, lower):
                size = lower
            elif lower not in _DROPPED:
                descriptors.append(lower)
        followed = re.match(r"(?: (?:is|are|seen|noted|present|identified|again|also)){0,3} (?:in|at|within|of|involving|overlying|throughout)\b", match.string[match.end() :])
        plural = noun.plural is not None and match.group("head").lower().endswith(("s", "ies")) and not match.group("head").lower().endswith("sis")
        head = noun.plural if plural and noun.plural is not None else noun.plain
        tail = ""
        if "{lung}" in head and where is not None and where[0] != "behind":
            head = head.replace("{lung}", where[1])
        elif "{lung}" in head and where is None and (side or not followed):
            head = head.replace("{lung}", _SIDES[side])
        else:
            head = re.sub(r" (?:in|around) \{lung\}", "", head)
            tail = f" {where[0]} {where[1]}" if where else {"both": " on both sides", "": ""}.get(side, f" on the {side}")
        adjectives = [_plain_phrases(" ".join(descriptors))] if descriptors else []
        if noun.kind == "amount" and size:
            words = ["a", _AMOUNTS[size], "amount of", *adjectives]
        elif noun.kind == "part":
            words = ["the", *adjectives]
        else:
            words = [size, *adjectives]
            if article == "the" or (article in ("a", "an") and noun.kind == "count" and not plural):
                words.insert(0, article)
        nouns.append(" ".join(word for word in (*words, head) if word) + tail)
        return f"⟪{len(nouns) - 1}⟫"

    return rewrite


def _right_article(match: re.Match[str]) -> str:
    following = match.string[match.end() : match.end() + 1].lower()
    article = "an" if following in "aeiou" else "a"
    return f"{article.capitalize() if match.group(1)[0].isupper() else article} "


def _frame(text: str) -> str:
    """Make a whole sentence of a telegraphic one."""
    text = re.sub(r"^There (?:is|are|was|were) ", "", text)
    opened = text if text != text.upper() else text.capitalize()
    if re.match(r"(?:no|not|without) ", opened, re.IGNORECASE):
        opened = _SEEN.sub(".", opened)
    opened = _BARE_STATE.sub(lambda match: f"the {match.group(1)} {'are' if _is_plural(match.group(1)) else 'is'} {match.group(2)}", opened)
    if not _VERB.search(opened):
        opened = f"the image shows {opened[:1].lower()}{opened[1:]}"
    opened = re.sub(r"\bthe the\b", "the", opened, flags=re.IGNORECASE)
    return f"{opened[:1].upper()}{opened[1:]}"


def _is_plural(subject: str) -> bool:
    return subject.lower().startswith(("lungs", "bones", "outlines", "lower corners", "lung volumes", "heart and"))
