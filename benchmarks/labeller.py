"""How well the labeller of CheXpert observations agrees with people, on NegBio's labels of the Open-i reports, and its reports a second.

    python benchmarks/labeller.py --reports reports.jsonl --gold openi_gld_std14.csv [--ids FILE] [--json]

`--reports`: as `stage=preprocess data=openi` writes them; findings and impression are read. `--gold`: NegBio's `openi_gld_std14.csv`
(github.com/ncbi-nlp/NegBio, examples/): column `filename` and fourteen columns of 0 and 1, where 1 says that the finding is positive and 0
that it is negated, uncertain or not mentioned. `--ids`: a file of report ids, one a line, to score no others.

As NegBio scores (Peng et al. 2018), positive counts against everything else: `positive` of the labeller is 1; `negative`, `uncertain` and
blank are 0. Three tables:

    observations   the seven of CheXpert that have a column of their own; their micro-F1 is the headline
    findings       every column with a positive report, against the finding of our vocabulary of the same name
    nearly         observations beside columns that are not quite the same thing; a look, no measure
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from radgpt.evaluation.observations import finding_labels, labels
from radgpt.records import Report, read_records

SAME = {
    "Atelectasis": ("Atelectasis",),
    "Cardiomegaly": ("Cardiomegaly",),
    "Consolidation": ("Consolidation",),
    "Edema": ("Edema",),
    "Pleural Effusion": ("Effusion",),
    "Pneumonia": ("Pneumonia",),
    "Pneumothorax": ("Pneumothorax",),
}
"""Observation to the columns, any of which says it."""

NEARLY = {"Lung Lesion": ("Mass", "Nodule"), "Pleural Other": ("Pleural_Thickening", "Fibrosis"), "No Finding": ("normal",)}
"""CheXpert's lesions hold nodular opacities too, which the annotators left out; their `normal` knows no devices and no scoliosis."""

FINDINGS = {
    "atelectasis": ("Atelectasis",),
    "enlarged heart": ("Cardiomegaly",),
    "pleural effusion": ("Effusion",),
    "infiltrate": ("Infiltration",),
    "lung mass": ("Mass",),
    "lung nodule": ("Nodule",),
    "pneumonia": ("Pneumonia",),
    "pneumothorax": ("Pneumothorax",),
    "consolidation": ("Consolidation",),
    "pulmonary edema": ("Edema",),
    "emphysema": ("Emphysema",),
    "fibrosis": ("Fibrosis",),
    "pleural thickening": ("Pleural_Thickening",),
    "hiatal hernia": ("Hernia",),
}

Gold = Mapping[str, Mapping[str, str]]
Score = dict[str, float]


def scored(found: Mapping[str, Mapping[str, str]], gold: Gold, columns: Mapping[str, Sequence[str]]) -> dict[str, Score]:
    """Label to its counts, precision, recall and F1, then `micro` and `macro`; labels without a positive report are left out.

    Args:
        found: report id to what the labeller says.
        gold: report id to the people's columns.
        columns: label to the columns, any of which says it.
    """
    table: dict[str, Score] = {}
    for name, any_of in columns.items():
        pairs = [(found[report].get(name) == "positive", any(gold[report][column] == "1" for column in any_of)) for report in found]
        if any(wanted for _, wanted in pairs):
            table[name] = figures(
                sum(said and wanted for said, wanted in pairs),
                sum(said and not wanted for said, wanted in pairs),
                sum(wanted and not said for said, wanted in pairs),
            )
    rows = list(table.values())
    micro = figures(*(int(sum(row[part] for row in rows)) for part in ("hits", "false_alarms", "misses")))
    macro = {part: sum(row[part] for row in rows) / len(rows) for part in ("precision", "recall", "f1")} if rows else {}
    return {**table, "micro": micro, "macro": macro}


def figures(hits: int, false_alarms: int, misses: int) -> Score:
    """Counts with precision, recall and F1, 0 where there is nothing to divide by."""
    return {
        "hits": hits,
        "false_alarms": false_alarms,
        "misses": misses,
        "precision": hits / (hits + false_alarms) if hits else 0.0,
        "recall": hits / (hits + misses) if hits else 0.0,
        "f1": 2 * hits / (2 * hits + false_alarms + misses) if hits else 0.0,
    }


def show(title: str, table: Mapping[str, Score]) -> None:
    """Print a table: counts only, no text of a report."""
    print(f"\n{title:20} {'hits':>6} {'false':>6} {'missed':>6} {'P':>7} {'R':>7} {'F1':>7}")
    for name, row in table.items():
        counts = " ".join(f"{int(row[part]):6}" if part in row else " " * 6 for part in ("hits", "false_alarms", "misses"))
        print(f"{name:20} {counts} " + " ".join(f"{row[part]:7.3f}" for part in ("precision", "recall", "f1") if part in row))


def main() -> None:
    """Read the files, label, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("--gold", type=Path, required=True)
    parser.add_argument("--ids", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    with open(arguments.gold, newline="", encoding="utf-8") as file:
        gold = {row["filename"]: row for row in csv.DictReader(file)}
    wanted = set(arguments.ids.read_text(encoding="utf-8").split()) if arguments.ids else set(gold)
    texts = {
        report.report_id: "\n\n".join(report.sections[name] for name in ("findings", "impression") if name in report.sections)
        for report in read_records(arguments.reports, Report)
        if report.report_id in wanted and report.report_id in gold
    }
    labels("warm up")
    begin = time.process_time()
    observed = {report: labels(text) for report, text in texts.items()}
    per_second = len(texts) / (time.process_time() - begin)
    by_finding = {report: finding_labels(text) for report, text in texts.items()}
    result = {
        "reports": len(texts),
        "asked_for": len(wanted),
        "reports_per_cpu_second": round(per_second),
        "observations": scored(observed, gold, SAME),
        "findings": scored(by_finding, gold, FINDINGS),
        "nearly": scored(observed, gold, NEARLY),
    }
    print(f"{len(texts)} of {len(wanted)} reports, {per_second:,.0f} a CPU second")
    for title in ("observations", "findings", "nearly"):
        show(title, result[title])  # type: ignore[arg-type]
    if arguments.json:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
