"""Compare whole preprocess runs over a tree of report files, in time and memory.

    python benchmarks/preprocess.py [--reports 20000] [--mit-lcp CHECKOUT] [--json]      a made-up tree
    python benchmarks/preprocess.py --tree FOLDER [--mit-lcp CHECKOUT]                   the tree that is there

    radgpt      `stage=preprocess data=mimic_cxr`
    mit_lcp     txt/create_section_files.py of a checkout of github.com/MIT-LCP/mimic-cxr

A tree is MIMIC-CXR's `files/p10/p10000032/s50414267.txt` with its study list. Both run over it by turns, as commands of their own and
in the environment of this one, after it has been read once; the best of several runs counts. `memory` is the resident memory of all
processes of a run together, sampled every 50 ms, its peak in the first and the second half of the run.

They do not do the same. radgpt uses every core, and writes text, seven sections and their places, checks ids and counts quality; it
reads the study list and, where a tree has it, MIMIC-CXR-JPG's split list (views and labels, too). MIT-LCP's script uses one core,
writes up to four sections, and reads no list.
"""

import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from report_corpus import corpus  # noqa: E402

PAGE = os.sysconf("SC_PAGE_SIZE")


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


def measured(command: list[str]) -> tuple[float, float, float]:
    """Wall seconds of a command, and the peak of its processes' resident MB in the first and the second half."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, cwd=HERE.parent)
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
    """Of one process; none where it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e6
    except (OSError, IndexError):
        return 0.0


def compare_runs(tree: Path, mit_lcp: Path | None, runs: int) -> dict[str, float]:
    """Print and return wall time and memory of whole runs over a tree."""
    reports = sum(bool(path.read_bytes()) for path in (tree / "files").rglob("s*.txt"))
    figures: dict[str, float] = {"tree_reports": reports}
    seconds: dict[str, list[float]] = {}
    print(f"\nwhole runs over {reports:,} files")
    for turn in range(1, runs + 1):
        for name in ("radgpt", *(["mit_lcp"] if mit_lcp else [])):
            with tempfile.TemporaryDirectory() as outputs:
                wall, first, second = measured(command_of(name, tree, Path(outputs), mit_lcp))
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
    parser.add_argument("--tree", type=Path, metavar="FOLDER", help="run over the reports of this folder")
    parser.add_argument("--reports", type=int, default=20_000, metavar="N", help="of the made-up tree")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=3, help="of each")
    parser.add_argument("--json", action="store_true", help="end with one JSON object of named figures")
    options = parser.parse_args()
    if options.tree:
        figures = compare_runs(options.tree.resolve(), options.mit_lcp, options.runs)
    else:
        with tempfile.TemporaryDirectory() as folder:
            lay_tree(Path(folder), options.reports, options.seed)
            figures = compare_runs(Path(folder), options.mit_lcp, options.runs)
    if options.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
