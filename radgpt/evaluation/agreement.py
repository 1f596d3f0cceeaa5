"""Compare in two texts what word overlap is blind to: numbers with their units, sides, and which findings they affirm or deny."""

import re
from collections import Counter
from collections.abc import Hashable, Mapping

from radgpt.evaluation.observations import DENIED_BY_NORMAL, FINDINGS_OF, finding_labels, label_of, sentences, shows
from radgpt.faithfulness.marks import plain
from radgpt.faithfulness.quantities import quantities

_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_OTHER_UNIT = re.compile(
    r" ?(?:(?P<percent>%|percent\b|per cent\b)|(?P<degrees>°|degrees?\b)|(?P<ml>ml\b|cc\b|millilit\w+)|(?P<litre>l\b|lit(?:er|re)s?\b)"
    r"|(?P<hu>hu\b|hounsfield)|(?P<pressure>mmhg\b)|(?P<mg>mg\b)|(?P<kg>kg\b|kilograms?\b)|(?P<french>fr\b|french\b)|(?P<kv>kvp?\b))"
)
_PRESSURE = re.compile(r"(?<=\d) ?mm ?hg\b")


def measures(text: str) -> Counter[Hashable]:
    """The numbers of a text, each as often as it stands there, as (kind, unit, value).

    Lengths are in millimetres, so that 4.5 cm is 45 mm; durations in days; dates and times are read as such; «two» is 2. Numbers of
    other units are equal if their units are: 5 % is not 5 ml.
    """
    # A pressure in mm Hg would be read as a length.
    letters = _PRESSURE.sub(" mmhg", plain(_THOUSANDS.sub("", text)))
    found: Counter[Hashable] = Counter()
    for quantity in quantities(letters, 0, len(letters)):
        unit = _OTHER_UNIT.match(letters, quantity.end) if quantity.kind == "number" else None
        name = str(unit.lastgroup) if unit else ""
        if quantity.kind == "date":
            found[("date", "", quantity.values)] += 1
        else:
            found.update((quantity.kind, name, value) for value in quantity.values)
    return found


def sides(text: str) -> Counter[Hashable]:
    """Which sides are named; `bilateral`, `both` and `bibasilar` name left and right, `RLL` names right."""
    _, read_as = sentences(text)
    named = {mark.value for sentence in read_as for mark in sentence.marks if mark.kind == "side"}
    return Counter((named - {"both"}) | {"left", "right"} if "both" in named else named)


def findings(text: str) -> dict[str, bool]:
    """Finding to whether the text denies it; affirmed or uncertain anywhere is not denied.

    A part that is said to be normal denies the finding that its observation is named by: a normal heart an enlarged one.
    """
    _, read_as = sentences(text)
    denied = {name: label == "negative" for name, label in finding_labels(text).items()}
    for sentence in read_as:
        for statement in sentence.statements:
            if statement.kind == "normal" and statement.status in ("sure", "present", "likely"):
                for observation in DENIED_BY_NORMAL.get(statement.name, ()):
                    denied.setdefault(FINDINGS_OF[observation][0], True)
    return denied


def sides_of_findings(text: str) -> dict[str, frozenset[str]]:
    """Finding that the text affirms to the sides that it is on, where it says them."""
    letters, read_as = sentences(text)
    found: dict[str, frozenset[str]] = {}
    for sentence in read_as:
        for statement in sentence.statements:
            if statement.kind == "finding" and shows(statement) and label_of(letters, sentence, statement) in ("positive", "uncertain"):
                named = frozenset(statement.values("side"))
                if named:
                    found[statement.name] = found.get(statement.name, frozenset()) | named
    return found


def multiset_f1(ours: Counter[Hashable], theirs: Counter[Hashable]) -> float | None:
    """2·|common| / (|ours| + |theirs|); None if neither text has any."""
    total = ours.total() + theirs.total()
    return 2 * (ours & theirs).total() / total if total else None


def shared(ours: Mapping[str, object], theirs: Mapping[str, object]) -> tuple[float, float] | None:
    """(things that both texts name and say the same of, things that both name); None if they name none in common."""
    common = ours.keys() & theirs.keys()
    return (float(sum(ours[name] == theirs[name] for name in common)), float(len(common))) if common else None
