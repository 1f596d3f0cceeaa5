"""Where reports come from, who may see them, and how they are exported as tables."""

import re
from dataclasses import dataclass, field
from enum import Enum

from radgpt.config.markers import operational, refuse
from radgpt.records import SECTIONS


class Governance(Enum):
    """Who may see the data: DUA-bound, limited by a licence, free, or made up."""

    credentialed = "credentialed"
    restricted = "restricted"
    open = "open"
    synthetic = "synthetic"


class Source(Enum):
    """The readers of reports."""

    synthetic = "synthetic"
    mimic_cxr = "mimic_cxr"
    openi = "openi"
    table = "table"
    huggingface = "huggingface"


OF_COLUMNS = (Source.table, Source.huggingface)
"""Sources whose columns settings name."""


class Sectioning(Enum):
    """How a report's text is split into sections: by our parser, as MIT-LCP's code does, or as the original Radiology-GPT's does."""

    radgpt = "radgpt"
    mit_lcp = "mit_lcp"
    original = "original"


class SplitPolicy(Enum):
    """`auto`: the source's own split where it prescribes one, else ours by patient; `official`: refuse without one; `patient`: ours."""

    auto = "auto"
    official = "official"
    patient = "patient"


HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
"""A host in lower case, without scheme, port or wildcard."""


@dataclass
class Data:
    """Where reports come from, who may see them and how they are split into sections."""

    source: Source = Source.synthetic
    path: str | None = operational()
    """File or folder of the source, or `hub:owner/name`; its digest, not its place, is what keys depend on."""
    jpg_path: str | None = operational()
    """Folder of MIMIC-CXR-JPG's lists (split, metadata, CheXpert, NegBio), for `source: mimic_cxr`; null: they are looked for in `path`."""
    governance: Governance = Governance.credentialed
    sections: Sectioning = Sectioning.radgpt
    split: SplitPolicy = SplitPolicy.auto
    limit: int | None = None
    """Read only the first so many reports, in the source's own order."""
    synthetic_reports: int = 200
    """Reports that the generator writes, for `source: synthetic`."""
    report_id_field: str = "report_id"
    patient_id_field: str | None = "patient_id"
    """Null: every report is a patient of its own."""
    text_field: str | None = "text"
    """Null: `section_fields` hold all there is. A row whose text is null is kept as an empty report, flagged `no_narrative`."""
    section_fields: dict[str, str] = field(default_factory=dict)
    """Section (one of the seven) to the column that holds its text, for tables whose sections are told apart already."""
    split_field: str | None = None
    """Column with train, validation or test. These columns are those of `source: table` and `source: huggingface`."""
    hf_split: str | None = None
    """Split of a Hugging Face dataset to read; null: all of them, each as the split that it is called."""
    hf_revision: str | None = None
    """Commit, tag or branch of a dataset on the Hugging Face hub; null: what the hub gives today, which keys do not notice changing."""
    tokenizer: str | None = operational()
    """Hugging Face id or folder of the tokenizer that the quality report counts tokens with; null: words only."""
    workers: int | None = operational()
    """Processes that parse; null: one for each CPU core."""

    def __post_init__(self) -> None:
        refuse(self.limit is not None and not 0 < self.limit < 2**63, f"data.limit={self.limit} must be at least 1 and below 2^63")
        refuse(self.synthetic_reports < 10, f"data.synthetic_reports={self.synthetic_reports} must be at least 10")
        refuse(self.workers is not None and self.workers < 1, f"data.workers={self.workers} must be at least 1")
        strange = sorted(set(self.section_fields) - set(SECTIONS))
        refuse(bool(strange), f"data.section_fields.{''.join(strange[:1])} is no section; sections are {', '.join(SECTIONS)}")
        for name, sources in {
            "jpg_path": (Source.mimic_cxr,),
            "section_fields": OF_COLUMNS,
            "split_field": OF_COLUMNS,
            "hf_split": (Source.huggingface,),
            "hf_revision": (Source.huggingface,),
        }.items():
            refuse(
                bool(getattr(self, name)) and self.source not in sources,
                f"data.{name} has no meaning with data.source={self.source.value}, only with "
                f"{' and '.join(source.value for source in sources)}; leave it out",
            )
        refuse(
            self.source in OF_COLUMNS and self.text_field is None and not self.section_fields,
            "data.text_field and data.section_fields are both empty; name the column of the report's text, or those of its sections",
        )
        refuse(
            self.source is not Source.synthetic and not self.path,
            "data.path is not set: give the file or folder with the reports",
        )
        refuse(
            self.source is Source.synthetic and self.path is not None,
            f"data.path={self.path} has no meaning with data=synthetic, which makes reports up; say what is there, such as data=mimic_cxr",
        )


@dataclass
class DataUse:
    """What credentialed reports may do beyond this machine; `data.governance` says whether they are credentialed."""

    attestation: str | None = operational()
    """YAML file that attests that a host outside this machine and its network retains, trains on and reviews nothing; see the README."""
    wandb_hosts: list[str] = field(default_factory=list, metadata={"operational": True})
    """Hosts of your own W&B servers, such as wandb.hospital.example, that logs of credentialed runs may go to."""

    def __post_init__(self) -> None:
        for host in self.wandb_hosts:
            refuse(
                not HOST_NAME.fullmatch(host),
                f"governance.wandb_hosts: {host} is no host; give names such as wandb.hospital.example, in lower case and without https://",
            )
            refuse(
                host.endswith(("wandb.ai", "wandb.io")),
                f"governance.wandb_hosts: {host} belongs to W&B's cloud; list servers of your own, and keep other logs offline",
            )


EXPORT_FORMATS = ("parquet", "csv")


@dataclass
class ExportReports:
    """`stage=export_reports`."""

    formats: list[str] = field(default_factory=lambda: list(EXPORT_FORMATS))
    """Of EXPORT_FORMATS: a table of everything, and MIT-LCP's mimic_cxr_sectioned.csv."""

    def __post_init__(self) -> None:
        known = " and ".join(EXPORT_FORMATS)
        refuse(not self.formats, f"export_reports.formats=[] names none; there are {known}")
        strange = sorted(set(self.formats) - set(EXPORT_FORMATS))
        refuse(bool(strange), f"export_reports.formats: {''.join(strange[:1])} is no format; there are {known}")
