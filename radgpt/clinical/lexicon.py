"""What the rules teacher knows about chest radiography: abbreviations, findings, devices and anatomy."""

import re
from dataclasses import dataclass

ABBREVIATIONS: dict[str, str] = {
    "AAA": "abdominal aortic aneurysm",
    "ACDF": "anterior cervical discectomy and fusion",
    "AFib": "atrial fibrillation",
    "AICD": "automatic implantable cardioverter-defibrillator",
    "AIDS": "acquired immunodeficiency syndrome",
    "AML": "acute myeloid leukemia",
    "AMS": "altered mental status",
    "AP": "anteroposterior",
    "ARDS": "acute respiratory distress syndrome",
    "ASD": "atrial septal defect",
    "AVR": "aortic valve replacement",
    "BiPAP": "bilevel positive airway pressure",
    "BMI": "body mass index",
    "BMT": "bone marrow transplant",
    "BNP": "brain natriuretic peptide",
    "CABG": "coronary artery bypass grafting",
    "CAD": "coronary artery disease",
    "CHF": "congestive heart failure",
    "CKD": "chronic kidney disease",
    "CLL": "chronic lymphocytic leukemia",
    "COPD": "chronic obstructive pulmonary disease",
    "CP": "chest pain",
    "CPAP": "continuous positive airway pressure",
    "CT": "computed tomography",
    "CTA": "computed tomography angiography",
    "CVA": "cerebrovascular accident",
    "CVC": "central venous catheter",
    "CVL": "central venous line",
    "CXR": "chest X-ray",
    "DISH": "diffuse idiopathic skeletal hyperostosis",
    "DJD": "degenerative joint disease",
    "DKA": "diabetic ketoacidosis",
    "DM": "diabetes mellitus",
    "DOE": "dyspnea on exertion",
    "DVT": "deep vein thrombosis",
    "ECG": "electrocardiogram",
    "ECMO": "extracorporeal membrane oxygenation",
    "ED": "emergency department",
    "EKG": "electrocardiogram",
    "ER": "emergency room",
    "ESRD": "end-stage renal disease",
    "ETT": "endotracheal tube",
    "EtOH": "ethanol (alcohol)",
    "ETOH": "ethanol (alcohol)",
    "GERD": "gastroesophageal reflux disease",
    "GGO": "ground-glass opacity",
    "GI": "gastrointestinal",
    "GSW": "gunshot wound",
    "HCC": "hepatocellular carcinoma",
    "HIV": "human immunodeficiency virus",
    "HTN": "hypertension",
    "ICD": "implantable cardioverter-defibrillator",
    "ICU": "intensive care unit",
    "IJ": "internal jugular",
    "ILD": "interstitial lung disease",
    "IPF": "idiopathic pulmonary fibrosis",
    "IV": "intravenous",
    "IVC": "inferior vena cava",
    "KUB": "kidneys, ureters and bladder (an abdominal radiograph)",
    "LLL": "left lower lobe",
    "LUL": "left upper lobe",
    "LV": "left ventricle",
    "LVAD": "left ventricular assist device",
    "MI": "myocardial infarction",
    "MRI": "magnetic resonance imaging",
    "MRSA": "methicillin-resistant Staphylococcus aureus",
    "MVA": "motor vehicle accident",
    "MVC": "motor vehicle collision",
    "MVR": "mitral valve replacement",
    "NG": "nasogastric",
    "NGT": "nasogastric tube",
    "NSCLC": "non-small cell lung cancer",
    "OG": "orogastric",
    "OGT": "orogastric tube",
    "ORIF": "open reduction and internal fixation",
    "OSA": "obstructive sleep apnea",
    "OSH": "outside hospital",
    "PA": "posteroanterior",
    "PE": "pulmonary embolism",
    "PEG": "percutaneous endoscopic gastrostomy",
    "PET": "positron emission tomography",
    "PICC": "peripherally inserted central catheter",
    "PNA": "pneumonia",
    "POD": "post-operative day",
    "PPD": "purified protein derivative (the tuberculin skin test)",
    "PPM": "permanent pacemaker",
    "PTX": "pneumothorax",
    "RCC": "renal cell carcinoma",
    "RLL": "right lower lobe",
    "RML": "right middle lobe",
    "RSV": "respiratory syncytial virus",
    "RUL": "right upper lobe",
    "RV": "right ventricle",
    "SCLC": "small cell lung cancer",
    "SOB": "shortness of breath",
    "SVC": "superior vena cava",
    "TAVR": "transcatheter aortic valve replacement",
    "TB": "tuberculosis",
    "TIA": "transient ischemic attack",
    "TIPS": "transjugular intrahepatic portosystemic shunt",
    "TNF": "tumor necrosis factor",
    "URI": "upper respiratory infection",
    "UTI": "urinary tract infection",
    "VATS": "video-assisted thoracoscopic surgery",
    "VP": "ventriculoperitoneal",
    "VSD": "ventricular septal defect",
    "WBC": "white blood cell",
    "c/f": "concern for",
    "c/o": "complains of",
    "C/O": "complains of",
    "cm": "centimetre",
    "eval": "evaluate",
    "f/u": "follow-up",
    "F/U": "follow-up",
    "h/o": "history of",
    "H/O": "history of",
    "mm": "millimetre",
    "pt": "patient",
    "preop": "pre-operative",
    "r/o": "rule out",
    "R/O": "rule out",
    "s/p": "status post (after)",
    "S/P": "status post (after)",
    "w/": "with",
    "w/o": "without",
    "w/u": "work-up",
    "W/U": "work-up",
    "y/o": "year-old",
    "yo": "year-old",
    "yr": "year",
}
"""Abbreviation as written in reports to what it stands for in chest radiography."""

OTHER_MEANINGS: dict[str, str] = {
    "CVA": r"CVA tenderness",
    "ICD": r"ICD[- ]?(?:9|10|code)",
    "IV": r"(?:stage|grade|type|class|phase|zone)\s+IV",
    "PA": r"(?:main|right|left|enlarged)\s+PA\b|PA\s+(?:catheter|pressure|line)",
    "pt": r"\d\s*pt\b",
}
"""Where an abbreviation means something else than ABBREVIATIONS says."""

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth")

VERTEBRAE = {
    f"{letter}{number}": f"the {ORDINALS[number - 1]} {region} vertebra"
    for letter, region, count in (("T", "thoracic", 12), ("L", "lumbar", 5))
    for number in range(1, count + 1)
}


def expansion(abbreviation: str) -> str | None:
    """What an abbreviation stands for, or None if the lexicon does not hold it."""
    return ABBREVIATIONS.get(abbreviation) or VERTEBRAE.get(abbreviation)


TOKEN = re.compile(r"(?<![\w/])(?:[A-Za-z]/[A-Za-z]?|[A-Za-z][A-Za-z0-9]+)(?![\w/])|(?<=\d)(?:cm|mm|yo)(?!\w)")
"""A word that may be an abbreviation."""


def abbreviations_in(text: str) -> list[str]:
    """The abbreviations of the lexicon that a text uses in the lexicon's sense, each once, in order of appearance."""
    found = []
    for token in dict.fromkeys(TOKEN.findall(text)):
        if expansion(token) is None:
            continue
        other = OTHER_MEANINGS.get(token)
        uses = len(re.findall(rf"(?<![\w/]){re.escape(token)}(?![\w/])", text))
        if other is None or len(re.findall(other, text, flags=re.IGNORECASE)) < uses:
            found.append(token)
    return found


@dataclass(frozen=True)
class Finding:
    """Something that a chest radiograph may show."""

    name: str
    """As a question says it after «the»."""
    article: str
    """`a`, `an` or nothing, before the name."""
    pattern: re.Pattern[str]
    normal: re.Pattern[str] | None = None
    """Sentences that rule the finding out without naming it."""

    @property
    def phrase(self) -> str:
        """The name with its article."""
        return f"{self.article} {self.name}".strip()


def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern that matches whole words, in any case."""
    return re.compile(rf"(?<![\w-])(?:{pattern})(?!\w)", re.IGNORECASE)


CLEAR_LUNGS = compiled(r"lungs (?:(?!not)\w+ ){0,4}clear(?! of)|clear lungs|lung fields (?:\w+ ){0,2}clear(?! of)")
NORMAL_HEART = compiled(
    r"(?:heart|cardiac)(?: (?:size|silhouette|contours?|shadow))?(?:[\w, ]{0,40}) (?:normal|unremarkable)"
    r"|(?:heart|cardiac silhouette) (?:\w+ ){0,3}not (?:\w+ )?enlarged|normal (?:heart|cardiac)|normal (?:in )?(?:size"
    r"|sized) (?:of the )?heart"
    r"|cardio ?mediastinal (?:silhouette|contours?)[\w, ]{0,40} (?:normal|unremarkable)"
    r"|normal cardio ?mediastinal"
)
NORMAL_BONES = compiled(r"(?:osseous|bony|skeletal) structures[\w, ]{0,30} (?:intact|normal)|bones[\w, ]{0,20} (?:intact|normal)")

FINDINGS: tuple[Finding, ...] = (
    Finding("pneumothorax", "a", compiled(r"(?:hydro)?pneumothora(?:x|ces)|PTX")),
    Finding("pleural effusion", "a", compiled(r"(?<!pericardial )(?<!joint )effusions?|pleural fluid")),
    Finding("consolidation", "", compiled(r"consolidations?|consolidative \w+"), CLEAR_LUNGS),
    Finding(
        "airspace disease",
        "",
        compiled(
            r"(?:air ?space|air-space|alveolar) (?:disease|opacit(?:y|ies)|process"
            "|infiltrates?)"
        ),
        CLEAR_LUNGS,
    ),
    Finding("infiltrate", "an", compiled(r"infiltrates?"), CLEAR_LUNGS),
    Finding("pneumonia", "", compiled(r"pneumonias?|bronchopneumonia|PNA")),
    Finding("pulmonary edema", "", compiled(r"(?:pulmonary |interstitial |alveolar )o?edema|(?<!tissue )(?<!soft-tissue )o?edema")),
    Finding("vascular congestion", "", compiled(r"(?:pulmonary |venous |central )*(?:vascular |venous )?congestion")),
    Finding(
        "enlarged heart",
        "an",
        compiled(
            r"cardiomegaly|cardiac enlargement|enlarged (?:heart|cardiac|cardio\w+)"
            r"|(?:heart|cardiac (?:silhouette|shadow)|cardiomediastinal silhouette)(?: size)? (?:(?!normal|not|but)[\w-]+ ){0,4}enlarged"
            r"|enlargement of the (?:heart|cardiac|cardio\w+)"
        ),
        NORMAL_HEART,
    ),
    Finding("atelectasis", "", compiled(r"atelecta(?:sis|ses|tic)")),
    Finding("lung nodule", "a", compiled(r"nodules?|nodular (?:opacit(?:y|ies)|densit(?:y|ies))")),
    Finding("lung mass", "a", compiled(r"mass(?:es)?(?! effect)")),
    Finding("granuloma", "a", compiled(r"granulomas?|granulomata")),
    Finding("emphysema", "", compiled(r"(?<!subcutaneous )emphysema(?:tous)?")),
    Finding("hyperinflation", "", compiled(r"hyper-?(?:inflat|expan|aerat)\w+")),
    Finding("scarring", "", compiled(r"scar(?:ring|s)?")),
    Finding("fibrosis", "", compiled(r"fibro(?:sis|tic)")),
    Finding(
        "low lung volume",
        "a",
        compiled(r"low(?:er)? (?:lung|inspiratory) volumes?|lung volumes are (?:\w+ )?low|hypo-?(?:inflat|aerat)\w+"),
    ),
    Finding("fracture", "a", compiled(r"fractures?"), NORMAL_BONES),
    Finding("degenerative change", "", compiled(r"degenerative|spondylosis|osteophytes?|osteoarthritis|spurring")),
    Finding("scoliosis", "", compiled(r"(?:dextro|levo)?scoliosis")),
    Finding("hiatal hernia", "a", compiled(r"hiatal hernia|hiatus hernia")),
    Finding("pleural thickening", "", compiled(r"pleural thickening|thickening of the pleura")),
    Finding("lymphadenopathy", "", compiled(r"(?:lymph)?adenopathy|enlarged lymph nodes?")),
    Finding("free air under the diaphragm", "", compiled(r"free (?:\w+ )?air|pneumoperitoneum")),
    Finding(
        "tortuous aorta",
        "a",
        compiled(r"(?:tortuous|unfolded|ectatic) (?:\w+ ){0,2}aorta|aorta (?:\w+ ){0,3}tortuous|aortic (?:tortuosity|ectasia)|tortuosity"),
    ),
    Finding("atherosclerosis", "", compiled(r"atherosclero(?:sis|tic)|aortic (?:\w+ )?calcifications?|calcified (?:\w+ )?aorta")),
    Finding("mediastinal widening", "", compiled(r"mediastinal widening|widen(?:ed|ing of the) mediastinum")),
)

ABNORMAL = compiled(
    r"abnormal\w*|opacit\w+|opacification|densit(?:y|ies)|calcif\w+|thicken\w+|blunt\w+|elevat(?:ed|ion)|enlarge(?:d|ment)"
    r"|dilat\w+|prominen(?:t|ce)"
    r"|deformit(?:y|ies)|lesions?|collapsed?|granulomatous|kyphosis|osteopenia|demineralization|asymmetr\w+|widen\w+"
    r"|shift(?:ed)?|aneurysm\w*"
    r"|COPD|bronchiectasis|crowding|lucenc(?:y|ies)|hernias?|eventration|flatten\w+|cavit\w+|cardiomyopathy|tuberculosis|cancer"
    r"|metasta\w+|fluid"
    r"|dislocat\w+|sarcoid\w*|volume loss|spurs?|arthritic|congest\w+|engorge\w+|hemothorax|haemothorax|pneumonitis|bullous"
    r"|fullness|obscur\w+"
)
"""Words for what is not normal, named or not by FINDINGS."""

DEVICES: dict[str, re.Pattern[str]] = {
    "endotracheal tube": compiled(r"endotracheal tube|ET tube|ETT"),
    "tracheostomy tube": compiled(r"tracheostomy(?: tube| cannula)?"),
    "nasogastric tube": compiled(r"(?:nasogastric|enteric|orogastric|feeding|NG|OG|Dobbhoff)(?: feeding)? tube|NGT|OGT"),
    "PICC line": compiled(r"PICC(?: line)?"),
    "central venous catheter": compiled(r"(?:central venous|jugular|IJ|subclavian|dialysis)(?: \w+){0,3} (?:catheter|line)|CVC|CVL"),
    "chest port": compiled(r"port-?a-?cath|mediport|(?:chest|subclavian|jugular|infusion)(?: \w+)? port"),
    "chest tube": compiled(r"(?:chest|thoracostomy|pleural) (?:tube|drain|catheter)s?|pigtail catheter"),
    "pacemaker": compiled(r"pacemakers?|PPM"),
    "defibrillator": compiled(r"defibrillators?|AICD|ICD(?![- ]?(?:9|10))"),
    "sternotomy wires": compiled(r"sternotomy|sternal wires?|sternal sutures?"),
    "surgical clips": compiled(r"(?:surgical|cholecystectomy|vascular) clips?"),
    "prosthetic valve": compiled(r"(?:prosthetic|artificial|mechanical|replacement)(?: \w+)? valve|valve (?:replacement|prosthesis)"),
    "stent": compiled(r"stents?"),
    "nerve stimulator": compiled(r"(?:nerve|spinal(?: cord)?) stimulator"),
}
"""Device as a question names it to how reports do."""

ANATOMY: dict[str, re.Pattern[str]] = {
    "heart": compiled(r"heart|cardiac|cardiomegaly|cardio ?mediastinal"),
    "lungs": compiled(r"lungs?|pulmonary|air ?space|consolidations?|infiltrates?|atelectasis|opacit(?:y|ies)|nodules?|lobes?"),
    "pleura": compiled(r"pleural?|effusions?|pneumothora(?:x|ces)"),
    "mediastinum": compiled(r"(?:cardio ?)?mediastin(?:um|al)|hil(?:a|ar|um)"),
    "bones": compiled(r"osseous|bony?|bones|ribs?|spine|skelet\w+|fractures?|vertebra\w*|clavicles?|scoliosis|spondylosis"),
    "diaphragm": compiled(r"(?:hemi)?diaphragms?|hemidiaphragm\w*"),
    "aorta": compiled(r"aort(?:a|ic)"),
}
