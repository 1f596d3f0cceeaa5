"""Label a text with the fourteen observations of CheXpert: what it says is there, is not there, or may be there.

The observations and the order of precedence are CheXpert's (Irvin et al. 2019, https://arxiv.org/abs/1901.07031); words, negation and
uncertainty are read by `radgpt.faithfulness`, in clinical and in plain language. Where conventions differ, ours are:

- «likely», «probable», «consistent with», «suggestive of» affirm; «may», «possible», «suspected», «cannot be excluded» are uncertain;
- of «atelectasis or scarring», «atelectasis versus scarring» without another hedge, each is affirmed, as NegBio's annotators did
  (Peng et al. 2018, https://arxiv.org/abs/1712.05898); CheXpert's labeller calls them uncertain;
- a part that is said to be normal denies what would be wrong with it: «the lungs are clear» denies an opacity;
- what is only history («history of pneumonia», «prior infection»), the reason for the study, or what advice or a question is about, is
  not mentioned.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache

from radgpt.faithfulness.marks import plain
from radgpt.faithfulness.sentences import Sentence, Statement, read, sentence_spans
from radgpt.faithfulness.vocabulary import HISTORY

OBSERVATIONS = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
"""The columns of CheXpert's label files, in their order."""

VERSION = "rules-1"
"""Of what this module makes of a text; it stands beside scores, and changes when labels do."""

FIVE = ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion")
"""Those that CheXpert's competition scores, and many papers after it."""

FINDINGS_OF: dict[str, tuple[str, ...]] = {
    "Enlarged Cardiomediastinum": ("mediastinal widening",),
    "Cardiomegaly": ("enlarged heart",),
    "Lung Opacity": ("opacity", "airspace disease", "infiltrate", "interstitial disease", "scarring"),
    "Lung Lesion": ("lung nodule", "lung mass", "lesion", "spot", "malignancy", "lung cancer", "metastasis"),
    "Edema": ("pulmonary edema", "vascular congestion", "heart failure"),
    "Consolidation": ("consolidation",),
    "Pneumonia": ("pneumonia",),
    "Atelectasis": ("atelectasis", "collapse", "incomplete expansion"),
    "Pneumothorax": ("pneumothorax",),
    "Pleural Effusion": ("pleural effusion",),
    "Pleural Other": ("pleural thickening", "fibrosis"),
    "Fracture": ("fracture", "compression fracture"),
}
"""Observation to the findings of `radgpt.faithfulness.vocabulary` that it covers, after the mention lists of CheXpert's labeller."""

OBSERVATION_OF = {finding: observation for observation, findings in FINDINGS_OF.items() for finding in findings}

AT_MOST_UNCERTAIN = frozenset({"vascular congestion", "heart failure"})
"""Findings that go with edema and do not say it."""

DENIED_BY_NORMAL: dict[str, tuple[str, ...]] = {
    "heart": ("Cardiomegaly",),
    "mediastinum": ("Enlarged Cardiomediastinum",),
    "cardiomediastinum": ("Enlarged Cardiomediastinum", "Cardiomegaly"),
    "lungs": ("Lung Opacity",),
    "pleura": ("Pleural Effusion",),
    "bones": ("Fracture",),
}
"""A part of the body to the observations that its being normal denies."""

NO_SUPPORT = frozenset({"sternotomy wires", "bypass surgery", "surgical clips"})
"""What surgery leaves behind, which CheXpert does not count as support devices."""

LABELS = ("negative", "uncertain", "positive")
"""By precedence: the last that any sentence gives an observation is its label; one that no sentence gives it leaves it blank."""

_WRAPPED = re.compile(r"\n(?=[ \t]*[a-z])")
_LABELLED_PART = re.compile(
    r"\b((?:heart|lungs?|mediastinum|pleura|bones|(?:pleural|osseous|bony|cardiac|mediastinal) (?:structures|spaces?|silhouette|contours?))"
    r"(?: and \w+)?): ",
    re.IGNORECASE,
)
_HISTORY = re.compile(r"\b(?:history of|h/o|hx of|history:|residuals? (?:of|from|to)|sequelae? of) (?:[\w,-]+ ){0,4}$")
_EARLIER_ILLNESS = re.compile(r"\b(?:prior|previous|past|old|remote|healed) (?:\w+ ){0,1}$")
_ILLNESS_THAT_WAS = frozenset({"pneumonia", "heart failure", "malignancy", "lung cancer"})
_HEDGE_BEFORE = re.compile(r"\b(?:in the (?:appropriate|proper|correct) clinical|correlat\w+ (?:clinically )?(?:for|with))\b")
_HEDGE_AFTER = re.compile(
    r"(?:\s+(?:is|are|was|were))?\s+(?:suspected|(?:difficult|hard) to (?:\w+ )?exclude|not (?:\w+ )?excluded)"
    r"|[^.;]{0,40}\b(?:could|may|might) (?:also )?(?:have|give|produce|cause) (?:this|that|a similar)\b"
)
_BONE = re.compile(r"\b(?:bon[ey]\w*|osseous|lytic|blastic|sclerotic|skeletal) (?:or \w+ )?$")
_BORDERLINE_HEART = re.compile(r"\bborderline (?:in )?(?:heart|cardiac) size|\b(?:heart|cardiac)(?: \w+){0,3} borderline\b")
_CYSTIC = re.compile(r"\bcystic $")
_ONLY_VOLUME = re.compile(r"volume loss|loss of volume")


@lru_cache(maxsize=4096)
def sentences(text: str) -> tuple[str, tuple[Sentence, ...]]:
    """A text in `plain` letters, and its sentences as read; a line's end ends its sentence unless the next line begins in lower case.

    «Lungs: clear» is read as «lungs clear».
    """
    letters = plain(_LABELLED_PART.sub(r"\1 ", _WRAPPED.sub(" ", text)))
    spans = sentence_spans(letters, 0, len(letters), lines=True)
    return letters, tuple(read(letters, start, end, number) for number, (start, end) in enumerate(spans))


def labels(text: str) -> dict[str, str]:
    """Observation to its label, one of LABELS; observations that are blank are left out.

    «No Finding» is positive where the text speaks of the chest and nothing but devices is affirmed or possible; it has no other label.
    """
    letters, read_as = sentences(text)
    found: dict[str, str] = {}
    spoken_of = False
    for sentence in read_as:
        for observation, label in _labels_of_sentence(letters, sentence):
            found[observation] = max(label, found.get(observation, label), key=LABELS.index)
        spoken_of = spoken_of or any(
            (statement.kind == "normal" or (statement.kind == "finding" and statement.name not in HISTORY))
            and label_of(letters, sentence, statement) is not None
            for statement in sentence.statements
        )
    if spoken_of and not abnormal(text):
        found["No Finding"] = "positive"
    return {observation: found[observation] for observation in OBSERVATIONS if observation in found}


def finding_labels(text: str) -> dict[str, str]:
    """Finding of `radgpt.faithfulness.vocabulary` that an image shows to its label, by the same precedence as observations."""
    letters, read_as = sentences(text)
    found: dict[str, str] = {}
    for sentence in read_as:
        for statement in sentence.statements:
            label = label_of(letters, sentence, statement)
            if label is not None and statement.kind == "finding" and shows(statement):
                found[statement.name] = max(label, found.get(statement.name, label), key=LABELS.index)
    return found


def abnormal(text: str) -> bool:
    """Whether it affirms or suspects anything that an image shows, devices apart."""
    return any(label != "negative" for label in finding_labels(text).values())


def counts(answer: str, reference: str, observations: Sequence[str], positive: Collection[str]) -> tuple[float, ...] | None:
    """`hits` of the labels of two texts; None if neither text mentions any of OBSERVATIONS."""
    said, wanted = labels(answer), labels(reference)
    return hits(said, wanted, observations, positive) if said or wanted else None


def hits(said: Mapping[str, str], wanted: Mapping[str, str], observations: Sequence[str], positive: Collection[str]) -> tuple[float, ...]:
    """Hits, false alarms and misses of each observation in turn: 3 x observations numbers.

    Args:
        said, wanted: observation to its label, of the answer and of the reference.
        positive: the labels that count as there; all else, blank too, counts as not there.
    """
    found: list[float] = []
    for observation in observations:
        ours, theirs = said.get(observation) in positive, wanted.get(observation) in positive
        found += [float(ours and theirs), float(ours and not theirs), float(theirs and not ours)]
    return tuple(found)


def counted_as_positive(uncertain: str) -> tuple[str, ...]:
    """The labels that count as there, where uncertain counts as `positive` (F1CheXbert's mode for generated reports) or `negative`."""
    return ("positive", "uncertain") if uncertain == "positive" else ("positive",)


def shows(statement: Statement) -> bool:
    """Whether it is something that an image shows, not a complaint, a disease of record or a bare «findings»."""
    return statement.name not in HISTORY and statement.name != "abnormality" and not statement.name.startswith("word ")


def _labels_of_sentence(letters: str, sentence: Sentence) -> Iterator[tuple[str, str]]:
    """(observation, label) of what a sentence says."""
    for statement in sentence.statements:
        label = label_of(letters, sentence, statement)
        if label is None:
            continue
        if statement.kind == "normal":
            yield from ((observation, "negative") for observation in DENIED_BY_NORMAL.get(statement.name, ()) if label == "positive")
        elif statement.kind == "device" and statement.name not in NO_SUPPORT:
            yield "Support Devices", label
        elif statement.kind == "finding":
            observation = _observation(letters, sentence, statement)
            if observation is not None:
                capped = label == "positive" and statement.name in AT_MOST_UNCERTAIN
                yield observation, "uncertain" if capped else label
    if _BORDERLINE_HEART.search(letters, sentence.start, sentence.end):
        yield "Cardiomegaly", "positive"


def _observation(letters: str, sentence: Sentence, statement: Statement) -> str | None:
    words = letters[statement.start : statement.end]
    if statement.name == "airspace disease" and "consolidat" in words:
        return "Consolidation"
    if statement.name == "enlarged heart" and sentence.values("region") & {"heart", "cardiomediastinum"} == {"cardiomediastinum"}:
        return "Enlarged Cardiomediastinum" if words.startswith("enlarge") else "Cardiomegaly"
    if statement.name == "atelectasis" and _ONLY_VOLUME.fullmatch(words):
        return None
    if statement.name == "fibrosis" and _CYSTIC.search(letters, sentence.start, statement.start):
        return None
    if statement.name == "lesion" and _BONE.search(letters, sentence.start, statement.start):
        return None
    return OBSERVATION_OF.get(statement.name)


def label_of(letters: str, sentence: Sentence, statement: Statement) -> str | None:
    """One of LABELS; None where nothing is claimed of the patient as imaged."""
    if letters.startswith("?", sentence.end):
        return None
    if statement.status == "absent" or "resolved" in statement.values("change"):
        return "negative"
    if statement.status not in ("sure", "present", "likely", "possible"):
        return None
    if _HISTORY.search(letters, sentence.start, statement.start):
        return None
    if statement.name in _ILLNESS_THAT_WAS and _EARLIER_ILLNESS.search(letters, sentence.start, statement.start):
        return None
    hedged = (
        (statement.status == "possible" and not statement.alternative)
        or _HEDGE_BEFORE.search(letters, sentence.start, statement.start)
        or _HEDGE_AFTER.match(letters, statement.end, sentence.end)
    )
    return "uncertain" if hedged else "positive"
