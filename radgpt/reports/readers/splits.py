"""Which split a source's own names mean, and the refusal where a split is asked for that the source does not prescribe."""

from radgpt.config import Data, Source
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

SPLIT_COMES_FROM = {
    Source.synthetic: "made-up reports have none",
    Source.openi: "Open-i prescribes none",
    Source.mimic_cxr: "it stands in MIMIC-CXR-JPG's split list: set data.jpg_path to the folder of that",
    Source.table: "set data.split_field to the column that holds it, or data.path to a folder with a file for each split",
    Source.huggingface: "set data.split_field to the column that holds it, or leave data.hf_split out where the dataset has several splits",
}
"""What a user can do who asks for a split that the source does not tell."""


def no_official_split(data: Data) -> UserError:
    """The refusal of `data.split=official`."""
    return UserError(
        f"data.split=official: data.path={data.path} does not prescribe a split for every report; "
        f"{SPLIT_COMES_FROM[data.source]}, or choose data.split=auto"
    )
