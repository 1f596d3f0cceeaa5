"""Time the section parser on made-up reports: `python benchmarks/preprocess.py [--reports N] [--repeat N] [--json]`, about 10 seconds."""

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from radgpt.config import Data
from radgpt.reports.readers import synthetic
from radgpt.reports.sections import parse


def seconds_of_a_pass(texts: list[str]) -> float:
    """Wall seconds to parse every text once."""
    start = time.perf_counter()
    for text in texts:
        parse(text)
    return time.perf_counter() - start


def main() -> None:
    """Print reports a second on one core, the best of several passes: the steadiest figure on a machine that others use."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=int, default=5000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object of named figures")
    arguments = parser.parse_args()
    texts = [report.text for report in synthetic.read(Data(synthetic_reports=arguments.reports), seed=0)]
    seconds = min(seconds_of_a_pass(texts) for _ in range(arguments.repeat))
    figures = {
        "reports": len(texts),
        "reports_per_second": round(len(texts) / seconds, 1),
        "megabytes_per_second": round(sum(len(text.encode()) for text in texts) / 1e6 / seconds, 3),
    }
    print(json.dumps(figures) if arguments.json else "\n".join(f"{name:22}{value:>12,}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
