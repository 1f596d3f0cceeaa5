"""Damage made-up reports in every way that files do, and check what the section parser makes of them.

    python benchmarks/fuzz_sections.py [--reports 1000000] [--seed 0] [--processes 2] [--json]
    python benchmarks/fuzz_sections.py --seed 0 --only 1234 [--write FILE]      one report again; FILE gets its text

Of each report it is checked that parsing raises nothing; that spans are in order, apart, within the text and without white space at
their ends; that a section holds the text of its spans and nothing else, white space and rules apart; and that parsing takes less than
50 ms of processor time, or less than that for each 20,000 characters of longer texts. Besides, texts of one repeated piece are parsed
at growing lengths, which shows time that grows faster than the text. Failures are printed with their numbers, never with their text;
the exit code is 1 if there are any.
"""

import argparse
import json
import multiprocessing
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from report_corpus import FINAL_REPORT, RULE, collapsed, corpus, vocabulary  # noqa: E402

from radgpt.records import EXTRA_SECTIONS, PROVENANCES, SECTIONS  # noqa: E402
from radgpt.reports.sections import as_mapping, parse  # noqa: E402

SECONDS = 0.05
"""Allowed for a text of up to `CHARACTERS`, and for each so many of a longer one."""
CHARACTERS = 20_000
HANG = 30
"""Seconds after which a report is given up."""
BLOCK = 1000
"""Reports that a process takes at a time."""
ODD = (
    *("\n", "\n\n", "\n \n", "\r", "\r\n", "\t", "\0", "\v", "\f", "\x1c", "\x1f", "\x85", "\xa0", "\u2028", "\u2029", "\u3000"),
    *("\u200b", "\u200d", "\u200f", "\u202e", "\ufeff", "\u0301", "\u0323", "\uff1a", "\ua789", "\ufe55", "\u05c3", "\ufffd"),
    *("İ", "ı", "ß", "ŉ", "ﬁ", "K", "ſ", "Σ", "ǅ", "ΐ", "é", "中", "\U0001f9ba", "\U000e0041"),
    *(":", "::", ":\n", " :", ";", "-", "&", "/", "(", ")", "[", "'", "\\", "%s", "{0}", "___", "_" * 79, "-" * 79, "=" * 79),
)
"""Pieces to put in: line ends, odd spaces, marks that join or turn letters, colons of other scripts, letters that change length or
letter when their case changes, and what headers are made of."""
CONTROL = [chr(code) for code in range(32)]


@cache
def pool() -> list[str]:
    """Sound reports to damage."""
    places = [(words, mix) for words in ("common", "heldout") for mix in ("natural", "stress")]
    return [row["text"] for words, mix in places for row in corpus(words, mix, 1000, seed=1)]


@cache
def headers() -> list[str]:
    """Everything that has stood as a header."""
    found = {"FINAL REPORT", RULE.strip(), "FINDINGS AND IMPRESSION", "Lungs", "Dr. ___", "NOTE"}
    for words in (vocabulary("common"), vocabulary("heldout")):
        found.update(name for names in (*words.names.values(), *words.misspelt.values(), *words.titles.values()) for name in names)
        found.update([*words.findings_and_impression, *words.history_or_indication, *words.recommendations, *words.notification])
        found.update([*words.addendum, *words.wet_read, *words.signature])
    return sorted(found)


def stretch(random: Random, text: str, longest: int = 200) -> tuple[int, int]:
    """Two places of the text, not far apart."""
    start = random.randint(0, len(text))
    return start, min(len(text), start + random.choice((1, 1, 2, 5, random.randint(1, longest))))


def put(random: Random, text: str, piece: str) -> str:
    """A piece put in anywhere."""
    at = random.randint(0, len(text))
    return text[:at] + piece + text[at:]


def delete(random: Random, text: str) -> str:
    """A stretch taken out."""
    start, end = stretch(random, text)
    return text[:start] + text[end:]


def duplicate(random: Random, text: str) -> str:
    """A stretch said again, once or often."""
    start, end = stretch(random, text)
    return text[:end] + text[start:end] * random.choice((1, 1, 2, 9)) + text[end:]


def swap(random: Random, text: str) -> str:
    """Two stretches that stand apart, each at the other's place."""
    (a, b), (c, d) = sorted((stretch(random, text), stretch(random, text)))
    return text[:a] + text[c:d] + text[b:c] + text[a:b] + text[d:] if b <= c else text


def move(random: Random, text: str) -> str:
    """A stretch put elsewhere."""
    start, end = stretch(random, text)
    return put(random, text[:start] + text[end:], text[start:end])


def flip_case(random: Random, text: str) -> str:
    """Other capitals, in a stretch or in all of it."""
    start, end = random.choice((stretch(random, text), (0, len(text))))
    return text[:start] + random.choice((str.upper, str.lower, str.swapcase, str.title))(text[start:end]) + text[end:]


def put_odd(random: Random, text: str) -> str:
    """Some of ODD put in."""
    for _ in range(random.choice((1, 1, 3, 30))):
        text = put(random, text, random.choice(ODD))
    return text


def put_header(random: Random, text: str) -> str:
    """A header put in, with what may stand around one."""
    before, after = random.choice((" ", "\n ", "\n", "\n\n", "\t", "")), random.choice((":", ": ", ":  ", "", "\n", " :\n", "."))
    return put(random, text, before + random.choice(headers()) + after)


def put_noise(random: Random, text: str) -> str:
    """Any characters but halves of surrogate pairs."""
    codes = random.choice((random.randrange(0x20), random.randrange(0x300), random.randrange(0xD800), random.randrange(0xE000, 0x110000)))
    return put(random, text, "".join(chr(codes + step) for step in range(random.randint(1, 9)) if codes + step < 0x110000))


def damage_bytes(random: Random, text: str) -> str:
    """A byte changed, lost or doubled, then read as one of the encodings that readers try."""
    content = bytearray(text.encode())
    if content:
        at = random.randrange(len(content))
        content[at : at + 1] = random.choice((b"", bytes([random.randrange(256)]), content[at : at + 1] * 2))
    return content.decode(random.choice(("utf-8", "latin-1")), errors="replace")


def change_every(random: Random, text: str) -> str:
    """One character replaced or taken out wherever it stands."""
    old = random.choice((":", " ", "\n", "\n ", ".", "_", "\n \n", "  ", "E", "e"))
    return text.replace(old, random.choice(("", " ", "\n", "\r", "\r\n", "\t", ":", "::", "\uff1a", "\xa0", "\n\n", *ODD)))


def lines_apart(random: Random, text: str) -> str:
    """Lines in another order, lost or doubled."""
    lines = text.splitlines(keepends=True)
    if not lines:
        return text
    at = random.randrange(len(lines))
    match random.randrange(4):
        case 0:
            random.shuffle(lines)
        case 1:
            lines.reverse()
        case 2:
            del lines[at]
        case _:
            lines.insert(at, random.choice(lines))
    return "".join(lines)


def change_layout(random: Random, text: str) -> str:
    """Other line ends, spaces or directions throughout."""
    return random.choice(
        (
            collapsed,
            lambda text: "\n".join(line.strip() for line in text.split("\n")),
            lambda text: text.replace("\n", "\r\n"),
            lambda text: text.replace("\n", "\r"),
            lambda text: "".join(text.split()),
            lambda text: "\n".join(text.split()),
            lambda text: "\n".join(text),
            lambda text: "\n".join("> " + line for line in text.split("\n")),
            lambda text: text[::-1],
        )
    )(text)


def truncate(random: Random, text: str) -> str:
    """The beginning or the end alone."""
    at = random.randint(0, len(text))
    return random.choice((text[:at], text[at:]))


def concatenate(random: Random, text: str) -> str:
    """Another report below it."""
    return random.choice(("", " ", "\n", RULE + "\n", "\f")).join((text, random.choice(pool())))


def repeat(random: Random, text: str) -> str:
    """A piece many times over, up to a few thousand characters."""
    piece = random.choice(
        (*ODD, " ", "A", "A ", "a b ", "A: ", *CONTROL, f" {random.choice(headers())}: ", f"{random.choice(headers())}\n")
    )
    return put(random, text, piece * random.choice((3, 20, 79, 80, 300, 3000 // len(piece) + 1)))


def enlarge(random: Random, text: str) -> str:
    """A report, a line or a piece, up to 100,000 characters or a little more."""
    start, end = stretch(random, text)
    piece = (
        random.choice((text, text, collapsed(text), text[start:end], random.choice(headers()) + ": ", random.choice(ODD), *ODD[:2])) or "a"
    )
    return put(random, text, piece * (random.choice((5_000, 30_000, 100_000)) // len(piece) + 1))


Damage = Callable[[Random, str], str]
DAMAGES: tuple[Damage, ...] = (
    *(delete, duplicate, swap, move, flip_case, put_odd, put_odd, put_header, put_header, put_noise),
    *(damage_bytes, change_every, lines_apart, change_layout, truncate, concatenate, repeat),
)


def damaged(seed: int, number: int) -> str:
    """Report `number`: a sound one, damaged one to six times; one in 400 is large."""
    random = Random(f"fuzz/{seed}/{number}")
    text = random.choice(pool())
    for _ in range(random.choice((1, 1, 2, 2, 3, 6))):
        text = random.choice(DAMAGES)(random, text)
    return enlarge(random, text) if number % 400 == 0 else text


def faults(text: str) -> Iterator[str]:
    """Yield what is wrong with the parser's answer."""
    spans = parse(text).spans
    place = 0
    told: dict[str, list[str]] = {}
    for span in spans:
        if not 0 <= span.start <= span.end <= len(text):
            yield f"span {span.name} leaves the text"
        elif span.start < place:
            yield f"span {span.name} begins within the one before"
        piece = text[span.start : span.end]
        if piece != piece.strip():
            yield f"span {span.name} has white space at an end"
        if span.name not in SECTIONS + EXTRA_SECTIONS or span.provenance not in PROVENANCES:
            yield f"span {span.name} ({span.provenance}) is of an unknown kind"
        place = max(place, span.end)
        told.setdefault(span.name, []).append(piece)
    for name, section in as_mapping(text).items():
        if name not in SECTIONS + EXTRA_SECTIONS:
            yield "the mapping has a section of an unknown kind"
        elif words(section) != words(" ".join(told.get(name, []))):
            yield f"section {name} differs from its spans"


def words(text: str) -> list[str]:
    """The words of a text without rules, which a parser may leave in or out."""
    return [word for word in text.split() if set(word) - {"_", "-", "="} or len(word) < 5]


def seconds(text: str) -> float:
    """Processor seconds of this thread to parse the text."""
    start = time.thread_time()
    parse(text)
    return time.thread_time() - start


def allowed(text: str) -> float:
    """Seconds that parsing the text may take."""
    return SECONDS * max(1.0, len(text) / CHARACTERS)


@dataclass
class Outcome:
    """Of a block of reports."""

    reports: int = 0
    characters: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)
    slowest: tuple[float, int, int] = (0.0, 0, 0)
    """Seconds, number and characters of the slowest report under CHARACTERS."""
    slowest_long: tuple[float, int, int] = (0.0, 0, 0)
    """The same for longer ones, by seconds for each CHARACTERS."""

    def add(self, other: "Outcome") -> None:
        """Count another block's reports too."""
        self.reports += other.reports
        self.characters += other.characters
        self.failures += other.failures
        self.slowest = max(self.slowest, other.slowest)
        self.slowest_long = max(self.slowest_long, other.slowest_long)


class HangError(Exception):
    """A report took longer than HANG seconds."""


def give_up(*_: Any) -> None:
    """Answer the alarm."""
    raise HangError


def checked(seed: int, number: int, outcome: Outcome) -> None:
    """Check one report and put what is found into the outcome."""
    text = damaged(seed, number)
    outcome.reports += 1
    outcome.characters += len(text)
    signal.alarm(HANG)
    try:
        taken = seconds(text)
        if taken > allowed(text) / 10:
            taken = min(taken, seconds(text), seconds(text))
        outcome.failures += [(number, fault) for fault in faults(text)]
    except HangError:
        outcome.failures.append((number, f"not parsed within {HANG} s, {len(text):,} characters"))
        return
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        outcome.failures.append((number, f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}"))
        return
    finally:
        signal.alarm(0)
    if taken > allowed(text):
        outcome.failures.append((number, f"{taken * 1000:.0f} ms for {len(text):,} characters"))
    if len(text) < CHARACTERS:
        outcome.slowest = max(outcome.slowest, (taken, number, len(text)))
    else:
        outcome.slowest_long = max(outcome.slowest_long, (taken * CHARACTERS / len(text), number, len(text)))


def block(first: int, seed: int, reports: int) -> Outcome:
    """Check a block of reports."""
    signal.signal(signal.SIGALRM, give_up)
    outcome = Outcome()
    for number in range(first, min(first + BLOCK, reports)):
        checked(seed, number, outcome)
    return outcome


PIECES = {
    "colons": ":",
    "underscores": "_",
    "spaces": " ",
    "tabs": "\t",
    "newlines": "\n",
    "blank lines": "\n \n",
    "carriage returns": "\r",
    "capital letters": "A",
    "small letters": "a",
    "digits": "1",
    "capital words": "CHEST ",
    "capital words on lines": " CHEST\n",
    "words": "the lung is clear ",
    "sentences": " The lung is clear.\n",
    "labels": " Lungs: clear.\n",
    "headers": " FINDINGS: \n",
    "headers in a line": "FINDINGS: ",
    "bare headers": " FINDINGS\n",
    "half headers": " FINDING",
    "misspelt headers": " FINDDINGS:\n",
    "misspelt headers without colon": " IMPRESSOIN\n",
    "titles": " CHEST, TWO VIEWS:\n",
    "long titles": " CHEST, PA AND LATERAL, TWO VIEWS, UPRIGHT AND PORTABLE (AP) ",
    "spaced colons": "A : ",
    "rules": RULE + "\n",
    "final reports": FINAL_REPORT + "\n",
    "wet reads": " WET READ: ___ 9:12 AM\n",
    "addenda": " ADDENDUM:  Seen.\n" + RULE + "\n",
    "combining marks": "e\u0301",
    "reports": "",
}
"""What the texts of growing length are made of; the last of sound reports."""


def growth() -> Iterator[tuple[str, float, float]]:
    """Yield (piece, milliseconds for the longest text, times as long as for a quarter of it); 4 is in step with the length."""
    length = 200_000
    for name, piece in PIECES.items():
        for variant in ("", " FINDINGS:  Clear.\n"):
            text = variant + (piece * (length // len(piece) + 1) if piece else "".join(pool()))[:length]
            signal.alarm(4 * HANG)
            try:
                quarter, whole = (min(seconds(text[:size]) for _ in range(3)) for size in (length // 4, length))
            except HangError:
                quarter, whole = 1.0, float("inf")
            finally:
                signal.alarm(0)
            yield name + (" below a header" if variant else ""), whole * 1000, whole / max(quarter, 1e-6)


def main() -> None:
    """Fuzz, print what is found and end with 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", type=int, metavar="NUMBER", help="check one report")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the text of that report")
    parser.add_argument("--json", action="store_true", help="end with one JSON object of named figures")
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, give_up)
    pool()
    headers()
    outcome = Outcome()
    start = time.perf_counter()
    if options.only is not None:
        checked(options.seed, options.only, outcome)
        if options.write:
            options.write.write_text(damaged(options.seed, options.only), encoding="utf-8", newline="")
    else:
        with multiprocessing.Pool(options.processes) as processes:
            work = partial(block, seed=options.seed, reports=options.reports)
            for part in processes.imap_unordered(work, range(0, options.reports, BLOCK)):
                outcome.add(part)
    wall = time.perf_counter() - start
    slow = []
    grown = list(growth()) if options.only is None else []
    for name, milliseconds, times in grown:
        if (times > 8 and milliseconds > 50) or milliseconds > 1000 * SECONDS * 200_000 / CHARACTERS:
            slow.append(name)
            print(f"growth: {name}: {milliseconds:.0f} ms for 200,000 characters, {times:.1f} times as long as for a quarter of them")
    for fault, times in Counter(fault for _, fault in outcome.failures).most_common(30):
        numbers = sorted(number for number, other in outcome.failures if other == fault)[:5]
        print(f"{fault}: {times:,} times, first --seed {options.seed} --only {', '.join(map(str, numbers))}")
    worst = max(grown, key=lambda row: row[1], default=("", 0.0, 0.0))
    figures = {
        "reports": outcome.reports,
        "characters": outcome.characters,
        "reports_per_second": round(outcome.reports / wall, 1),
        "failures": len(outcome.failures) + len(slow),
        "failing_reports": len({number for number, _ in outcome.failures}),
        "slowest_ms": round(outcome.slowest[0] * 1000, 2),
        "slowest_number": outcome.slowest[1],
        "slowest_characters": outcome.slowest[2],
        "slowest_long_ms_per_20000": round(outcome.slowest_long[0] * 1000, 2),
        "slowest_long_number": outcome.slowest_long[1],
        "slowest_long_characters": outcome.slowest_long[2],
        "growth_worst": worst[0],
        "growth_worst_ms": round(worst[1], 1),
    }
    print("\n".join(f"{name:28}{value:>16,}" if not isinstance(value, str) else f"{name:28}{value:>16}" for name, value in figures.items()))
    if options.json:
        print(json.dumps(figures))
    raise SystemExit(1 if figures["failures"] else 0)


if __name__ == "__main__":
    main()
