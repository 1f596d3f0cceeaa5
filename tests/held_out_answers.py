"""Answers as language models word them, each with what is wrong in it: the half that no rule was tuned on. Shaped as `tuned_answers`."""

REPORTS = {
    "K": (
        "EXAMINATION: CHEST (PA AND LAT)\n\nINDICATION: ___ year old man with shortness of breath. Evaluate for "
        "CHF.\n\nCOMPARISON: Chest radiograph dated July 9, 2012.\n\nFINDINGS: Cardiac silhouette is moderately "
        "enlarged. There are moderate bilateral pleural effusions, right greater than left, new from prior. Increased "
        "interstitial markings suggest pulmonary edema. No focal consolidation is seen, however an underlying "
        "infection is difficult to exclude.\n\nIMPRESSION: Moderate bilateral effusions and probable pulmonary edema."
    ),
    "L": (
        "INDICATION: Weight loss, smoker.\n\nFINDINGS: There is a 3.5 cm mass in the right hilum. Multiple nodules up "
        "to 7 mm in both lungs are worrisome for metastases. Right hemidiaphragm is elevated. No pneumothorax. No bony "
        "destruction.\n\nIMPRESSION: Right hilar mass concerning for malignancy. Recommend contrast-enhanced CT chest."
    ),
    "M": (
        "INDICATION: Status post thoracotomy.\n\nCOMPARISON: Radiograph from 05:12 today.\n\nFINDINGS: Left chest tube "
        "remains in place. The left pneumothorax has decreased and is now tiny. Subcutaneous emphysema along the left "
        "chest wall is stable. Left PICC tip at the cavoatrial junction. Right lung is clear. No "
        "effusion.\n\nIMPRESSION: Decreased tiny left pneumothorax with chest tube in place."
    ),
    "N": (
        "INDICATION: Preoperative.\n\nFINDINGS: Heart size and mediastinal contours are within normal limits. The "
        "aorta is tortuous. The lungs are hyperinflated with flattened diaphragms, consistent with COPD. There is no "
        "pleural effusion, pneumothorax, or focal airspace disease. Old healed right clavicle fracture.\n\nIMPRESSION: "
        "COPD. No acute disease."
    ),
    "O": (
        "INDICATION: Confusion.\n\nFINDINGS: Low lung volumes. There is a retrocardiac opacity which may represent "
        "atelectasis or pneumonia. Small hiatal hernia. Median sternotomy wires and surgical clips are noted. "
        "Compression deformity of T8, age indeterminate.\n\nIMPRESSION: Retrocardiac opacity, atelectasis versus "
        "pneumonia. Clinical correlation is advised."
    ),
    "P": ("FINDINGS: Both lungs are well expanded and clear. No effusion. Normal heart.\n\nIMPRESSION: Normal study."),
}

QUESTION = "What does the report say?"

ANSWERS: list[tuple[str, str, str, str | None]] = [
    ("K", "How big is the heart?", "The heart is moderately enlarged.", None),
    ("K", "How big is the heart?", "The heart is normal in size.", "negation"),
    ("K", QUESTION, "There is fluid surrounding both lungs, a moderate amount and more on the right. It was not there before.", None),
    ("K", QUESTION, "There are small bilateral pleural effusions.", "severity"),
    ("K", QUESTION, "Unchanged moderate effusions on both sides.", "change"),
    ("K", QUESTION, "There is probably fluid build-up within the lungs as well.", None),
    ("K", QUESTION, "The findings are diagnostic of pneumonia.", "certainty"),
    ("K", "Is there consolidation?", "No, although infection cannot be entirely ruled out.", None),
    ("K", "What was the comparison study?", "A chest x-ray from 9 July 2012.", None),
    ("K", "What was the comparison study?", "A chest x-ray from July 9, 2013.", "date"),
    ("K", "Why was the study ordered?", "Because the patient was short of breath; heart failure was a concern.", None),
    ("L", "How large is the mass?", "About 35 mm across.", None),
    ("L", "How large is the mass?", "It measures 5.3 cm.", "measurement"),
    ("L", "Where is the mass?", "It is located at the right hilum.", None),
    ("L", "Where is the mass?", "It is located at the left hilum.", "side"),
    (
        "L",
        QUESTION,
        "A lump near the root of the right lung raises concern for cancer, and small spots in both lungs may be spread of it.",
        None,
    ),
    ("L", QUESTION, "The lung nodules are confirmed metastases.", "certainty"),
    ("L", QUESTION, "There is a collapsed lung on the right.", "negation"),
    ("L", "What does the radiologist advise?", "A CT of the chest with contrast.", None),
    ("L", "What does the radiologist advise?", "They recommend a biopsy.", "recommendation"),
    ("L", QUESTION, "The left half of the diaphragm is raised.", "side"),
    ("L", QUESTION, "The scan also shows an enlarged heart.", "finding"),
    ("M", "How has the pneumothorax changed?", "It has become smaller and is now tiny.", None),
    ("M", "How has the pneumothorax changed?", "It has become larger.", "change"),
    ("M", QUESTION, "A tube remains in the left side of the chest, and only a trace of air is left around that lung.", None),
    ("M", QUESTION, "The right chest tube is still in place.", "side"),
    ("M", "Where does the PICC end?", "At the cavoatrial junction.", None),
    ("M", "Where does the PICC end?", "At the brachiocephalic vein.", "location"),
    ("M", QUESTION, "There is a pleural effusion on the left.", "negation"),
    ("M", "When was the earlier study?", "At 05:12 the same day.", None),
    ("M", "When was the earlier study?", "At 06:12 the same day.", "date"),
    ("M", QUESTION, "No subcutaneous air is present.", "negation"),
    ("M", QUESTION, "An endotracheal tube is also seen.", "device"),
    ("N", "Summarise the report.", "Overinflated lungs in keeping with COPD, with no acute disease.", None),
    ("N", "Summarise the report.", "COPD with a left pleural effusion.", "negation"),
    ("N", QUESTION, "There is an old, healed break of the right collarbone.", None),
    ("N", QUESTION, "There is an acute fracture of the right clavicle.", "change"),
    ("N", QUESTION, "There is an old healed left clavicle fracture.", "side"),
    ("N", QUESTION, "The aorta follows a winding course.", None),
    ("N", QUESTION, "The heart is enlarged and the aorta is tortuous.", "negation"),
    ("N", "Does the patient have scoliosis?", "The report does not provide any information on scoliosis.", None),
    ("N", "Does the patient have COPD?", "COPD isn't mentioned in the report.", "unanswered"),
    ("N", "What does COPD mean?", "COPD means chronic obstructive pulmonary disease, a long-term lung condition.", None),
    ("N", "What does COPD mean?", "COPD means chronic occupational pulmonary disease.", "abbreviation"),
    ("N", QUESTION, "A pacemaker is visible.", "device"),
    ("O", QUESTION, "An opacity behind the heart could be either atelectasis or pneumonia.", None),
    ("O", QUESTION, "There is a retrocardiac pneumonia.", "certainty"),
    ("O", QUESTION, "There is a flattened T8 vertebra, whose age cannot be told.", None),
    ("O", QUESTION, "Compression deformity of T6.", "number"),
    ("O", QUESTION, "Wires from earlier open-heart surgery can be seen.", None),
    ("O", QUESTION, "There is a large hiatal hernia.", "severity"),
    ("O", "Is a follow-up CT recommended?", "No, only clinical correlation is advised.", None),
    ("O", "Is a follow-up CT recommended?", "Yes, a CT in three months is recommended.", "recommendation"),
    ("O", "Is there a pneumothorax?", "There is no mention of a pneumothorax in this report.", None),
    ("O", "Is there a pneumothorax?", "No pneumothorax is present.", "denial"),
    ("P", "Is there fluid around the lungs?", "No, there is no fluid around the lungs.", None),
    ("P", "Is there fluid around the lungs?", "Yes, there is a little fluid around the lungs.", "negation"),
    ("P", "Summarise.", "Everything looks normal on this chest X-ray: the lungs are clear and the heart is of normal size.", None),
    ("P", "Summarise.", "The lungs are clear but there is a suspicious nodule.", "finding"),
    ("P", "Is the study normal?", "Yes, it is normal.", None),
]
