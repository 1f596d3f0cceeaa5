"""Find reports that have the text of another, by digests that are packed one after the other."""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from radgpt.records import SPLITS
from radgpt.wording import printable

DIGEST = 8
"""Bytes of a digest: two of 228,000 different texts share one with a chance of 1 in 700 million."""
NOTHING = bytes(DIGEST)
"""The digest of a report without text, which repeats none."""
WHITE_SPACE = b" \t\n\r\x0b\x0c"
SPLIT_CODES = {None: 0} | {split: code for code, split in enumerate(SPLITS, start=1)}
GROUPS = 20
IDS_IN_GROUP = 5
"""Groups of equal texts that are listed, and the report ids beside each."""


@dataclass(frozen=True)
class Duplicates:
    """Reports whose text is that of another, but for white space and capitals."""

    repeats: int
    """Reports whose text an earlier one has."""
    groups: int
    """Texts that more than one report has."""
    across_patients: int
    """How many of these stand in reports of more than one patient."""
    held_out: int
    """Reports of prescribed validation and test splits whose text a training report has too."""
    largest: list[tuple[int, list[str]]]
    """Reports of a group and the first ids of them; largest groups first."""


def text_digest(text: str) -> bytes:
    """The digest of a report's text, the same whatever its white space and capitals."""
    letters = text.encode(errors="replace").translate(None, WHITE_SPACE).lower()
    return blake2b(letters, digest_size=DIGEST).digest() if letters else NOTHING


@lru_cache(maxsize=64)
def patient_digest(patient_id: str) -> bytes:
    """The digest of a patient's id; the reports of a patient mostly stand together."""
    return blake2b(patient_id.encode(errors="replace"), digest_size=DIGEST).digest()


def packed_id(report_id: str) -> bytes:
    """A report's id and the zero byte that ends it."""
    return report_id.replace("\0", "\N{REPLACEMENT CHARACTER}").encode(errors="surrogatepass") + b"\0"


def unpacked_ids(report_ids: bytes | bytearray) -> list[str]:
    """The ids, in order."""
    return report_ids.decode(errors="surrogatepass").split("\0")[:-1]


def count_straddling(patient_digests: bytes | bytearray, split_codes: bytes | bytearray) -> int:
    """Patients whose reports have more than one prescribed split."""
    import numpy as np

    codes = np.frombuffer(bytes(split_codes), "u1")
    patients, codes = np.frombuffer(bytes(patient_digests), "<u8")[codes > 0], codes[codes > 0]
    order = np.lexsort((codes, patients))
    patients, codes = patients[order], codes[order]
    another = (patients[1:] == patients[:-1]) & (codes[1:] != codes[:-1])
    return len(np.unique(patients[1:][another]))


def count_patients(patient_digests: bytes | bytearray) -> int:
    """Different ones among the digests of patients."""
    import numpy as np

    return len(np.unique(np.frombuffer(patient_digests, "<u8")))


def find_duplicates(
    text_digests: bytes | bytearray, patient_digests: bytes | bytearray, split_codes: bytes | bytearray, report_ids: bytes | bytearray
) -> Duplicates:
    """Reports whose text another one has; each array holds one entry a report, in one order."""
    import numpy as np

    digests = np.frombuffer(text_digests, "<u8")
    places = np.flatnonzero(digests)
    patients = np.frombuffer(patient_digests, "<u8")[places]
    splits = np.frombuffer(split_codes, "u1")[places]
    _, first, group, sizes = np.unique(digests[places], return_index=True, return_inverse=True, return_counts=True)
    of_several = np.zeros(len(sizes), bool)
    order = np.lexsort((patients, group))
    another = (np.diff(group[order]) == 0) & (patients[order][1:] != patients[order][:-1])
    of_several[group[order][1:][another]] = True
    trained_on = np.zeros(len(sizes), bool)
    trained_on[group[splits == SPLIT_CODES["train"]]] = True
    held_out = splits > SPLIT_CODES["train"]
    largest = [int(one) for one in np.lexsort((first, -sizes))[:GROUPS] if sizes[one] > 1]
    ids = unpacked_ids(report_ids) if largest else []
    return Duplicates(
        repeats=int(len(places) - len(sizes)),
        groups=int((sizes > 1).sum()),
        across_patients=int(of_several.sum()),
        held_out=int(trained_on[group[held_out]].sum()),
        largest=[(int(sizes[one]), [printable(ids[place]) for place in places[group == one][:IDS_IN_GROUP]]) for one in largest],
    )
