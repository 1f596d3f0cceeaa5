"""How fast near-duplicates are found among the instructions of a whole corpus, and whether they are those of comparing all pairs.

    python benchmarks/deduplication.py [--rows 230000] [--sample 5000] [--json]

Instructions are made up: questions, abbreviations, rewordings and summaries about findings, places, sides, sizes, readers and quoted
sentences, then roughened a little, as no two people word the same thing alike. Three mixes:

    templates   short questions from few wordings: most repeat an earlier one
    quoting     most quote a sentence of their report or combine two matters: a quarter is kept
    distinct    words at random, the common ones often (Zipf): nearly all are kept, so that each meets all before it; the worst case

Each row of a mix is either kept or found to repeat a kept one, in order, at ROUGE-L F1 > 0.7. `compared` are the kept ones that a row is
compared with in full. `differing` are the rows of the sample, the first ones of the mix, that are judged otherwise when each is compared
with all kept ones. The hours of all pairs are reckoned from the pairs of rows and kept rows before them, and from the time that one
takes in rapidfuzz and in rouge_score. MB are those that Python and numpy hold at the end, measured on a second pass over a tenth of
the rows and scaled by the rows kept.
"""

import argparse
import json
import random
import sys
import time
import tracemalloc
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from rapidfuzz.distance import LCSseq
from rouge_score.rouge_scorer import RougeScorer

sys.path.insert(0, str(Path(__file__).parents[1]))

from radgpt.instructions.deduplication import Duplicates
from radgpt.instructions.rouge import words

MAX_ROUGE_L = 0.7


def listed(phrases: str) -> list[str]:
    """Phrases that commas part."""
    return [" ".join(phrase.split()) for phrase in phrases.split(",")]


FINDINGS = listed(
    """
    pleural effusion, pneumothorax, consolidation, atelectasis, pulmonary edema, cardiomegaly, nodule, mass, rib fracture, hilar
    enlargement, interstitial marking, granuloma, scarring, emphysema, hiatal hernia, aortic calcification, mediastinal widening,
    bronchial cuffing, pleural thickening, airspace opacity, vascular congestion, bullous change, free air under the diaphragm,
    compression deformity, volume loss, bronchiectasis, cavity, lymph node enlargement, tracheal deviation, elevated hemidiaphragm
    """
)
DEVICES = listed(
    """
    endotracheal tube, nasogastric tube, central line, PICC, pacemaker lead, chest tube, dialysis catheter, tracheostomy tube, port,
    feeding tube, balloon pump, Swan-Ganz catheter, sternal wires, surgical clips, spinal hardware, mitral valve prosthesis
    """
)
PLACES = listed(
    """
    upper lobe, lower lobe, middle lobe, lingula, apex, costophrenic angle, lung base, hilum, retrocardiac region, mediastinum,
    perihilar region, lateral chest wall, paratracheal stripe, cardiophrenic angle, thoracic spine, posterior sulcus
    """
)
DEGREES = listed(
    """
    small, moderate, large, tiny, subtle, new, unchanged, worsening, improving, chronic, loculated, bilateral, patchy, diffuse,
    focal, linear
    """
)
SIDES = ("left", "right")
READERS = listed(
    """
    the patient, a relative of the patient, a medical student, the referring physician, a nurse on the ward, the surgeon, a general
    practitioner, someone without medical training, a child, a physiotherapist, the emergency team, an insurance clerk
    """
)
LETTERS = listed(
    """
    AP, PA, CXR, CT, COPD, CHF, SOB, RLL, LLL, RUL, LUL, RML, ETT, NGT, PICC, CABG, PNA, PTX, SVC, IJ, ICU, ARDS, CVL, MVR, AICD,
    TB, HTN, DM, CP, LVAD
    """
)
VERBS = listed(
    """
    explain, describe, summarise, reword, rewrite, restate, condense, outline, simplify, put into plain words, paraphrase, sum up
    """
)
SECTIONS = listed(
    """
    findings, impression, indication, technique, comparison, history
    """
)
OPENERS = ("", "", "", "please ", "briefly ", "in one sentence, ", "in your own words, ", "for a discharge letter, ", "in lay terms, ")
CLOSERS = ("", "", "", " according to the report", " on this study", " in this examination", " compared with the earlier film", " if any")
VERB_PHRASES = listed(
    """
    is seen in, is noted at, projects over, has developed in, persists in, has resolved in, obscures, is adjacent to, extends to
    """
)
FOLLOWED = listed(
    """
    without shift of the mediastinum, which may reflect aspiration, likely chronic, concerning for infection, of uncertain
    significance, as on the prior radiograph, and the heart size is normal, with overlying soft tissue swelling, in the setting of
    low lung volumes, for which follow-up is advised, despite interval drainage, with no acute bony abnormality, better seen on the
    lateral view
    """
)


class Writer:
    """Writes instructions about made-up reports."""

    def __init__(self, seed: int, variety: float) -> None:
        self._draw = random.Random(seed)
        self._variety = variety
        """Share of instructions that quote a sentence of their report or combine two matters."""

    def rows(self, count: int) -> Iterator[str]:
        """So many instructions."""
        for _ in range(count):
            yield self._roughened(self._long() if self._draw.random() < self._variety else self._short())

    def _one(self, of: tuple[str, ...] | list[str]) -> str:
        # Few words are common and many rare, as in reports (Zipf).
        return of[min(int(self._draw.paretovariate(0.6)) - 1, len(of) - 1)] if self._draw.random() < 0.5 else self._draw.choice(of)

    def _matter(self) -> str:
        side, size = self._draw.choice(SIDES), f"{self._draw.randint(2, 60)} mm"
        finding, place, degree, device = (self._one(of) for of in (FINDINGS, PLACES, DEGREES, DEVICES))
        return self._draw.choice(
            (
                f"the {degree} {finding}",
                f"the {side} {finding}",
                f"the {degree} {side} {finding}",
                f"the {finding} in the {side} {place}",
                f"the {size} {finding} in the {place}",
                f"the {degree} {finding} of the {side} {place}",
                f"the tip of the {device}",
                f"the {side} {device} near the {place}",
            )
        )

    def _sentence(self) -> str:
        one, two, three = self._one(VERB_PHRASES), self._one(FOLLOWED), self._one(FOLLOWED)
        matter = self._matter()
        end = f", {two}" if self._draw.random() < 0.5 else f" {two}, {three}"
        return f"{matter[0].upper()}{matter[1:]} {one} the {self._draw.choice(SIDES)} {self._one(PLACES)}{end}."

    def _short(self) -> str:
        matter = self._matter()
        asked = self._draw.choice(
            (
                f"is there any sign of {matter}?",
                f"where does the report place {matter}?",
                f"how large is {matter}?",
                f"has {matter} changed since the last study?",
                f"what does the radiologist advise about {matter}?",
                f"what does {self._one(LETTERS)} stand for in the {self._draw.choice(SECTIONS)}?",
                f"spell out {self._one(LETTERS)} as used for {matter}.",
                f"{self._one(VERBS)} the {self._draw.choice(SECTIONS)} for {self._one(READERS)}.",
                f"{self._one(VERBS)} what is said of {matter} for {self._one(READERS)}.",
            )
        )
        closer = self._draw.choice(CLOSERS)
        return f"{self._draw.choice(OPENERS)}{asked[:-1]}{closer}{asked[-1]}"

    def _long(self) -> str:
        return self._draw.choice(
            (
                f'{self._one(VERBS)} the sentence "{self._sentence()}" for {self._one(READERS)}.',
                f'what does "{self._sentence()}" mean for {self._one(READERS)}?',
                f"{self._draw.choice(OPENERS)}how does {self._matter()} relate to {self._matter()} and {self._matter()}?",
                f"{self._one(VERBS)} {self._matter()} and {self._matter()} in {self._draw.randint(10, 60)} words for {self._one(READERS)}.",
                f"given {self._matter()}, could {self._matter()} {self._one(VERB_PHRASES)} the {self._one(PLACES)}{self._one(CLOSERS)}?",
            )
        )

    def _roughened(self, text: str) -> str:
        """A word left out, said twice or moved, now and then."""
        parts = text.split()
        for number in range(len(parts) - 1, 0, -1):
            chance = self._draw.random()
            if chance < 0.01:
                del parts[number]
            elif chance < 0.02:
                parts[number - 1 : number + 1] = [" ".join(parts[number - 1 : number + 1][::-1])]
        return (text := " ".join(parts))[:1].upper() + text[1:]


def distinct_rows(seed: int, count: int) -> Iterator[str]:
    """Rows of 6 to 30 words, drawn from 20,000 by Zipf's law."""
    draw = random.Random(seed)
    vocabulary = [f"w{rank}" for rank in range(20_000)]
    weights = list(accumulate(1 / (rank + 3) for rank in range(20_000)))
    for _ in range(count):
        yield " ".join(draw.choices(vocabulary, cum_weights=weights, k=draw.randint(6, 30)))


def measure(rows: list[str], sample: int) -> dict[str, float]:
    """Figures of one mix."""
    sought = Duplicates(MAX_ROUGE_L)
    kept = pairs = 0
    repeated = []
    started = time.process_time()
    for row in rows:
        pairs += kept
        repeated.append(sought.repeats(row))
        kept += not repeated[-1]
    seconds = time.process_time() - started
    by_rapidfuzz, by_rouge_score = seconds_of_a_pair(rows)
    return {
        "rows": len(rows),
        "words": sum(len(words(row)) for row in rows) / len(rows),
        "kept": kept,
        "seconds": seconds,
        "mb": megabytes(rows[: max(len(rows) // 10, 1)]) * kept,
        "compared": sought.compared / len(rows),
        "sample": min(sample, len(rows)),
        "differing": sum(one != other for one, other in zip(repeated, by_all_pairs(rows[:sample]), strict=False)),
        "hours_rapidfuzz": pairs * by_rapidfuzz / 3600,
        "hours_rouge_score": pairs * by_rouge_score / 3600,
    }


def by_all_pairs(rows: list[str]) -> Iterator[bool]:
    """Whether each row repeats a kept one before it, by comparing it with each; nothing of ours but the words."""
    kept: list[list[str]] = []
    for row in rows:
        found = words(row)
        repeated = any(
            found == other or 2 * LCSseq.similarity(found, other) / (len(found) + len(other)) > MAX_ROUGE_L for other in reversed(kept)
        )
        if not repeated:
            kept.append(found)
        yield repeated


def seconds_of_a_pair(rows: list[str]) -> tuple[float, float]:
    """What comparing two rows takes in rapidfuzz, their words cut and coded beforehand, and in rouge_score."""
    draw = random.Random(0)
    pairs = [(draw.choice(rows), draw.choice(rows)) for _ in range(2_000)]
    codes: dict[str, str] = {}
    coded = [tuple("".join(codes.setdefault(word, chr(len(codes))) for word in words(row)) for row in pair) for pair in pairs]
    started = time.process_time()
    for one, other in coded:
        LCSseq.similarity(one, other)
    between = time.process_time()
    scorer = RougeScorer(["rougeL"])
    for one, other in pairs:
        scorer.score(one, other)
    return (between - started) / len(pairs), (time.process_time() - between) / len(pairs)


def megabytes(rows: list[str]) -> float:
    """What a kept row takes, the words known to all of them included."""
    tracemalloc.start()
    sought = Duplicates(MAX_ROUGE_L)
    kept = sum(not sought.repeats(row) for row in rows)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / kept / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=230_000, help="instructions of each mix (default 230000)")
    parser.add_argument("--sample", type=int, default=5_000, help="of them, compared pair by pair as well (default 5000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="end with one JSON object of the figures")
    arguments = parser.parse_args()
    mixes = {
        "templates": Writer(arguments.seed, 0.1).rows(arguments.rows),
        "quoting": Writer(arguments.seed, 0.8).rows(arguments.rows),
        "distinct": distinct_rows(arguments.seed, arguments.rows),
    }
    figures = {}
    print("mix            rows     kept  seconds     MB  compared      differing   all pairs: rapidfuzz, rouge_score")
    for name, mix in mixes.items():
        found = figures[name] = measure(list(mix), arguments.sample)
        print(
            f"{name:10} {found['rows']:8,} {found['kept']:8,} {found['seconds']:8.1f} {found['mb']:6.1f} {found['compared']:9.1f} "
            f"{found['differing']:5,} of {found['sample']:5,} {found['hours_rapidfuzz']:20.2f} h, {found['hours_rouge_score']:10.1f} h"
        )
    if arguments.json:
        print(json.dumps(figures))


if __name__ == "__main__":
    main()
