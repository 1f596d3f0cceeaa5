"""Lay out the counts of a preprocess run as a table for the console."""

from radgpt.config import Governance
from radgpt.records import EXTRA_SECTIONS, SECTIONS, SPLITS
from radgpt.reports.quality import Quality
from radgpt.reports.repeats import Duplicates
from radgpt.wording import clipped, counted, ranked, share

LONGEST_HEADER = 30
"""Characters of a header; a longer one is cut."""


def console(quality: Quality, duplicates: Duplicates, governance: Governance) -> str:
    """A table for the console; of unknown headers it gives numbers only where they might be words of a patient's report."""
    lines = [f"{counted(quality.reports, 'report')}{of_patients(quality.reports, quality.patients())}", ""]
    lines.append(f"  {'section':<16}{'reports':>11}{'share':>10}{'empty':>9}   what says so")
    for name in (*SECTIONS, *EXTRA_SECTIONS):
        present = quality.present(name)
        if present or quality.empty[name]:
            vouchers = ", ".join(f"{kind} {share(times, present)}" for kind, times in quality.vouchers(name))
            lines.append(f"  {name:<16}{present:>11,}{share(present, quality.reports):>10}{quality.empty[name]:>9,}   {vouchers}".rstrip())
    alone, both = quality.narrative, quality.narrative["both"]
    held_out = f"; {duplicates.held_out:,} held out with that of a training report" if duplicates.held_out else ""
    listed = f"; {counted(quality.flagged, 'report')}, all in flagged.jsonl" if quality.flagged else ""
    lines += [
        "",
        f"  pairs        {both:,} with findings and impression ({share(both, quality.reports)})",
        f"               the others: {alone['findings']:,} without impression, {alone['impression']:,} without findings, "
        f"{alone['neither']:,} without either",
        *splits_told(quality),
        f"  flags        {', '.join(f'{flag} {times:,}' for flag, times in ranked(quality.flags)) or 'none'}{listed}",
        f"  repeats      {counted(duplicates.repeats, 'report')} with the text of an earlier one{held_out}",
        f"  new headers  {headers_told(quality, governance)}",
    ]
    return "\n".join(lines)


def of_patients(reports: int, patients: int) -> str:
    """Whose reports they are; as many patients as reports are mostly ones that the source does not name."""
    return ", each counted as a patient's of its own" if reports == patients > 1 else f" of {counted(patients, 'patient')}"


def splits_told(quality: Quality) -> list[str]:
    """The line of the splits that the source prescribes, if it does."""
    if quality.splits.keys() <= {"none"}:
        return []
    return [f"  splits       {', '.join(f'{split} {quality.splits[split]:,}' for split in (*SPLITS, 'none') if quality.splits[split])}"]


def headers_told(quality: Quality, governance: Governance) -> str:
    """How many unknown headers there are and, where their text may be told, the commonest."""
    if not quality.headers:
        return "none"
    occurrences = sum(header.count for header in quality.headers.values()) + quality.headers_dropped
    told = f"{len(quality.headers):,}{' or more' if quality.headers_dropped else ''}, {occurrences:,} times"
    if governance in (Governance.open, Governance.synthetic):
        told += ": " + ", ".join(f"{clipped(name, LONGEST_HEADER)} {header.count:,}" for name, header in quality.common_headers()[:5])
    return told
