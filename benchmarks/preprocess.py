"""Compare parsers of radiology reports, in accuracy and speed, on reports whose sections are known; and whole runs over a tree of files.

    python benchmarks/preprocess.py [--mit-lcp CHECKOUT] [--original CHECKOUT] [--corpus FILE.jsonl …] [--json]
    python benchmarks/preprocess.py --corpora --mit-lcp CHECKOUT --tree-reports 20000      (or --tree FOLDER)

Peers are imported from checkouts of their own repositories, never from here:

    radgpt      radgpt.reports.sections.as_mapping
    mit_lcp     github.com/MIT-LCP/mimic-cxr: txt/section_parser.py, read as its create_section_files.py reads it (the last section of
                a name counts; the last paragraph stands in for an impression)
    original    github.com/yjeong-k/Radiology-GPT: preprocess_note of code/preprocessing/preprocess_mimic_cxr.py

`report` is the share of reports with all seven sections as they should be, white space apart, and none too many; `pair` the same of
findings and impression; P, R and F1 count sections with exactly the right text. Parsers take turns; the best of several passes counts.
`report_corpus.py` makes the reports and says what a corpus is. Of `heldout_b` nothing but figures is ever shown.

A tree is MIMIC-CXR's `files/p10/p10000032/s50414267.txt` with its study list. `stage=preprocess` and MIT-LCP's create_section_files.py
run over it by turns as commands of their own, after it has been read once; `memory` is the resident memory of all processes of a run
together, sampled every 50 ms, its peak in the first and the second half of the run.
"""

import argparse
import csv
import gc
import gzip
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from report_corpus import SECTIONS, collapsed, corpus  # noqa: E402

Parser = Callable[[str], dict[str, str]]
CORPORA = ("common/natural", "common/stress", "heldout_b/natural", "heldout_b/stress")
PAGE = os.sysconf("SC_PAGE_SIZE")


def radgpt_parser() -> Parser:
    from radgpt.reports.sections import as_mapping

    return as_mapping


def mit_lcp_parser(checkout: Path) -> Parser:
    section_text = imported(checkout / "txt" / "section_parser.py").section_text

    def parse(text: str) -> dict[str, str]:
        texts, names, _ = section_text(text)
        sections = dict(zip(names, texts, strict=True))
        if "impression" not in sections and "last_paragraph" in sections:
            sections["impression"] = sections["last_paragraph"]
        return sections

    return parse


def original_parser(checkout: Path) -> Parser:
    preprocess_note = imported(checkout / "code" / "preprocessing" / "preprocess_mimic_cxr.py", without=("pandas",)).preprocess_note
    names = {section.upper(): section for section in SECTIONS}

    def parse(text: str) -> dict[str, str]:
        return {names[key]: value for key, value in preprocess_note(text).items() if key in names}

    return parse


def imported(path: Path, without: tuple[str, ...] = ()) -> ModuleType:
    """A peer's module; what it imports but does not need for parsing is left out."""
    if not path.is_file():
        raise SystemExit(f"{path} is not there: give the checkout of the peer's repository")
    spec = importlib.util.spec_from_file_location(f"peer_{path.stem}", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    kept = {name: sys.modules.get(name) for name in without}
    sys.modules.update({name: ModuleType(name) for name in without})
    spec.loader.exec_module(module)
    for name, before in kept.items():
        del sys.modules[name]
        if before is not None:
            sys.modules[name] = before
    return module


def attempted(parser: Parser, text: str) -> dict[str, str] | None:
    """What the parser says, or None where it raises."""
    try:
        return parser(text)
    except Exception:
        return None


def answer(parser: Parser, text: str) -> dict[str, str] | None:
    """The seven sections, white space collapsed, empty ones left out; None where the parser fails."""
    sections = attempted(parser, text)
    if sections is None:
        return None
    found = {name: collapsed(sections.get(name) or "") for name in SECTIONS}
    return {name: section for name, section in found.items() if section}


def accuracy(rows: list[dict[str, Any]], answers: list[dict[str, str] | None]) -> dict[str, float]:
    """The figures of one parser; a report that crashed it counts as left empty."""
    whole = pair = right = told = wanted = 0
    for row, given in zip(rows, answers, strict=True):
        found = given or {}
        gold = max(row["gold"], key=lambda accepted: (accepted == found, agreement(accepted, found)))
        whole += gold == found
        pair += any(all(accepted.get(name) == found.get(name) for name in ("findings", "impression")) for accepted in row["gold"])
        right += sum(found.get(name) == text for name, text in gold.items())
        told += len(found)
        wanted += len(gold)
    precision, recall = right / max(told, 1), right / max(wanted, 1)
    return {
        "report_exact": round(whole / len(rows), 4),
        "findings_impression_exact": round(pair / len(rows), 4),
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "f1": round(2 * precision * recall / max(precision + recall, 1e-9), 4),
        "crashes": sum(given is None for given in answers),
    }


def crash_of(parser: Parser, text: str) -> str:
    """The kind and place of the error, without its message, which may quote the report."""
    try:
        parser(text)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"
    return "gone at the second try"


def agreement(gold: dict[str, str], found: dict[str, str]) -> int:
    """Sections that are as in this answer, absent ones among them."""
    return sum(gold.get(name) == found.get(name) for name in SECTIONS)


def reports_per_second(parsers: dict[str, Parser], texts: list[str], passes: int) -> dict[str, float]:
    """Each parser's best of several passes, taking turns, so that a busy neighbour disturbs all of them."""
    best = dict.fromkeys(parsers, float("inf"))
    for _ in range(passes):
        for name, parser in parsers.items():
            gc.collect()
            start = time.perf_counter()
            for text in texts:
                attempted(parser, text)
            best[name] = min(best[name], time.perf_counter() - start)
    return {name: round(len(texts) / seconds, 1) for name, seconds in best.items()}


def read_corpus(path: Path) -> list[dict[str, Any]]:
    """Rows of a file, their answers collapsed and without empty sections."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    for row in rows:
        row["gold"] = [{name: collapsed(text) for name, text in gold.items() if name in SECTIONS and text.strip()} for gold in row["gold"]]
    return rows


def show_families(rows: list[dict[str, Any]], answers: dict[str, list[dict[str, str] | None]]) -> None:
    """Reports that are wholly right, family by family."""
    sizes = Counter(row["family"] for row in rows)
    hits = {
        name: Counter(row["family"] for row, found in zip(rows, given, strict=True) if found in row["gold"])
        for name, given in answers.items()
    }
    for family, size in sizes.items():
        print(f"    {family:24}{size:6}", "".join(f"{name:>11} {hits[name][family] / size:.3f}" for name in answers))


def show_failures(rows: list[dict[str, Any]], answers: list[dict[str, str] | None], number: int) -> None:
    """Reports that radgpt reads wrongly, with what it made of them."""
    wrong = ((row, found) for row, found in zip(rows, answers, strict=True) if found not in row["gold"])
    for row, found in islice(wrong, number):
        print(f"\n{row['id']} {row['family']}\n{row['text']}\nfound  {json.dumps(found)}\nwanted {json.dumps(row['gold'][0])}")


def compare(options: argparse.Namespace) -> dict[str, float]:
    """Print and return the figures of every parser on every corpus."""
    parsers = {"radgpt": radgpt_parser()}
    if options.mit_lcp:
        parsers["mit_lcp"] = mit_lcp_parser(options.mit_lcp)
    if options.original:
        parsers["original"] = original_parser(options.original)
    figures: dict[str, float] = {}
    for place in [*options.corpora, *options.corpus]:
        if isinstance(place, Path):
            rows, title = read_corpus(place), place.stem
        else:
            vocabulary, mix = place.split("/")
            rows, title = list(corpus(vocabulary, mix, options.reports, options.seed)), place
        texts = [row["text"] for row in rows]
        answers = {name: [answer(parser, text) for text in texts] for name, parser in parsers.items()}
        speeds = reports_per_second(parsers, texts, options.passes)
        print(f"\n{title}: {len(rows):,} reports, {sum(map(len, texts)) / 1e6:.1f} million characters")
        print(f"{'':10}{'report':>9}{'pair':>9}{'P':>9}{'R':>9}{'F1':>9}{'crashes':>9}{'reports/s':>11}")
        for name in parsers:
            of_parser = accuracy(rows, answers[name]) | {"reports_per_second": speeds[name]}
            *shares, crashes, speed = of_parser.values()
            print(f"{name:10}" + "".join(f"{share:9.4f}" for share in shares) + f"{crashes:9}{speed:11,.0f}", flush=True)
            figures |= {f"{title.replace('/', '_')}_{name}_{key}": value for key, value in of_parser.items()}
        for name, parser in parsers.items():
            if None in answers[name]:
                print(f"{name}: the first crash is {crash_of(parser, texts[answers[name].index(None)])}")
        if options.families:
            show_families(rows, answers)
        if options.failures and "heldout_b" not in title:
            show_failures(rows, answers["radgpt"], options.failures)
    return figures


def lay_tree(folder: Path, reports: int, seed: int) -> None:
    """Write a tree in MIMIC-CXR's shape: three studies a patient, ten folders of patients, and the study list."""
    between = 10_000_000 // (reports // 3 + 1)
    texts = cycle([row["text"] for row in corpus("common", "natural", min(reports, 20_000), seed)])
    with gzip.open(folder / "cxr-study-list.csv.gz", "wt", encoding="utf-8", newline="") as file:
        studies = csv.writer(file)
        studies.writerow(["subject_id", "study_id", "path"])
        for number, text in enumerate(islice(texts, reports)):
            subject, study = 10_000_000 + number // 3 * between, 50_000_000 + number
            path = Path("files") / f"p{subject // 1_000_000}" / f"p{subject}" / f"s{study}.txt"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
            studies.writerow([subject, study, path])


def measured(command: list[str], environment: dict[str, str]) -> tuple[float, float, float]:
    """Wall seconds of a command, and the peak of its processes' resident MB in the first and the second half."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=HERE.parent, env=os.environ | environment)
        samples = [0.0]
        while True:
            try:
                process.wait(0.05)
                break
            except subprocess.TimeoutExpired:
                samples.append(sum(resident_megabytes(pid) for pid in family_of(process.pid)))
        seconds = time.perf_counter() - start
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{output.read()[-2000:].decode(errors='replace')}")
    half = (len(samples) + 1) // 2
    return seconds, max(samples[:half]), max(samples[half:], default=0.0)


def family_of(pid: int) -> Iterator[int]:
    """A process and all that it has started, as far as they are alive."""
    yield pid
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                yield from family_of(int(child))
    except OSError:
        return


def resident_megabytes(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e6
    except (OSError, IndexError):
        return 0.0


def compare_runs(tree: Path, options: argparse.Namespace) -> dict[str, float]:
    """Print and return wall time and memory of whole runs over a tree."""
    reports = sum(bool(path.read_bytes()) for path in (tree / "files").rglob("s*.txt"))
    figures: dict[str, float] = {"tree_reports": reports}
    seconds: dict[str, list[float]] = {}
    print(f"\nwhole runs over {reports:,} files")
    for turn in range(1, options.runs + 1):
        for name in ("radgpt", *(["mit_lcp"] if options.mit_lcp else [])):
            with tempfile.TemporaryDirectory() as outputs:
                command = command_of(name, tree, Path(outputs), options.mit_lcp)
                wall, first, second = measured(command, {"PYTHONDONTWRITEBYTECODE": "1"} if name != "radgpt" else {})
            seconds.setdefault(name, []).append(wall)
            memory = {"peak_mb_first_half": round(first, 1), "peak_mb_second_half": round(second, 1)}
            shape = "rising" if second > 1.2 * first else "flat"
            print(
                f"{name:10} run {turn}{wall:9.2f} s{reports / wall:11,.0f} reports/s   memory {first:.0f} MB, {second:.0f} MB ({shape})",
                flush=True,
            )
            figures |= {f"tree_{name}_{key}": max(value, figures.get(f"tree_{name}_{key}", 0)) for key, value in memory.items()}
    figures |= {f"tree_{name}_seconds": round(min(walls), 3) for name, walls in seconds.items()}
    if "mit_lcp" in seconds:
        figures["tree_times_as_fast_as_mit_lcp"] = round(min(seconds["mit_lcp"]) / min(seconds["radgpt"]), 3)
        print(f"radgpt is {figures['tree_times_as_fast_as_mit_lcp']:.2f} times as fast as mit_lcp, best run of each")
    return figures


def command_of(name: str, tree: Path, outputs: Path, mit_lcp: Path | None) -> list[str]:
    """The command line of a whole run."""
    if name == "radgpt":
        settings = ("experiment=none", "stage=preprocess", "data=mimic_cxr", f"data.path={tree}", "data.governance=synthetic")
        return [sys.executable, "run.py", *settings, "wandb=disabled", f"outputs={outputs}"]
    assert mit_lcp
    script = mit_lcp.resolve() / "txt" / "create_section_files.py"
    return [sys.executable, str(script), "--reports_path", str(tree / "files"), "--output_path", str(outputs), "--no_split"]


def main() -> None:
    """Compare, and with --json end with one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mit-lcp", type=Path, metavar="CHECKOUT")
    parser.add_argument("--original", type=Path, metavar="CHECKOUT")
    parser.add_argument("--corpora", nargs="*", default=CORPORA, metavar="VOCABULARY/MIX", help="corpora to make up")
    parser.add_argument("--corpus", nargs="+", type=Path, default=[], metavar="FILE.jsonl", help="corpora to read besides")
    parser.add_argument("--reports", type=int, default=4000, help="of each made-up corpus")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--families", action="store_true", help="show which kinds of report are read rightly")
    parser.add_argument("--failures", type=int, default=0, metavar="N", help="show so many reports that radgpt reads wrongly")
    parser.add_argument("--tree", type=Path, metavar="FOLDER", help="run over the reports of this folder")
    parser.add_argument("--tree-reports", type=int, default=0, metavar="N", help="run over so many made-up reports")
    parser.add_argument("--runs", type=int, default=3, help="over the tree")
    parser.add_argument("--json", action="store_true", help="end with one JSON object of named figures")
    options = parser.parse_args()
    figures = compare(options)
    if options.tree:
        figures |= compare_runs(options.tree.resolve(), options)
    elif options.tree_reports:
        with tempfile.TemporaryDirectory() as folder:
            lay_tree(Path(folder), options.tree_reports, options.seed)
            figures |= compare_runs(Path(folder), options)
    if options.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
