"""Compare parsers of radiology reports, in accuracy and speed, on reports whose sections are known.

    python benchmarks/sections.py [--mit-lcp CHECKOUT] [--original CHECKOUT] [--json]
    python benchmarks/sections.py --corpora common/natural heldout_a/natural --families --failures 5
    python benchmarks/sections.py --corpora --corpus FILE.jsonl …

Peers are imported from checkouts of their own repositories, never from here:

    radgpt      radgpt.reports.sections.as_mapping
    mit_lcp     github.com/MIT-LCP/mimic-cxr: txt/section_parser.py, read as its create_section_files.py reads it (the last section of
                a name counts; the last paragraph stands in for an impression)
    original    github.com/yjeong-k/Radiology-GPT: preprocess_note of code/preprocessing/preprocess_mimic_cxr.py

`report` is the share of reports with all seven sections as they should be, white space apart, and none too many; `pair` the same of
findings and impression; P, R and F1 count sections with exactly the right text. Parsers take turns; the best of several passes counts.
`report_corpus.py` makes the reports and says what a corpus is. Failures are shown of vocabularies that parsers may be mended by, and of
no other: neither of `heldout_b` nor of files, whose headers may be held out too.
"""

import argparse
import gc
import importlib.util
import json
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from report_corpus import MIXES, SECTIONS, VOCABULARIES, collapsed, corpus  # noqa: E402

Parser = Callable[[str], dict[str, str]]
CORPORA = ("common/natural", "common/stress", "heldout_b/natural", "heldout_b/stress")
MAY_BE_SHOWN = ("common", "heldout_a")
"""Vocabularies whose reports may be looked at to mend a parser."""


def radgpt_parser() -> Parser:
    """This project's parser."""
    from radgpt.reports.sections import as_mapping

    return as_mapping


def mit_lcp_parser(checkout: Path) -> Parser:
    """MIT-LCP's, with the last section of a name, and the last paragraph where there is no impression."""
    section_text = imported(checkout / "txt" / "section_parser.py").section_text

    def parse(text: str) -> dict[str, str]:
        texts, names, _ = section_text(text)
        sections = dict(zip(names, texts, strict=True))
        if "impression" not in sections and "last_paragraph" in sections:
            sections["impression"] = sections["last_paragraph"]
        return sections

    return parse


def original_parser(checkout: Path) -> Parser:
    """That of the original Radiology-GPT, its keys by our names."""
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
            rows, title, shown = read_corpus(place), place.stem, False
        else:
            vocabulary, mix = place.split("/")
            shown = vocabulary in MAY_BE_SHOWN
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
        if options.failures and shown:
            show_failures(rows, answers["radgpt"], options.failures)
    return figures


def main() -> None:
    """Compare, and with --json end with one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mit-lcp", type=Path, metavar="CHECKOUT")
    parser.add_argument("--original", type=Path, metavar="CHECKOUT")
    parser.add_argument(
        "--corpora",
        nargs="*",
        default=CORPORA,
        choices=[f"{vocabulary}/{mix}" for vocabulary in VOCABULARIES for mix in MIXES],
        metavar="VOCABULARY/MIX",
        help="corpora to make up",
    )
    parser.add_argument("--corpus", nargs="+", type=Path, default=[], metavar="FILE.jsonl", help="corpora to read besides")
    parser.add_argument("--reports", type=int, default=4000, help="of each made-up corpus")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--families", action="store_true", help="show which kinds of report are read rightly")
    parser.add_argument("--failures", type=int, default=0, metavar="N", help="show so many reports that radgpt reads wrongly")
    parser.add_argument("--json", action="store_true", help="end with one JSON object of named figures")
    options = parser.parse_args()
    if options.failures and options.corpus:
        parser.error("--failures and --corpus: the headers of a file may be held out; see failures with --corpora heldout_a/natural")
    figures = compare(options)
    if options.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
