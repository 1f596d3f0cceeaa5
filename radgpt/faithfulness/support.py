"""Whether a report supports a claim, and where: one check for what is claimed and one for each of its details."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from rapidfuzz import fuzz

from radgpt.clinical.lexicon import expansion
from radgpt.faithfulness.claims import Claim
from radgpt.faithfulness.marks import Mark
from radgpt.faithfulness.quantities import Quantity
from radgpt.faithfulness.relations import ACUTE, DENIES, ENTAILS, IS_A, MAY_BE, REGION_FINDINGS
from radgpt.faithfulness.reported import Reported
from radgpt.faithfulness.sentences import ASSERTED, Statement, asserts_history
from radgpt.faithfulness.vocabulary import DEVICES, FINDINGS, HISTORY, LONG_STANDING

CERTAINTY = {"sure": 4, "present": 3, "likely": 2, "possible": 1}
STRICT_PLACES = frozenset({"upper", "middle", "lower", "lingula"})
NEAR_PLACES = {
    "perihilar": {"mediastinal"},
    "mediastinal": {"perihilar"},
    "lower": {"costophrenic"},
    "costophrenic": {"lower"},
    "SVC": {"cavoatrial junction"},
    "lingula": {"left"},
}
LASTING = frozenset(
    {
        "granuloma",
        "degenerative change",
        "scoliosis",
        "COPD",
        "emphysema",
        "hyperinflation",
        "scarring",
        "fibrosis",
        "calcification",
        "atherosclerosis",
        "kyphosis",
        "tortuous aorta",
    }
)
"""Findings that are old by nature."""
SPOTS = ("spot", "lung nodule", "lung mass", "lesion", "opacity", "granuloma")
"""What one and the same thing may be called."""
SMALL = frozenset(
    {
        "granuloma",
        "lung nodule",
        "spot",
        "calcification",
        "fracture",
        "squeezing",
        "collapse",
        "incomplete expansion",
        "scarring",
        "old infection",
    }
)
"""Findings that are small by nature."""
REGIONS_TOGETHER = {
    "cardiomediastinum": ("heart", "mediastinum"),
    "heart": ("cardiomediastinum",),
    "mediastinum": ("cardiomediastinum",),
}
SERIOUS = frozenset({*ACUTE, "enlarged heart", "lung mass", "lung nodule", "fracture", "malignancy", "metastasis", "free air"})
"""Findings that «a normal chest» leaves no room for; wear and old scars it does."""
LIMITS_OF_TIME = frozenset({"acute", "new", "active", "recent", "interval"})
LIMITS_OF_SIZE = frozenset({"large", "significant", "sizable", "sizeable", "gross", "overt"})
OTHER_EXPANSIONS: dict[str, tuple[str, ...]] = {
    "AP": ("anterior posterior", "anterior to posterior", "antero posterior"),
    "PA": ("posterior anterior", "posterior to anterior", "postero anterior"),
    "CABG": ("coronary artery bypass graft",),
    "CXR": ("chest radiograph", "chest x ray", "chest radiography"),
    "TB": ("tuberculosis",),
    "PNA": ("pneumonia",),
    "PTX": ("pneumothorax",),
    "CVA": ("stroke",),
    "ICD": ("implantable cardiac defibrillator",),
    "AICD": ("automated implantable cardioverter defibrillator", "automatic implantable cardiac defibrillator"),
    "VP": ("ventricular peritoneal",),
    "cm": ("centimeter",),
    "mm": ("millimeter",),
    "s/p": ("status post", "after"),
    "S/P": ("status post", "after"),
    "HTN": ("high blood pressure",),
    "KUB": ("kidneys ureters and bladder",),
    "POD": ("postoperative day",),
    "WBC": ("white blood cell count",),
    "ESRD": ("end stage kidney disease",),
    "PPD": ("purified protein derivative",),
    "SOB": ("short of breath",),
    "LLL": ("left lower lung lobe",),
    "OSH": ("other hospital",),
}


@dataclass(slots=True)
class Check:
    """One thing checked: supported at a stretch of the report, or what kind of problem it is."""

    start: int
    end: int
    problem: str | None
    report_start: int = -1
    report_end: int = -1


def checks(claim: Claim, reported: Reported) -> list[Check]:
    """What the report has to say to a claim."""
    if claim.statement is not None:
        return _check_statement(claim, claim.statement, reported)
    if claim.quantity is not None:
        return [_check_quantity(claim, claim.quantity, reported)]
    if claim.mark is not None:
        check = _check_detail(claim, claim.mark, reported)
        return [check] if check is not None else []
    return _check_abbreviation(claim, reported)


def _check_statement(claim: Claim, said: Statement, reported: Reported) -> list[Check]:
    if said.kind == "advice":
        return [_check_advice(said, claim.modalities, reported)]
    if said.status in ("silent", "unreported"):
        return [_check_silence(said, reported)]
    if claim.reason or asserts_history(said):
        return [_check_history(said, reported)]
    if said.status == "mentioned":
        return []
    if said.kind == "normal":
        return [_check_normal(said, reported) if said.status != "absent" else _check_not_normal(said, reported)]
    if said.name == "abnormality":
        return [_check_abnormality(said, reported)]
    return [_check_absent(said, reported)] if said.status == "absent" else _check_present(said, reported)


def supporters(name: str, reported: Reported) -> list[Statement]:
    """Statements of the report that speak for a finding: of itself first, then of what entails it."""
    found = list(reported.statements(name))
    for other in _entailing(name):
        found += reported.statements(other)
    return found


@lru_cache(maxsize=1024)
def _entailing(name: str) -> tuple[str, ...]:
    return tuple(other for other, entailed in ENTAILS.items() if name in entailed)


def _kinds_of(name: str, reported: Reported) -> list[Statement]:
    found = list(reported.statements(name))
    for other, wider in IS_A.items():
        if name in wider:
            found += reported.statements(other)
    return found


@lru_cache(maxsize=1024)
def _denying(name: str) -> tuple[str, ...]:
    return tuple(other for other, denied in DENIES.items() if name in denied)


def _asserted(statements: Iterable[Statement], reported: Reported) -> list[Statement]:
    return [statement for statement in statements if statement.status in ASSERTED and not reported.in_context(statement)]


def _sides(statement: Statement, reported: Reported) -> set[str]:
    """The sides a report gives to something: those said of it, or else those that its sentence names."""
    found = statement.values("side")
    if found:
        return found
    near = {mark.value for mark in reported.sentences[statement.sentence].marks if mark.kind == "side"}
    return (near - {"both"}) | {"left", "right"} if "both" in near else near


def _near(statement: Statement, reported: Reported, detail: str) -> set[str]:
    return statement.values(detail) or {mark.value for mark in reported.sentences[statement.sentence].marks if mark.kind == detail}


def _supported(said: Statement, by: Statement | None) -> Check:
    return Check(said.start, said.end, None, by.start, by.end) if by is not None else Check(said.start, said.end, None)


def _check_present(said: Statement, reported: Reported) -> list[Check]:
    every = supporters(said.name, reported)
    candidates = _asserted(every, reported)
    if not candidates:
        if said.kind == "device":
            return [_check_device(said, reported)]
        if said.name in LONG_STANDING:
            known = next((s for s in every if reported.in_context(s) and s.status in ASSERTED), None)
            if known is not None and not any(s.status == "absent" for s in every):
                return [_supported(said, known)]
        denial = _denial(said, reported)
        maybe = _may_be(said, reported)
        if maybe is not None:
            return [_supported(said, maybe)]
        if denial is None and said.name.startswith("word ") and said.name[5:10] in {word[:5] for word in reported.words}:
            return [_supported(said, None)]
        opposed = denial is not None or any(statement.status == "absent" for statement in every)
        return [Check(said.start, said.end, "negation" if opposed else "finding")]
    own = [statement for statement in candidates if statement.name == said.name] or candidates
    by_side = [statement for statement in candidates if not said.values("side") or said.values("side") & _sides(statement, reported)] or own
    best = max(by_side, key=lambda statement: (statement.name == said.name, CERTAINTY[statement.status]))
    # A sure sign of something, such as blunting for an effusion, makes no sure thing of what the report itself doubts.
    sorts = (said.name, *(name for name, wider in IS_A.items() if said.name in wider))
    surest = max(CERTAINTY[s.status] for s in [s for s in by_side if s.name in sorts] or by_side)
    result = [_supported(said, best)]
    if "one side" in said.limits and _both_sides(said.name, reported):
        spot = next(iter(said.details.get("side", ())), None)
        return [*result, Check(spot.start if spot else said.start, spot.end if spot else said.end, "side")]
    mismatched = _mismatched(said, candidates, reported)
    if mismatched is not None:
        return [*result, Check(mismatched.start, mismatched.end, "side")]
    if (said.status == "sure" and surest < CERTAINTY["present"]) or CERTAINTY[said.status] > surest == CERTAINTY["possible"]:
        result[0] = Check(said.start, said.end, "certainty")
    for detail in ("side", "location", "severity", "change"):
        marks = said.details.get(detail)
        if marks and not _by_side(said, detail):
            ok, by = _detail_supported(detail, said, candidates if detail == "side" else by_side, reported)
            spot = marks[0]
            result.append(Check(spot.start, spot.end, None if ok else detail, *((by.start, by.end) if ok and by else (-1, -1))))
    return result


def _both_sides(name: str, reported: Reported) -> bool:
    """Whether a report puts something on either side."""
    sides = [statement.values("side") for statement in _asserted(reported.statements(name), reported)]
    return set().union(*sides) == {"left", "right"}


def _may_be(said: Statement, reported: Reported) -> Statement | None:
    """What a doubtful claim may be about, where the report does not deny it by name."""
    if said.status != "possible" or any(s.status == "absent" and not reported.in_context(s) for s in reported.statements(said.name)):
        return None
    return next((s for name in MAY_BE.get(said.name, ()) for s in _asserted(reported.statements(name), reported)), None)


def _mismatched(said: Statement, candidates: list[Statement], reported: Reported) -> Mark | None:
    """The side of a pair such as «small on the left, large on the right» or «right apex and left base» that no statement puts so."""
    for kind in ("severity", "location"):
        for side, value in _by_side(said, kind):
            if not any(_holds(statement, side, value, reported) for statement in candidates):
                return side
    return None


def _holds(statement: Statement, side: Mark, value: Mark, reported: Reported) -> bool:
    pairs = _by_side(statement, value.kind)
    if pairs:
        return any(other.value == side.value and held.value == value.value for other, held in pairs)
    return side.value in _sides(statement, reported) and value.value in _near(statement, reported, value.kind)


def _by_side(statement: Statement, kind: str) -> list[tuple[Mark, Mark]]:
    """Sides with their degrees or places, where a statement names two of each by turns."""
    marks = [mark for name in ("side", kind) for mark in statement.details.get(name, ()) if mark.value != "both"]
    marks.sort(key=lambda mark: mark.start)
    if len(marks) != 4 or any(first.kind == second.kind for first, second in pairwise(marks)):
        return []
    first, second = (sorted(pair, key=lambda mark: mark.kind != "side") for pair in (marks[:2], marks[2:]))
    return [(first[0], first[1]), (second[0], second[1])]


def _detail_supported(detail: str, said: Statement, candidates: list[Statement], reported: Reported) -> tuple[bool, Statement | None]:
    claimed = said.values(detail)
    own = [statement for statement in candidates if statement.name == said.name and statement.values(detail)]
    candidates = own or candidates
    together: set[str] = set()
    for statement in candidates:
        near = _sides(statement, reported) if detail == "side" else _near(statement, reported, detail)
        together |= near
        if _fits(detail, claimed, near, said):
            return True, statement
    if detail == "side":
        return claimed <= together, None
    if detail == "location":
        loose = claimed - STRICT_PLACES
        return not (claimed & STRICT_PLACES) and all(_named_anywhere(place, "location", reported) for place in loose), None
    if detail == "severity" and claimed == {"small"}:
        sizes = [value for statement in candidates for size in statement.sizes for value in size.values]
        graded = any(statement.values("severity") for statement in candidates)
        return (max(sizes) <= 15 if sizes else said.name in SMALL and not graded), None
    if detail == "change":
        if claimed == {"unchanged"}:
            return any(_remains(statement, reported) for statement in candidates), None
        return claimed == {"chronic"} and said.name in LASTING, None
    return False, None


def _remains(statement: Statement, reported: Reported) -> bool:
    """Whether a report says so in words such as «the lungs remain hyperexpanded»."""
    sentence = reported.sentences[statement.sentence]
    return " remain" in reported.text[sentence.start : sentence.end]


def _fits(detail: str, claimed: set[str], near: set[str], said: Statement) -> bool:
    if detail == "side":
        return claimed <= near
    if detail == "location":
        wide = near.union(*(NEAR_PLACES.get(place, set()) for place in near)) if near else near
        return claimed <= wide or (bool(near) and (claimed & STRICT_PLACES) <= wide and bool(claimed & wide))
    if detail == "severity":
        return bool(claimed & near)
    wide = set(near)
    if "unchanged" in near:
        wide.add("chronic")
    if "better" in near and "resolved" in near:
        wide |= {"better", "resolved"}
    if near & {"worse", "better", "new", "resolved"}:
        wide.add("changed")
    return bool(claimed & wide) and not ({"worse", "better"} & claimed - wide)


def _named_anywhere(value: str, kind: str, reported: Reported) -> bool:
    return any(mark.kind == kind and mark.value == value for sentence in reported.sentences for mark in sentence.marks)


def _check_device(said: Statement, reported: Reported) -> Check:
    if said.name == "device":
        other = next((s for name in DEVICES for s in _asserted(reported.statements(name), reported)), None)
        return _supported(said, other) if other else Check(said.start, said.end, "device")
    mention = next(iter(reported.statements(said.name)), None)
    if mention is not None and mention.status != "absent":
        return _supported(said, mention)
    return Check(said.start, said.end, "negation" if mention is not None else "device")


def _denial(said: Statement, reported: Reported) -> Statement | None:
    """The statement of the report that rules a finding out, if there is one."""
    sides = said.values("side")
    for name in (said.name, *_denying(said.name)):
        for statement in reported.statements(name):
            if statement.status == "absent" and not reported.in_context(statement):
                where = statement.values("side")
                if not where or (sides and sides <= where) or where == {"left", "right"}:
                    return statement
    regions = [region for region, names in REGION_FINDINGS.items() if said.name in names]
    for region in (*regions, "chest", *(("cardiopulmonary",) if said.name in ACUTE else ())):
        for statement in reported.statements(f"normal {region}"):
            where = statement.values("side")
            if (
                statement.status == "present"
                and not reported.in_context(statement)
                and (not where or (sides and sides <= where) or where == {"left", "right"})
            ):
                return statement
    for statement in reported.statements("abnormality"):
        if statement.status == "absent" and not reported.in_context(statement):
            ruled_out = statement.region in ("", "chest", *regions) or (
                statement.region == "cardiopulmonary" and said.name in (*ACUTE, "enlarged heart")
            )
            if ruled_out and (
                said.name in ACUTE or not statement.limits & LIMITS_OF_TIME or said.name in ("fracture", "dislocation", "trauma")
            ):
                return statement
    return None


def _check_absent(said: Statement, reported: Reported) -> Check:
    """A denial is supported by a denial as wide as it; where something like it is there all the same, it is wrong."""
    sided = [s.values("side") for s in reported.statements(said.name) if s.values("side")]
    if "resolved" in said.limits and said.values("side") and sided and not any(said.values("side") & other for other in sided):
        return Check(said.details["side"][0].start, said.details["side"][0].end, "side")
    narrow = said.limits & (LIMITS_OF_TIME | LIMITS_OF_SIZE)
    sides, places = said.values("side"), said.values("location")
    present = []
    for statement in _asserted(_kinds_of(said.name, reported), reported):
        where = _sides(statement, reported)
        if sides and where and not sides & where:
            continue
        if places & STRICT_PLACES and _near(statement, reported, "location") and not places & _near(statement, reported, "location"):
            continue
        if narrow & LIMITS_OF_SIZE and "large" not in _near(statement, reported, "severity"):
            continue
        if narrow & LIMITS_OF_TIME and not (_near(statement, reported, "change") & {"new", "worse"}):
            continue
        present.append(statement)
    named = (said.name, "lung nodule") if said.name == "spot" else (said.name,)
    for statement in (statement for name in named for statement in reported.statements(name)):
        if statement.status == "absent" and not reported.in_context(statement):
            where = statement.values("side")
            if (not where or (not sides and not present) or (sides and sides <= where) or where == {"left", "right"}) and (
                not present or not statement.limits & (LIMITS_OF_TIME | LIMITS_OF_SIZE)
            ):
                return _supported(said, statement)
    sure = [statement for statement in present if statement.status != "possible"]
    if sure:
        return Check(said.start, said.end, "negation")
    if present:
        return Check(said.start, said.end, "certainty")
    denial = _denial(said, reported)
    if denial is not None:
        return _supported(said, denial)
    if narrow and _asserted(reported.statements(said.name), reported):
        return _supported(said, None)
    if said.kind == "device":
        return Check(said.start, said.end, "denial")
    if said.name.startswith("word ") and said.name[5:10] in {word[:5] for word in reported.words}:
        return _supported(said, None)
    return Check(said.start, said.end, "denial")


def _check_history(said: Statement, reported: Reported) -> Check:
    if said.kind == "normal" or said.name == "abnormality":
        return _supported(said, None)
    every = supporters(said.name, reported)
    if every:
        denied = [statement for statement in every if statement.status == "absent"]
        if said.status == "absent" and not denied and asserts_history(said) and said.name != "trauma":
            return Check(said.start, said.end, "negation")
        if said.status in ASSERTED and len(denied) == len(every):
            return Check(said.start, said.end, "negation")
        sided = [statement for statement in every if statement.values("side")]
        if said.values("side") and sided and not any(said.values("side") & statement.values("side") for statement in sided):
            return Check(said.details["side"][0].start, said.details["side"][0].end, "side")
        return _supported(said, every[0])
    if said.name.startswith("word ") and said.name[5:10] in {word[:5] for word in reported.words}:
        return _supported(said, None)
    if said.status == "absent":
        return _check_absent(said, reported)
    return Check(said.start, said.end, "device" if said.kind == "device" else "finding")


def _findings_in(region: str, reported: Reported) -> list[Statement]:
    names = REGION_FINDINGS.get(region)
    if names is None:
        names = tuple(name for name in FINDINGS if name not in HISTORY and name != "abnormality") if region in ("", "chest") else ()
    return [statement for name in names for statement in _asserted(reported.statements(name), reported)]


def _check_normal(said: Statement, reported: Reported) -> Check:
    worse = next((mark for mark in said.details.get("change", ()) if mark.value == "worse"), None)
    if worse is not None and not _named_anywhere("worse", "change", reported):
        return Check(worse.start, worse.end, "change")
    sides = said.values("side")
    wider = {"heart": ("cardiomediastinum", "cardiopulmonary"), "mediastinum": ("cardiomediastinum",), "lungs": ("cardiopulmonary",)}.get(
        said.name, ()
    )
    for region in (said.name, *wider, "chest"):
        for statement in reported.statements(f"normal {region}"):
            where = statement.values("side")
            if (
                statement.status == "present"
                and not reported.in_context(statement)
                and (not where or (sides <= where and sides) or where == {"left", "right"})
            ):
                return _supported(said, statement)
    contrary = [
        statement
        for statement in _findings_in(said.name, reported)
        if statement.status != "possible"
        and (said.name != "chest" or statement.name in SERIOUS)
        and (not sides or not _sides(statement, reported) or sides & _sides(statement, reported))
    ]
    not_normal = [s for s in reported.statements(f"normal {said.name}") if s.status == "absent"]
    if said.name == "cardiomediastinum" and not contrary:
        parts = [s for part in ("heart", "mediastinum") for s in reported.statements(f"normal {part}")]
        if parts:
            return _supported(said, parts[0])
    if contrary or not_normal:
        return Check(said.start, said.end, "negation")
    names = REGION_FINDINGS.get(said.name, ACUTE if said.name == "chest" else ())
    for name in (*names, "abnormality"):
        for statement in reported.statements(name):
            if statement.status == "absent" and not reported.in_context(statement):
                return _supported(said, statement)
    return Check(said.start, said.end, "denial") if said.name in REGION_FINDINGS else _supported(said, None)


def _check_not_normal(said: Statement, reported: Reported) -> Check:
    """«The lungs are not clear»: something is wrong there."""
    found = _findings_in(said.name, reported) or (_findings_in("volumes", reported) if said.name == "lungs" else [])
    absent = [statement for statement in reported.statements(f"normal {said.name}") if statement.status == "absent"]
    if found or absent:
        return _supported(said, (absent or found)[0])
    return Check(said.start, said.end, "negation" if list(reported.statements(f"normal {said.name}")) else "finding")


def _check_abnormality(said: Statement, reported: Reported) -> Check:
    own = [s for s in reported.statements("abnormality") if not reported.in_context(s)]
    timely = bool(said.limits & LIMITS_OF_TIME)
    region = said.region if said.region in REGION_FINDINGS else ""
    found = [s for s in _findings_in(region, reported) if not s.name.startswith("word ")]
    if said.status == "absent":
        same = [s for s in own if s.status == "absent" and (not s.region or not region or s.region == region)]
        if same:
            return _supported(said, same[0])
        wrong = (
            [s for s in found if s.status == "present" and _is_acute(s, reported)]
            if timely
            else [s for s in found if s.status == "present" and s.name not in LASTING]
        )
        if said.limits - LIMITS_OF_TIME - {"other", "additional", "further"}:
            wrong = []
        if wrong and not said.limits & {"other", "additional", "further"}:
            return Check(said.start, said.end, "negation")
        return _supported(said, None)
    affirmed = [s for s in own if s.status in ASSERTED and (not s.region or not region or s.region == region)]
    contradicted = bool(region) and any(s.status == "absent" and s.region == region for s in own)
    if affirmed and (not contradicted or any(s.region == region for s in affirmed)):
        return _supported(said, affirmed[0])
    denied = [s for s in own if s.status == "absent" and (not s.region or not region or s.region == region)]
    if denied and (timely or not found or (region and any(s.region == region for s in denied))):
        if any(_is_acute(s, reported) for s in found):
            return _supported(said, found[0])
        return Check(said.start, said.end, "negation")
    if found:
        return _supported(said, found[0])
    return Check(said.start, said.end, "negation" if any(key.startswith("normal ") for key in reported.by_name) else "finding")


def _is_acute(statement: Statement, reported: Reported) -> bool:
    if statement.name not in (
        "pneumothorax",
        "pneumonia",
        "pulmonary edema",
        "consolidation",
        "airspace disease",
        "infiltrate",
        "hemothorax",
    ):
        return statement.name in ACUTE and bool(_near(statement, reported, "change") & {"new", "worse"})
    return not _near(statement, reported, "change") & {"unchanged", "chronic", "better", "resolved"}


def _check_silence(said: Statement, reported: Reported) -> Check:
    """«The report does not mention X» is wrong where the report affirms X or denies it by name, «describes no X» where it affirms it."""
    told = (*ASSERTED, "absent") if said.status == "silent" else ASSERTED
    for statement in reported.statements(said.name):
        if not reported.in_context(statement) and statement.status in told and said.name != "abnormality":
            sides = said.values("side")
            if not sides or sides & _sides(statement, reported):
                return Check(said.start, said.end, "unanswered")
    return _supported(said, None)


def _check_advice(said: Statement, modalities: frozenset[str], reported: Reported) -> Check:
    advice = [s for s in reported.statements("advice") if not reported.in_context(s) and s.status != "absent"]
    if said.status in ("absent", "silent"):
        wanted = [s for s in advice if not modalities or modalities & reported.sentences[s.sentence].values("modality")]
        return Check(said.start, said.end, "recommendation") if wanted else _supported(said, None)
    advised = [(statement, reported.sentences[statement.sentence].values("modality")) for statement in advice]
    if modalities <= set[str]().union(*(held for _, held in advised)):
        for statement, held in advised:
            if not modalities or modalities & held:
                return _supported(said, statement)
    return Check(said.start, said.end, "recommendation")


def _check_quantity(claim: Claim, quantity: Quantity, reported: Reported) -> Check:
    same = [other for other in reported.quantities if _equal(quantity, other)]
    if quantity.kind == "measurement" and claim.subject and same:
        names = SPOTS if claim.subject in SPOTS else (claim.subject,)
        measured = [size for name in names for s in supporters(name, reported) for size in s.sizes]
        if measured and not any(_equal(quantity, size) for size in measured):
            same = []
    problem = {"measurement": "measurement", "number": "number", "duration": "number"}.get(quantity.kind, "date")
    if not same:
        return Check(claim.start, claim.end, problem)
    return Check(claim.start, claim.end, None, same[0].start, same[0].end)


def _equal(claimed: Quantity, other: Quantity) -> bool:
    if claimed.kind == "measurement":
        return other.kind == "measurement" and all(any(abs(value - held) < 0.01 for held in other.values) for value in claimed.values)
    if claimed.kind == "date":
        return other.kind == "date" and all(
            not wanted or not held or wanted == held for wanted, held in zip(claimed.values, other.values, strict=True)
        )
    if claimed.kind in ("time", "duration"):
        return other.kind == claimed.kind and claimed.values == other.values
    if other.kind == "date":
        return claimed.values[0] in other.values
    return other.kind == "number" and claimed.values == other.values


def _check_detail(claim: Claim, mark: Mark, reported: Reported) -> Check | None:
    """A detail without a noun of its own: of what the question is about, or else it has to stand in the report with a word beside it."""
    if claim.subject and not (mark.kind == "change" and claim.regions):
        candidates = [s for s in supporters(claim.subject, reported) if s.status in (*ASSERTED, "mentioned") or mark.kind == "change"]
        said = Statement("finding", claim.subject, "present", mark.start, mark.end, -1, {mark.kind: [mark]})
        if claim.only and _both_sides(claim.subject, reported):
            return Check(mark.start, mark.end, "side")
        if candidates:
            ok, by = _detail_supported(mark.kind, said, candidates, reported)
            return Check(mark.start, mark.end, None if ok else mark.kind, *((by.start, by.end) if ok and by else (-1, -1)))
    value = mark.value
    if mark.kind == "change" and claim.regions:
        regions = claim.regions.union(*(REGIONS_TOGETHER.get(region, ()) for region in claim.regions))
        told = [
            other
            for sentence in reported.sentences
            if "chest" in regions
            or regions & sentence.values("region")
            or any(statement.name in REGION_FINDINGS.get(region, ()) for region in regions for statement in sentence.statements)
            for other in sentence.marks
            if other.kind == "change"
        ]
        fitting = next((other for other in told if other.value == value), None)
        if fitting is not None:
            return Check(mark.start, mark.end, None, fitting.start, fitting.end)
        return Check(mark.start, mark.end, "change")
    for sentence in reported.sentences:
        for other in sentence.marks:
            if other.kind == mark.kind and (other.value == value or ("both" in (other.value, value) and mark.kind == "side")):
                return Check(mark.start, mark.end, None, other.start, other.end)
    return Check(mark.start, mark.end, mark.kind) if mark.kind != "severity" else None


def _check_abbreviation(claim: Claim, reported: Reported) -> list[Check]:
    known = expansion(claim.short)
    if known is None:
        return [] if claim.short.lower() in reported.text else [Check(claim.start, claim.end, "abbreviation")]
    options = (known, *OTHER_EXPANSIONS.get(claim.short, ()))
    words = _content(claim.long)
    if any(_same_expansion(words, _content(re.sub(r"\(.*?\)", "", option))) for option in options):
        return [Check(claim.start, claim.end, None)]
    return [Check(claim.start, claim.end, "abbreviation")]


def _content(text: str) -> list[str]:
    return [word for word in re.findall(r"[a-z]+", text.lower()) if word not in ("the", "a", "an", "of", "and", "or", "to")]


def _same_expansion(claimed: list[str], known: list[str]) -> bool:
    """Whether the words of an expansion stand at the head of what is claimed, in one spelling or another."""
    return (
        fuzz.ratio("".join(claimed[: len(known)]), "".join(known)) >= 88
        or fuzz.ratio("".join(claimed[: len(known) + 1]), "".join(known)) >= 92
    )
