"""Make up radiology reports in MIMIC-CXR's layout whose sections are known, because the text is laid out from them.

    python benchmarks/report_corpus.py --vocabulary common|heldout|heldout_a|heldout_b --mix natural|stress [--reports N] --out FILE

A row is {"id", "family", "text", "gold"}; `gold` lists the answers that a radiologist would accept, each from section name to text,
white space collapsed, empty sections left out. Text of wet reads, addenda, notifications and recommendations belongs to none of them.

A *vocabulary* (`vocabularies/`) holds the headers: `common` those that MIT-LCP documents for MIMIC-CXR, with their counts; `heldout`
names of the same sections at other hospitals, in two halves. Parsers may be mended after a look at half a, and are judged on half b.
A *mix* says how often each family of quirks comes: `natural` about as often as in MIMIC-CXR, `stress` all equally.
"""

import argparse
import json
import re
import string
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

SECTIONS = ("examination", "history", "indication", "technique", "comparison", "findings", "impression")
VOCABULARIES = ("common", "heldout", "heldout_a", "heldout_b")
MIXES = ("natural", "stress")
COLUMNS = 79
"""Of a line, its leading space among them."""
RULE = " " + "_" * (COLUMNS - 1)
FINAL_REPORT = " " * 33 + "FINAL REPORT"


@dataclass(frozen=True)
class Region:
    """What is said about one part of the body. In `{…}` stands what `Writer.say` fills in."""

    examinations: tuple[str, ...]
    techniques: tuple[str, ...]
    complaints: tuple[str, ...]
    questions: tuple[str, ...]
    observations: tuple[str, ...]
    conclusions: tuple[str, ...]
    organs: tuple[str, ...]
    """Labels inside findings, never headers."""


REGIONS = {
    "chest": Region(
        (
            "CHEST (PA AND LAT)",
            "CHEST (PORTABLE AP)",
            "Portable chest film",
            "DX CHEST PORT LINE/TUBE PLCMT",
            "Chest radiographs, two views",
        ),
        ("Upright frontal and lateral projections.", "One AP view, patient semi-upright.", "Chest PA and lateral", "Supine portable film."),
        ("productive cough", "pleuritic pain", "falling saturations", "fever after chemotherapy", "a fall from a ladder", "heart failure"),
        ("infection", "edema", "tube position", "effusion", "pneumothorax after thoracentesis", "rib fracture"),
        (
            "There is a {size} {side} effusion.",
            "Hazy density in the {side} {level} zone could be early infection.",
            "Compared with ___, the {side} {level} opacity {change}.",
            "The heart is {degree} enlarged.",
            "Vascular congestion is {grade} and {change}.",
            "No pneumothorax.",
            "Both lungs are well aerated without focal opacity.",
            "The mediastinum is not widened.",
            "An enteric tube courses below the diaphragm, its end off the film.",
            "The {side} subclavian line ends in the lower SVC.",
            "The endotracheal tube lies {cm} cm above the carina.",
            "Linear scarring at the {side} base {change}.",
            "A {mm} mm nodule projects over the {side} fifth rib.",
            "No displaced rib fracture is evident.",
            "The hila are prominent but {change}.",
            "Degenerative spurring is seen in the mid thoracic spine.",
        ),
        (
            "No acute disease in the chest.",
            "{Side} {level} zone pneumonia.",
            "{Size} {side} effusion with adjacent atelectasis.",
            "{Grade} pulmonary edema that {change}.",
            "Lines and tubes as described.",
            "{mm} mm {side} lung nodule; CT is advised.",
            "Cardiomegaly without failure.",
        ),
        ("Lungs", "Heart", "Pleura", "Mediastinum", "Bones", "Lines and tubes", "Upper abdomen", "Lungs and airways", "Soft tissues"),
    ),
    "abdomen": Region(
        ("ABDOMEN (SUPINE AND ERECT)", "Abdominal film", "ULTRASOUND ABDOMEN COMPLETE", "CT ABDOMEN AND PELVIS WITH CONTRAST"),
        ("Supine and left lateral decubitus films.", "Portal venous phase after oral contrast.", "Grey-scale and colour Doppler imaging."),
        ("colicky pain", "vomiting", "no flatus for two days", "raised bilirubin", "distension after colectomy"),
        ("obstruction", "free air", "gallstones", "ileus", "abscess"),
        (
            "Loops of small bowel measure up to {cm} cm.",
            "No free air.",
            "The liver is of normal size and texture.",
            "A {mm} mm calculus lies in the {side} kidney.",
            "Gas reaches the rectum.",
            "The gallbladder wall is {degree} thickened.",
            "A {size} amount of free fluid {change}.",
            "The spleen and pancreas are unremarkable.",
            "Stool burden is {grade}.",
        ),
        (
            "No obstruction.",
            "{Grade} ileus.",
            "{Side} renal stone of {mm} mm.",
            "{Size} volume ascites.",
            "Findings of acute cholecystitis.",
        ),
        ("Liver", "Gallbladder", "Spleen", "Pancreas", "Kidneys", "Bowel", "Bones", "Free fluid"),
    ),
    "limb": Region(
        ("KNEE (3 VIEWS) LEFT", "Right ankle series", "SHOULDER RADIOGRAPHS", "HAND, PA AND OBLIQUE"),
        ("AP, lateral and oblique projections.", "Two views, weight bearing.", "Three views through the cast."),
        ("a twisting injury", "swelling after a fall", "chronic pain", "a football injury", "hardware removal"),
        ("fracture", "dislocation", "healing", "hardware failure", "arthritis"),
        (
            "No fracture line is visible.",
            "The joint space is {degree} narrowed.",
            "A {size} joint effusion is present.",
            "Alignment is anatomic.",
            "Soft tissue swelling {change}.",
            "The {side} plate and screws are intact.",
            "A {mm} mm loose body is seen.",
            "Bone density is reduced.",
        ),
        (
            "No acute fracture.",
            "{Grade} osteoarthritis.",
            "{Size} effusion without fracture.",
            "Hardware in good position.",
            "Healing {side} fracture.",
        ),
        ("Bones", "Joints", "Soft tissues", "Alignment", "Hardware"),
    ),
    "brain": Region(
        ("CT HEAD W/O CONTRAST", "MRI brain", "CT of the head"),
        (
            "Axial images from vertex to skull base.",
            "Contiguous 5 mm sections without contrast.",
            "Multiplanar T1, T2 and diffusion imaging.",
        ),
        ("sudden weakness", "confusion", "a head strike on anticoagulation", "a first seizure", "worsening headache"),
        ("bleeding", "stroke", "mass", "hydrocephalus", "fracture"),
        (
            "No blood is seen.",
            "The ventricles are {degree} enlarged.",
            "A {mm} mm focus in the {side} frontal lobe {change}.",
            "Grey-white differentiation is kept.",
            "There is {grade} white matter disease.",
            "The mastoid air cells are clear.",
            "The calvarium is intact.",
        ),
        ("No bleed.", "{Grade} small vessel disease.", "{Side} frontal lesion of {mm} mm.", "No acute infarct.", "Sinus disease."),
        ("Ventricles", "Parenchyma", "Sinuses", "Skull", "Extra-axial spaces"),
    ),
    "spine": Region(
        ("LUMBAR SPINE (AP AND LATERAL)", "MRI lumbar spine", "Cervical spine series"),
        ("Frontal, lateral and spot films.", "Sagittal T1 and T2, axial T2.", "Five views including obliques."),
        ("low back pain", "radiating leg pain", "a motor vehicle collision", "known metastases", "numb fingers"),
        ("compression fracture", "stenosis", "disc herniation", "instability"),
        (
            "Vertebral heights are maintained.",
            "There is {grade} disc space loss at L4-5.",
            "A {mm} mm anterolisthesis {change}.",
            "The canal is {degree} narrowed.",
            "Pedicles are intact.",
            "The {side} neural foramen is patent.",
            "Prevertebral soft tissues are normal.",
        ),
        ("No fracture.", "{Grade} spondylosis.", "{Side} foraminal narrowing at L5-S1.", "Anterolisthesis of {mm} mm that {change}."),
        ("Alignment", "Vertebral bodies", "Disc spaces", "Soft tissues", "Spinal canal"),
    ),
}
SLOTS: dict[str, tuple[str, ...]] = {
    "side": ("left", "right"),
    "size": ("tiny", "small", "moderate", "large"),
    "grade": ("minimal", "mild", "moderate", "marked"),
    "degree": ("minimally", "mildly", "moderately", "markedly"),
    "level": ("upper", "middle", "lower"),
    "change": ("is the same", "has grown", "has shrunk", "has cleared in part", "looks slightly worse"),
}
WHO = ("___ year old woman", "___ year old man", "___M", "___F", "Woman in her ___s", "___-year-old male smoker")
NO_PRIOR = ("None.", "None available.", "___", "No earlier study on this system.")
TOLD = (
    "The above was told to Dr. ___ by phone at {time} on ___.",
    "Dr. ___ was paged with these results at {time}, ten minutes after they were seen.",
    "Discussed in person with the ward team at {time} by Dr. ___.",
)
ADVISED = ("Repeat imaging in six weeks.", "CT is suggested.", "Clinical correlation and a follow-up film are advised.", "Consider MRI.")
PRELIMINARY = ("No change from before.", "Line in good place.", "Nothing acute.", "Possible early infection on the left; please correlate.")
AMENDED = (
    "The side was misstated in the first version; it should read left.",
    "On second look a subtle fracture is seen.",
    "Earlier films have since become available and show the same.",
    "The tube was moved before this report was signed.",
)
LIKE_HEADERS = (
    "Findings were reviewed with the ordering team.",
    "Comparison with the film of ___ shows no change.",
    "Impression of the tube on the soft tissues is again seen.",
    "Technique is limited by motion.",
    "History of surgery explains the clips.",
    "Indication of healing is present.",
    "FINDINGS persist on the later image.",
    "IMPRESSION on the trachea by the goiter is known.",
)
"""Sentences that begin with a section's name and belong to the text around them."""


@dataclass(frozen=True)
class Vocabulary:
    """The headers that reports are written with; see `vocabularies/*.json`."""

    names: dict[str, dict[str, float]]
    """Section to its headers and their weights."""
    misspelt: dict[str, list[str]]
    history_or_indication: list[str]
    """Headers whose text may be read as either."""
    findings_and_impression: list[str]
    """Headers of both in one, whose text may be read as either or both."""
    titles: dict[str, list[str]]
    """Region to names of studies that stand as headers."""
    recommendations: list[str]
    notification: list[str]
    addendum: list[str]
    wet_read: list[str]
    signature: list[str]
    usual: float = 0.0
    """How often a section goes by the name that the seven have here, whatever the weights say."""


@cache
def vocabulary(name: str) -> Vocabulary:
    """One of VOCABULARIES; `heldout` is its two halves together."""
    if name == "heldout":
        a, b = (rows_of_vocabulary(half) for half in ("heldout_a", "heldout_b"))
        return Vocabulary(**{key: united(a[key], b[key]) for key in a}, usual=0.25)
    return Vocabulary(**rows_of_vocabulary(name), usual=0.0 if name == "common" else 0.25)


def rows_of_vocabulary(name: str) -> dict[str, Any]:
    """What a vocabulary's file holds, but for its `about`."""
    rows = json.loads((Path(__file__).parent / "vocabularies" / f"{name}.json").read_text(encoding="utf-8"))
    return {key: value for key, value in rows.items() if key != "about"}


def united(a: Any, b: Any) -> Any:
    """Two lists one after the other, two mappings key by key."""
    if isinstance(a, dict):
        return {key: united(a[key], b[key]) if key in a and key in b else a.get(key, b.get(key)) for key in a | b}
    return a + b


@dataclass(frozen=True)
class Part:
    """One block of a report."""

    header: str
    """Empty where there is none."""
    paragraphs: tuple[str, ...]
    readings: tuple[dict[str, str], ...]
    """The ways to read it, each from section to text; `({},)` for what belongs to no section."""
    separator: str = ":"
    own_line: bool = False
    """The header stands on a line of its own."""
    space_after: bool = True
    """A space ends the line of a header that stands on its own."""
    apart: bool = True
    """A blank line stands between paragraphs."""
    above: bool = False
    """Stands above the report proper, closed by a rule."""
    glued: bool = False
    """No blank line follows."""


@dataclass
class Writer:
    """Makes up the parts of one report."""

    random: Random
    words: Vocabulary
    region: str
    case: Callable[[str], str] = str
    """Applied to headers."""
    wild: float = 0.0
    """How often a section goes by another name than its usual one, whatever the weights say."""
    used: set[str] = field(default_factory=set)
    """Sentences said already; none is said twice, so that text at a wrong place shows."""

    def name(self, section: str) -> str:
        """A header for the section."""
        usual = section.upper()
        others = {name: weight for name, weight in self.words.names[section].items() if name != usual}
        if self.random.random() < self.wild and others:
            return self.case(self.random.choice(list(others)))
        if self.random.random() < self.words.usual:
            return self.case(usual)
        names = self.words.names[section]
        return self.case(self.random.choices(list(names), list(names.values()))[0])

    def title(self) -> str:
        """The name of a study."""
        return self.random.choice(self.words.titles[self.region])

    def time(self) -> str:
        """A time of day in one of the usual ways."""
        hour, minute = self.random.randint(1, 12), self.random.randint(0, 59)
        return self.random.choice((f"{hour}:{minute:02d} a.m.", f"{hour}:{minute:02d} PM", f"{hour + 11:02d}:{minute:02d}"))

    def say(self, templates: tuple[str, ...], times: int = 1) -> str:
        """So many sentences, filled in, none of which was said before where that can be helped."""
        return "  ".join(self.sentence(templates) for _ in range(times))

    def sentence(self, templates: tuple[str, ...]) -> str:
        """One sentence, filled in, that was not said before where that can be helped."""
        said = ""
        for _ in range(20):
            fill = {slot: self.random.choice(words) for slot, words in SLOTS.items()}
            fill |= {slot.capitalize(): word.capitalize() for slot, word in fill.items()}
            fill |= {"mm": str(self.random.randint(2, 39)), "cm": f"{self.random.randint(20, 79) / 10}", "time": self.time()}
            said = self.random.choice(templates).format(**fill)
            if said not in self.used:
                break
        self.used.add(said)
        return said

    def observations(self, low: int = 2, high: int = 5) -> str:
        """A few sentences about what is seen."""
        return self.say(REGIONS[self.region].observations, self.random.randint(low, high))

    def content(self, section: str) -> tuple[str, ...]:
        """Paragraphs such as the section holds."""
        region, random = REGIONS[self.region], self.random
        if section == "findings":
            return tuple(self.observations() for _ in range(random.choice((1, 1, 1, 2))))
        if section == "impression":
            points = [self.sentence(region.conclusions) for _ in range(random.choice((1, 1, 2, 3)))]
            style = random.choice(("{n}.  {point}", "{n}. {point}", "{n}) {point}", "- {point}", "{point}"))
            return (points[0],) if len(points) == 1 else tuple(style.format(n=n, point=point) for n, point in enumerate(points, start=1))
        if section == "comparison":
            earlier = (f"{random.choice(region.examinations)} of ___.", f"Study of ___ at {self.time()}", "Films dated ___ and ___.")
            return (random.choice(NO_PRIOR + earlier),)
        if section == "examination":
            return (random.choice(region.examinations),)
        if section == "technique":
            return (random.choice(region.techniques),)
        complaint, question = random.choice(region.complaints), random.choice(region.questions)
        if section == "history":
            return (f"{random.choice(WHO)} with {complaint}.",)
        return (random.choice((f"{random.choice(WHO)} with {complaint}  // ?{question}", f"{complaint.capitalize()}, query {question}.")),)

    def section(self, section: str, header: str | None = None, paragraphs: tuple[str, ...] | None = None, **layout: Any) -> Part:
        """A section under a header of its own."""
        paragraphs = self.content(section) if paragraphs is None else paragraphs
        text = collapsed(" ".join(paragraphs))
        layout.setdefault("own_line", section in ("findings", "impression") and self.random.random() < 0.45)
        layout.setdefault("space_after", self.random.random() < 0.7)
        layout.setdefault("apart", not (section == "impression" and len(paragraphs) > 1))
        return Part(header or self.name(section), paragraphs, ({section: text},) if text else ({},), **layout)

    def ambiguous(self, header: str, readings: tuple[tuple[str, ...], ...], paragraphs: tuple[str, ...], **layout: Any) -> Part:
        """A part whose text may be that of any of these groups of sections."""
        text = collapsed(" ".join(paragraphs))
        return Part(header, paragraphs, tuple(dict.fromkeys(group, text) for group in readings), **layout)

    def outside(self, header: str, *paragraphs: str, **layout: Any) -> Part:
        """A part that belongs to no section."""
        return Part(header, paragraphs, ({},), **layout)

    def narrative(self, title: str | None = None) -> Part:
        """Paragraphs without header, which may be findings, impression, or findings that end in an impression."""
        paragraphs = tuple(self.observations() for _ in range(self.random.choice((1, 1, 2))))
        body = [collapsed(paragraph) for paragraph in paragraphs]
        readings = [{"findings": " ".join(body)}, {"impression": " ".join(body)}]
        if len(body) > 1:
            readings.append({"findings": " ".join(body[:-1]), "impression": body[-1]})
        if title is None:
            return Part("", paragraphs, tuple(readings))
        with_title = [{"examination": title} | reading for reading in readings]
        title_inside = [{**reading, first: f"{title} {reading[first]}"} for reading in readings for first in [next(iter(reading))]]
        return Part("", (title, *paragraphs), (*readings, *with_title, *title_inside))

    def opening(self) -> list[Part]:
        """What stands before findings."""
        if self.random.random() < 0.65:
            names = [("examination", 0.85), ("indication", 1.0), ("technique", 0.75), ("comparison", 0.9)]
        else:
            names = [("history", 1.0), ("technique", 0.4), ("comparison", 0.8)]
        return [self.section(name) for name, share in names if self.random.random() < share]

    def whole(self) -> list[Part]:
        """All that a plain report has."""
        return [*self.opening(), self.section("findings"), self.section("impression")]


def collapsed(text: str) -> str:
    """The text on one line, one space between words."""
    return " ".join(text.split())


def wrapped(text: str, indent: str = " ") -> list[str]:
    """A paragraph as lines of COLUMNS."""
    return textwrap.wrap(text, COLUMNS, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def lines_of(part: Part) -> list[str]:
    """One part in MIMIC-CXR's layout, with the blank line (one space) that follows it."""
    head, paragraphs = f"{part.header}{part.separator}" if part.header else "", list(part.paragraphs)
    lines: list[str] = []
    if head and (part.own_line or not paragraphs):
        lines.append(f" {head} " if part.separator and part.space_after else f" {head}")
        lines += [" "] if paragraphs and part.apart else []
    elif head:
        space = "" if part.separator.endswith(("\0", " ")) else "  "
        lines += wrapped(f"{head}{space}{paragraphs.pop(0)}".replace("\0", ""))
        lines += [" "] if paragraphs and part.apart else []
    for number, paragraph in enumerate(paragraphs):
        lines += [" "] if number and part.apart else []
        lines += wrapped(paragraph)
    return lines if part.glued else [*lines, " "]


def laid_out(parts: list[Part]) -> str:
    """The report: what stands above it with a rule below, then FINAL REPORT and the rest."""
    lines: list[str] = []
    for part in parts:
        if part.above:
            lines += [*lines_of(replace(part, glued=True)), RULE]
    lines.append(FINAL_REPORT)
    for part in parts:
        if not part.above:
            lines += lines_of(part)
    return "\n".join(lines) + "\n"


def answers(parts: list[Part]) -> list[dict[str, str]]:
    """Every acceptable reading of the whole, the parts of a section joined."""
    found: list[dict[str, str]] = []
    for reading in product(*(part.readings for part in parts)):
        answer: dict[str, str] = {}
        for piece in reading:
            for section, text in piece.items():
                answer[section] = f"{answer[section]} {text}" if section in answer else text
        if answer not in found:
            found.append(answer)
    return found


def plain(w: Writer) -> list[Part]:
    """Findings and impression, each under a header of its own."""
    return w.whole()


def aliases(w: Writer) -> list[Part]:
    """Sections under other names than their usual ones."""
    w.wild = 1.0
    return w.whole()


def no_impression(w: Writer) -> list[Part]:
    """Findings are the last section."""
    return [*w.opening(), w.section("findings")]


def no_findings(w: Writer) -> list[Part]:
    """An impression without findings."""
    return [*w.opening(), w.section("impression")]


def unheaded_below_headers(w: Writer) -> list[Part]:
    """What is seen stands without header below a section or two."""
    names = w.random.choice((("indication",), ("history",), ("indication", "comparison"), ("history", "comparison")))
    return [*(w.section(name) for name in names), w.narrative()]


def unheaded(w: Writer) -> list[Part]:
    """No header at all; a title may stand above."""
    title = w.random.choice((f"{w.title()} ___", f"{w.title()} AT {w.time().upper()} ON ___", f"{w.title()}, ___", None))
    return [w.narrative(title)]


def merged(w: Writer) -> list[Part]:
    """Findings and impression under one header."""
    header = w.case(w.random.choice(w.words.findings_and_impression))
    paragraphs = w.content("findings") + w.content("impression")
    readings = (("findings",), ("impression",), ("findings", "impression"))
    return [*w.opening(), w.ambiguous(header, readings, paragraphs, own_line=w.random.random() < 0.4)]


def history_or_indication(w: Writer) -> list[Part]:
    """A header that may stand for history or for indication."""
    header = w.case(w.random.choice(w.words.history_or_indication))
    return [
        w.section("examination"),
        w.ambiguous(header, (("history",), ("indication",)), w.content("indication")),
        *(w.section(name) for name in ("comparison", "findings", "impression")),
    ]


def title_as_header(w: Writer) -> list[Part]:
    """The study's name as the header of what is seen."""
    title, paragraphs = w.title(), w.content("findings")
    text = collapsed(" ".join(paragraphs))
    part = Part(title, paragraphs, ({"findings": text}, {"examination": title, "findings": text}), own_line=w.random.random() < 0.3)
    ending = [w.section("impression")] if w.random.random() < 0.8 else []
    return [*(w.section(name) for name in ("history", "comparison") if w.random.random() < 0.7), part, *ending]


def title_above_headers(w: Writer) -> list[Part]:
    """The study's name, with a colon or without, above a report that says the rest under headers."""
    title = w.title()
    colon = w.random.random() < 0.5
    timed = title if colon else w.random.choice((title, f"{title} AT {w.time().upper()} ON ___", f"{title}, {w.time().upper()}, ___"))
    shown = Part(timed, (), ({}, {"examination": timed}), separator=":" if colon else "")
    return [shown, *(w.section(name) for name in ("indication", "comparison", "findings", "impression"))]


def wet_read(w: Writer) -> list[Part]:
    """A preliminary reading, above the report or at its beginning."""
    header = w.random.choice(w.words.wet_read)
    read = f"___ ___ ___ {w.time().upper()}"
    text = w.say(PRELIMINARY, w.random.randint(1, 2))
    if w.random.random() < 0.6:
        return [w.outside(header, read, text, above=True, apart=False), *w.whole()]
    return [w.outside(header, text), *w.whole()]


def addendum(w: Writer) -> list[Part]:
    """A later remark above the report."""
    header = w.random.choice((w.random.choice(w.words.addendum), f"{w.random.choice(w.words.addendum)} ___"))
    paragraphs = [w.sentence(AMENDED) for _ in range(w.random.choice((1, 2)))]
    return [w.outside(header, *paragraphs, above=True, own_line=w.random.random() < 0.3), *w.whole()]


def tail(w: Writer) -> list[Part]:
    """Notification and recommendations below the report."""
    told = w.outside(w.case(w.random.choice(w.words.notification)), w.say(TOLD))
    advised = w.outside(w.case(w.random.choice(w.words.recommendations)), w.say(ADVISED, w.random.randint(1, 2)))
    tails = w.random.choice(([told], [advised], [advised, told], [told, advised]))
    return [*(w.whole() if w.random.random() < 0.8 else no_impression(w)), *tails]


def signature(w: Writer) -> list[Part]:
    """What signs the report, below it."""
    return [*w.whole(), w.outside(w.random.choice(w.words.signature), f"Dr. ___ on ___ at {w.time()}")]


def repeated(w: Writer) -> list[Part]:
    """Findings or impression twice, each with a header."""
    names = w.random.choice(
        (("findings", "findings", "impression"), ("findings", "impression") * 2, ("findings", "impression", "impression"))
    )
    return [*w.opening(), *(w.section(name) for name in names)]


def empty_section(w: Writer) -> list[Part]:
    """A header with nothing below but the next header, on the very next line or after a blank one."""
    empty = w.random.choice(("comparison", "technique", "indication", "findings"))
    names = [name for name in ("examination", "indication", "comparison", "technique", "findings", "impression") if name != empty]
    parts = [w.section(name) for name in names]
    place = {"indication": 1, "comparison": 2, "technique": 3, "findings": 4}[empty]
    return [*parts[:place], w.section(empty, paragraphs=(), glued=w.random.random() < 0.7), *parts[place:]]


def labels(w: Writer) -> list[Part]:
    """Findings organ by organ, each with its label."""
    organs = w.random.sample(REGIONS[w.region].organs, w.random.randint(3, 4))
    case = w.random.choice((str, str, str.upper))
    paragraphs = tuple(f"{case(organ)}:  {w.observations(1, 2)}" for organ in organs)
    findings = w.section("findings", paragraphs=paragraphs, own_line=True, apart=w.random.random() < 0.5)
    return [*w.opening(), findings, w.section("impression")]


def times(w: Writer) -> list[Part]:
    """Times, ratios and colons in the running text, and whom it was told to."""
    seen = w.random.choice(
        (
            f"The film was taken at {w.time()} and repeated at {w.time()} for position",
            "The following is new: a thin line at the apex",
            "Please note: the left side is cut off",
            "Image ___: the calcified node; the scale is 1:1",
        )
    )
    findings = w.section("findings", paragraphs=(f"{w.observations(1, 3)}  {seen}.  {w.observations(1, 2)}",))
    impression = w.section("impression", paragraphs=(f"{w.say(REGIONS[w.region].conclusions)}  {w.say(TOLD)}",))
    return [*w.opening(), findings, impression]


def headers_in_text(w: Writer) -> list[Part]:
    """Sentences that begin with a section's name, at the start of a paragraph."""
    findings = (w.observations(1, 3), f"{w.sentence(LIKE_HEADERS)}  {w.observations(1, 2)}")
    return [*w.opening(), w.section("findings", paragraphs=findings, apart=w.random.random() < 0.5), w.section("impression")]


def capitals(w: Writer) -> list[Part]:
    """A report typed in capitals."""

    def shouted(part: Part) -> Part:
        """One part in capitals."""
        readings = tuple({section: text.upper() for section, text in reading.items()} for reading in part.readings)
        return replace(part, paragraphs=tuple(paragraph.upper() for paragraph in part.paragraphs), readings=readings)

    return [shouted(part) for part in w.whole()]


def mixed_case(w: Writer) -> list[Part]:
    """Headers in small or mixed letters."""
    w.case = w.random.choice((string.capwords, str.capitalize, str.lower))
    return w.whole()


def no_colon(w: Writer) -> list[Part]:
    """Headers alone on their lines, without colon."""
    bare = w.random.sample(("findings", "impression", "comparison", "indication"), w.random.randint(1, 3))
    if w.random.random() < 0.25:
        w.case, w.wild, w.words = string.capwords, 0.0, replace(w.words, usual=1.0)
    return [
        w.section(name, separator="", own_line=True) if name in bare else w.section(name)
        for name in ("indication", "technique", "comparison", "findings", "impression")
    ]


def tight_colon(w: Writer) -> list[Part]:
    """`HEADER:text`, `HEADER : text`, `HEADER ; text`, `HEADER - text`."""
    return [replace(part, own_line=False, separator=w.random.choice((":\0", ":\0", " : ", " :", ";", " - "))) for part in w.whole()]


def misspelt(w: Writer) -> list[Part]:
    """One or two headers with a slip of the pen."""
    names = w.random.sample(list(w.words.misspelt), w.random.randint(1, 2))
    used = list(SECTIONS)
    used.remove(w.random.choice([name for name in ("history", "indication") if name not in names] or ["history"]))
    return [w.section(name, w.random.choice(w.words.misspelt[name]) if name in names else None) for name in used]


def impression_first(w: Writer) -> list[Part]:
    """Impression before findings."""
    return [*w.opening(), w.section("impression"), w.section("findings")]


FAMILIES: dict[str, tuple[Callable[[Writer], list[Part]], float]] = {
    "plain": (plain, 50),
    "aliases": (aliases, 6),
    "no_impression": (no_impression, 12),
    "no_findings": (no_findings, 6),
    "unheaded_below_headers": (unheaded_below_headers, 4),
    "unheaded": (unheaded, 0.7),
    "merged": (merged, 2.5),
    "history_or_indication": (history_or_indication, 0.3),
    "title_as_header": (title_as_header, 2),
    "title_above_headers": (title_above_headers, 2),
    "wet_read": (wet_read, 2),
    "addendum": (addendum, 1.5),
    "tail": (tail, 3),
    "signature": (signature, 0.3),
    "repeated": (repeated, 0.5),
    "empty_section": (empty_section, 0.7),
    "labels": (labels, 1),
    "times": (times, 2),
    "headers_in_text": (headers_in_text, 0.6),
    "capitals": (capitals, 0.3),
    "mixed_case": (mixed_case, 0.3),
    "no_colon": (no_colon, 0.3),
    "tight_colon": (tight_colon, 0.3),
    "misspelt": (misspelt, 0.3),
    "impression_first": (impression_first, 0.3),
}
"""Name to what makes the parts, and its weight in the natural mix."""


def stripped(text: str) -> str:
    """Without white space at the ends of lines and of the whole."""
    return "\n".join(line.strip() for line in text.split("\n")).strip() + "\n"


def indented(text: str) -> str:
    """Headers further in than the text."""
    return re.sub(r"^ (?=[A-Z]{4,}[A-Z ]*:)", "     ", text, flags=re.MULTILINE)


LAYOUTS: dict[str, tuple[Callable[[str], str], float]] = {
    "stripped": (stripped, 0.2),
    "flattened": (collapsed, 0.1),
    "crlf": (lambda text: text.replace("\n", "\r\n"), 0.2),
    "no_blank_lines": (lambda text: "\n".join(line for line in text.split("\n") if line.strip()) + "\n", 0.2),
    "no_first_line": (lambda text: text.split("\n", 1)[1], 0.2),
    "indented": (indented, 0.1),
    "tabs": (lambda text: re.sub(r"^ ", "\t", text, flags=re.MULTILINE), 0.1),
    "unwrapped": (lambda text: re.sub(r"(?<=[a-z.,]{2})\n (?=[a-z])", " ", text), 0.1),
}
"""Name to what is done to a report of one of SOUND, and its weight in the natural mix."""
SOUND = (plain, plain, aliases, no_impression, no_findings, tail, repeated)


def corpus(words: str, mix: str, reports: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield rows; row n is the same however many are asked for."""
    weights = {name: weight for table in (FAMILIES, LAYOUTS) for name, (_, weight) in table.items()}
    regions = [region for region in REGIONS if words != "common" or region == "chest"]
    for number in range(reports):
        random = Random(f"report corpus/{seed}/{words}/{mix}/{number}")
        family = list(weights)[number % len(weights)] if mix == "stress" else random.choices(list(weights), list(weights.values()))[0]
        region = random.choices(regions, [12 if region == "chest" else 2 for region in regions])[0]
        writer = Writer(random, vocabulary(words), region)
        parts = (FAMILIES[family][0] if family in FAMILIES else random.choice(SOUND))(writer)
        text = laid_out(parts)
        yield {
            "id": f"{words}/{mix}/{number:06d}",
            "family": family,
            "text": LAYOUTS[family][0](text) if family in LAYOUTS else text,
            "gold": answers(parts),
        }


def main() -> None:
    """Write a corpus as JSONL."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", choices=VOCABULARIES, default="common")
    parser.add_argument("--mix", choices=MIXES, default="natural")
    parser.add_argument("--reports", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    with options.out.open("w", encoding="utf-8", newline="\n") as file:
        for row in corpus(options.vocabulary, options.mix, options.reports, options.seed):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
