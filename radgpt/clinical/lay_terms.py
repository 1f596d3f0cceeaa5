"""Plain words for what chest radiographs show: the rules teacher writes with them, and answers are read with them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PlainNoun:
    """A noun of reports and its plain words; `{lung}` becomes «the lung», «the left lung», «both lungs»."""

    pattern: str
    plain: str
    kind: str = "count"
    """`count` takes an article; `mass` takes none; `amount` turns «small» into «a small amount of»; `part` takes «the»."""
    plural: str | None = None
    """Plain words of the plural; None leaves the number as it is."""
    finding: str = ""
    """The finding of `radgpt.faithfulness.vocabulary` that the plain words stand for, if they stand for one."""


PLAIN_NOUNS: tuple[PlainNoun, ...] = (
    PlainNoun(r"(?:pleural |pulmonary )?effusions?|pleural fluid", "fluid around {lung}", "amount", finding="pleural effusion"),
    PlainNoun(r"pneumothora(?:x|ces)", "trapped air around {lung}", "amount", finding="pneumothorax"),
    PlainNoun(
        r"(?:air ?space|alveolar|lung|pulmonary)? ?consolidations?",
        "filled-in area in {lung}",
        plural="filled-in areas in {lung}",
        finding="consolidation",
    ),
    PlainNoun(
        r"(?:air ?space|alveolar) (?:disease|opacit(?:y|ies)|process|infiltrates?)",
        "filled-in area in {lung}",
        plural="filled-in areas in {lung}",
        finding="airspace disease",
    ),
    PlainNoun(r"(?:pulmonary |lung )?infiltrates?", "hazy patch in {lung}", plural="hazy patches in {lung}", finding="infiltrate"),
    PlainNoun(r"(?:nodular )(?:opacit(?:y|ies)|densit(?:y|ies))", "small round spot", plural="small round spots", finding="lung nodule"),
    PlainNoun(
        r"(?:pulmonary )?interstitial (?:opacit(?:y|ies)|markings|prominence|thickening|changes?)",
        "fine extra lines in {lung}",
        "mass",
        finding="interstitial disease",
    ),
    PlainNoun(r"opacit(?:y|ies)|opacifications?", "hazy area", plural="hazy areas", finding="opacity"),
    PlainNoun(r"densit(?:y|ies)", "bright area", plural="bright areas", finding="opacity"),
    PlainNoun(r"(?:broncho)?pneumonias?", "lung infection", finding="pneumonia"),
    PlainNoun(
        r"(?:pulmonary |interstitial |alveolar )o?edema|(?<!tissue )o?edema", "extra fluid in {lung}", "amount", finding="pulmonary edema"
    ),
    PlainNoun(
        r"(?:pulmonary )?(?:venous |vascular )+congestion|(?:pulmonary )?(?:venous |vascular )+engorgement",
        "swelling of the lung's blood vessels",
        "mass",
        finding="vascular congestion",
    ),
    PlainNoun(
        r"cardiomegaly|cardiac enlargement|enlargement of the cardiac silhouette",
        "enlargement of the heart",
        "mass",
        finding="enlarged heart",
    ),
    PlainNoun(r"enlarged (?:heart|cardiac silhouette)", "enlarged heart", finding="enlarged heart"),
    PlainNoun(r"atelecta(?:sis|ses|tic changes?)", "partly collapsed lung tissue", "mass", finding="atelectasis"),
    PlainNoun(r"(?:lung |pulmonary )?nodules?", "small round spot", plural="small round spots", finding="lung nodule"),
    PlainNoun(r"(?:lung |pulmonary )?mass(?:es)?(?! effect)", "lump", plural="lumps", finding="lung mass"),
    PlainNoun(r"(?:lung |pulmonary )?lesions?", "abnormal spot", plural="abnormal spots", finding="lesion"),
    PlainNoun(
        r"granulomas?|granulomata", "small scar from an old infection", plural="small scars from an old infection", finding="granuloma"
    ),
    PlainNoun(r"granulomatous (?:disease|infection|exposure|process|changes?)", "old infection that left small scars", finding="granuloma"),
    PlainNoun(r"(?:pulmonary )?(?:emphysema|emphysematous changes?)", "damaged, over-stretched air sacs", "mass", finding="emphysema"),
    PlainNoun(
        r"(?:pulmonary |lung )?(?:hyperinflation|hyperexpansion)(?: of the lungs)?",
        "over-filling of the lungs with air",
        "mass",
        finding="hyperinflation",
    ),
    PlainNoun(
        r"(?:pulmonary |lung )?(?:hypoinflation|hypoaeration)(?: of the lungs)?",
        "shallow filling of the lungs with air",
        "mass",
        finding="low lung volume",
    ),
    PlainNoun(r"low(?:er)? lung volumes?", "lungs not fully filled with air", "mass", finding="low lung volume"),
    PlainNoun(r"(?:pulmonary )?fibro(?:sis|tic changes?)", "lung scarring", "mass", finding="fibrosis"),
    PlainNoun(r"scar(?:ring|s)?", "scarring", "mass", finding="scarring"),
    PlainNoun(r"bronchovascular crowding", "crowding of the airways and blood vessels", "mass", finding="vascular crowding"),
    PlainNoun(r"degenerative (?:changes?|disease)|degenerative disc disease", "wear and tear", "mass", finding="degenerative change"),
    PlainNoun(r"spondylosis", "wear and tear of the spine", "mass", finding="degenerative change"),
    PlainNoun(r"osteophytes?|osteophyte formation|spurring", "bone spur", plural="bone spurs", finding="degenerative change"),
    PlainNoun(r"osteopenia|demineralization", "thinning of the bones", "mass", finding="osteopenia"),
    PlainNoun(r"(?:dextro|levo)?scoliosis", "sideways curve of the spine", finding="scoliosis"),
    PlainNoun(r"kyphosis", "forward rounding of the back", "mass", finding="kyphosis"),
    PlainNoun(
        r"compression (?:fractures?|deformit(?:y|ies))", "squashed vertebra", plural="squashed vertebrae", finding="compression fracture"
    ),
    PlainNoun(r"rib fractures?", "broken rib", plural="broken ribs", finding="fracture"),
    PlainNoun(r"fractures?", "broken bone", plural="broken bones", finding="fracture"),
    PlainNoun(r"hiatal hernia|hiatus hernia", "hernia of the stomach through the diaphragm", finding="hiatal hernia"),
    PlainNoun(r"(?:lymph)?adenopathy", "swollen lymph nodes", "mass", finding="adenopathy"),
    PlainNoun(r"pneumoperitoneum|free (?:intraperitoneal |subdiaphragmatic )?air", "loose air in the belly", "amount", finding="free air"),
    PlainNoun(
        r"aortic (?:tortuosity|ectasia)|tortuosity of the aorta", "winding of the main artery of the body", "mass", finding="tortuous aorta"
    ),
    PlainNoun(
        r"atherosclero(?:sis|tic (?:disease|changes?|calcifications?))", "hardening of the arteries", "mass", finding="atherosclerosis"
    ),
    PlainNoun(r"calcifications?", "calcium deposit", plural="calcium deposits", finding="calcification"),
    PlainNoun(r"neoplasm|malignancy|carcinoma", "cancer", "mass", finding="malignancy"),
    PlainNoun(r"metasta(?:sis|ses)|metastatic disease", "spread of cancer", "mass", finding="metastasis"),
    PlainNoun(r"eventration", "bulge", finding="eventration"),
    PlainNoun(r"pleural thickening", "thickening of the lung's lining", "mass", finding="pleural thickening"),
    PlainNoun(r"mediastinal widening", "widening of the middle of the chest", "mass", finding="mediastinal widening"),
    PlainNoun(r"(?:cardiomediastinal|cardio mediastinal) (?:silhouette|contour)", "outline of the heart and middle of the chest", "part"),
    PlainNoun(
        r"(?:cardiomediastinal|cardio mediastinal) (?:silhouettes|contours)", "outlines of the heart and middle of the chest", "part"
    ),
    PlainNoun(
        r"cardiac and mediastinal (?:silhouettes|contours)|heart size and mediastinal contours?",
        "outlines of the heart and middle of the chest",
        "part",
    ),
    PlainNoun(r"(?:cardiac|heart) (?:silhouette|contour|shadow)", "outline of the heart", "part"),
    PlainNoun(r"mediastinal (?:silhouette|contour)", "outline of the middle of the chest", "part"),
    PlainNoun(r"mediastinal (?:silhouettes|contours)", "outlines of the middle of the chest", "part"),
    PlainNoun(r"heart and mediastin(?:um|al contours)", "heart and middle of the chest", "part"),
    PlainNoun(r"mediastinum", "middle of the chest", "part"),
    PlainNoun(r"pulmonary (?:vascularity|vasculature|vascular pattern)", "blood-vessel pattern of the lungs", "part"),
    PlainNoun(r"(?:osseous|bony|skeletal) structures", "bones", "part"),
    PlainNoun(r"bony thorax|thoracic cage", "rib cage", "part"),
    PlainNoun(r"(?:costophrenic) (?:angles|sulci)", "lower corners of the lungs", "part"),
    PlainNoun(r"(?:costophrenic) (?:angle|sulcus)", "lower corner of the lung", "part"),
    PlainNoun(r"hemidiaphragm", "side of the diaphragm", "part"),
    PlainNoun(r"thoracic spine|mid(?:dle)? thoracic spine", "upper part of the spine", "part"),
    PlainNoun(r"lumbar spine", "lower part of the spine", "part"),
    PlainNoun(r"trachea", "windpipe", "part"),
    PlainNoun(r"carina", "fork of the windpipe", "part"),
    PlainNoun(r"(?:thoracic )?aorta", "main artery of the body", "part"),
    PlainNoun(r"superior vena cava|SVC", "large vein above the heart", "part"),
    PlainNoun(r"endotracheal tube|ET tube", "breathing tube"),
    PlainNoun(r"(?:nasogastric|enteric|NG|orogastric|OG) tube", "tube into the stomach"),
    PlainNoun(r"(?:central venous|PICC) (?:catheter|line)|PICC", "long thin tube in a vein"),
    PlainNoun(r"(?:median |midline )?sternotomy (?:wires|sutures)", "wires from earlier breastbone surgery", "mass"),
    PlainNoun(r"(?:median |midline )?sternotomy", "breastbone surgery", "mass"),
)

PLAIN_PHRASES: tuple[tuple[str, str], ...] = (
    (r"(?:hyperinflated|hyperexpanded) lungs", "lungs over-filled with air"),
    (r"cardiopulmonary", "heart or lung"),
    (r"acute", "new"),
    (r"subacute", "recent"),
    (r"chronic", "long-standing"),
    (r"within normal limits(?: (?:in|for) (?:size|appearance)(?: and (?:contour|appearance))?)?", "normal"),
    (r"unremarkable", "normal"),
    (r"grossly", "broadly"),
    (r"abnormality", "problem"),
    (r"abnormalities", "problems"),
    (r"(?:disease )?process", "problem"),
    (r"pathology", "problem"),
    (r"etiology", "cause"),
    (r"osseous|bony|skeletal", "bone"),
    (r"pulmonary", "lung"),
    (r"cardiac", "heart"),
    (r"thoracic", "chest"),
    (r"thorax", "chest"),
    (r"hepatic", "liver"),
    (r"renal", "kidney"),
    (r"calcified", "calcium-hardened"),
    (r"tortuous|unfolded|ectatic", "winding"),
    (r"hyperinflated|hyperexpanded|hyperaerated", "over-filled with air"),
    (r"hypoinflated|hypoaerated", "not fully filled with air"),
    (r"radiographic(?:ally)? evidence", "sign on the image"),
    (r"no radiographic", "no visible"),
    (r"radiographic", "visible"),
    (r"negative for", "no sign of"),
    (r"tortuosity|ectasia", "winding course"),
    (r"(?<=is )visuali[sz]ed|(?<=are )visuali[sz]ed|identified|demonstrated|appreciated", "seen"),
    (r"noted", "seen"),
    (r"visuali[sz]ed", "visible"),
    (r"stable", "unchanged"),
    (r"status post", "after"),
    (r"diffuse", "widespread"),
    (r"focal", "localised"),
    (r"midline", "in the middle"),
    (r"sequela(?:e)? of", "left over from"),
    (r"prior|previous", "earlier"),
    (r"secondary to", "because of"),
    (r"deformity", "change of shape"),
    (r"patchy", "blotchy"),
    (r"streaky|linear|bandlike|band-like|platelike|plate-like", "line-shaped"),
    (r"atherosclerotic", "hardened"),
    (r"blunting", "rounding off"),
    (r"blunted", "rounded off"),
    (r"elevation", "raised position"),
    (r"parenchymal?", "lung tissue"),
    (r"superimposed", "additional"),
    (r"indeterminate", "unclear"),
    (r"dyspnea|dyspnoea", "shortness of breath"),
)
"""Pattern to plain words, tried in order, after nouns and places."""
