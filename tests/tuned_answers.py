"""Answers as language models word them, each with what is wrong in it: the half that the rules were tuned on.

`REPORTS` maps a letter to a report; `ANSWERS` holds (report, instruction, answer, kind of the planted error or None).
"""

REPORTS = {
    "A": (
        "INDICATION: Cough and fever for 3 days. Rule out pneumonia.\n\nCOMPARISON: Chest radiograph of March 4, "
        "2015.\n\nFINDINGS: There is a small left pleural effusion, increased since the prior study. Patchy "
        "consolidation in the right lower lobe. No pneumothorax. The heart is mildly enlarged.\n\nIMPRESSION: 1. Right "
        "lower lobe pneumonia. 2. Small left effusion. Follow-up radiograph in 6 weeks is recommended."
    ),
    "B": (
        "INDICATION: Line placement.\n\nTECHNIQUE: Portable AP view.\n\nCOMPARISON: None.\n\nFINDINGS: Endotracheal "
        "tube tip is 4.2 cm above the carina. Right internal jugular catheter ends in the mid SVC. The nasogastric "
        "tube courses below the diaphragm. Lung volumes are low with bibasilar atelectasis. No evidence of "
        "pneumothorax.\n\nIMPRESSION: Lines and tubes in standard position. Bibasilar atelectasis."
    ),
    "C": (
        "INDICATION: Chest pain.\n\nFINDINGS: The lungs are clear without focal consolidation, effusion, or "
        "pneumothorax. The cardiomediastinal silhouette is normal. The osseous structures are intact.\n\nIMPRESSION: "
        "No acute cardiopulmonary abnormality."
    ),
    "D": (
        "INDICATION: Known lung nodule.\n\nFINDINGS: A 1.2 x 0.9 cm nodule in the left upper lobe is unchanged. "
        "Calcified granuloma at the right base. Emphysema. Mild degenerative changes of the thoracic spine. No pleural "
        "effusion.\n\nIMPRESSION: Stable 1.2 cm left upper lobe nodule. CT of the chest is recommended for further "
        "evaluation."
    ),
    "E": (
        "INDICATION: Fall.\n\nFINDINGS: Mildly displaced fractures of the left 6th and 7th ribs. Small left apical "
        "pneumothorax measuring 8 mm. Possible small left hemothorax. Right lung is clear.\n\nIMPRESSION: Left rib "
        "fractures with small pneumothorax. Findings were discussed with Dr. Roe at 14:30."
    ),
    "F": (
        "INDICATION: SOB, history of CHF.\n\nFINDINGS: Moderate cardiomegaly, unchanged. Pulmonary vascular congestion "
        "with mild interstitial edema, improved. Left-sided dual lead pacemaker with leads in the right atrium and "
        "right ventricle. Previously seen right pleural effusion has resolved. Superimposed infection at the left base "
        "cannot be excluded.\n\nIMPRESSION: Improving mild pulmonary edema."
    ),
}

QUESTION = "What does the report say?"

ANSWERS: list[tuple[str, str, str, str | None]] = [
    ("A", "Explain this.", "The doctor recommends another X-ray in about six weeks to be sure that the infection clears up.", None),
    ("B", "Is anything urgent?", "There is no evidence of a pneumothorax, and all lines and tubes are appropriately positioned.", None),
    ("A", "Is there a pleural effusion?", "Yes, the report describes a small effusion on the left side.", None),
    ("A", "Is there a pleural effusion?", "Yes, the report describes a small effusion on the right side.", "side"),
    ("A", "Is there a pleural effusion?", "No, there is no pleural effusion.", "negation"),
    ("A", "Explain this to the patient.", "There is a bit of fluid around your left lung, and an infection in the lower right lung.", None),
    ("A", "Explain this to the patient.", "There is fluid around both lungs and an infection in the lower part of the right lung.", "side"),
    ("A", "Explain this to the patient.", "Your heart is a little bigger than normal. Air has leaked around your lung.", "negation"),
    ("A", QUESTION, "The left pleural effusion has decreased since the prior exam.", "change"),
    ("A", QUESTION, "The left pleural effusion has grown compared with the previous exam.", None),
    ("A", QUESTION, "The report documents a large left pleural effusion.", "severity"),
    ("A", QUESTION, "Right lower lobe pneumonia with a small left effusion and mild cardiomegaly; no pneumothorax.", None),
    ("A", QUESTION, "Right upper lobe pneumonia with a small left effusion.", "location"),
    ("A", "Is follow-up recommended?", "Yes, a repeat chest X-ray in 6 weeks is recommended.", None),
    ("A", "Is follow-up recommended?", "Yes, a repeat chest X-ray in 3 weeks is recommended.", "number"),
    ("A", "Is follow-up recommended?", "No follow-up imaging is recommended.", "recommendation"),
    ("A", "Why was this study done?", "The study was done for cough and fever lasting three days, to look for pneumonia.", None),
    ("A", "What was this compared with?", "It was compared with a chest radiograph from 03/04/2015.", None),
    ("A", "What was this compared with?", "It was compared with a chest radiograph from March 14, 2015.", "date"),
    ("A", "Is there a pneumothorax?", "The report does not mention a pneumothorax.", "unanswered"),
    ("A", QUESTION, "There are also several rib fractures.", "finding"),
    ("B", "Where is the endotracheal tube?", "The tip of the ET tube lies 42 mm above the carina.", None),
    ("B", "Where is the endotracheal tube?", "The tip of the ET tube lies 2.4 cm above the carina.", "measurement"),
    ("B", "Where does the central line end?", "The right IJ line terminates in the mid superior vena cava.", None),
    ("B", "Where does the central line end?", "The right IJ line terminates in the right atrium.", "location"),
    ("B", "Where does the central line end?", "The left internal jugular catheter ends in the mid SVC.", "side"),
    ("B", QUESTION, "A breathing tube, a feeding tube and a neck-vein line are in good position.", None),
    ("B", QUESTION, "A left chest tube is in place.", "device"),
    ("B", QUESTION, "Partial collapse at the bottom of both lungs, and the lungs are not fully inflated.", None),
    ("B", "Is there a pneumothorax?", "There is a small pneumothorax.", "negation"),
    ("B", "Is there a pleural effusion?", "The report does not mention a pleural effusion.", None),
    ("B", "Is there a pleural effusion?", "No, there is no pleural effusion.", "denial"),
    ("C", "Summarise the report.", "Normal chest radiograph with no acute findings.", None),
    ("C", "Summarise the report.", "The lungs are clear and the heart is normal in size. There are no broken bones.", None),
    ("C", "Summarise the report.", "The lungs are clear. The heart is enlarged.", "negation"),
    ("C", "Summarise the report.", "There is a small area of consolidation.", "negation"),
    ("C", "Is there pneumonia?", "No. The lungs are clear, with no consolidation.", None),
    ("C", "Is there scoliosis?", "The report does not say whether there is scoliosis.", None),
    ("C", "What is a pneumothorax?", "A pneumothorax is a condition in which air collects around the lung. The report finds none.", None),
    (
        "C",
        "Explain the result.",
        "An X-ray is a picture of the inside of the chest. Yours looks normal: there is no fluid around the lungs.",
        None,
    ),
    ("C", "Summarise the report.", "Normal chest. A follow-up CT is recommended.", "recommendation"),
    ("D", "How large is the nodule?", "The nodule measures 12 x 9 mm.", None),
    ("D", "How large is the nodule?", "The nodule measures 2.1 cm.", "measurement"),
    ("D", "How large is the nodule?", "It measures 1.2 mm.", "measurement"),
    ("D", "Where is the nodule?", "In the left upper lobe.", None),
    ("D", "Where is the nodule?", "In the right upper lobe.", "side"),
    ("D", "Has the nodule changed?", "No, the nodule is stable.", None),
    ("D", "Has the nodule changed?", "Yes, the nodule has increased in size.", "change"),
    ("D", QUESTION, "There is a new nodule in the left upper lobe.", "change"),
    ("D", QUESTION, "The lungs show damage to the air sacs, and there is mild wear and tear of the spine.", None),
    ("D", "Is any follow-up recommended?", "An MRI of the chest is recommended.", "recommendation"),
    ("D", QUESTION, "There is a calcified granuloma at the left base.", "side"),
    ("E", QUESTION, "The left sixth and seventh ribs are broken.", None),
    ("E", QUESTION, "Fractures of the left 8th and 9th ribs.", "number"),
    ("E", QUESTION, "There is a definite left hemothorax.", "certainty"),
    ("E", QUESTION, "There may be a small amount of blood around the left lung.", None),
    ("E", "When was Dr. Roe told?", "The findings were discussed with Dr. Roe at 2:30 PM.", None),
    ("E", "When was Dr. Roe told?", "The findings were discussed with Dr. Roe at 15:30.", "date"),
    ("E", QUESTION, "Small right apical pneumothorax of 8 mm.", "side"),
    ("F", "What does CHF stand for?", "CHF stands for congestive heart failure.", None),
    ("F", "What does CHF stand for?", "CHF stands for chronic hepatic failure.", "abbreviation"),
    ("F", QUESTION, "Moderate enlargement of the heart is stable, and the fluid in the lungs has improved.", None),
    ("F", QUESTION, "Severe cardiomegaly with improving edema.", "severity"),
    ("F", "Is there an effusion?", "No, the right effusion seen before has resolved.", None),
    ("F", "Is there an effusion?", "Yes, there is a right pleural effusion.", "negation"),
    ("F", QUESTION, "There is an infection at the left base.", "certainty"),
    ("F", QUESTION, "A left pacemaker has leads in the right atrium and right ventricle.", None),
]
