"""Which split a source's own names mean, and the refusal where a split is asked for that the source does not prescribe."""

from radgpt.config import Data
from radgpt.errors import UserError

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "validate": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}
"""What files, columns and datasets call a split, in lower case, to our name for it."""


def no_official_split(data: Data, mend: str) -> UserError:
    """The refusal of `data.split=official`; `mend` is the reader's NO_SPLIT."""
    source = f"data.path={data.path}" if data.path else f"data={data.source.value}"
    return UserError(f"data.split=official: {source} does not prescribe a split for every report; {mend}, or choose data.split=auto")
