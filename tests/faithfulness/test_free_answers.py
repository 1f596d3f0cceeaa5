"""The judge on free answers: lay words, explanations, hedges and framings of chat models, each sound one beside a wrong one."""

import pytest

from radgpt.faithfulness.verdict import judge
from radgpt.records import Report

REPORTS = {
    "air": (
        "INDICATION: 64-year-old man with chest pain after a fall.\n\nFINDINGS: A 15 mm right apical pneumothorax is noted. There is no "
        "pleural effusion. Mild bibasilar atelectasis. No focal consolidation. A nondisplaced fracture of the left seventh rib is present. "
        "A moderate hiatal hernia is seen. The heart is not enlarged."
    ),
    "fluid": (
        "INDICATION: 70-year-old woman with COPD, history of breast cancer, now with dyspnea.\n\nCOMPARISON: Chest radiograph from 5 days "
        "earlier.\n\nFINDINGS: Bilateral pleural effusions, small on the left and moderate on the right, have increased. Cardiomegaly is "
        "present. This is unchanged. Streaky left lower lobe opacity may represent atelectasis or infiltrate. The lungs remain "
        "hyperinflated. Pacemaker in the left chest wall. Atherosclerosis of the aorta. No acute osseous abnormality."
    ),
    "clear": (
        "INDICATION: 45-year-old man with cough.\n\nFINDINGS: The lungs are clear. Heart size is normal. Calcified granuloma in the left "
        "upper lobe. Mild degenerative changes of the thoracic spine. No pneumothorax. Interval resolution of left effusion.\n\n"
        "IMPRESSION: No acute cardiopulmonary disease."
    ),
    "scars": (
        "INDICATION: History of throat cancer.\n\nFINDINGS: Stable right apical scarring. Left basilar scarring. The previously seen left "
        "pneumothorax is not seen today.\n\nIMPRESSION: Chronic changes. CT of the chest may be helpful. If pain persists, consider a "
        "dedicated rib series."
    ),
    "line": (
        "INDICATION: New central line.\n\nFINDINGS: The right IJ catheter ends at the cavoatrial junction. A 16 mm nodule in the right "
        "upper lobe, suspicious for malignancy, has developed. Pulmonary edema is less than before. No pneumothorax.\n\nIMPRESSION: "
        "New right upper lobe nodule. Recommend further evaluation with CT."
    ),
}

ANSWERS: list[tuple[str, str, str, str | None]] = [
    # (report, instruction, answer, kind of the error in it)
    ("air", "Explain it to the patient.", "There is a small air leak at the top of your right lung, about 15 mm in size.", None),
    ("air", "Explain it to the patient.", "There is an air leak at the top of your left lung.", "side"),
    ("air", "Explain it to the patient.", "You broke the seventh rib on your left side, but the pieces have not moved apart.", None),
    ("air", "Explain it to the patient.", "You broke the ninth rib on your left side.", "number"),
    ("air", "Explain it to the patient.", "Small parts at the bottom of both lungs are not fully expanded.", None),
    ("air", "What is a hiatal hernia?", "It means that part of the stomach has moved up into the chest. It is moderate in size.", None),
    ("air", "Is the heart enlarged?", "No, your heart isn't enlarged.", None),
    ("air", "Is the heart enlarged?", "Yes, your heart is bigger than it should be.", "negation"),
    ("air", "Is there an effusion?", "The report doesn't show any sign of an effusion.", None),
    ("air", "Is the rib fracture displaced?", "No, the fracture of the left seventh rib is nondisplaced.", None),
    ("air", "Summarise.", "First, there is a pneumothorax on the right. Second, a rib on the left is fractured.", None),
    ("air", "Summarise.", "This 64-year-old man has a right pneumothorax.", None),
    ("air", "Why was it done?", "It was done because of chest pain after a fall.", None),
    ("air", "Why was it done?", "It was done because of coughing up blood.", "finding"),
    ("fluid", "Has the heart changed?", "No. Cardiomegaly is present but unchanged.", None),
    ("fluid", "Has the heart changed?", "The heart has become even larger.", "change"),
    ("fluid", "Explain it.", "Fluid has collected around both of your lungs, and there is more of it than before.", None),
    ("fluid", "Describe the effusions.", "The effusions are moderate on the left and small on the right.", "side"),
    ("fluid", "Describe the effusions.", "There is a pleural effusion on the left side only.", "side"),
    ("fluid", "What is the opacity?", "It might be the start of an infection, or a part of the lung that is partially collapsed.", None),
    ("fluid", "What is the opacity?", "The opacity is definitely atelectasis.", "certainty"),
    ("fluid", "What is the opacity?", "Atelectasis and infiltrate are in the differential.", None),
    ("fluid", "Summarise.", "Persistent hyperinflation of the lungs, in keeping with the patient's COPD.", None),
    ("fluid", "Which cancer did she have?", "She has a history of breast cancer.", None),
    ("fluid", "Which cancer did she have?", "She has a history of ovarian cancer.", "finding"),
    ("fluid", "Summarise.", "The main artery shows hardening, and a pacemaker is in the left chest wall.", None),
    ("fluid", "Is there a reason for the dyspnea?", "The report does not say what is causing the effusions.", None),
    ("fluid", "Are bones broken?", "The bones show no new injury.", None),
    ("clear", "Explain it.", "There is a small spot, a scar from an old infection, in the upper part of your left lung.", None),
    ("clear", "Explain it.", "There is a small spot in the lower part of your left lung.", "location"),
    ("clear", "Explain it.", "The lungs do not show signs of pneumonia, and your lungs aren't collapsed.", None),
    ("clear", "Explain it.", "Your lungs look cloudy.", "negation"),
    ("clear", "Explain it.", "Nothing new or worrying was found; there is some wear and tear in your mid-back.", None),
    ("clear", "Is there still an effusion?", "No, the effusion on the left has gone away.", None),
    ("clear", "Is there still an effusion?", "The effusion on the right has gone away.", "side"),
    ("clear", "Does it explain the cough?", "The report does not identify a cause for the cough.", None),
    ("scars", "Where are the scars?", "There is scarring at the right apex and at the left base.", None),
    ("scars", "Where are the scars?", "There is scarring at the left apex and at the right base.", "side"),
    ("scars", "Is the left pneumothorax there?", "The pneumothorax that was seen before is not visible now.", None),
    ("scars", "What is advised?", "A chest CT could be considered, and a rib series if the pain persists.", None),
    ("scars", "What is advised?", "An MRI could be considered.", "recommendation"),
    ("line", "Where does the line end?", "It ends where the superior vena cava meets the right atrium.", None),
    ("line", "Where does the line end?", "The catheter ends in the azygos vein.", "location"),
    ("line", "Is the nodule cancer?", "The report does not confirm a cancer, but it is suspicious for one.", None),
    ("line", "Is the nodule cancer?", "The nodule is proven cancer.", "certainty"),
    ("scars", "Which cancer was it?", "The patient has a history of throat cancer.", None),
    ("scars", "Which cancer was it?", "The patient has a history of lung cancer.", "finding"),
    ("line", "Summarise.", "A 16 mm nodule, new since the prior study, is in the right upper lobe.", None),
    ("line", "Is the edema better?", "The pulmonary edema has gone down.", None),
    ("line", "Is the edema better?", "The pulmonary edema has gone up.", "change"),
    ("line", "Did the line cause harm?", "No complication such as a pneumothorax is seen after placement of the right IJ line.", None),
    ("line", "What is advised?", "A CT is recommended, in view of the nodule on this radiograph.", None),
    ("line", "What is advised?", "A biopsy is recommended.", "recommendation"),
]


@pytest.mark.parametrize(("report", "instruction", "answer", "wrong"), ANSWERS)
def test_free_answers(report: str, instruction: str, answer: str, wrong: str | None) -> None:
    kinds = {problem.kind for problem in judge(answer, instruction, Report("r", "p", REPORTS[report], {})).problems}
    assert wrong in kinds if wrong else not kinds
