"""Say what a header such as `REASON FOR EXAM` opens, by the words that it is made of.

A header is a noun phrase: what stands before its first preposition decides (COMMUNICATION of findings), the last head word there
(EXAM technique), and strong head words go before weak ones (COMPARISON study). Every other word must be one that headers are known to
be made of, so that sentences are none. Words may be misspelt. The words stand in `header_words`.
"""

import re
from functools import lru_cache

from rapidfuzz.distance import OSA

from radgpt.reports.header_words import (
    ADVISED,
    COMMON,
    CONNECTORS,
    GENERIC,
    GUESSED,
    NO_QUALIFIERS,
    OF_ANOTHER_READ,
    OF_THE_PATIENT,
    PHRASES,
    PREPOSITIONS,
    QUALIFIERS,
    READS,
    REAL_WORDS,
    SIGNATURE,
    SIGNED,
    STRONG,
    STUDY,
    TAKEN,
    TELLING,
    TOLD,
    TOLD_TO,
    TRANSPARENT,
    WEAK,
)

START = "start"
"""Opens the final report."""
MERGED = "merged"
"""Findings and impression under one header."""
TITLE = "title"
"""The name of the study; what was seen may follow it."""
ORGAN = "organ"
"""A part of the body; what was seen there follows."""
MESSAGES = ("notification", "recommendations")
"""About the report; they last until the next header."""
OTHER_READS = ("wet_read", "addendum")
"""Other reads of the study; they last until the line that closes them."""

KNOWN = STRONG.keys() | WEAK.keys() | OF_ANOTHER_READ.keys() | QUALIFIERS | TOLD | STUDY | PREPOSITIONS | CONNECTORS | READS
"""Every word that may stand in a name."""
BESIDE_A_HEAD = QUALIFIERS | TOLD
REGIONS = STUDY - GENERIC
"""Words that make the name of a study of what else would be a header: CHEST EXAMINATION."""
CANNOT_BEGIN = REGIONS | CONNECTORS | PREPOSITIONS
"""Words that end what stands before a header within a line."""
CHEST_BUT_NO_STUDY = re.compile(r"\bCHEST (?:PAIN|TUBES?|TIGHTNESS|TRAUMA|WALL|DISCOMFORT|PORT|DRAIN|COMPRESSIONS?)\b")
OF_THE_EVENT = ("DATE", "TIME", "NUMBER")
"""An EXAM DATE is no examination, FLUOROSCOPY TIME no study."""
BODY = re.compile(
    r"(?:(?:THE|UPPER|LOWER|RIGHT|LEFT|SUPPORT|SUPPORTING|MONITORING|CARDIAC|CARDIOMEDIASTINAL|OSSEOUS|SOFT|BONY|PULMONARY|AND"
    r"|VISUALI[SZ]ED|CHEST) |[/&,] ?)*"
    r"(?:LUNGS?|LUNG FIELDS|LUNG VOLUMES|AIRWAYS?|PLEURA|PLEURAL (?:SPACES?|EFFUSIONS?)|HEART|HEART SIZE|CARDIAC|CARDIOVASCULAR"
    r"|(?:CARDIO)?MEDIASTINUM|CONTOURS?|SILHOUETTE|HILA|HILUM|DIAPHRAGMS?|BONES?|STRUCTURES|SKELETON|TISSUES?|ABDOMEN|VASCULATURE|AORTA"
    r"|TRACHEA|SPINE|LINES|TUBES|DEVICES|HARDWARE|CATHETERS?|(?:CHEST )?WALL|(?:LOWER|UPPER|INCLUDED|VISUALI[SZ]ED) (?:CHEST|THORAX)"
    r"|LIVER|GALL ?BLADDER|BILIARY(?: TREE| SYSTEM)?|BILE DUCTS?|PANCREAS|SPLEEN|ADRENALS?|ADRENAL GLANDS?|KIDNEYS?|URETERS?"
    r"|(?:URINARY )?BLADDER|BOWEL|STOMACH|APPENDIX|PERITONEUM|RETROPERITONEUM|LYMPH NODES?|VESSELS|PROSTATE|UTERUS|OVAR(?:Y|IES)|ADNEXA"
    r"|THYROID|BRAIN|VENTRICLES|ORBITS|(?:PARANASAL )?SINUSES|MASTOIDS|MENISCI|LIGAMENTS|TENDONS|CARTILAGE|JOINTS?|PLACENTA|BREASTS?"
    r"|PELVIS|NECK)"
    r"(?:(?: AND | ?[/&,] ?)(?:\w+ )?(?:LUNGS?|AIRWAYS?|PLEURA|HEART|MEDIASTINUM|HILA|DIAPHRAGM|BONES|LINES|TUBES|DEVICES|WALL|TISSUES))*"
)
"""Names of parts of the body, and of what is put into it."""
WORD = re.compile(r"[^\W_][\w'’-]*(?<![_-])|[/&,+]|(?<= )-(?= )")
BESIDE_THE_NAME = re.compile(r"\(.*?\)|_+|[#*\[\]]")
"""Remarks in brackets, removed text, and the marks of a mark-up language."""
LONGEST = 9
"""Words of a header."""
LONGEST_MESSAGE_HEADER = 5
"""Words; a longer line that begins with «Recommendation» is a sentence."""

MEANT = sorted(word for word in KNOWN if len(word) >= 4 and word.isalpha())
"""What a misspelt word may be meant for with one edit."""
MEANT_SHORT = ("FOR", "EXAM", "TYPE", "NAME", "STUDY", "VIEWS")
"""What a misspelt word of up to four letters may be meant for."""
MEANT_BADLY = sorted(word for word in (*STRONG, *WEAK) if len(word) >= 7 and word not in COMMON)
"""What it may be meant for with two edits."""


@lru_cache(maxsize=16384)
def opens(name: str) -> str | None:
    """What a header (without its colon, in any case) opens.

    One of the seven sections, of MESSAGES or OTHER_READS, a signature or a comment, or START, MERGED, TITLE or ORGAN; None where it is
    no header that we know.
    """
    return kind_of(words_of(name))


@lru_cache(maxsize=16384)
def stands_alone(name: str) -> str | None:
    """The same for a name that has only its words to tell it from text, without a line or a colon of its own: standard names only."""
    found = words_of(name)
    if kind := PHRASES.get(" ".join(found)):
        return kind
    if not 0 < len(found) <= LONGEST_MESSAGE_HEADER or found[0] in CANNOT_BEGIN or not KNOWN.issuperset(found):
        return None
    if len(found) == 1 and found[0] in COMMON:
        return None
    kind = kind_of(found, spelling=False)
    return None if kind in (TITLE, ORGAN) else kind


def words_of(name: str) -> tuple[str, ...]:
    """The words and connectors of a name, in capitals."""
    plain = BESIDE_THE_NAME.sub(" ", name.upper().replace("(S)", "S").replace("’", "'"))
    return tuple(WORD.findall(plain.replace("FOLLOW UP", "FOLLOW-UP").replace("ON CALL", "ON-CALL")))


def kind_of(name: tuple[str, ...], *, spelling: bool = True) -> str | None:
    """What a name opens, given as words in capitals and connectors."""
    if not name or len(name) > LONGEST:
        return None
    name = tuple(part for word in name for part in hyphenated(word))
    if spelling and (mended := tuple(map(spelt, name))) != name and (kind := kind_of(mended, spelling=False)) not in (None, TITLE, START):
        return kind
    together = joined(name)
    kind = MERGED if together == MERGED else single(name) or together
    if kind in MESSAGES and len(name) > LONGEST_MESSAGE_HEADER:
        return None
    return kind or label(name)


def label(name: tuple[str, ...]) -> str | None:
    """ORGAN or TITLE for a name that opens no section by itself."""
    text = " ".join(name)
    if BODY.fullmatch(text):
        return ORGAN
    return TITLE if not STUDY.isdisjoint(name) and name[-1] not in OF_THE_EVENT and not CHEST_BUT_NO_STUDY.search(text) else None


def hyphenated(word: str) -> list[str]:
    """A word, or the head words that a hyphen joins with their connector."""
    parts = word.split("-")
    return re.split("(-)", word) if len(parts) > 1 and STRONG.keys() >= set(parts) else [word]


def joined(name: tuple[str, ...]) -> str | None:
    """What a name such as `FINDINGS AND IMPRESSION` opens; findings and impression go before all else in it."""
    parts: list[list[str]] = [[]]
    for word in name:
        if word in CONNECTORS:
            parts.append([])
        else:
            parts[-1].append(word)
    if len(parts) < 2 or not all(parts):
        return None
    kinds = [single(tuple(part)) for part in parts if not QUALIFIERS.issuperset(part)]
    if "findings" in kinds and "impression" in kinds:
        return MERGED
    if not kinds or None in kinds:
        return None
    return next((kind for kind in ("findings", "impression") if kind in kinds), kinds[0])


def single(name: tuple[str, ...]) -> str | None:
    """What a name that joins no heads opens."""
    if kind := PHRASES.get(" ".join(name)):
        return kind
    if name[:2] == ("WET", "READ"):
        return "wet_read"
    if name[0] in ("ADDENDUM", "ADDENDA"):
        return "addendum"
    if name[0] == "IN" and len(name) > 1:
        return single(name[1:])
    if kind := another_read(name):
        return kind
    if name[-1] == "BY" and not SIGNED.isdisjoint(name):
        return SIGNATURE
    cut = next((place for place, word in enumerate(name) if word in PREPOSITIONS), len(name))
    before, after = name[:cut], name[cut + 1 :]
    if before and before[-1] in TOLD_TO and name[cut : cut + 1] in (("TO",), ("WITH",)):
        return "notification"
    return with_preposition(before, after) if before and after else phrase_kind(before)


def another_read(name: tuple[str, ...]) -> str | None:
    """An addendum, a preliminary read or a message, if a word of the name says so."""
    kind = next((OF_ANOTHER_READ[word] for word in name if word in OF_ANOTHER_READ), None)
    if kind is None or not KNOWN.issuperset(name):
        return None
    return kind if kind == "addendum" or (len(name) > 1 and not READS.isdisjoint(name)) else None


def with_preposition(before: tuple[str, ...], after: tuple[str, ...]) -> str | None:
    """What a phrase with more said of it after a preposition opens."""
    if set(before) <= TRANSPARENT:
        kind = single(after)
        if before[-1] == "DESCRIPTION" and after[-1] in ("PROCEDURE", "PROCEDURES"):
            return "technique"
        if before[-1] == "DATE":
            # The DATE OF EXAM is no examination.
            return kind if kind == "comparison" else None
        # In a SUMMARY OF FINDINGS stands what they come to.
        return "impression" if before[-1] == "SUMMARY" and kind in ("findings", "impression") else kind
    kind = phrase_kind(before)
    if STRONG.keys().isdisjoint(before):
        if STRONG.get(after[-1]) == "comparison":
            return "comparison"
        if kind == "examination" and not STUDY.isdisjoint(before):
            # A CT SCAN OF THE HEAD is the study's name.
            return None
    return kind


def phrase_kind(phrase: tuple[str, ...]) -> str | None:
    """What a phrase without prepositions opens, by its last strong head word or else its last weak one."""
    if not phrase:
        return None
    if KNOWN.issuperset(phrase):
        if phrase[0] == "TECHNICAL":
            return "technique"
        if len(phrase) > 1 and phrase[0] in ADVISED:
            return "recommendations"
    if len(phrase) == 2 and phrase[0] in WEAK and phrase[1] in ("DESCRIPTION", "NARRATIVE"):
        return WEAK[phrase[0]]
    strong = [word for word in phrase if word in STRONG]
    return strong_kind(phrase, strong) if strong else told_of_the_patient(phrase) or weak_kind(phrase)


def strong_kind(phrase: tuple[str, ...], strong: list[str]) -> str | None:
    """What a phrase with these strong head words opens."""
    word = strong[-1]
    kind = STRONG[word]
    if kind == "history" and len(phrase) <= 4:
        return kind
    if kind == "impression" and not GUESSED.isdisjoint(phrase):
        kind = "history" if word == "SUMMARY" else "indication"
    if len(strong) > 1 and STRONG[strong[-2]] == "comparison" and kind in ("findings", "impression"):
        # PRIOR FINDINGS are not these findings.
        kind = "comparison"
    strange = [
        other for other in phrase if other not in STRONG and other not in WEAK and other not in BESIDE_A_HEAD and not other.endswith("'S")
    ]
    if not strange:
        return kind
    hidden = len(strange) > 1 or strange[0] != phrase[0] or phrase[-1] not in TELLING or len(phrase) > 3
    return None if hidden or not strange[0].isalpha() or strange[0] in NO_QUALIFIERS else kind


def told_of_the_patient(phrase: tuple[str, ...]) -> str | None:
    """History, for CLINICAL DATA and the like."""
    if len(phrase) == 2 and phrase[0] in ("CLINICAL", "CLIN") and phrase[1] not in WEAK and phrase[1] not in STUDY:
        return "history"
    told = phrase[:-1] if phrase[-1] in ("PROVIDED", "GIVEN", "AVAILABLE") else phrase
    return "history" if told and told[-1] in TOLD and not OF_THE_PATIENT.isdisjoint(told[:-1]) else None


def weak_kind(phrase: tuple[str, ...]) -> str | None:
    """What a phrase opens that has at best weak head words."""
    if len(phrase) > 1 and phrase[-1] in ("READ", "READING") and KNOWN.issuperset(phrase):
        return "wet_read"
    weak = [word for word in phrase if word in WEAK]
    if phrase[-1] in OF_THE_EVENT:
        return None
    if weak and QUALIFIERS.issuperset(word for word in phrase if word not in WEAK):
        if phrase[-1] == "REVIEWED":
            return "comparison"
        named = not REGIONS.isdisjoint(phrase) and len(phrase) > 1 and TAKEN.isdisjoint(phrase)
        return None if named else WEAK[weak[-1]]
    return "technique" if len(phrase) == 2 and phrase[0] in STUDY and phrase[1] in TAKEN else None


@lru_cache(maxsize=16384)
def spelt(word: str) -> str:
    """The word that a word misspells, or the word itself.

    One edit (a letter left out, added, replaced, or two swapped; optimal string alignment) is allowed, two in head words from seven
    letters on where the first letter is right. In a word of up to four letters, where another letter makes another word, letters may
    only be swapped or left out.
    """
    if word in KNOWN or word in REAL_WORDS:
        return word
    if len(word) < 5:
        near = (
            known
            for known in MEANT_SHORT
            if OSA.distance(word, known) == 1 and (sorted(word) == sorted(known) or len(word) == len(known) - 1 > 2)
        )
        return next(near, word)
    near = (known for known in MEANT if abs(len(known) - len(word)) <= 1 and OSA.distance(word, known, score_cutoff=1) == 1)
    far = (known for known in MEANT_BADLY if word[0] == known[0] and OSA.distance(word, known, score_cutoff=2) == 2)
    return next(near, None) or next(far, word)
