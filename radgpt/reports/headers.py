"""Say what a header such as `REASON FOR EXAM` opens, by the words that it is made of.

A header is a noun phrase: what stands before its first preposition decides (COMMUNICATION of findings), the last head word there
(EXAM technique), and strong head words go before weak ones (COMPARISON study). Every other word must be one that headers are known to
be made of, so that sentences are none. Words may be misspelt.
"""

import re
from functools import lru_cache

from rapidfuzz.distance import OSA

START = "start"
"""Opens the final report."""
MERGED = "merged"
"""Findings and impression under one header."""
TITLE = "title"
"""The name of the study; what was seen may follow it."""
ORGAN = "organ"
"""A part of the body; what was seen there follows."""
COMMENT = "comment"
"""The conclusion where nothing else is (so in Australia), else a note."""
SIGNATURE = "signature"
"""Who read, dictated or signed."""
MESSAGES = ("notification", "recommendations")
"""About the report; they last until the next header."""
OTHER_READS = ("wet_read", "addendum")
"""Other reads of the study; they last until the line that closes them."""


def words(text: str) -> frozenset[str]:
    """The words of a list that is written as one string."""
    return frozenset(text.split())


STRONG = {
    word: kind
    for kind, listed in {
        "history": "HISTORY HX HISTORIES ANAMNESIS HPI PMH PMHX BACKGROUND ANTECEDENTS",
        "indication": "INDICATION INDICATIONS REASON REASONS QUESTION QUESTIONS CONCERN CONCERNS COMPLAINT COMPLAINTS SYMPTOM SYMPTOMS "
        "REFERRAL PURPOSE RATIONALE JUSTIFICATION QUERY AIM OBJECTIVE "
        "GOAL SUSPICION SIGNS PROBLEM PROBLEMS",
        "technique": "TECHNIQUE TECHNIQUES METHOD METHODS METHODOLOGY PROTOCOL PROTOCOLS PROJECTION PROJECTIONS ACQUISITION ACQUISITIONS "
        "SEQUENCES TECHNICAL TECH EXPOSURE EXPOSURES",
        "comparison": "COMPARISON COMPARISONS COMPARATIVE COMPARATIVES COMPARED COMPARE CORRELATION CORRELATIVE CORRELATED PRIOR "
        "PRIORS PREVIOUS REFERENCE REFERENCES EARLIER OLD PAST LAST FORMER PRECEDING COMPARATOR "
        "COMPARATORS BASELINE HISTORICAL RECENT RELATED EXISTING COMP",
        "findings": "FINDING FINDINGS OBSERVATION OBSERVATIONS RESULT RESULTS NARRATIVE DESCRIPTION REPORT READING DISCUSSION "
        "ANALYSIS APPEARANCE APPEARANCES FEATURES",
        "impression": "IMPRESSION IMPRESSIONS CONCLUSION CONCLUSIONS OPINION OPINIONS SUMMARY INTERPRETATION DIAGNOSIS DIAGNOSES "
        "ASSESSMENT SYNOPSIS SYNTHESIS SUMMATION INFERENCE JUDGEMENT JUDGMENT IMP",
        COMMENT: "COMMENT COMMENTS REMARK REMARKS",
        "notification": "NOTIFICATION NOTIFICATIONS COMMUNICATION COMMUNICATIONS COMMUNICATED NOTIFIED INFORMED ALERT DISCLAIMER",
        "recommendations": "RECOMMENDATION RECOMMENDATIONS ADVICE SUGGESTION SUGGESTIONS FOLLOW-UP FOLLOWUP WORKUP WORK-UP",
        SIGNATURE: "ATTENDING RADIOLOGIST RESIDENT FELLOW PHYSICIAN PROVIDER CLINICIAN DOCTOR CONSULTANT READER AUTHOR SIGNATURE TRANSCRIPTIONIST",
    }.items()
    for word in listed.split()
}
OF_ANOTHER_READ = {
    word: kind
    for kind, listed in {
        "addendum": "ADDENDUM ADDENDA UPDATE UPDATED POSTSCRIPT AMENDMENT AMENDED CORRECTION CORRECTED ERRATUM REVISION REVISED SUPPLEMENT SUPPLEMENTAL SUPPLEMENTARY",
        "wet_read": "PRELIMINARY PRELIM PROVISIONAL OVERNIGHT UNOFFICIAL INITIAL INTERIM TRAINEE RAPID TENTATIVE DRAFT ON-CALL STAT ED HOT NIGHT QUICK "
        "EMERGENCY UNVERIFIED",
        "notification": "VERBAL ORAL TELEPHONE TELEPHONED PHONE PHONED CALLED CONVEYED RELAYED",
    }.items()
    for word in listed.split()
}
"""Whatever stands beside these is not the report itself: a PRELIMINARY impression, a VERBAL report."""
READS = words("READ READING REPORT REPORTS INTERPRETATION FINDINGS IMPRESSION RESULT RESULTS NOTE NOTES COMMENT CALL COMMUNICATION")
"""What they stand beside."""
WEAK = {
    word: kind
    for kind, listed in {
        "examination": "EXAM EXAMS EXAMINATION EXAMINATIONS STUDY STUDIES PROCEDURE PROCEDURES INVESTIGATION INVESTIGATIONS TEST "
        "MODALITY SCAN",
        "technique": "VIEW VIEWS IMAGES PARAMETERS POSITION POSITIONING",
        "recommendations": "PLAN MANAGEMENT",
    }.items()
    for word in listed.split()
}
IMPRESSION_AMONG_CONTEXT = words(
    "CLINICAL PROVISIONAL SUSPECTED ORDERING REFERRING REFERRAL ADMITTING ADMISSION WORKING PRESUMPTIVE PREOPERATIVE PRESENTING"
)
"""Before DIAGNOSIS and the like: what the one who asks thinks, not the radiologist."""
OF_THE_PATIENT = words("CLINICAL CLIN PATIENT PATIENT'S MEDICAL")
TOLD_OF_THE_PATIENT = words(
    "INFORMATION INFO DATA DETAIL DETAILS CONTEXT NOTE NOTES SUMMARY STATEMENT PRESENTATION PROBLEM PROBLEMS SETTING FEATURES"
)
"""After CLINICAL and the like: history."""
QUALIFIERS = (
    OF_THE_PATIENT
    | IMPRESSION_AMONG_CONTEXT
    | words(
        "A AN THE THIS ANY ALL RELEVANT PERTINENT BRIEF SHORT PRESENT CURRENT CHIEF MAIN MAJOR KEY PRINCIPAL PRIMARY SURGICAL "
        "FINAL OVERALL GENERAL DETAILED ADDITIONAL OTHER RADIOGRAPHIC RADIOGRAPHICAL RADIOLOGIC RADIOLOGICAL RADIOLOGY "
        "RADIOLOGIST'S RADIOLOGISTS DIAGNOSTIC IMAGING IMAGE FILM FILMS XRAY X-RAY X-RAYS CHEST CXR CT MRI MR SCAN SCANS PRESENTING REPORTED "
        "CONCLUDING EXECUTIVE INTERPRETIVE INTERPRETATIVE NARRATIVE MADE TEXT BODY LIST SECTION TYPE NAME TITLE CODE DESCRIPTOR PERFORMED REQUESTED ORDERED OBTAINED ACQUIRED TAKEN USED AVAILABLE "
        "REVIEWED RADIOGRAPH RADIOGRAPHS RADIOGRAPHY DATE DATES DETAIL DETAILS FACTORS NOTE NOTES ORDER RECORDS "
        "REQUEST REQUESTING ORDERING REPORTING INTERPRETING CRITICAL URGENT FURTHER SUGGESTED RECOMMENDED ADVISED "
        "PROPOSED COMBINED FORMAL OFFICIAL FULL COMPLETE STANDARD DIGITAL PLAIN INITIAL PROBABLE LIKELY MOST DIFFERENTIAL "
        "SONOGRAPHIC TOMOGRAPHIC THORACIC CARDIOPULMONARY CLIN LATE VALUE DICTATING READING REPORTS PROVIDED GIVEN ACTION ILLNESS DESCRIPTIVE INTERVAL SIGNIFICANT IMPORTANT POSITIVE SPECIFIC"
    )
)
"""Words that may stand beside a head."""
STUDY = words(
    "CHEST CXR THORAX THORACIC RADIOGRAPH RADIOGRAPHS RADIOGRAPHY X-RAY X-RAYS XRAY XRAYS FILM FILMS ROENTGENOGRAM ROENTGENOGRAMS VIEW "
    "VIEWS PORTABLE FRONTAL LATERAL BEDSIDE PROJECTION PROJECTIONS UPRIGHT ERECT SUPINE SEMI-UPRIGHT SEMIUPRIGHT RIBS CR DX CT CTA MR MRI MRA PET "
    "ULTRASOUND SONOGRAM ULTRASONOGRAPHY TOMOGRAPHY MAMMOGRAM MAMMOGRAPHY ANGIOGRAM FLUOROSCOPY SCAN"
)
"""Words that a study is called by; TITLE if one stands in a name that is nothing else."""
REGIONS = STUDY - words("X-RAY X-RAYS XRAY XRAYS FILM FILMS CT MR MRI ULTRASOUND SCAN RADIOGRAPHY TOMOGRAPHY FLUOROSCOPY VIEW VIEWS")
"""Words that make a study's name of an EXAMINATION."""
NOT_A_STUDY = re.compile(r"\bCHEST (?:PAIN|TUBE|TUBES|TIGHTNESS|TRAUMA|WALL|DISCOMFORT|PORT|DRAIN|COMPRESSIONS?)\b")
TRANSPARENT = words("TYPE NAME TITLE KIND NUMBER LIST BODY TEXT DATE DESCRIPTION SUMMARY")
"""TYPE OF EXAMINATION is an examination."""
TELLING = words(
    "INDICATION INDICATIONS TECHNIQUE COMPARISON COMPARISONS FINDINGS OBSERVATIONS IMPRESSION IMPRESSIONS CONCLUSION CONCLUSIONS "
    "RECOMMENDATION RECOMMENDATIONS NOTIFICATION NOTIFIED INFORMED COMMUNICATION COMMUNICATED ADDENDUM"
)
"""Heads that one strange word before them does not hide."""
NO_QUALIFIERS = words(
    "NO NOT SEE WITH THESE THOSE ABOVE BELOW NORMAL ABNORMAL ACUTE SIMILAR UNCHANGED STABLE PENDING INCIDENTAL FOR OF MY HER HIS"
)
"""Words that begin sentences, or labels within findings."""
TAKEN = words("OBTAINED TAKEN ACQUIRED PERFORMED")
"""VIEWS TAKEN are the technique."""
ADVISED = words("FURTHER SUGGESTED RECOMMENDED ADVISED PROPOSED")
TOLD_TO = words("DISCUSSED DISCUSSION COMMUNICATED REPORTED CALLED PHONED CONVEYED RELAYED PAGED NOTIFIED")
PREPOSITION = words("OF FOR TO WITH FROM BY ON IN AT VS VERSUS AGAINST BEHIND")
CONNECTOR = words("AND / & , + PLUS - WITH INCLUDING OR")
SIGNED = words(
    "AUTHORISED AUTHORIZED VALIDATED CHECKED TYPED PREPARED CONFIRMED DICTATED READ REVIEWED SIGNED TRANSCRIBED REPORTED INTERPRETED APPROVED VERIFIED AUTHENTICATED FINALIZED FINALISED"
)
PHRASES = {
    "FINAL REPORT": START,
    **dict.fromkeys(("LATE ENTRY", "ADDITIONAL REPORT"), "addendum"),
    **dict.fromkeys(
        ("ORDER", "ORDER NAME", "SERVICE", "TITLE", "BODY PART", "AREA EXAMINED", "REGION EXAMINED", "PART EXAMINED"), "examination"
    ),
    "SYSTEMATIC REVIEW": "findings",
    "ELECTRONICALLY SIGNED": SIGNATURE,
    **dict.fromkeys(("WET READ", "WETREAD", "WET READING"), "wet_read"),
    **dict.fromkeys(("RESIDENT READ", "FIRST READ"), "wet_read"),
    **dict.fromkeys((f"{what} REPORT" for what in ("RADIOLOGY", "RADIOLOGICAL", "IMAGING", "X-RAY", "MEDICAL")), START),
    **dict.fromkeys(
        ("CRITICAL RESULT", "CRITICAL RESULTS", "CRITICAL FINDING", "CRITICAL FINDINGS", "CRITICAL VALUE", "CRITICAL VALUES", "PFI")
        + ("DISCUSSED WITH", "PROVISIONAL FINDINGS IMPRESSION", "PROVISIONAL FINDINGS"),
        "notification",
    ),
    **dict.fromkeys((f"{done} BY" for done in SIGNED), SIGNATURE),
    **dict.fromkeys(
        ("NEXT STEP", "NEXT STEPS", "CLINICAL CORRELATION", "FURTHER EVALUATION", "FURTHER IMAGING", "ACTION", "ACTION REQUIRED"),
        "recommendations",
    ),
    **dict.fromkeys(
        (
            "BOTTOM LINE",
            "KEY POINTS",
            "TAKE-HOME MESSAGE",
            "WRAP-UP",
            "CONCLUDING STATEMENT",
            *(f"{last} {said}" for last in ("CONCLUDING", "CLOSING", "FINAL") for said in ("REMARK", "REMARKS", "COMMENT", "COMMENTS")),
        ),
        "impression",
    ),
    **dict.fromkeys(("PROCEDURE DETAILS", "HOW PERFORMED"), "technique"),
    **dict.fromkeys(("PRESENT ILLNESS", "CLINICAL", "SURGICAL", "PAST MEDICAL"), "history"),
    **dict.fromkeys(("REQUEST", "CLINICAL REQUEST", "RULE OUT", "CC", "INDICATED FOR", "MEDICAL NECESSITY"), "indication"),
}
"""What the rules below would not tell."""
WHOLE_ONLY = words(
    "REPORT RESULT RESULTS OLD EARLIER REFERENCE REFERENCES TEST IMAGES PLAN MANAGEMENT BACKGROUND TECHNICAL LAST PAST "
    "RECENT RELATED EXISTING BASELINE FEATURES APPEARANCE AIM GOAL OBJECTIVE TECH COMP IMP ALERT INFORMED UPDATE EXPOSURE READER AUTHOR "
    "READING DISCUSSION ANALYSIS COMMENT COMMENTS REMARK REMARKS QUERY MODALITY POSITIONING PARAMETERS"
)
"""Heads that are too common to be looked for within a line or to be taken for a header without a colon."""
BODY = re.compile(
    r"(?:(?:THE|UPPER|LOWER|RIGHT|LEFT|SUPPORT|SUPPORTING|MONITORING|CARDIAC|CARDIOMEDIASTINAL|OSSEOUS|SOFT|BONY|PULMONARY|AND|VISUALI[SZ]ED"
    r"|CHEST) |[/&,] ?)*"
    r"(?:LUNGS?|LUNG FIELDS|LUNG VOLUMES|AIRWAYS?|PLEURA|PLEURAL (?:SPACES?|EFFUSIONS?)|HEART|HEART SIZE|CARDIAC|CARDIOVASCULAR"
    r"|(?:CARDIO)?MEDIASTINUM|CONTOURS?|SILHOUETTE|HILA|HILUM|DIAPHRAGMS?|BONES?|STRUCTURES|SKELETON|TISSUES?|ABDOMEN|VASCULATURE|AORTA"
    r"|TRACHEA|SPINE|LINES|TUBES|DEVICES|HARDWARE|CATHETERS?|(?:CHEST )?WALL)"
    r"(?:(?: AND | ?[/&,] ?)(?:\w+ )?(?:LUNGS?|AIRWAYS?|PLEURA|HEART|MEDIASTINUM|HILA|DIAPHRAGM|BONES|LINES|TUBES|DEVICES|WALL|TISSUES))*"
)
CANNOT_BEGIN = (STUDY - words("VIEW VIEWS FILMS SCAN")) | CONNECTOR | PREPOSITION
WORD = re.compile(r"[^\W_][\w'’-]*(?<![_-])|[/&,+]|(?<= )-(?= )")
BESIDE_THE_NAME = re.compile(r"\(.*?\)|_+|[#*\[\]]")
"""Remarks in brackets, removed text, and the marks of a mark-up language."""
LONGEST = 9
"""Words of a header."""
LONGEST_MESSAGE_HEADER = 5
"""Words; a longer line that begins with «Recommendation» is a sentence."""
KNOWN = STRONG.keys() | WEAK.keys() | OF_ANOTHER_READ.keys() | QUALIFIERS | TOLD_OF_THE_PATIENT | STUDY | PREPOSITION | CONNECTOR | READS
"""Every word that may stand in a name."""
SPELLING = sorted(word for word in KNOWN if len(word) >= 4 and word.isalpha())
SHORT = ("FOR", "EXAM", "TYPE", "NAME", "STUDY", "VIEWS")
HEADS = sorted(word for word in (*STRONG, *WEAK) if len(word) >= 7 and word not in WHOLE_ONLY)
"""What a misspelt word may be meant for, with one edit and with two."""
REAL_WORDS = words(
    "MEDICATION MEDICATIONS DEDICATION OCCLUSION INCLUSIONS EXCLUSION COMPRESSION DEPRESSION EXPRESSION TECHNICALLY HISTORICAL INCLUSION FINDER FINING RESTUDY STUDIED REPORTS REPORTED TENTS TESTS"
)
"""Words that are no misspelling although they are near to a head."""


@lru_cache(maxsize=16384)
def opens(name: str) -> str | None:
    """What a header (without its colon, in any case) opens: one of the seven sections, a message, another read, or START, MERGED, TITLE
    or ORGAN; None where it is no header that we know."""
    return kind_of(words_of(name))


@lru_cache(maxsize=16384)
def stands_alone(name: str) -> str | None:
    """The same for a name that has only its words to tell it from text, without a line or a colon of its own: standard names only."""
    found = words_of(name)
    if kind := PHRASES.get(" ".join(found)):
        return kind
    if not 0 < len(found) <= LONGEST_MESSAGE_HEADER or found[0] in CANNOT_BEGIN or not KNOWN.issuperset(found):
        return None
    if len(found) == 1 and found[0] in WHOLE_ONLY:
        return None
    kind = kind_of(found, spelling=False)
    return None if kind in (TITLE, ORGAN) else kind


def words_of(name: str) -> tuple[str, ...]:
    """The words and connectors of a name, in capitals."""
    plain = BESIDE_THE_NAME.sub(" ", name.upper().replace("(S)", "S").replace("’", "'"))
    return tuple(WORD.findall(plain.replace("FOLLOW UP", "FOLLOW-UP").replace("ON CALL", "ON-CALL")))


def kind_of(name: tuple[str, ...], *, spelling: bool = True) -> str | None:
    """What a name opens, given as words in capitals and connectors."""
    if not name or len(name) > LONGEST:
        return None
    name = tuple(part for word in name for part in hyphenated(word))
    if spelling and (mended := tuple(map(spelt, name))) != name and (kind := kind_of(mended, spelling=False)) not in (None, TITLE):
        return kind
    together = compound(name)
    kind = MERGED if together == MERGED else simple(name) or together
    if kind in MESSAGES and len(name) > LONGEST_MESSAGE_HEADER:
        return None
    if kind is None:
        text = " ".join(name)
        if BODY.fullmatch(text):
            return ORGAN
        if not STUDY.isdisjoint(name) and not NOT_A_STUDY.search(text):
            return TITLE
    return kind


def hyphenated(word: str) -> list[str]:
    """A word, or the head words that a hyphen joins with their connector."""
    parts = word.split("-")
    return re.split("(-)", word) if len(parts) > 1 and STRONG.keys() >= set(parts) else [word]


def simple(name: tuple[str, ...]) -> str | None:
    """What a name without connectors between heads opens."""
    if kind := PHRASES.get(" ".join(name)):
        return kind
    if name[:2] == ("WET", "READ") or name[0] in ("ADDENDUM", "ADDENDA"):
        return "wet_read" if name[0] == "WET" else "addendum"
    if name[0] == "IN" and len(name) > 1:
        return simple(name[1:])
    another = next((OF_ANOTHER_READ[word] for word in name if word in OF_ANOTHER_READ), None)
    if another and KNOWN.issuperset(name) and (another == "addendum" or (len(name) > 1 and not READS.isdisjoint(name))):
        return another
    if name[-1] == "BY" and SIGNED.intersection(name):
        return SIGNATURE
    cut = next((place for place, word in enumerate(name) if word in PREPOSITION), len(name))
    before, after = name[:cut], name[cut + 1 :]
    if not before:
        return None
    if before[-1] in TOLD_TO and name[cut : cut + 1] in (("TO",), ("WITH",)):
        return "notification"
    kind = head(before)
    if not after:
        return kind
    if set(before) <= TRANSPARENT:
        kind = simple(after)
        # The DATE OF EXAM is none, and in a SUMMARY OF FINDINGS stands what they come to.
        return {
            "DATE": kind if kind == "comparison" else None,
            "SUMMARY": "impression" if kind in ("findings", "impression") else kind,
        }.get(before[-1], kind)
    if STRONG.keys().isdisjoint(before):
        if STRONG.get(after[-1]) == "comparison":
            return "comparison"
        if kind == "examination" and not STUDY.isdisjoint(before):
            return None
    return kind


def head(phrase: tuple[str, ...]) -> str | None:
    """What a phrase without prepositions opens, by its last strong head word or else its last weak one."""
    if phrase[0] == "TECHNICAL" and KNOWN.issuperset(phrase):
        return "technique"
    if len(phrase) == 2 and phrase[1] in ("DESCRIPTION", "NARRATIVE") and phrase[0] in WEAK:
        return WEAK[phrase[0]]
    if len(phrase) > 1 and phrase[0] in ADVISED and KNOWN.issuperset(phrase):
        return "recommendations"
    strong = [word for word in phrase if word in STRONG]
    if strong:
        word = strong[-1]
        kind = STRONG[word]
        if kind == "history" and len(phrase) <= 4:
            return kind
        rest = [other for other in phrase if other not in STRONG and other not in WEAK]
        if kind == "impression" and not IMPRESSION_AMONG_CONTEXT.isdisjoint(phrase):
            kind = "history" if word == "SUMMARY" else "indication"
        earlier = strong[:-1]
        if earlier and STRONG[earlier[-1]] == "comparison":
            # PREVIOUS HISTORY and OLD REPORTS are of another time; PRIOR FINDINGS are not these findings.
            kind = "comparison" if kind in ("findings", "impression") else kind
        strange = [other for other in rest if other not in QUALIFIERS and other not in TOLD_OF_THE_PATIENT and not other.endswith("'S")]
        if len(strange) == 1 and strange[0] == phrase[0] and word == phrase[-1] in TELLING and len(phrase) < 4:
            return kind if strange[0].isalpha() and strange[0] not in NO_QUALIFIERS else None
        return None if strange else kind
    if len(phrase) == 2 and phrase[0] in ("CLINICAL", "CLIN") and phrase[1] not in WEAK and phrase[1] not in STUDY:
        return "history"
    told = phrase[:-1] if phrase[-1] in ("PROVIDED", "GIVEN", "AVAILABLE") else phrase
    if not OF_THE_PATIENT.isdisjoint(told[:-1]) and told[-1] in TOLD_OF_THE_PATIENT:
        return "history"
    if len(phrase) > 1 and phrase[-1] in ("READ", "READING") and KNOWN.issuperset(phrase):
        return "wet_read"
    weak = [word for word in phrase if word in WEAK]
    if weak and QUALIFIERS.issuperset(other for other in phrase if other not in WEAK):
        if phrase[-1] == "REVIEWED":
            return "comparison"
        return WEAK[weak[-1]] if REGIONS.isdisjoint(phrase) or len(phrase) == 1 or not TAKEN.isdisjoint(phrase) else None
    if phrase[-1] in TAKEN and STUDY.issuperset(phrase[:-1]) and len(phrase) == 2:
        return "technique"
    return None


def compound(name: tuple[str, ...]) -> str | None:
    """What a name such as `FINDINGS AND IMPRESSION` opens; findings and impression go before all else in it."""
    parts: list[list[str]] = [[]]
    for word in name:
        if word in CONNECTOR:
            parts.append([])
        else:
            parts[-1].append(word)
    if len(parts) < 2 or not all(parts):
        return None
    kinds = [simple(tuple(part)) for part in parts if not QUALIFIERS.issuperset(part)]
    if not kinds:
        return None
    if "findings" in kinds and "impression" in kinds:
        return MERGED
    if None in kinds:
        return None
    return next((kind for kind in ("findings", "impression") if kind in kinds), kinds[0])


@lru_cache(maxsize=16384)
def spelt(word: str) -> str:
    """The head word that a word misspells, or the word itself.

    One edit (a letter left out, added, replaced, or two swapped; optimal string alignment) is allowed, two in head words from seven
    letters on where the first letter is right.
    """
    if word in KNOWN or word in REAL_WORDS:
        return word
    if len(word) < 5:
        # In a short word another letter makes another word: letters may be swapped, or one of these left out.
        return next(
            (
                known
                for known in SHORT
                if OSA.distance(word, known) == 1 and (sorted(word) == sorted(known) or len(word) == len(known) - 1 > 2)
            ),
            word,
        )
    near = (known for known in SPELLING if abs(len(known) - len(word)) <= 1 and OSA.distance(word, known, score_cutoff=1) == 1)
    if found := next(near, None):
        return found
    return next((known for known in HEADS if word[0] == known[0] and OSA.distance(word, known, score_cutoff=2) == 2), word)
