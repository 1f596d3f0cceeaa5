"""The words that reports and answers are read by: findings in clinical and plain words, devices, places, degrees, and cues.

A pattern is a small regular expression whose first four letters, or whose first word if that is shorter, are literal: by them it is looked
up. A space stands for white space or hyphens; `{lung}` for «the lung», «your left lung», «both lungs»; patterns are separated by `;`.
"""

import re

OWNER = r"(?:(?:the|a|an|his|her|their|your|its|both|either|each|one|this|that|of) ){0,3}"
LUNG = (
    OWNER + r"(?:(?:top|bottom|base|upper|lower|middle)(?: (?:part|half|portion|third))? of (?:the |your )?)?" + r"(?:left |right )?lungs?"
)

FINDINGS: dict[str, str] = {
    "pneumothorax": (
        "pneumothora(?:x|ces);hydropneumothora(?:x|ces);ptx;"
        "air (?:\\w+ ){0,7}(?:around|outside|between|next to) {lung};air (?:around|outside|in the space around) {lung};"
        "air in the (?:pleural space|chest cavity)(?: around {lung})?;collapsed lungs?;"
        "collapsed (?:left|right) lung;air leak(?:s|age)?;air pockets?;pockets? of air;air (?:\\w+ ){0,3}leaked (?:\\w+ ){0,3}{lung};"
        "trapped air"
    ),
    "pleural effusion": (
        "effusions?;pleural fluid;"
        "fluid (?:that |which )?(?:\\w+ |\\w+ up ){0,3}(?:around|surrounding|outside|beside|next to) {lung};"
        "fluid in the (?:pleural|chest) (?:space|cavity);fluid between {lung} and {own}chest wall;"
        "pleural fluid collections?;water (?:on|around) {lung};liquid around {lung};costophrenic angle effusions?;"
        "fluid (?:\\w+ |\\w+ up ){0,3}(?:by|near|under|beneath|at the bottom of) {lung};fluid in {own}lining of {lung};"
        "fluid (?:\\w+ ){0,4}(?:between|in) {own}(?:layers|lining|pleura)(?: (?:of|around) {lung})?"
    ),
    "hemothorax": "hemothora(?:x|ces);haemothora(?:x|ces);blood (?:\\w+ ){0,2}(?:around|outside) {lung}",
    "pericardial effusion": "pericardial (?:effusions?|fluid);fluid around {own}heart",
    "consolidation": "consolidations?;consolidative;consolidated;filled in areas?(?: in {lung})?;solid areas? in {lung}",
    "airspace disease": (
        "airspace (?:diseases?|opacit(?:y|ies)|process(?:es)?|infiltrates?|consolidations?|densit(?:y|ies)|abno"
        "rmalit(?:y|ies));"
        "air space (?:diseases?|opacit(?:y|ies)|process(?:es)?|infiltrates?|consolidations?|densit(?:y|ies)|abn"
        "ormalit(?:y|ies));alveolar (?:disease|opacit(?:y|ies)|process|infiltrates?|consolidations?|densit(?:y|ies))"
    ),
    "infiltrate": "infiltrates?;infiltrations?;infiltrative",
    "opacity": (
        "opacit(?:y|ies);opacification;densit(?:y|ies);hazy (?:areas?|spots?|patch(?:es)?);haziness;shadows?;"
        "cloudy (?:areas?|spots?|patch(?:es)?);cloudiness;whiteness;white (?:areas?|patch(?:es)?);patch(?:es)? in {lung};opaque;"
        "patchy (?:areas?|spots?);dense (?:areas?|spots?);hazy;cloudy;white spots?;"
        "ground glass"
    ),
    "pneumonia": (
        "pneumonias?;bronchopneumonia;pna;pneumonic;lung infections?;infections?(?! (?:prevention|control));infectious;"
        "infected;chest infections?;pneumonitis"
    ),
    "pulmonary edema": (
        "edema(?:tous)?;oedema;pulmonary (?:interstitial |alveolar )?o?edema;fluid overload;"
        "fluid (?:\\w+ |\\w+ up ){0,3}(?:in|inside|within|into) {lung}(?! (?:base|lining));extra fluid in {lung};"
        "water in {lung};fluid build ?up(?: (?:in|inside|within) {lung})?;build ?up of (?:\\w+ )?fluid(?: (?:in|inside|within) {lung})?;"
        "wet lungs"
    ),
    "soft tissue edema": "soft tissue o?edema;soft tissue swelling;subcutaneous o?edema",
    "vascular congestion": (
        "congestion;congested;vascular (?:congestion|engorgement|redistribution);engorge(?:d|ment);cephalization;"
        "swelling of {own}lung's blood vessels;swollen blood vessels;"
        "(?:vascular|vessel|vascularity) (?:prominence|fullness);"
        "prominen(?:ce|t)(?: of)? {own}(?:\\w+ )?(?:vascul\\w+|vessels|blood vessels);"
        "blood vessels (?:\\w+ ){0,5}(?:swollen|engorged|congested|enlarged|too full)"
    ),
    "enlarged heart": (
        "cardiomegaly;cardiac enlargement;big heart;bigger heart;large heart;larger heart;enlarged heart;heart enlargement;"
        "enlargement of {own}heart"
    ),
    "atelectasis": (
        "atelecta(?:sis|tic|ses);"
        "(?:partly|partially|slightly|somewhat) collapsed(?: (?:areas?|parts?|regions?)(?: of)?)?(?: (?:the |your )?lungs?)?"
        "(?: tissue| base)?;"
        "partial (?:lung )?collapse(?: of {lung})?;collapsed (?:lung )?(?:tissue|air sacs);collapsed areas? of (?:the |your )?lungs?;"
        "(?:small areas?|small parts?|areas?|parts?|portions?|pieces?) of (?:\\w+ )?collapsed? (?:of )?{lung};"
        "(?:areas?|parts?|portions?|pieces?) of {lung}(?: tissue)? (?:\\w+ ){0,3}collapsed;"
        "collapse of (?:\\w+ ){0,2}(?:lung tissue|air sacs|lobe);volume loss;loss of volume;lobar collapse;"
        "air sacs? (?:\\w+ ){0,3}collapsed;"
        "areas? of collapse;collapsed lobe"
    ),
    "lung nodule": "nodules?;nodular(?:ity)?;small round spots?;nodule like",
    "spot": "small spots?;round spots?;spots?(?: (?:on|in) {lung})?",
    "lung mass": "mass(?:es)?(?! effect);lumps?;tumou?rs?;growths?;mass ?like",
    "lesion": "lesions?;abnormal spots?",
    "granuloma": ("granulomas?;granulomata;granulomatous;small scars? from an? old infection;old infection that left small scars"),
    "old infection": (
        "scars? (?:left )?(?:by|from|of) {own}(?:(?:old|past|previous|prior|earlier|healed) )?infections?;old infections?;"
        "old,? healed infections?;"
        "(?:past|previous|prior|earlier|healed) infections?"
    ),
    "malignancy": "malignan(?:cy|t|cies);cancers?;cancerous;carcinomas?;neoplas(?:m|tic|ia|ms)",
    "lung cancer": "(?:lung|bronchogenic|pulmonary) (?:cancer|carcinoma|malignancy)",
    "metastasis": ("metasta(?:sis|ses|tic);spread of (?:the |a )?(?:cancer|carcinoma|tumou?r|malignancy);cancer (?:\\w+ ){0,3}spread"),
    "emphysema": (
        "emphysema(?:tous)?(?: changes?)?;damaged(?:, over stretched)? air sacs;damage to (?:the |your )?(?:lung's )?air sacs;"
        "air sacs? (?:\\w+ ){0,4}damaged"
    ),
    "subcutaneous emphysema": "subcutaneous (?:emphysema|air|gas);soft tissue (?:emphysema|air|gas);air under (?:the|your) skin",
    "COPD": ("copd;chronic obstructive(?: pulmonary| lung| airways?)* disease;obstructive (?:lung |pulmonary |airways? )?disease"),
    "hyperinflation": (
        "hyper ?(?:inflat|expan|aerat|lucen|distend)\\w+;over ?inflat\\w+;over filled with air;"
        "over filling of {lung} with air;over ?expan\\w+;over ?fill\\w+;too much air;"
        "(?:holding|hold|holds|contain|contains|have|has|trap|with) "
        "(?:more|extra|excess) air(?: than (?:usual|normal|expected|they should))?;more air than (?:usual|normal|expected)"
    ),
    "low lung volume": (
        "hypo ?(?:inflat|aerat|ventilat|expan)\\w+;low (?:lung |inspiratory )?volumes?;lower (?:lung )?volumes?;"
        "low inspiratory \\w+;"
        "shallow (?:inspiration|breath|breathing|inspiratory effort|filling of {lung}(?: with air)?);"
        "not (?:\\w+ ){0,2}(?:fully|completely) filled(?: with air)?;poor inspir\\w+(?: effort)?;"
        "small lung volumes;underinflat\\w+;diminished lung volumes;decreased lung volumes;reduced lung volumes;"
        "lungs (?:look|appear|are|seem) (?:\\w+ )?small;did not take (?:in )?a (?:full|deep|big) breath"
    ),
    "incomplete expansion": (
        "not (?:\\w+ ){0,2}(?:fully|completely|all the way) (?:inflat(?:ed|ing)|expand(?:ed|ing)|open(?:ed)?);"
        "not opening up (?:fully|completely)"
    ),
    "scarring": "scar(?:ring|s|red)?;cicatri\\w+;fibrotic;scar tissue",
    "fibrosis": "fibrosis;lung scarring",
    "interstitial disease": (
        "interstitial (?:\\w+ )?(?:disease|opacit(?:y|ies)|markings|prominence|thickening|changes?|process|patte"
        "rn|infiltrates?);interstitium;fine extra lines(?: in {lung})?;reticular\\w*;septal (?:lines|thickening)"
    ),
    "bronchiectasis": "bronchiecta\\w+;widened airways",
    "bronchitis": ("bronchitis;bronchial wall thickening;peribronchial (?:cuffing|thickening);bronchitic;reactive airways?"),
    "fracture": (
        "fractur(?:es?|ed)(?! clinic);broken (?:bones?|ribs?|collar ?bones?|vertebra\\w*);breaks?;broken;break in;"
        "broke(?! (?:down|out|up));crack(?:s|ed)?(?! les)"
    ),
    "compression fracture": (
        "compression (?:fractures?|deformit(?:y|ies));compressed vertebra\\w*;squashed vertebra\\w*;"
        "wedg(?:ing|e)(?: (?:deformit(?:y|ies)|compressions?|fractures?))?;"
        "vertebral (?:body )?(?:compressions?|height loss|collapse);flattened (?:\\w+ )?vertebra\\w*;"
        "loss of (?:vertebral )?(?:body )?height;anterior wedging"
    ),
    "vascular crowding": (
        "bronchovascular crowding;crowding(?: of {own}(?:airways and blood vessels|vessels|bronchovascular \\w+))?;vascular crowding"
    ),
    "degenerative change": (
        "degenerat\\w+(?: changes?)?;spondylosis;osteophyt\\w+;osteoarthr\\w+;arthr(?:itis|itic|osis|opathy);spurring;spurs?;"
        "wear and tear(?: (?:changes?|of the spine))?;age related changes?;bone spurs?;bony spurs?;spondylit\\w+;disc space narrowing"
    ),
    "scoliosis": (
        "scoliosis;scoliotic;dextroscoliosis;levoscoliosis;sideways (?:curve|curvature)(?: (?:of|in) {own}spine)?;"
        "dextrocurvature;levocurvature;curv(?:ature|e|ing) of {own}(?:\\w+ )?spine;curved spine;curvature;"
        "spine (?:\\w+ ){0,4}curve[sd]?(?: (?:to|toward) {own}(?:side|left|right))?"
    ),
    "kyphosis": "kypho\\w+;bent forward;hunch\\w+;forward rounding of {own}back;hyperkypho\\w+",
    "osteopenia": "osteop(?:enia|enic|orosis|orotic);deminerali[sz]\\w+;thinning of {own}bones;low bone density;bone (?:density )?loss;"
    "(?:thin|thinner|weak|weaker|weakened|brittle) bones?;bones? (?:\\w+ ){0,3}(?:thin|thinner|weak|weaker|brittle)",
    "hiatal hernia": (
        "hiat(?:al|us) hernias?;hernia of {own}stomach through {own}diaphragm;stomach hernia;"
        "stomach (?:\\w+ ){0,5}(?:into|through|above) {own}(?:chest|diaphragm)"
    ),
    "hernia": "hernias?;herniation;herniated",
    "eventration": "eventration;bulge",
    "pleural thickening": (
        "pleural (?:\\w+ )?thickening;thickening of {own}(?:pleura|lining of {lung}|lung's lining);pleural scarring;"
        "apical capping;pleural (?:plaques?|based);pleuroparenchymal"
    ),
    "adenopathy": (
        "adenopathy;lymphadenopathy;enlarged (?:lymph )?(?:nodes?|glands?);swollen (?:lymph )?(?:nodes?|glands?);"
        "lymph nodes? (?:\\w+ ){0,3}(?:enlarged|swollen|enlargement)"
    ),
    "free air": (
        "free (?:\\w+ )?air;pneumoperitoneum;loose air in {own}(?:belly|abdomen);air (?:under|below|beneath) {own}diaphragm;free gas;"
        "air in {own}(?:belly|abdomen|abdominal cavity)"
    ),
    "pneumomediastinum": "pneumomediastinum;mediastinal air",
    "tortuous aorta": (
        "tortuous;tortuosity;unfold(?:ed|ing);ectasia;ectatic;winding(?: of {own}main artery(?: of {own}body)?)?;uncoil\\w+"
    ),
    "atherosclerosis": (
        "calcified (?:\\w+ ){0,2}aorta;calcifications? (?:\\w+ ){0,4}aort(?:a|ic);calcification of {own}(?:\\w+ )?aorta;atheroscl\\w+;"
        "hardening of {own}(?:\\w+ )?arter(?:y|ies);hardened (?:\\w+ )?arter(?:y|ies);aortic (?:\\w+ )?calcifi\\w+;"
        "aorta is (?:\\w+ )?calcified;aortosclerosis;arteriosclero\\w+;atheroma\\w*;plaque(?: build ?up)?(?! like)"
    ),
    "calcification": "calcif\\w+;hardened (?:lymph )?(?:nodes?|glands?|spots?);calcium(?: (?:deposits?|hardened|build ?up))?",
    "aneurysm": "aneurysm\\w*",
    "mediastinal widening": "widened mediastin\\w+;mediastinal widening;widening of {own}(?:mediastin\\w+|middle of {own}chest)",
    "hilar enlargement": "hilar (?:enlargement|prominence|fullness);enlarged hil\\w+;prominent hil\\w+;hilar mass(?:es)?",
    "elevated diaphragm": (
        "elevated (?:left |right )?(?:hemi)?diaphragms?;elevation of {own}(?:left |right )?(?:hemi)?diaphragms?;"
        "diaphragm (?:\\w+ ){0,4}(?:sits|is|lies) (?:\\w+ )?high(?:er)?(?: than (?:normal|usual|expected|{own}(?:left|right)))?"
    ),
    "blunting": "blunt(?:ing|ed)?;rounding off;rounded off",
    "cavity": "cavit(?:y|ies|ary|ation);cavitating;bullae?;bullous;blebs?;cysts?;cystic;pneumatocele",
    "tuberculosis": "tubercul\\w+;tb",
    "sarcoidosis": "sarcoid\\w*",
    "heart failure": (
        "heart failure;chf;cardiac failure;heart (?:\\w+ ){0,3}not (?:\\w+ )?pump\\w*(?: (?:\\w+ )?well(?: enough)?)?;"
        "cardiac decompensation;congestive (?:heart )?(?:failure|changes);failure;heart (?:is )?failing"
    ),
    "pulmonary hypertension": "pulmonary (?:arterial |artery |venous )?hypertension",
    "pulmonary embolism": "pulmonary embol\\w+;embol(?:i|us|ism);blood clots?;clots?",
    "aspiration": "aspirat\\w+;breath(?:ed|ing) (?:\\w+ ){0,3}in(?:to {lung})?;inhal(?:ed|ing)",
    "hemorrhage": "hemorrhag\\w+;haemorrhag\\w+;bleeding;hematoma;contusions?;bruis\\w+",
    "postoperative change": (
        "postoperative(?: changes?)?;post operative(?: changes?)?;postsurgical(?: changes?)?;post surgical(?: changes?)?"
    ),
    "collapse": "collaps(?:e|ed|ing)(?: (?:area|part))?;collapse of {lung};lung collapse",
    "squeezing": "squashed;squeezed",
    "shift": "shift(?:ed|ing)?;deviat(?:ed|ion);mass effect;midline shift",
    "nondisplaced": (
        "nondisplaced;non displaced;undisplaced;"
        "(?:has|have|is|are|did) not (?:\\w+ )?(?:shift(?:ed)?|displaced|moved? (?:apart|out of place));"
        "still (?:lined up|aligned);lined up;without displacement;not out of place"
    ),
    "dislocation": "dislocat\\w+;subluxation;separation",
    "bone destruction": "destructive;bony destruction;bone destruction;lytic;blastic;sclerotic;erosions?;erosive",
    "deformity": "deformit(?:y|ies);deformed",
    "foreign body": "foreign (?:body|bodies|objects?);bullets?;shrapnel;needle",
    "thickening": "thicken(?:ed|ing)",
    "dilatation": "dilat\\w+;distend\\w+;distension;distention",
    "lucency": "lucenc(?:y|ies)",
    "obstruction": "obstruct(?:ion|ed|ing)",
    "cardiac tamponade": "tamponade",
    "hemoptysis": "hemopt\\w+;hemopo\\w+;haemopt\\w+;cough\\w* (?:up )?blood;spit\\w* (?:up )?blood;blood(?:y| in {own}) sputum",
    "cough": "cough\\w*",
    "fever": "fevers?;febrile;high temperature",
    "shortness of breath": (
        "shortness of breath;sob;dyspn\\w+;short of breath;breathless\\w*;trouble breathing;difficulty breathing;doe;"
        "breathing difficult\\w+"
    ),
    "chest pain": "chest (?:\\w+ )?pain;cp;pain in {own}chest;pleuritic pain;chest (?:tightness|discomfort|pressure)",
    "pain": "pain\\w*;ache;aching",
    "weight loss": "weight loss;lost weight;losing weight",
    "hypoxia": "hypox\\w+;desaturat\\w+;low oxygen",
    "syncope": "syncop\\w+;faint(?:ed|ing);passed out",
    "trauma": "trauma\\w*;injur(?:y|ies|ed);fell;falls?;accident;mvc;mva;motor vehicle \\w+;collision",
    "hypertension": "hypertens\\w+;htn;high blood pressure",
    "diabetes": "diabet\\w+",
    "breast cancer": "breast (?:cancer|carcinoma|malignancy);cancer of {own}breast",
    "prostate cancer": "prostat(?:e|ic) (?:cancer|carcinoma|malignancy);cancer of {own}prostate",
    "colon cancer": "(?:colon|colorectal|rectal|bowel) (?:cancer|carcinoma|malignancy);cancer of {own}(?:colon|bowel|rectum)",
    "renal cancer": "(?:renal|kidney)(?: cell)? (?:cancer|carcinoma|malignancy);cancer of {own}kidney",
    "gynecologic cancer": "(?:ovarian|uterine|cervical|endometrial) (?:cancer|carcinoma|malignancy)",
    "head and neck cancer": "(?:thyroid|laryngeal|throat|oral|head and neck) (?:cancer|carcinoma|malignancy)",
    "abdominal cancer": "(?:pancreatic|gastric|liver|hepatocellular|esophageal|bladder) (?:cancer|carcinoma|malignancy)",
    "lymphoma": "lymphom\\w+;hodgkin\\w*",
    "leukemia": "leuk(?:a)?emi\\w+",
    "melanoma": "melanoma",
    "myeloma": "multiple myeloma;myeloma",
    "bone marrow transplant": "(?:bone marrow|stem cell) transplant\\w*;bmt",
    "organ transplant": "(?:kidney|renal|liver|hepatic|heart|cardiac|lung|organ) transplant\\w*;transplanted (?:\\w+)",
    "atrial fibrillation": "atrial (?:fibrillation|flutter);afib;a fib;irregular heart ?beat;arrhythmia",
    "heart attack": "heart attack;myocardial infarct\\w*;stemi;nstemi",
    "stroke": "strokes?(?! volume);cva;cerebrovascular \\w+",
    "kidney disease": "(?:kidney|renal) (?:disease|failure|insufficiency);esrd;ckd;on dialysis",
    "cirrhosis": "cirrho\\w+;liver (?:disease|failure)",
    "HIV": "hiv;(?:human|acquired) immunodeficiency \\w+",
    "dementia": "dementia;alzheimer\\w*",
    "seizure": "seizures?;epilep\\w+",
    "dizziness": "dizz\\w+;lightheaded\\w*;vertigo",
    "weakness": "weakness",
    "night sweats": "night sweats",
    "vomiting": "vomit\\w*;nausea\\w*;emesis",
    "swelling of the legs": "(?:leg|ankle|foot|feet) swelling;swelling of {own}(?:legs?|ankles?|feet);swollen (?:legs?|ankles?|feet)",
    "palpitations": "palpitations?",
    "chills": "chills",
    "coronary disease": "coronary (?:artery )?disease;cad;heart disease",
    "asthma": "asthma\\w*",
    "wheezing": "wheez\\w+",
    "confusion": "confus(?:ed|ion);altered mental status;ams",
    "leukocytosis": "leukocytosis;elevated white(?: blood)? (?:cell )?count",
    "smoking": "smok(?:er|ing|es);tobacco",
    "abnormality": (
        "abnormalit(?:y|ies);"
        "abnormal(?! (?:\\w+ )?(?:opacit|densit|mass|nodul|air ?space|interstit|lesion|enlarge|thicken|calcif)\\w*);disease;diseases;"
        "pathology;pathologies;process;processes;problems?;findings?;"
        "wrong;concerning (?:findings?|features);anything (?:abnormal|wrong|unusual);disorder"
    ),
}
"""Finding to the words for it. Those of the plain language that the rules teacher writes are added below."""

CANCERS = (
    "breast cancer",
    "prostate cancer",
    "colon cancer",
    "renal cancer",
    "gynecologic cancer",
    "head and neck cancer",
    "abdominal cancer",
    "lymphoma",
    "leukemia",
    "melanoma",
    "myeloma",
)

LONG_STANDING = frozenset(
    {
        "bronchitis",
        "COPD",
        "emphysema",
        "sarcoidosis",
        "heart failure",
        "malignancy",
        "lung cancer",
        "pulmonary hypertension",
        "interstitial disease",
        "fibrosis",
    }
)
"""Diseases that a patient has beyond this image: a report's indication is enough to say so."""

HISTORY = frozenset(
    {
        "cough",
        "fever",
        "shortness of breath",
        "chest pain",
        "pain",
        "weight loss",
        "hypoxia",
        "syncope",
        "trauma",
        "hypertension",
        "diabetes",
        "asthma",
        "wheezing",
        "confusion",
        "leukocytosis",
        "smoking",
        "hemoptysis",
        *CANCERS,
        "bone marrow transplant",
        "organ transplant",
        "atrial fibrillation",
        "heart attack",
        "stroke",
        "kidney disease",
        "cirrhosis",
        "HIV",
        "dementia",
        "seizure",
        "dizziness",
        "weakness",
        "night sweats",
        "vomiting",
        "swelling of the legs",
        "palpitations",
        "chills",
        "coronary disease",
    }
)
"""What a patient has or had, which a report's indication tells: supported by any mention of it."""

DEVICES: dict[str, str] = {
    "endotracheal tube": "endotracheal tubes?;et tubes?;ett;endotracheal;breathing tubes?",
    "tracheostomy tube": "tracheostomy(?: tube| cannula)?;trach(?: tube)?",
    "enteric tube": (
        "nasogastric(?: tubes?)?;enteric (?:feeding )?tubes?;orogastric(?: tubes?)?;feeding tubes?;"
        "ng (?:feeding )?tubes?;og tubes?;ngt;ogt;dobbhoff(?: tube)?;dobhoff(?: tube)?;"
        "tubes? into (?:the|your) stomach;stomach tubes?;gastric tubes?;esophageal tube;gastrostomy tube"
    ),
    "PICC line": "picc(?: lines?| catheters?)?;peripherally inserted central(?: venous)? (?:catheters?|lines?)",
    "central venous catheter": (
        "central (?:venous )?(?:\\w+ )?(?:catheters?|lines?|access);"
        "(?:jugular|internal) (?:\\w+ ){0,2}(?:catheters?|lines?);jugular (?:\\w+ ){0,2}(?:catheters?|lines?);"
        "internal jugular (?:\\w+ ){0,2}(?:catheters?|lines?);ij (?:\\w+ ){0,2}(?:catheters?|lines?);"
        "subclavian (?:\\w+ ){0,2}(?:catheters?|lines?);cvc;cvl;dialysis (?:\\w+ )?catheters?;venous catheters?;"
        "neck vein (?:line|catheter);vein catheter;chest catheters?;(?:tube|catheter|line) in {own}(?:\\w+ )?(?:neck|vein);"
        "long thin tubes? in a vein;hickman;catheters?;permcath;"
        "vascular catheters?"
    ),
    "chest port": "port a cath;portacath;mediport;ports?;infusion port;chest port",
    "chest tube": (
        "chest (?:tubes?|drains?);thoracostomy tubes?;pleural (?:drains?|tubes?|catheters?);"
        "pigtail(?: catheter)?;pleurx;tube (?:\\w+ ){0,2}in the (?:left |right )?(?:side of the )?chest"
    ),
    "pacemaker": ("pacemakers?;pacer;ppm;pacing (?:leads?|device|wires?);cardiac (?:conduction )?(?:device|leads?);generator;leads?"),
    "defibrillator": "defibrillators?;aicd;icd;implantable cardioverter \\w+",
    "sternotomy wires": (
        "sternotomy(?: (?:wires|sutures|changes))?;sternal (?:wires?|sutures?|cerclage);"
        "wires from (?:\\w+ )?(?:\\w+ )?(?:\\w+ )?(?:surgery|sternotomy);breastbone surgery;median sternotomy;"
        "midline sternotomy;heart surgery wires"
    ),
    "bypass surgery": "bypass;cabg;coronary (?:artery )?(?:bypass )?graft\\w*",
    "surgical clips": ("surgical (?:clips?|material|staples?|sutures?|changes?);clips?;staples;cholecystectomy clips?;sutures?"),
    "prosthetic valve": (
        "prosthetic (?:\\w+ )?valves?;artificial (?:\\w+ )?valves?;valves?;valve replacements?;avr;mvr;tavr;mitral valve;aortic valve"
    ),
    "stent": "stents?;stented",
    "nerve stimulator": "nerve stimulator;spinal (?:cord )?stimulator;stimulators?",
    "orthopedic hardware": (
        "fixation(?: hardware| plate)?;orthopedic (?:hardware|screws?|plate);spinal (?:hardware|rods?);hardware;"
        "screws?;plates?;fusion;arthroplasty;prosthesis;rod;rods;joint replacement"
    ),
    "intra-aortic balloon pump": "intra aortic balloon\\w*(?: pump)?;iabp;balloon pump",
    "Swan-Ganz catheter": "swan ganz(?: catheter)?;pa catheter;pulmonary artery catheter",
    "ventriculoperitoneal shunt": "shunts?;vp shunt;ventriculoperitoneal shunt",
    "portosystemic shunt": (
        "transjugular (?:\\w+ ){0,2}(?:\\w+ )?shunt;portosystemic shunt;tips (?:noted|shunt|stent|catheter|in place|procedure|is)"
    ),
    "loop recorder": "loop recorder;recorder",
    "ECMO cannula": "ecmo(?: cannulas?)?;cannulas?",
    "device": "devices?;lines?(?! shaped);implants?;tubes?;tubing",
}

REGIONS: dict[str, str] = {
    "heart": (
        "heart(?: (?:size|shadow|contours?|silhouette))?;cardiac(?: (?:size|shadow|contours?|silhouette|structures))?;"
        "outline of {own}heart;heart outline"
    ),
    "mediastinum": (
        "mediastin(?:um|al)(?: (?:contours?|silhouette|structures|size))?;middle of {own}chest;"
        "hila(?: (?:contours?|structures))?;hilum;hilar(?: (?:contours?|structures))?;"
        "outlines? of {own}middle of {own}chest"
    ),
    "cardiomediastinum": (
        "cardiomediastin(?:al|um)(?: (?:silhouettes?|contours?|structures|size))?;"
        "cardio mediastin(?:al|um)(?: (?:silhouettes?|contours?|structures|size))?;"
        "cardiac and mediastinal (?:silhouettes?|contours?|structures);heart and mediastin\\w+(?: contours?)?;"
        "outlines? of {own}heart and middle of {own}chest;heart and middle of {own}chest;"
        "heart size and mediastinal contours?;heart,? mediastin\\w+"
    ),
    "cardiopulmonary": (
        "cardiopulmonary;heart or lungs?;heart and lungs?;heart or pulmonary;cardiac or pulmonary;cardiothoracic;"
        "intrathoracic;thoracic;cardio pulmonary;lungs? or heart;lungs and heart"
    ),
    "lungs": "lungs?(?: fields?)?;pulmonary;lung (?:parenchyma|tissue);parenchym\\w+",
    "pleura": ("pleural?;pleura(?:e|s)?;costophrenic (?:angles?|sulc(?:us|i));lower corners? of the lungs?;pleural spaces?"),
    "vasculature": (
        "pulmonary vascul(?:ature|arity);vascul(?:ature|arity);pulmonary vascular (?:markings|pattern);"
        "vascular markings;blood vessel pattern of {own}lungs;pulmonary vessels"
    ),
    "bones": (
        "osseous(?: structures?)?;bones?;bony(?: (?:structures?|thorax))?;skelet\\w+(?: structures?)?;rib cage;"
        "thoracic cage;rib;ribs;spine;thoracic spine"
    ),
    "soft tissues": "soft tissues?",
    "diaphragm": ("hemidiaphragms?;diaphragms?;(?:side|half) of {own}diaphragm;side of {own}diaphragm;half of {own}diaphragm"),
    "aorta": (
        "aort(?:a|ic)(?: (?:knob|arch|contour))?;"
        "(?:main|big|biggest|large|largest) (?:artery|blood vessel)(?: (?:near|above|leaving|from|of|in) {own}(?:heart|body|chest))?"
    ),
    "chest": (
        "chest (?:x ray|xray|radiograph|film|study|exam\\w*|image|x xxxx)s?;chest;study;exam(?:ination)?;x ray;xray;"
        "radiograph;image;everything(?! else);scan;film"
    ),
    "abdomen": "abdom(?:en|inal)",
    "volumes": "lung volumes;inspiratory volumes",
}

LOCATIONS: dict[str, str] = {
    "upper": (
        "upper (?:lobes?|lungs?|zones?|lung (?:lobes?|zones?|fields?));apex;apices;apical(?:ly)?;apico\\w*;biapical;"
        "top (?:part )?of (?:the )?(?:left |right )?lungs?;upper (?:part|portion|half|third|area) of;uppermost;top of;"
        "lul;rul;suprahilar;upper"
    ),
    "middle": (
        "mid (?:lobes?|lungs?|zones?|lung (?:lobes?|zones?|fields?));"
        "middle (?:lobes?|lungs?|zones?|lung (?:lobes?|zones?|fields?));midlungs?;midzone;rml;"
        "middle (?:part|portion|third|area) of;mid and lower"
    ),
    "lower": (
        "lower (?:lobes?|lungs?|zones?|lung (?:lobes?|zones?|fields?));base;bases;basal;basilar;bibasilar;bibasal;"
        "bottom (?:part )?of;bottom;lower (?:part|portion|half|third|area|left|right) of?;retrocardiac;"
        "behind {own}heart;lll;rll;infrahilar;lower;lowermost;inferior(?! vena)"
    ),
    "lingula": "lingula\\w*",
    "perihilar": "perihilar;parahilar;hilar;hilum;hila;hilus;root of {own}(?:left |right )?lung",
    "mediastinal": "mediastin(?:al|um);paratracheal;middle of {own}chest",
    "carina": "carina\\w*;fork of {own}windpipe",
    "trachea": "trachea\\w*;windpipe",
    "SVC": "svc;superior vena cava;(?:large|big|main) vein (?:\\w+ )?(?:above|near|leading to|going to|entering|into|to|before) {own}heart",
    "cavoatrial junction": (
        "cavoatrial(?: junction)?;atriocaval(?: junction)?;caval atrial(?: junction)?;"
        "(?:svc|superior vena cava) (?:and |/ ?)?{own}(?:ra|right atri\\w+)"
        "(?: junction)?;junction (?:of|between) {own}(?:svc|superior vena cava|large vein above the heart) and {own}(?:right atrium|heart);"
        "where {own}(?:svc|superior vena cava|large vein) (?:\\w+ ){1,2}{own}(?:right atrium|heart)"
    ),
    "azygos vein": "azyg(?:os|ous) vein",
    "IVC": "ivc;inferior vena cava",
    "hepatic vein": "hepatic veins?",
    "pulmonary artery": "pulmonary arter(?:y|ies)(?! (?:hypertension|enlarge\\w+|catheter))",
    "right atrium": "right atri(?:um|al)",
    "left atrium": "left atri(?:um|al)",
    "ventricle": "(?:right|left) ventric\\w+;right ventric\\w+;left ventric\\w+;ventric\\w+",
    "brachiocephalic vein": "brachiocephalic(?: vein)?;innominate(?: vein)?",
    "subclavian vein": "subclavian(?: vein)?",
    "jugular vein": "jugular(?: vein)?",
    "axilla": "axill\\w+",
    "stomach": "stomach;gastric;gastroesophageal",
    "duodenum": "duoden\\w+;pylor\\w+",
    "esophagus": "esophag\\w+;oesophag\\w+;food pipe;gullet;swallowing tube",
    "mainstem bronchus": "mainstem(?: bronchus)?;main stem(?: bronchus)?;main bronchus",
    "rib": "rib;ribs",
    "clavicle": "clavic\\w+;collar ?bones?;collarbones?",
    "shoulder": "shoulders?;upper arms?;glenohumeral;acromioclavicular;humer\\w+;scapul\\w+",
    "sternum": "stern(?:um|al)(?! (?:wires|sutures));breastbone",
    "thoracic spine": (
        "thoracic (?:spine|vertebra\\w*);(?:upper|middle) part of {own}spine;midthoracic(?: (?:spine|vertebra\\w*))?;mid back;"
        "midback;(?:middle|upper) back"
    ),
    "lumbar spine": "lumbar(?: spine)?;lower (?:part of {own})?spine;lower back",
    "cervical spine": "cervical(?: spine)?;neck part of {own}spine",
    "costophrenic": "costophrenic;corners? of {own}lungs?",
    "abdomen": "abdom(?:en|inal);belly(?: button)?;umbilic\\w+",
}

SIDES: dict[str, str] = {
    "left": ("left(?: sided| hand)?(?! (?:ventric|atri|in place|by|over|behind|with));leftward;lll;lul;lingula;lingular;levo\\w+"),
    "right": "right(?: sided| hand)?(?! (?:ventric|atri|away|now|spot|place|position|location|after));rightward;rll;rul;rml",
    "both": (
        "bilateral(?:ly)?;both (?:lungs?|sides?|bases|apices|hemi\\w+|pleur\\w+|upper|lower|costo\\w+|shoulders|hila);"
        "bibasilar;biapical;bibasal;bihilar;each side;either lung;right and left;left and right;"
        "left (?:greater|larger|more) than right;right (?:greater|larger|more) than left;both of (?:the|your) lungs;two sides"
    ),
}

SEVERITIES: dict[str, str] = {
    "small": (
        "small(?:er)?(?! bowel);tiny;trace;minimal(?:ly)?;slight(?:ly)?;mild(?:ly)?;little;subtle;borderline;bit;minor;"
        "minute;faint(?:ly)?;early;mild to moderate;small to moderate"
    ),
    "moderate": ("moderate(?:ly)?;medium;mild to moderate;moderate to severe;small to moderate;moderate to large;fair amount"),
    "large": (
        "large(?:ly)?(?! vein);severe(?:ly)?;marked(?:ly)?;massive(?:ly)?;extensive(?:ly)?;huge;big;serious;"
        "substantial(?:ly)?;moderate to severe;moderate to large;gross(?! )|significantly (?:enlarged);considerabl[ey];"
        "advanced;sizea?ble"
    ),
}

CHANGES: dict[str, str] = {
    "unchanged": (
        "unchanged;stable;no (?:\\w+ ){0,3}changes?(?! (?:of|due));not (?:\\w+ ){0,2}changed?;"
        "without (?:\\w+ ){0,3}change;similar(?: to)?(?! fash);constant;persist\\w*;same as;remains? the same;"
        "has not (?:\\w+ )?(?:changed|grown|increased|decreased|worsened|improved|moved);"
        "have not (?:\\w+ )?(?:changed|grown|increased|decreased|worsened|improved);again (?:seen|noted|demonstrated|identified);"
        "same (?:size )?(?:as|compared)(?: (?:before|last time))?;neither (?:better|worse|larger|improved) nor \\w+;not new;"
        "not (?:\\w+ )?(?:grown|worsened);"
        "about the same;(?:without|no) (?:interval |significant )?growth;still there;looks? the same;"
        "redemonstrat\\w+;as before;steady;little change;minimal change"
    ),
    "worse": (
        "increas(?:e|ed|es|ing)(?! ap );worse(?:n|ned|ning)?;enlarg(?:ing);larger(?! (?:than|on) {own}(?:left|right));"
        "progress\\w*(?! note);grown;bigger(?! (?:than|on) {own}(?:left|right));"
        "more (?:prominent|pronounced|extensive|severe|fluid)(?! than (?:normal|usual|expected));greater(?! (?:than|on|in|at));"
        "growing;grew;"
        "accumulat\\w+;re accumulat\\w+;"
        "(?:gone|going|went) up"
    ),
    "better": (
        "decreas(?:e|ed|es|ing)(?! (?:lung volumes|volumes|inspir));improv\\w+;smaller;shrunk;shrinking;shrank;"
        "better(?! (?:seen|eval|assess|char));less (?:prominent|pronounced|extensive|severe|fluid);"
        "reduc(?:ed|tion)(?! lung);diminish\\w*(?! lung);regress\\w+;clearing;lessen\\w*;healing;partial resolution;"
        "partially resolved;resolving;(?:gone|going|went) down;less than (?:before|previously|on the prior)"
    ),
    "changed": (
        "interval changes?;significant changes?;has changed;have changed;change(?:d)? (?:in|from|since|to);"
        "changes (?:since|from {own}(?:prior|previous|last|earlier) (?:study|exam\\w*|film|x ray|radiograph));chang(?:ed|ing)"
    ),
    "resolved": (
        "resolved(?! \\w+ly);cleared;resolution;disappear\\w*;gone(?! (?:up|down|from|on|back));gone away;went away;no longer;"
        "been removed;was removed;removal of"
    ),
    "new": (
        "new;newly;acute(?:ly)?;developed;interval development;has developed;not there before;"
        "was not (?:there|present|seen|on) (?:before|(?:\\w+ ){0,3}(?:prior|previous|last));recent(?:ly)?;active;(?:has|have) appeared"
    ),
    "chronic": ("chronic(?:ally)?;old;remote;long ?standing;longstanding;healed;subacute;age indeterminate;indeterminate age;age cannot"),
}
"""A change over time, or how old something is, to the words for it."""

CUES: dict[str, str] = {
    "negation": (
        "no;not;without;negative for;negative;interval resolution of;interval removal of;removal of;complete resolution of;"
        "resolution of;free (?:of|from);clear of;"
        "absence of;absent;denies;denied;neither;nor;"
        "never;none;rather than;instead of;rules out;excludes;lacks?;lack of;"
        "cannot (?:be )?(?:see|seen|find|identified|identify);isn't;aren't;doesn't;don't;didn't;wasn't;weren't;hasn't;haven't;excluded by;"
        "(?:does|do|did) not (?:\\w+ )?"
        "(?:show|reveal|demonstrate|identify|have|see|find|detect|suggest|support|point to|look like|contain any)(?:s|ed)?;"
        "isnt;normal without;void of;nothing;unremarkable for"
    ),
    "negation_after": (
        "not (?:\\w+ ){0,2}(?:seen|identified|present|evident|visuali[sz]ed|demonstrated|visible|appreciated|not"
        "ed|found|detected|observed)(?! on (?:the )?(?:lateral|frontal|pa|ap|other));"
        "(?:is|are) (?:absent|excluded);is absent;are absent;absent;"
        "cannot be (?:seen|identified|found|detected)(?: anymore)?;"
        "has (?:\\w+ )?(?:resolved|cleared|been removed|disappeared|gone(?! (?:up|down)));"
        "have (?:\\w+ )?(?:resolved|cleared|been removed|disappeared|gone(?! (?:up|down)));is gone;are gone;"
        "(?:has|have) (?:now |also |already )?been (?:\\w+ )?(?:excluded|ruled out);"
        "no longer (?:\\w+ )?(?:seen|present|visible|identified|evident|visuali[sz]ed|there);resolved;ruled out;none;"
        "is negative;has not (?:been )?(?:seen|found);were not seen;is unlikely;removed"
    ),
    "possible": (
        "possib\\w+;(?:may|might|could) be (?:because|due to|from|caused by);may;might;maybe;could;suspect\\w*;suspicio\\w+;"
        "questionabl[ey];question(?:s|ed)?(?! \\w+ing);"
        "versus;vs;concern(?:ing|s|ed)?(?: for)?;worrisome(?: for)?;consider(?:ed|ation|ations)?;"
        "presum\\w+;potential(?:ly)?;equivocal;raises?;worr(?:y|ying);uncertain;unclear;cannot exclude;cannot rule out;"
        "either;indeterminate;not (?:\\w+ )?exclude;perhaps;hint"
    ),
    "possible:list": "differential\\w*;possibilities (?:include|are);alternatives? (?:include|is|are)",
    "likely": (
        "probabl[ey];likely;suggest\\w*;consistent with;compatible with;in keeping with;represent(?:s|ing)?;"
        "favou?r(?:s|ed)?;appears? to;indicat(?:es?|ing|ive)(?! for);reflect\\w*;most likely;likely represents?;"
        "evidence suggests;suggestive of;characteristic of;related to;secondary to;due to;because of;thought to"
    ),
    "possible_after": (
        "can not (?:be )?(?:entirely |completely |fully )?(?:excluded?|ruled out);"
        "cannot (?:be )?(?:entirely |completely |fully )?(?:excluded?|ruled out);"
        "not (?:be |been )?(?:entirely |completely |fully )?(?:excluded|ruled out);difficult to exclude;"
        "hard to (?:exclude|rule out);versus;vs;is (?:also )?(?:suspected|possible|questioned);"
        "are (?:also )?(?:suspected|possible|questioned);is (?:a )?(?:consideration|concern|possibility);less likely;"
        "(?:is|are|remains?) (?:also |still )?(?:an?|one|another|other) (?:\\w+ )?possibilit(?:y|ies);"
        "(?:is|are) (?:also )?(?:in|on|part of|included in) {own}differential\\w*;"
        "would be a consideration;possible;not out of the question;uncertain"
    ),
    "likely_after": "is (?:\\w+ )?(?:likely|probable|favou?red);are (?:\\w+ )?(?:likely|probable|favou?red);likely",
    "no_claim": (
        "evaluat\\w+(?: for| of)?;assess\\w*(?: for| of)?;to exclude;to look for;look(?:ing)? for;check(?:ing|ed)? for;"
        "rule out;ensure;detect\\w*;if;whether;sensitiv\\w+ for;should;would;correlat\\w+;"
        "to (?:rule|check|see if|find)\\w*;concern was;screen\\w*;could cause;"
        "can (?:be(?! (?:\\w+ )?(?:seen|identified|visualized))|cause|occur|happen|result|lead);"
        "(?:cause|explanation|source|etiology|treatments?|therapy|management) (?:for|of);"
        "(?:sign|evidence|proof) that (?:the|your|his|her) (?:pain|symptom)\\w*;limited (?:\\w+ )?(?:for|in);"
        "(?:does|do|did) not (?:\\w+ )?(?:confirm|prove|establish|diagnose);often;usually;sometimes;typically;depending"
    ),
    "no_claim:nothing": "no (?:reason|explanation|cause|source) (?:\\w+ ){0,4}(?:for|of)",
    "no_claim:example": "such as;for example",
    "stop": (
        "but;however;although;though;except;aside from;other than;apart from;there (?:is|are|was|were);shows?;"
        "demonstrates?;reveals?;while;whereas;despite;which (?:is|are|shows?);because;so(?! that);after;following;"
        "with(?! (?:no|out));otherwise;"
        "only;just;besides;as well as;in addition to;yet;also (?:shows|noted|seen);are noted;is noted;redemonstrat\\w+"
    ),
    "normal": (
        "normal(?:ly)?;unremarkable;clear(?! (?:of|ing));intact;"
        "within (?:the )?(?:normal|upper) limits(?: (?:of|in|for) (?:normal|size|appearance))?;"
        "(?:well|normally) (?:expanded|aerated|inflated)(?: and clear)?;healthy;negative;wnl;okay;fine;not enlarged;of normal size;"
        "normal limits;good shape;top normal;upper limits of normal;looks good"
    ),
    "enlarged": (
        "enlarged;enlargement;bigger than (?:normal|usual|expected);larger than (?:normal|usual|expected);big;"
        "dilat(?:ed|ation);widen(?:ed|ing);oversized;(?:bigger|larger) than (?:it should be|average);large(?=[.,]|$|\\s+and)"
    ),
    "raised": "elevat(?:ed|ion);raised(?: position)?;higher than (?:normal|usual|expected);flatten(?:ed|ing)",
    "low": "low;reduced;diminished;decreased;small",
    "advice": (
        "recommend\\w*;advis(?:ed|es?);"
        "follow up(?! (?:of|pneumonia|effusion|study of))(?: (?:imaging|ct|radiographs?|x rays?))?;followup;"
        "suggest (?:\\w+ ){0,3}(?:ct|study|correlation|evaluation|imaging);"
        "should (?:be )?(?:\\w+ )?(?:evaluat\\w+|follow\\w*|repeat\\w*|considered|obtain\\w*|undergo|perform\\w*|done"
        "|correlat\\w+|have);"
        "further (?:evaluation|imaging|characteri[sz]ation|workup|work up|testing|tests|assessment);"
        "consider (?:\\w+ ){0,4}(?:ct|study|series|views?|radiograph\\w*|imaging|x ray|follow up|evaluation|correlation);"
        "clinical correlation;correlat(?:e|ion)(?: clinically)?;"
        "(?:repeat|dedicated) (?:\\w+ ){0,2}(?:ct|radiograph|x ray|imaging|study);"
        "repeat (?:\\w+ ){0,2}(?:ct|radiograph\\w*|x ray|imaging|study);"
        "may be (?:helpful|of benefit|useful|considered);could be (?:helpful|useful|obtained|performed|considered);"
        "needs? (?:a |an )?(?:ct|follow up|biopsy|further \\w+);would be (?:helpful|useful)"
    ),
    "modality:CT": "ct(?: scan)?;cat scan;computed tomograph\\w+;tomograph\\w+;cta",
    "modality:MRI": "mri(?: scan)?;magnetic resonance(?: imaging)?",
    "modality:ultrasound": "ultraso\\w+;sonogra\\w+;echocardiogra\\w+;echo",
    "modality:biopsy": "biops\\w+;bronchoscop\\w+;aspiration biopsy",
    "modality:PET": "pet(?: ct)?;positron emission tomography",
    "modality:radiograph": (
        "radiographs?;radiographic(?= follow);rib (?:series|views?);x rays?;films?;cxr;pa and lateral;lateral view\\w*;"
        "plain film\\w*;xrays?"
    ),
    "modality:mammogram": "mammogra\\w+",
    "silence": (
        "does not (?:\\w+ )?(?:mention|state|specify|describe|say|indicate|provide|contain|comment|address|discu"
        "ss|report|include|give|list|note|make|refer|tell|name)\\w*;"
        "do not (?:\\w+ )?(?:mention|state|specify|describe|say|indicate|comment|address|discuss)\\w*;"
        "did not (?:mention|state|specify|describe|say|comment)\\w*;"
        "not (?:\\w+ ){0,2}(?:mentioned|stated|specified|described|indicated|reported|documented|addressed|comme"
        "nted|discussed|provided|given|included);"
        "no (?:\\w+ )?(?:mention|information|statement|comment|reference|details?)(?: (?:is|was) (?:made|given))"
        "?(?: (?:of|on|about|regarding|to))?;cannot be (?:determined|answered) (?:from|based|by);"
        "without mention(?: of)?;nothing (?:is )?(?:said|stated|mentioned) (?:about|of|on);unable to determine;"
        "silent (?:on|about)"
    ),
    "silence:any": (
        "(?:does|do|did) not (?:\\w+ )?(?:mention|describe|report|identify|note|indicate|document|list|include) (?:any|signs?|evidence)"
        "(?: (?:evidence|signs?|findings?) of)?;(?:does|do) not (?:\\w+ )?use {own}(?:term|word|phrase)s?"
    ),
    "framing": (
        "(?:incidental|main|key|primary|principal|overall|major|most important|notable) (?:abnormal )?findings?;"
        "these findings;findings[:*]+;the (?:\\w+ )?findings (?:section|show|state|include|also);the findings;"
        "that there (?:is|are|was|were);"
        "abnormal findings (?:include|are|on);small (?:areas?|parts?|regions?|portions?);(?:a|the) (?:smaller|larger|bigger);"
        "bottom line;out of line;in line;along with;than (?:normal|usual|expected|average);"
        "nothing (?:\\w+ (?:or|and) )?(?:new|urgent|worrying|serious|alarming|dangerous)"
    ),
    "age": "years? old;months? old",
    "sure": (
        "(?:is|are) definitely;certainly;confirm(?:s|ed);proven;proves?;diagnostic of;undoubtedly;conclusive(?:ly)?;definitive(?:ly)?;"
        "unequivocal(?:ly)?;without (?:a |any )?doubt;definitely;clearly (?:an?|the)"
    ),
    "reason": (
        "reason;indication;why;history;clinical (?:history|information|question|indication);because of;presented with;"
        "presents with;presenting with;complain\\w*;"
        "was (?:done|performed|obtained|ordered|taken|requested) (?:to|for|because|due)|was done;"
        "were (?:done|taken|obtained|performed) (?:to|for|because|due);because the patient;symptoms? of;referred for;"
        "suffer\\w*;was a concern"
    ),
    "limit": (
        "large;significant;definite;definitely;acute;new;active;focal;suspicious;obvious;gross;evident;convincing;"
        "discrete;displaced;overt;sizea?ble;radiographic;interval;recent;other;additional;further"
    ),
    "pronoun": "one;it;they;this;these;its;that",
}
"""Cue to the words for it: what they do to the findings near them is said in `sentences`."""

COMPOSED: dict[tuple[str, str], str] = {
    ("enlarged", "heart"): "enlarged heart",
    ("enlarged", "cardiomediastinum"): "enlarged heart",
    ("enlarged", "mediastinum"): "mediastinal widening",
    ("enlarged", "aorta"): "tortuous aorta",
    ("raised", "diaphragm"): "elevated diaphragm",
    ("low", "volumes"): "low lung volume",
}
"""A cue and the region that it is said of, to the finding that they make together."""

SUFFIX = re.compile(
    r"(?:itis|osis|oses|oma|omas|ectasis|ectatic|megaly|pathy|pathies|plasia|plegia|emia|cele|rrhage|ptysis|ectomy|plasty|stomy|emesis)$"
)
"""Endings of clinical nouns that the vocabulary need not hold to know that they claim something."""
COMMON_SUFFIXED = frozenset({"diagnosis", "prognosis", "coma", "aroma", "diploma", "anatomy", "sympathy", "empathy", "basis", "diagnoses"})
