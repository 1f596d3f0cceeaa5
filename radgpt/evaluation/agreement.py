"""Read from a text what word overlap is blind to: measures, sides, and which findings it affirms or denies."""

import re
from collections import Counter
from collections.abc import Hashable
from decimal import Decimal

FINDINGS = {
    "atelectasis": r"atelecta\w+",
    "calcification": r"calcif\w+",
    "cardiomegaly": r"cardiomegaly|(?:enlarged|enlargement of the) (?:heart|cardi\w+)|(?:heart|cardi\w+)(?: \w+){0,4} enlarged",
    "congestion": r"(?:vascular|venous|pulmonary) congestion",
    "consolidation": r"consolidat\w+",
    "edema": r"o?edema",
    "effusion": r"effusions?",
    "embolism": r"embol(?:ism|us|i)",
    "emphysema": r"emphysema\w*",
    "fibrosis": r"fibrosis|fibrotic",
    "fracture": r"fractures?",
    "granuloma": r"granuloma\w*",
    "hemorrhage": r"ha?emorrhag\w+",
    "hernia": r"hernias?|herniation",
    "infarct": r"infarct\w*",
    "mass": r"mass(?:es)?",
    "nodule": r"nodul\w+",
    "opacity": r"opacit\w+|opacifi\w+",
    "pneumonia": r"pneumonia",
    "pneumothorax": r"pneumothora(?:x|ces)",
    "thickening": r"thickening",
}
"""Finding to the words that name it; frequent ones in reports of the chest."""

# NegEx: a cue denies findings in its direction, up to a word that ends its scope or the end of the sentence
# (Chapman et al. 2001, https://doi.org/10.1006/jbin.2001.1029). The cue lists are our own.
CUE_THAT_DENIES_NOTHING = re.compile(
    r"\b(?:no|without|not)\b (?:\w+ )?(?:change|increase|decrease|worsening|improvement)\w*|"
    r"\bnot (?:only|necessarily|certain)\b|\b(?:not|cannot) (?:be )?exclude\w*"
)
CUE_BEFORE = re.compile(
    r"\b(?:no|not|without|absent|absence of|negative for|free of|clear of|rather than|den(?:y|ies|ied)|rule[sd]? out|exclud\w+|"
    r"resolution of|resolved)\b"
)
CUE_AFTER = re.compile(
    r"\b(?:(?:is|are|was|were|has been|have been) (?:not|absent|excluded|ruled out|negative)|has resolved|have resolved|"
    r"not (?:seen|present))\b"
)
SCOPE_END = re.compile(r"\b(?:but|however|although|though|except|aside from|apart from|yet|which|while|whereas|nevertheless)\b|[;:]")
SENTENCE_END = re.compile(r"(?<!\d)\.|\.(?!\d)|[!?\n]")


def measures(text: str) -> Counter[Hashable]:
    """The numbers written in digits, each as often as it stands there; `4.50` is `4.5`, `1,200` is `1200`."""
    found = re.findall(r"\d+(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?", text, flags=re.ASCII)
    return Counter(Decimal(number.replace(",", "")).normalize() for number in found)


def sides(text: str) -> Counter[Hashable]:
    """Which sides are named; `bilateral` and `both` name left and right."""
    words = set(re.findall(r"[a-z]+", text.lower()))
    named = words & {"left", "right"}
    if words & {"bilateral", "bilaterally", "both"}:
        named |= {"left", "right"}
    return Counter(named)


def findings(text: str) -> Counter[Hashable]:
    """(finding, denied) for each finding of FINDINGS that the text affirms or denies."""
    seen: set[Hashable] = set()
    for sentence in SENTENCE_END.split(text.lower()):
        start = 0
        clauses = []
        for end in SCOPE_END.finditer(sentence):
            clauses.append(sentence[start : end.start()])
            start = end.end()
        for clause in [*clauses, sentence[start:]]:
            seen |= findings_of_clause(CUE_THAT_DENIES_NOTHING.sub(" ", " ".join(clause.split())))
    return Counter(seen)


def findings_of_clause(clause: str) -> set[Hashable]:
    """(finding, denied) in one stretch that a cue's scope does not leave."""
    first_cue = CUE_BEFORE.search(clause)
    last_cue = max((cue.start() for cue in CUE_AFTER.finditer(clause)), default=-1)
    return {
        (name, bool(first_cue and first_cue.start() < found.start()) or found.start() < last_cue)
        for name, words in FINDINGS.items()
        for found in re.finditer(rf"\b(?:{words})\b", clause)
    }


def multiset_f1(ours: Counter[Hashable], theirs: Counter[Hashable]) -> float | None:
    """2·|common| / (|ours| + |theirs|); None if neither text has any."""
    total = ours.total() + theirs.total()
    return 2 * (ours & theirs).total() / total if total else None
