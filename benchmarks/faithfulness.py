"""How many planted errors the faithfulness check finds in answers, by kind, and how often it objects to answers that are sound, by task.

    python benchmarks/faithfulness.py [--json] [--show KIND]
    python benchmarks/faithfulness.py --reports reports.jsonl --instructions instructions.jsonl --raw-answers raw_answers.jsonl
    python benchmarks/faithfulness.py --impressions test.jsonl

Without files, the embedded rules teacher asks and answers about made-up reports. With a run's files, its answers are taken. Into each
answer one error of each kind is planted where its words allow it:

    negation     «Yes» for «No», a denial taken out or put in
    side         left for right
    measurement  another number, or another unit, of a length
    number       another number elsewhere, such as a count, a rib or a duration
    date         another day, month, year or time
    finding      a finding more, that the report does not hold
    severity     small for large
    change       worse for better or unchanged
    location     upper for lower
    device, recommendation, certainty   one more; more; «may» for «does»

The planter knows nothing of the check's vocabulary: it edits words, and it keeps an error only where the report, read by the planter's own
blunt rules, cannot be saying the same somewhere (another sentence about the same topic with the planted side, a topic that is both denied
and affirmed, a number that the report holds too). `recall` is the share of planted answers with any problem that the sound answer did
not have, `named` the share with a problem of the planted kind among them. `--impressions` judges the impressions that radiologists
wrote as answers over their findings (JSONL of `inputs` and `target`): people conclude, so that not all that is objected to is wrong.
"""

import argparse
import json
import random
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from radgpt.config import Data, Governance, Sectioning, Source
from radgpt.faithfulness.verdict import Verdict, judge
from radgpt.records import TASKS, Generation, Instruction, Report, read_records

TOPICS = {
    "effusion": r"effusion|pleural fluid|fluid around|costophrenic|hemothorax",
    "pneumothorax": r"pneumothora|trapped air|air around",
    "consolidation": r"consolidat|air ?space|infiltrat|opaci|pneumonia|infection|densit|hazy|filled-in|infectious",
    "edema": r"edema|congest|failure|chf|fluid in|vascular",
    "nodule": r"nodul|mass|lesion|spot|granulom|lump|neoplas|metasta|cancer|malignan",
    "fracture": r"fractur|broken|deformit|wedg|compress|height",
    "heart": r"heart|cardi",
    "atelectasis": r"atelecta|collapse|volume loss|scar|fibro",
    "hernia": r"hernia",
    "adenopathy": r"adenopathy|lymph",
    "scoliosis": r"scolio|curv",
    "emphysema": r"emphysem|copd|hyperinfl|hyperexp|obstructive|over-filled|air sacs",
    "free air": r"free air|free \w+ air|pneumoperiton|loose air",
}
"""What the planter takes for one topic: wide, so that an error is kept only where nothing near it is said."""
PATTERNS = {name: re.compile(words, re.IGNORECASE) for name, words in TOPICS.items()}
DENIAL = re.compile(
    r"\b(?:no|not|without|negative|free|clear|normal|never|neither|nor|absent|absence|resolved|removed|unremarkable|none|denies)\b",
    re.IGNORECASE,
)
DOUBT = re.compile(
    r"\b(?:may|might|could|possib\w+|probab\w+|likely|suspect\w*|question\w*|versus|vs|or|exclude\w*|suggest\w*|concern\w*|suspicio\w*|consider\w*|"
    r"potential\w*|equivocal|evaluat\w+|rule|appear\w*|represent\w*|differential)\b",
    re.IGNORECASE,
)
SENTENCE = re.compile(r"[^.!?\n]+(?:\.(?=\d)[^.!?\n]+)*")
INVENTED = (
    ("pneumothorax", "There is a small right pneumothorax."),
    ("pneumothorax", "Some air has leaked into the space around the left lung."),
    ("effusion", "A moderate left pleural effusion is present."),
    ("effusion", "There is also fluid around the right lung."),
    ("fracture", "An acute rib fracture is noted on the left."),
    ("fracture", "One of the ribs is broken."),
    ("nodule", "A pulmonary nodule is seen in the right upper lobe."),
    ("nodule", "There is a suspicious mass in the lung."),
    ("edema", "Findings are consistent with pulmonary edema."),
    ("consolidation", "There is pneumonia in the left lower lobe."),
    ("hernia", "A hiatal hernia is present."),
    ("adenopathy", "Mediastinal lymphadenopathy is seen."),
    ("scoliosis", "There is scoliosis of the thoracic spine."),
    ("emphysema", "The lungs are emphysematous."),
    ("free air", "Free air is seen beneath the diaphragm."),
    ("heart", "The heart is enlarged."),
    ("atelectasis", "There is partial collapse of the lung base."),
)
DEVICES = (
    ("pacemaker|pacer|generator|leads?|icd|defibrillator", "A pacemaker is in place."),
    ("tube|ett", "An endotracheal tube is present."),
    ("port|catheter|line|picc|jugular|cvc", "A central venous catheter is seen."),
    ("tube|drain|pigtail", "There is a chest tube on the right."),
    ("sternotomy|wires|sternal", "Sternotomy wires are noted."),
)
ADVICE = (
    "A follow-up CT is recommended.",
    "Repeat imaging in three months is advised.",
    "Further evaluation with MRI should be considered.",
)
ADVISED = re.compile(r"recommend|follow|advis|suggest|correlat|further|repeat|consider", re.IGNORECASE)
LENGTH = re.compile(r"\b(\d+(?:\.\d+)?)(?=\s?-?(?:mm|cm)\b|\s?x\s?\d)", re.IGNORECASE)
UNIT = re.compile(r"(?<=\d)(\s?-?)(cm|mm)\b", re.IGNORECASE)
OTHER_NUMBER = re.compile(r"(?<![\w.:/])(\d{1,3})(?![\d.]*\s?-?(?:mm|cm|x\b)|\d|[.:/]\d|[.)]\s)|(?<=\b[TL])(\d{1,2})\b")
MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
DATE = re.compile(rf"\b(\d{{1,2}})(?=[/:]\d{{2}}\b)|\b((?:19|20)\d{{2}})\b|\b(?:{MONTHS}) (\d{{1,2}})\b")
DEGREES = {
    "small": "large",
    "tiny": "large",
    "trace": "large",
    "mild": "severe",
    "minimal": "severe",
    "mildly": "severely",
    "large": "small",
    "severe": "mild",
}
DEGREES |= {"moderate": "severe", "moderately": "severely", "marked": "mild", "slight": "severe", "slightly": "severely"}
COURSE = {
    "stable": "worsening",
    "unchanged": "worse",
    "increased": "decreased",
    "improved": "worsened",
    "decreased": "increased",
    "new": "old",
    "worsening": "improving",
    "improving": "worsening",
    "improvement": "worsening",
    "chronic": "new",
    "old": "new",
    "resolved": "increased",
}
PLACES = {
    "upper": "lower",
    "lower": "upper",
    "basilar": "apical",
    "base": "apex",
    "bases": "apices",
    "apical": "basilar",
    "bottom": "top",
    "top": "bottom",
}
SURE = {"may": "does", "possible": "definite", "possibly": "definitely", "probable": "definite", "could": "does", "might": "does"}

Plant = Callable[[str, str, str, random.Random], str | None]
"""(answer, instruction, report, chance) to the answer with an error, or None where it cannot be planted for certain."""


def sentences(text: str) -> list[str]:
    """The sentences of a text."""
    return [match.group().strip() for match in SENTENCE.finditer(text) if match.group().strip()]


def topics(text: str) -> set[str]:
    """The topics that a text touches."""
    return {name for name, pattern in PATTERNS.items() if pattern.search(text)}


def body(report: str) -> list[str]:
    """The report's sentences that tell what is seen."""
    return [line for line in sentences(re.sub(r"(?s)(?:INDICATION|HISTORY|COMPARISON|TECHNIQUE|EXAMINATION):.*?(?=\n\s*\n|$)", "", report))]


def about(report: str, topic: str) -> list[str]:
    """The sentences of the report that touch a topic."""
    return [line for line in body(report) if PATTERNS[topic].search(line)]


def planted_negation(answer: str, instruction: str, report: str, chance: random.Random) -> str | None:
    """Turn a yes or a no, or take out or put in a denial, where all that the report says of its topics is of one mind."""
    options = []
    head = re.match(r"(Yes|No)\b(?=[.,])", answer)
    if head:
        asked = topics(instruction)
        lines = [line for topic in asked for line in about(report, topic)]
        if len(asked) == 1 and lines and not any(DOUBT.search(line) for line in lines):
            denied = [bool(DENIAL.search(line)) for line in lines]
            if all(denied) if head.group() == "No" else not any(denied):
                options.append(("No" if head.group() == "Yes" else "Yes") + answer[head.end() :])
    for match in re.finditer(
        r"\b([Nn]o|[Ww]ithout)(?: evidence of| acute| focal| new| large| significant| definite| visible| localised)* (?=\w)", answer
    ):
        end = re.compile(r"[.!?;\"]").search(answer, match.end())
        touched = topics(answer[match.end() : end.start() if end else len(answer)])
        if DENIAL.search(re.split(r"[.!?:\"]", answer[: match.start()])[-1]):
            continue  # «no effusion, no edema» without its second «no» still denies the edema.
        if touched and all(
            about(report, topic)
            and all(DENIAL.search(line) and not DOUBT.search(line.replace(" or ", " ")) for line in about(report, topic))
            for topic in touched
        ):
            options.append(
                answer[: match.start()]
                + ("with " if match.group(1).lower() == "without" else "There is " if match.group(1) == "No" else "")
                + answer[match.end() :]
            )
    for match in re.finditer(
        r"\b(?:There (?:is|are)|The image shows|Lungs? (?:is|are)|with) (?=(?:an? )?(?!no\b|the\b|clear|normal)\w)", answer
    ):
        end = re.compile(r"[.!?;,\"]").search(answer, match.end())
        clause = answer[match.end() : end.start() if end else len(answer)]
        touched = topics(clause)
        if DENIAL.search(clause) or DOUBT.search(clause):
            continue
        for topic in touched:
            lines = about(report, topic)
            if not lines or any(DENIAL.search(line) or DOUBT.search(line) for line in lines):
                break
        else:
            if touched:
                options.append(answer[: match.end()] + "no " + re.sub(r"^an? ", "", answer[match.end() :]))
    for match in re.finditer(r"\bnot (?=enlarged)", answer):
        if all(DENIAL.search(line) for line in about(report, "heart")):
            options.append(answer[: match.start()] + answer[match.end() :])
    return chance.choice(options) if options else None


def shares(line: str, answer: str, at: int, width: int = 60) -> bool:
    """Whether a sentence of the report has a content word in common with the words around a place of the answer."""
    near = set(re.findall(r"[a-z]{4,}", answer[max(0, at - width) : at + width].lower())) - {
        "left",
        "right",
        "lung",
        "lungs",
        "image",
        "shows",
        "there",
        "report",
        "states",
    }
    return bool(near & set(re.findall(r"[a-z]{4,}", line.lower()))) or bool(topics(line) & topics(answer[max(0, at - width) : at + width]))


def swapped(words: dict[str, str], answer: str, report: str, chance: random.Random, also: str = "") -> str | None:
    """Put the opposite for one of the words, where no sentence about the same things holds it."""
    options = []
    for match in re.finditer(rf"(?<!-)\b(?:{'|'.join(words)})\b", answer, re.IGNORECASE):
        other = words[match.group().lower()]
        if DENIAL.search(re.split(r"[.!?:\"]", answer[: match.start()])[-1]):
            continue  # In «no new effusion» and «no large effusion» another word is no contradiction.
        rival = re.compile(rf"\b(?:{other[:5]}\w*{also})", re.IGNORECASE)
        if not any(rival.search(line) and shares(line, answer, match.start()) for line in sentences(report)):
            shaped = other.capitalize() if match.group()[0].isupper() else other
            options.append(answer[: match.start()] + shaped + answer[match.end() :])
    return chance.choice(options) if options else None


def planted_side(answer: str, instruction: str, report: str, chance: random.Random) -> str | None:
    """Left for right."""
    both = r"|bilat\w*|both|bib\w+|biap\w+"
    if re.search(r"left and right|right and left|greater than", answer, re.IGNORECASE):
        return None
    return swapped({"left": "right", "right": "left"}, re.sub(r"\bright (?=(?:atri|ventric))", "rght ", answer), report, chance, both)


def renumbered(pattern: re.Pattern[str], answer: str, report: str, chance: random.Random) -> str | None:
    """Another number in one place, none that the report holds."""
    held = set(re.findall(r"\d+(?:\.\d+)?", report))
    options = []
    for match in pattern.finditer(answer):
        number = next(group for group in match.groups() if group)
        at = match.start() + match.group().index(number)
        for other in chance.sample(range(1, 29), 10):
            changed = str(other) if "." not in number else f"{other}.{chance.randint(1, 9)}"
            if len(number) == 4:
                changed = str(int(number) + 1 + other % 5)
            elif number.startswith("0"):
                changed = f"{other % 9 + 1:02d}"
            if changed not in held and changed.lstrip("0") not in held and changed != number:
                options.append(answer[:at] + changed + answer[at + len(number) :])
                break
    return chance.choice(options) if options else None


def planted_measurement(answer: str, instruction: str, report: str, chance: random.Random) -> str | None:
    """Another length, by its number or by its unit."""
    if chance.random() < 0.3 and (unit := UNIT.search(answer)):
        return answer[: unit.start(2)] + ("mm" if unit.group(2).lower() == "cm" else "cm") + answer[unit.end(2) :]
    return renumbered(LENGTH, answer, report, chance)


def planted_finding(answer: str, instruction: str, report: str, chance: random.Random) -> str | None:
    """One more sentence, about a topic that the report does not affirm or leave open."""
    options = [
        sentence
        for topic, sentence in INVENTED
        if all(DENIAL.search(line) and not DOUBT.search(line.replace(" or ", " ")) for line in about(report, topic))
        and not (topics(instruction) & {topic})
    ]
    return inserted(answer, chance.choice(options), chance) if options else None


def inserted(answer: str, sentence: str, chance: random.Random) -> str:
    """Put a sentence at the end, or after the first one."""
    first = re.search(r"(?<=[a-z])\. (?=[A-Z])", answer)
    if first and chance.random() < 0.4 and '"' not in answer:
        return f"{answer[: first.end()]}{sentence} {answer[first.end() :]}"
    return f"{answer} {sentence}"


def planted_device(answer: str, instruction: str, report: str, chance: random.Random) -> str | None:
    """One device more."""
    options = [sentence for words, sentence in DEVICES if not re.search(words, report, re.IGNORECASE)]
    return inserted(answer, chance.choice(options), chance) if options else None


def planted_advice(answer: str, instruction: str, report: str, chance: random.Random) -> str | None:
    """Advice that the report does not give."""
    return None if ADVISED.search(report) else inserted(answer, chance.choice(ADVICE), chance)


def planted_certainty(answer: str, instruction: str, report: str, chance: random.Random) -> str | None:
    """«Yes» for «possibly», «represents» for «may represent»."""
    head = re.match(r"Possibly\b", answer)
    if head:
        asked = topics(instruction)
        return (
            f"Yes{answer[head.end() :]}"
            if len(asked) == 1 and all(DOUBT.search(line) for topic in asked for line in about(report, topic))
            else None
        )
    touched = [line for topic in topics(answer) for line in about(report, topic)]
    if not touched or not all(DOUBT.search(line) for line in touched):
        return None
    changed = re.sub(r"\b(?:which )?(?:may|could|might) (?:represent|be)\b", "is definitely", answer, count=1)
    changed = re.sub(r"\b[Pp]ossible ", "Definite ", changed, count=1)
    return changed if changed != answer else None


PLANTS: dict[str, Plant] = {
    "negation": planted_negation,
    "side": planted_side,
    "measurement": planted_measurement,
    "number": lambda answer, instruction, report, chance: renumbered(OTHER_NUMBER, answer, report, chance),
    "date": lambda answer, instruction, report, chance: renumbered(DATE, answer, report, chance),
    "finding": planted_finding,
    "severity": lambda answer, instruction, report, chance: swapped(DEGREES, answer, report, chance),
    "change": lambda answer, instruction, report, chance: swapped(COURSE, answer, report, chance),
    "location": lambda answer, instruction, report, chance: swapped(PLACES, answer, report, chance),
    "device": planted_device,
    "recommendation": planted_advice,
    "certainty": planted_certainty,
}

Row = tuple[str, str, str, Report]
"""(task, instruction, answer, report)."""


def dated(text: str) -> str:
    """A made-up report with a date where it tells how many days ago the earlier study was."""
    return re.sub(
        r"(\d+) days? (?:earlier|before|ago)", lambda days: f"{MONTHS.split('|')[int(days[1]) % 12]} {int(days[1]) % 27 + 1}, 2031", text
    )


def made_up_rows(count: int) -> Iterator[Row]:
    """What the rules teacher asks and answers about made-up reports."""
    from radgpt.reports.readers import synthetic
    from radgpt.reports.sectioning import as_report
    from radgpt.teacher.ask import Request
    from radgpt.teacher.rules.replies import reply

    data = Data(source=Source.synthetic, governance=Governance.synthetic, synthetic_reports=count)
    for document in synthetic.load(data, list(synthetic.plan(data, 0).items)):
        report = as_report(replace(document, text=dated(document.text)), Sectioning.radgpt)
        for number, task in enumerate(TASKS):
            for turn in range(2):
                asked = reply(Request(f"{report.report_id}/{number + 4 * turn}", "instruction", task, [], report), 0)
                if asked.outcome == "ok":
                    answer = reply(Request(f"{report.report_id}/{number}", "answer", task, [], report, instruction=asked.text), 0)
                    if answer.outcome == "ok":
                        yield task, asked.text, answer.text, report


def rows_of_run(reports: Path, instructions: Path, raw_answers: Path) -> Iterator[Row]:
    """The answers of a run."""
    known = {report.report_id: report for report in read_records(reports, Report)}
    asked = {row.instruction_id: row for row in read_records(instructions, Instruction)}
    for answer in read_records(raw_answers, Generation):
        if answer.outcome == "ok" and answer.generation_id in asked:
            yield answer.task, asked[answer.generation_id].text, answer.text, known[answer.report_id]


def impressions(path: Path) -> Iterator[Row]:
    """Impressions of radiologists over their findings."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        row = json.loads(line)
        report = Report(str(number), str(number), f"FINDINGS: {row['inputs']}", {"findings": row["inputs"]})
        yield "impression", "Summarise the findings.", row["target"], report


def kinds(verdict: Verdict) -> Counter[str]:
    """The problems of an answer, counted by kind."""
    return Counter(problem.kind for problem in verdict.problems)


def main() -> None:
    """Plant, judge, count and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--synthetic-reports", type=int, default=2000)
    parser.add_argument("--reports", type=Path)
    parser.add_argument("--instructions", type=Path)
    parser.add_argument("--raw-answers", type=Path)
    parser.add_argument("--impressions", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--show", default="", help="print misses of this kind, or `false` for false alarms; texts of reports, so never in a log"
    )
    parser.add_argument("--show-count", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="end with one JSON object")
    options = parser.parse_args()

    files = (options.reports, options.instructions, options.raw_answers)
    if options.impressions:
        rows = list(impressions(options.impressions))
    elif all(files):
        rows = list(rows_of_run(*files))
    else:
        rows = list(made_up_rows(options.synthetic_reports))
    judged: Counter[str] = Counter()
    unclaimed: Counter[str] = Counter()
    alarms: Counter[str] = Counter()
    planted: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    named: Counter[str] = Counter()
    shown: dict[str, list[str]] = defaultdict(list)
    seconds = 0.0
    for number, (task, instruction, answer, report) in enumerate(rows):
        start = time.perf_counter()
        verdict = judge(answer, instruction, report)
        seconds += time.perf_counter() - start
        sound = kinds(verdict)
        judged[task] += 1
        unclaimed[task] += verdict.score is None
        if sound:
            alarms[task] += 1
            spots = [(problem.kind, answer[problem.start : problem.end]) for problem in verdict.problems]
            shown["false"].append(f"{task} | {instruction} => {answer}\n    {spots}\n    {' '.join(report.text.split())[:900]}")
        for kind, plant in PLANTS.items():
            wrong = plant(answer, instruction, report.text, random.Random(f"{options.seed}/{number}/{kind}"))
            if wrong is None or wrong == answer:
                continue
            found = kinds(judge(wrong, instruction, report)) - sound
            planted[kind] += 1
            caught[kind] += bool(found)
            named[kind] += kind in found
            if not found:
                shown[kind].append(f"{task} | {instruction} => {answer}\n    PLANTED {wrong}\n    {' '.join(report.text.split())[:900]}")
    chance = random.Random(options.seed)
    for text in chance.sample(shown[options.show], min(options.show_count, len(shown[options.show]))):
        print(text)
    figures: dict[str, float] = {
        "pairs": len(rows),
        "ms_a_pair": 1000 * seconds / len(rows),
        "false_alarms": sum(alarms.values()) / len(rows),
    }
    print(f"{len(rows)} pairs, {figures['ms_a_pair']:.2f} ms each; objected to {figures['false_alarms']:.2%} of those left as they are")
    for task in judged:
        figures[f"false_alarms_{task}"] = alarms[task] / judged[task]
        silent = unclaimed[task] / judged[task]
        print(f"  {task:<24}{judged[task]:>7} pairs{alarms[task] / judged[task]:>9.2%} objected to{silent:>9.2%} claimless")
    for kind in PLANTS:
        if planted[kind]:
            figures[f"recall_{kind}"] = caught[kind] / planted[kind]
            print(
                f"  {kind:<16}{planted[kind]:>7} planted  recall {figures[f'recall_{kind}']:.3f}  named {named[kind] / planted[kind]:.3f}"
            )
    if options.json:
        print(json.dumps({f"faithfulness_{key}": round(value, 5) for key, value in figures.items()}))


if __name__ == "__main__":
    main()
