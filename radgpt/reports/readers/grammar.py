"""The grammar of made-up chest X-ray reports: what may be seen, in which words, and how it changes between two studies."""

from dataclasses import dataclass
from random import Random

LUNG_ZONES = ("right upper lobe", "right middle lobe", "right lower lobe", "left upper lobe", "left lower lobe", "lingula")
SIDES = ("left", "right", "bilateral")
BASES = ("left basilar", "right basilar", "bibasilar")


@dataclass(frozen=True)
class Condition:
    """Something that may be seen, with its degrees."""

    phrase: str
    """Noun phrase with `{grade}` and `{site}`, without article."""
    grades: tuple[str, ...]
    """From slight to severe; a follow-up study moves along them. One grade: it does not change."""
    sites: tuple[str, ...] = ("",)
    countable: bool = True
    """Takes an article; plural where the site is `bilateral`."""
    concern: tuple[str, ...] = ()
    """What the impression adds, such as `, concerning for pneumonia`."""
    symptoms: tuple[str, ...] = ()
    """What such a patient is sent for."""
    acute: bool = True
    """Stands against «no acute process»."""
    told: bool = True
    """Belongs in the impression."""


CONDITIONS = {
    "pneumothorax": Condition(
        "{grade} {site} apical pneumothorax",
        ("4 mm", "8 mm", "11 mm", "15 mm", "22 mm"),
        ("left", "right"),
        symptoms=("sudden chest pain, evaluate for PTX", "chest pain after thoracentesis, R/O PTX", "known PTX"),
    ),
    "consolidation": Condition(
        "{grade} {site} opacity",
        ("faint", "patchy", "confluent", "dense"),
        LUNG_ZONES,
        concern=(
            ", concerning for pneumonia",
            ", suspicious for pneumonia in the given clinical setting",
            "; PNA or aspiration is favored",
        ),
        symptoms=("fever and productive cough", "cough and leukocytosis, evaluate for PNA", "fever and SOB"),
    ),
    "edema": Condition(
        "{grade} pulmonary edema",
        ("minimal", "mild", "moderate", "severe"),
        countable=False,
        concern=(", consistent with CHF", ", likely due to volume overload", ", in keeping with decompensated CHF"),
        symptoms=("history of CHF, now with SOB", "SOB and leg swelling", "hypoxia, evaluate for CHF"),
    ),
    "effusion": Condition(
        "{grade} {site} pleural effusion",
        ("trace", "small", "moderate", "large"),
        SIDES,
        symptoms=("SOB and decreased breath sounds", "dyspnea on exertion", "dullness at the base, R/O effusion"),
    ),
    "atelectasis": Condition(
        "{grade} {site} atelectasis",
        ("minimal", "mild", "moderate"),
        BASES,
        countable=False,
        symptoms=("new oxygen requirement after surgery", "low-grade fever after laparotomy"),
    ),
    "fracture": Condition(
        "{grade} fracture of the {site} rib",
        ("nondisplaced",),
        tuple(f"{side} {number}" for side in ("left", "right") for number in ("fifth", "sixth", "seventh", "eighth", "ninth")),
        symptoms=("chest wall pain after a fall", "chest pain S/P MVC"),
    ),
    "nodule": Condition(
        "{grade} nodule in the {site}",
        ("5 mm", "7 mm", "9 mm", "12 mm", "16 mm", "19 mm"),
        LUNG_ZONES,
        concern=("; CT of the chest is suggested for further evaluation", "; nonemergent chest CT could be obtained"),
        symptoms=("weight loss and a smoking history", "hemoptysis", "a cough for two months"),
        acute=False,
    ),
    "cardiomegaly": Condition(
        "{grade} cardiomegaly",
        ("mild", "moderate", "severe"),
        countable=False,
        symptoms=("CAD S/P CABG and fatigue", "HTN and palpitations", "atrial fibrillation"),
        acute=False,
    ),
    "hyperinflation": Condition(
        "hyperinflation of the lungs with {grade} diaphragms",
        ("flattened",),
        countable=False,
        concern=(", consistent with COPD", ", as seen in COPD"),
        symptoms=("COPD exacerbation", "COPD and worsening SOB"),
        acute=False,
    ),
    "hernia": Condition("{grade} hiatal hernia", ("small", "moderate"), acute=False, told=False),
    "granuloma": Condition("{grade} granuloma in the {site}", ("calcified",), LUNG_ZONES, acute=False, told=False),
    "aorta": Condition("{grade} calcification of the aortic arch", ("mild", "dense"), countable=False, acute=False, told=False),
    "spine": Condition("{grade} degenerative change of the thoracic spine", ("mild", "moderate"), countable=False, acute=False, told=False),
    "old_fracture": Condition("{grade} fracture of the {site} clavicle", ("healed",), ("left", "right"), acute=False, told=False),
}
"""In the order in which an impression lists them."""


@dataclass(frozen=True)
class Device:
    """A tube or line: where its tip should be, and where it may be instead."""

    name: str
    right_places: tuple[str, ...]
    wrong_places: tuple[str, ...]
    mend: str
    """What the impression suggests for a wrong place."""
    reason: str
    """What the study is done for, after placement."""


DEVICES = (
    Device(
        "ETT",
        tuple(f"{x} cm above the carina" for x in ("3.2", "3.8", "4.1", "4.5", "5.0")),
        ("0.9 cm above the carina", "in the right main bronchus"),
        "withdrawal by 2 to 3 cm is suggested",
        "intubation, ETT placement",
    ),
    Device(
        "NG tube",
        ("in the stomach", "in the gastric body", "below the diaphragm, beyond the lower edge of the film"),
        ("in the distal esophagus", "at the GE junction"),
        "advancement is suggested",
        "NG tube placement",
    ),
    Device(
        "right PICC",
        ("in the mid SVC", "in the lower SVC", "at the cavoatrial junction"),
        ("in the right IJ vein", "in the right axillary vein"),
        "repositioning is suggested",
        "new right PICC",
    ),
    Device(
        "left PICC",
        ("in the mid SVC", "in the lower SVC", "at the cavoatrial junction"),
        ("in the azygos vein", "in the left brachiocephalic vein"),
        "repositioning is suggested",
        "new left PICC",
    ),
    Device(
        "right IJ catheter",
        ("in the upper SVC", "in the mid SVC", "in the lower SVC"),
        ("in the right ventricle", "deep in the right atrium"),
        "retraction is suggested",
        "central line placement",
    ),
)

FIRST_SEEN = ("There is {np}.", "{Np} {be} present.", "{Np} {be} seen.", "{Np} {be} noted.", "{Np} {be} demonstrated.")
CHANGES = {
    "new": ("{Np} {be} new.", "There is {np}, new since the prior study.", "{Np} {have} developed in the interval."),
    "larger": ("{Np} {have} increased.", "{Np} {be} worse than before.", "{Np} {have} progressed since the prior study."),
    "smaller": ("{Np} {have} decreased.", "{Np} {be} less than before.", "{Np} {have} improved since the prior study."),
    "same": ("{Np} {be} unchanged.", "{Np} {be} stable.", "{Np} {be} similar to the prior study.", "Again seen {be} {np}."),
}
SUMMARY = {"new": "New {phrase}", "larger": "Increased {phrase}", "smaller": "Decreased {phrase}", "same": "Unchanged {phrase}"}
RESOLVED = ("The {phrase} seen before {have} resolved.", "The previous {phrase} {be} no longer seen.")

CLEAR_LUNGS = ("The lungs are clear.", "Both lungs are well expanded and clear.", "No focal airspace opacity.", "Lung fields are clear.")
NO_CONSOLIDATION = ("No focal consolidation.", "There is no consolidation.", "No confluent airspace opacity is seen.")
NO_EFFUSION = ("No pleural effusion.", "There is no pleural effusion.", "No effusion is seen.")
NO_PNEUMOTHORAX = ("No pneumothorax.", "There is no evidence of PTX.", "No pneumothorax is seen.")
NEITHER = ("No pleural effusion or pneumothorax.", "There is neither effusion nor PTX.", "Pleural spaces are clear, without PTX.")
NO_EDEMA = ("No pulmonary edema.", "There is no vascular congestion.", "Pulmonary vasculature is normal.", "No evidence of edema.")
NORMAL_HEART = (
    "Heart size is normal.",
    "The cardiomediastinal silhouette is within normal limits.",
    "The heart is not enlarged.",
    "Cardiac and mediastinal contours are unremarkable.",
)
NORMAL_BONES = (
    "No acute osseous abnormality.",
    "No displaced rib fracture is seen.",
    "The bones are intact.",
    "Osseous structures are unremarkable.",
)
NO_FREE_AIR = ("No free air below the diaphragm.", "The upper abdomen is unremarkable.", "There is no subdiaphragmatic free air.")
TIP = (
    "The tip of the {name} is {place}.",
    "The {name} ends {place}.",
    "The {name} terminates {place}.",
    "{Article} {name} has its tip {place}.",
)
NO_ACUTE = (
    "No acute cardiopulmonary process.",
    "No acute cardiopulmonary abnormality.",
    "No acute intrathoracic process.",
    "No radiographic evidence of acute disease in the chest.",
)
VIEWS = {
    "CHEST (PA AND LAT)": ("PA and lateral views of the chest.", "Frontal and lateral chest radiographs.", "Upright PA and lateral views."),
    "CHEST (PORTABLE AP)": ("Portable AP view of the chest.", "Single semi-erect AP radiograph.", "Portable upright AP chest film."),
}
NO_PRIOR = ("None.", "None available.", "No prior studies.")


@dataclass(frozen=True)
class State:
    """A condition as it is in one patient at one study."""

    name: str
    site: str
    grade: int
    """Index into the condition's grades."""
    change: str | None = None
    """A key of CHANGES, or None at a patient's first study."""

    @property
    def plural(self) -> bool:
        return self.site == "bilateral"

    @property
    def phrase(self) -> str:
        """Noun phrase without article, such as `small bilateral pleural effusions`."""
        condition = CONDITIONS[self.name]
        words = " ".join(condition.phrase.format(grade=condition.grades[self.grade], site=self.site).split())
        return f"{words}s" if self.plural and condition.countable else words

    @property
    def noun_phrase(self) -> str:
        """Noun phrase with its article, if it takes one."""
        if not CONDITIONS[self.name].countable or self.plural:
            return self.phrase
        return f"{article(self.phrase)} {self.phrase}"


def article(phrase: str) -> str:
    """`a` or `an`, as the phrase is spoken (an 8 mm nodule, an NG tube)."""
    return "an" if phrase.startswith(("a", "e", "i", "o", "u", "8", "11", "18", "ETT", "NG")) else "a"


def capital(text: str) -> str:
    """The text with a capital first letter, the others as they are."""
    return text[:1].upper() + text[1:]


def sentence(patterns: tuple[str, ...], state: State, random: Random) -> str:
    """A sentence about a condition, with the verb in its number."""
    plural = state.plural and CONDITIONS[state.name].countable
    return random.choice(patterns).format(
        np=state.noun_phrase,
        Np=capital(state.noun_phrase),
        phrase=state.phrase,
        be="are" if plural else "is",
        have="have" if plural else "has",
    )
