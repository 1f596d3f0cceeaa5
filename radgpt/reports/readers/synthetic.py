"""Make up chest X-ray reports in MIMIC-CXR's layout: studies of patients whose findings evolve, told by a small grammar."""

import hashlib
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, groupby, islice
from random import Random
from typing import Any

from radgpt.config import Data, SplitPolicy
from radgpt.reports.document import Document, Plan
from radgpt.reports.readers import grammar
from radgpt.reports.readers.grammar import CONDITIONS, DEVICES, Device, State, capital, sentence
from radgpt.reports.readers.splits import no_official_split

NO_SPLIT = "made-up reports have none"

STUDIES_OF_A_PATIENT = (1, 1, 1, 2, 2, 3)
ACUTE_OR_CHRONIC = [name for name, condition in CONDITIONS.items() if condition.told]
INCIDENTAL = [name for name, condition in CONDITIONS.items() if not condition.told]
LINE = 79
"""Columns of a line, its leading space among them."""


@dataclass(frozen=True)
class Patient:
    """Who is studied, the same at every study."""

    age: int
    sex: str
    device: Device | None


@dataclass(frozen=True)
class Study:
    """What one study shows."""

    states: tuple[State, ...]
    resolved: tuple[State, ...] = ()
    """As they were at the study before."""
    device_place: str = ""
    device_misplaced: bool = False
    days_since: int | None = None
    """Days since the study before; None at the first one."""


def digest(data: Data) -> None:
    """None: nothing is read."""


def plan(data: Data, seed: int) -> Plan:
    """List `data.synthetic_reports` reports as (seed, number of the patient, number of the study), both from 1."""
    if data.split is SplitPolicy.official:
        raise no_official_split(data, NO_SPLIT)
    return Plan(islice(studies(seed), data.synthetic_reports), data.synthetic_reports)


def studies(seed: int) -> Iterator[tuple[int, int, int]]:
    """Patient after patient without end, each one's studies in order."""
    number = 0
    while True:
        number += 1
        _, _, count, _ = patient_of(seed, number)
        for study in range(1, count + 1):
            yield seed, number, study


def load(data: Data, items: Sequence[Any]) -> Iterator[Document]:
    """Write the reports. Patient n is the same for equal seeds, however many reports are asked for."""
    for (seed, number), wanted in groupby(items, key=lambda item: item[:2]):
        texts: list[str] = []
        rest = texts_of_patient(seed, number)
        for _, _, study in wanted:
            texts += islice(rest, max(0, study - len(texts)))
            yield Document(f"synthetic-{number:05d}-{study}", f"synthetic-{number:05d}", texts[study - 1])


def patient_of(seed: int, number: int) -> tuple[Patient, Study, int, Random]:
    """A made-up patient, the first study, how many studies there are, and the source of chance for the rest."""
    random = Random(hashlib.sha256(f"synthetic report/{seed}/{number}".encode()).digest())
    patient = Patient(
        age=random.randint(42, 89),
        sex=random.choice(("man", "woman")),
        device=random.choice(DEVICES) if random.random() < 0.35 else None,
    )
    study = first_study(patient, random)
    return patient, study, random.choice(STUDIES_OF_A_PATIENT), random


def texts_of_patient(seed: int, number: int) -> Iterator[str]:
    """The reports of a made-up patient, first study first."""
    patient, study, count, random = patient_of(seed, number)
    for position in range(count):
        if position:
            study = next_study(study, patient, random)
        yield layout(patient, study, random)


def first_study(patient: Patient, random: Random) -> Study:
    """A study with nothing to one, two or three things to tell, and perhaps an incidental one."""
    names = random.sample(ACUTE_OR_CHRONIC, k=random.choice((0, 1, 1, 2, 2, 3))) + random.sample(INCIDENTAL, k=random.choice((0, 0, 1)))
    return placed(Study(tuple(begun(name, random) for name in names)), patient, random)


def begun(name: str, random: Random, change: str | None = None) -> State:
    """A condition at a random site in a random degree."""
    condition = CONDITIONS[name]
    return State(name, random.choice(condition.sites), random.randrange(len(condition.grades)), change)


def placed(study: Study, patient: Patient, random: Random) -> Study:
    """The study with its device, if the patient has one, in a right or (rarely) a wrong place."""
    if patient.device is None:
        return study
    misplaced = random.random() < 0.2
    place = random.choice(patient.device.wrong_places if misplaced else patient.device.right_places)
    return replace(study, device_place=place, device_misplaced=misplaced)


def next_study(before: Study, patient: Patient, random: Random) -> Study:
    """The study that follows: each condition grows, shrinks, goes or stays, and a new one may come."""
    states, resolved = [], []
    for state in before.states:
        grades = len(CONDITIONS[state.name].grades)
        step = random.choice((-1, -1, 0, 1)) if CONDITIONS[state.name].told and grades > 1 else 0
        if state.grade + step < 0 and CONDITIONS[state.name].acute:
            resolved.append(replace(state, change=None))
            continue
        grade = min(max(state.grade + step, 0), grades - 1)
        change = "same" if grade == state.grade else "larger" if grade > state.grade else "smaller"
        states.append(replace(state, grade=grade, change=change))
    absent = [name for name in ACUTE_OR_CHRONIC if name not in {state.name for state in before.states} and CONDITIONS[name].acute]
    if random.random() < 0.35:
        states.append(begun(random.choice(absent), random, "new"))
    return placed(Study(tuple(states), tuple(resolved), days_since=random.choice((1, 1, 2, 3, 5, 9, 14, 30))), patient, random)


def layout(patient: Patient, study: Study, random: Random) -> str:
    """A report as MIMIC-CXR lays reports out: every line begins with a space and ends by column 79."""
    examination = "CHEST (PORTABLE AP)" if patient.device or random.random() < 0.4 else "CHEST (PA AND LAT)"
    why = f"{patient.age}-year-old {patient.sex} with {reason(patient, study, random)}."
    sections = {
        "TECHNIQUE": random.choice(grammar.VIEWS[examination]),
        "COMPARISON": random.choice(grammar.NO_PRIOR) if study.days_since is None else earlier(study.days_since, random),
        "FINDINGS": findings(patient, study, random),
        "IMPRESSION": impression(patient, study, random),
    }
    headed = {"EXAMINATION": examination, "INDICATION": why} if random.random() < 0.7 else {"HISTORY": why}
    lines = [" " * 33 + "FINAL REPORT"]
    own_line = random.random() < 0.4
    for header, text in (headed | sections).items():
        if header in ("FINDINGS", "IMPRESSION") and (own_line or "\n" in text):
            lines += [f" {header}: ", " "]
            lines += [line for paragraph in text.split("\n") for line in wrapped(paragraph)]
        else:
            lines += wrapped(f"{header}:  {text}")
        lines.append(" ")
    return "\n".join(lines) + "\n"


def wrapped(text: str) -> list[str]:
    """A paragraph as lines that begin with a space."""
    return textwrap.wrap(text, LINE, initial_indent=" ", subsequent_indent=" ", break_long_words=False, break_on_hyphens=False)


def reason(patient: Patient, study: Study, random: Random) -> str:
    """Why the study was done."""
    if patient.device and (study.days_since is None or random.random() < 0.5):
        return patient.device.reason
    symptoms = [symptom for state in (*study.states, *study.resolved) for symptom in CONDITIONS[state.name].symptoms]
    if not symptoms:
        symptoms = [symptom for condition in CONDITIONS.values() for symptom in condition.symptoms]
    why = random.choice(symptoms)
    return why if study.days_since is None else random.choice((f"{why}, interval change", f"{why}, follow-up", why))


def earlier(days: int, random: Random) -> str:
    """The study that this one is compared with."""
    ago = "1 day" if days == 1 else f"{days} days"
    return random.choice((f"Chest radiograph from {ago} earlier.", f"Prior CXR, {ago} before.", f"Portable AP film obtained {ago} ago."))


def findings(patient: Patient, study: Study, random: Random) -> str:
    """What is seen, and what is not: devices, lungs, pleura, heart, then the rest."""
    names = {state.name for state in study.states}
    told = {
        state.name: sentence(grammar.CHANGES[state.change] if state.change else grammar.FIRST_SEEN, state, random) for state in study.states
    }
    gone = [sentence(grammar.RESOLVED, state, random) for state in study.resolved]
    device = []
    if patient.device:
        name = patient.device.name
        device = [random.choice(grammar.TIP).format(name=name, Article=capital(grammar.article(name)), place=study.device_place)]
    in_lungs = [told[name] for name in ("consolidation", "nodule", "atelectasis", "edema", "hyperinflation", "granuloma") if name in told]
    if not names & {"consolidation", "nodule", "atelectasis", "edema", "granuloma"}:
        in_lungs.append(random.choice(grammar.CLEAR_LUNGS))
    elif "consolidation" not in names:
        in_lungs.append(random.choice(grammar.NO_CONSOLIDATION))
    if "edema" not in names:
        in_lungs.append(random.choice(grammar.NO_EDEMA))
    pleura = [told[name] for name in ("effusion", "pneumothorax") if name in told]
    if not names & {"effusion", "pneumothorax"}:
        pleura.append(random.choice(grammar.NEITHER))
    elif "effusion" not in names:
        pleura.append(random.choice(grammar.NO_EFFUSION))
    elif "pneumothorax" not in names:
        pleura.append(random.choice(grammar.NO_PNEUMOTHORAX))
    heart = [told.get("cardiomegaly") or random.choice(grammar.NORMAL_HEART)] + [told[name] for name in ("aorta", "hernia") if name in told]
    bones = [told[name] for name in ("fracture", "old_fracture", "spine") if name in told]
    if not bones:
        bones.append(random.choice(grammar.NORMAL_BONES))
    elsewhere = [random.choice(grammar.NO_FREE_AIR)] if random.random() < 0.4 else []
    middle = [in_lungs, pleura, heart]
    random.shuffle(middle)
    return "  ".join([*device, *gone, *chain(*middle), *bones, *elsewhere])


def impression(patient: Patient, study: Study, random: Random) -> str:
    """The same findings in short, gravest first; numbered where there are several."""
    points = []
    if patient.device and study.device_misplaced:
        points.append(f"{capital(patient.device.name)} {study.device_place}; {patient.device.mend}.")
    for name in ACUTE_OR_CHRONIC:
        for state in study.states:
            if state.name == name:
                short = grammar.SUMMARY[state.change].format(phrase=state.phrase) if state.change else capital(state.phrase)
                points.append(f"{short}{random.choice(CONDITIONS[name].concern or ('',))}.")
    points += [f"Resolved {state.phrase}." for state in study.resolved]
    if not any(CONDITIONS[state.name].acute for state in study.states) and not study.device_misplaced:
        points.insert(0, random.choice(grammar.NO_ACUTE))
    if patient.device and not study.device_misplaced and random.random() < 0.5:
        points.append(f"{capital(patient.device.name)} in standard position.")
    return points[0] if len(points) == 1 else "\n".join(f"{number}.  {point}" for number, point in enumerate(points, start=1))
