"""What a configuration may hold: one dataclass for each group, units beside each field, rules beside what they guard."""

import math
import re
from collections.abc import Collection
from dataclasses import dataclass, field, is_dataclass
from enum import Enum
from typing import Any

from omegaconf import MISSING

from radgpt.chat_templates import CHAT_TEMPLATES
from radgpt.errors import UserError, settings_of
from radgpt.records import SECTIONS, TASKS


def operational(default: Any = None, *, factory: Any = None) -> Any:
    """A setting that changes how fast or where a stage runs, but not its outcome: left out of the stage's key."""
    if factory is not None:
        return field(default_factory=factory, metadata={"operational": True})
    return field(default=default, metadata={"operational": True})


def external_input(default: Any = None, *, stage: str | Collection[str] | None = None, names: Collection[str] = ()) -> Any:
    """A file that a stage's outcome depends on: its digest, not its place, is what keys hold. A list names several. `stage`: see `only`.

    `names` may stand instead of a file, for something that we ship.
    """
    metadata = {"external": True, "names": frozenset(names)} | ({"stages": of_stages(stage)} if stage else {})
    if default is not None:
        return field(default_factory=default, metadata=metadata)
    return field(default=None, metadata=metadata)


def only(stage: str | Collection[str], default: Any) -> Any:
    """A setting that one stage alone, or a few, read of a section that others read too: left out of those others' keys, so that no work
    is paid for again."""
    return field(default=default, metadata={"stages": of_stages(stage)})


def of_stages(stage: str | Collection[str]) -> frozenset[str]:
    """One name or several, as a set."""
    return frozenset([stage] if isinstance(stage, str) else stage)


def refuse(broken: bool, message: str) -> None:
    """Raise UserError(message) if a rule is broken."""
    if broken:
        raise UserError(message)


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


@dataclass
class InstructionPrompt:
    """What the teacher is asked when it writes instructions."""

    version: str = MISSING
    """Names the wording; kept in every row."""
    system: str = MISSING
    templates: dict[str, str] = field(default_factory=dict)
    """Task to template; `{report}` and `{examples}` are filled in."""
    conversation: str = ""
    """Template for `instructions.turns` above 1, whatever the task; `{turns}` is filled in as well."""
    seeds: dict[str, list[str]] = field(default_factory=dict)
    """Task to questions that examples are drawn from until the pool has grown; for findings_to_impression, the wordings of its
    instruction."""
    examples: int = 3
    """In-context examples in a prompt."""

    def __post_init__(self) -> None:
        refuse(self.examples < 0, f"prompt.instruction.examples={self.examples} must be 0 or above")


@dataclass
class AnswerPrompt:
    """What the teacher is asked when it answers."""

    version: str = MISSING
    system: str = MISSING
    templates: dict[str, str] = field(default_factory=dict)
    """Task to template; `{report}` and `{instruction}` are filled in. That of follow_up, for a conversation's later turns, has no
    `{report}`."""


@dataclass
class ChatPrompt:
    """What the student model sees, in training, prediction and chat alike."""

    system: str = MISSING
    first_turn: str = MISSING
    """Template of the first user message about a report; `{report}` and `{instruction}` are filled in."""


@dataclass
class Prompt:
    """All prompt templates."""

    instruction: InstructionPrompt = field(default_factory=InstructionPrompt)
    answer: AnswerPrompt = field(default_factory=AnswerPrompt)
    chat: ChatPrompt = field(default_factory=ChatPrompt)


class Narrative(Enum):
    """What a report must hold to be asked about: findings or an impression, or both."""

    either = "either"
    both = "both"


class DuplicateScope(Enum):
    """Which instructions a duplicate is sought among: those about the same report, or all of the run."""

    report = "report"
    run = "run"


class Language(Enum):
    """What instructions and answers must be written in: English, or whatever the teacher chose."""

    en = "en"
    any = "any"


@dataclass
class Instructions:
    """How instructions are drawn and which of them are kept."""

    narrative: Narrative = Narrative.either
    """Reports without it are left out, and counted: `both` for data of findings → impression pairs."""

    task_weights: dict[str, float] = field(default_factory=lambda: dict.fromkeys(TASKS, 1.0))
    """Task to its share in the mix; 0 switches a task off. A task of your own needs its templates, see `prompt`."""
    per_report: int = 2
    """Instructions asked for each report; conversations, where `turns` is above 1."""
    turns: int = 1
    """Turns of a conversation: questions that the teacher writes at once, the later ones following up on the earlier."""
    duplicates: DuplicateScope = only("postprocess_instructions", DuplicateScope.report)
    earlier: list[str] = external_input(list, stage="postprocess_instructions")
    """Files `instructions.jsonl` of earlier runs, among which duplicates are sought too."""
    pool_epoch: int = 512
    """Reports between two growths of the pool of accepted questions that examples are drawn from."""
    min_words: int = 3
    max_words: int = 60
    """Length of an accepted instruction, in words."""
    language: Language = Language.en
    max_rouge_l: float = only("postprocess_instructions", 0.7)
    """An instruction whose ROUGE-L F1 with an earlier one, among those that `duplicates` names, exceeds this is a duplicate."""

    def __post_init__(self) -> None:
        for task, weight in self.task_weights.items():
            refuse(not 0 <= weight < float("inf"), f"instructions.task_weights.{task}={weight} must be 0 or above")
        refuse(not any(self.task_weights.values()), "instructions.task_weights: at least one task needs a weight above 0")
        refuse(not 1 <= self.per_report <= 1000, f"instructions.per_report={self.per_report} must lie between 1 and 1000")
        refuse(not 1 <= self.turns <= 100, f"instructions.turns={self.turns} must lie between 1 and 100")
        refuse(self.pool_epoch < 1, f"instructions.pool_epoch={self.pool_epoch} must be at least 1")
        refuse(
            not 1 <= self.min_words <= self.max_words,
            f"instructions.min_words={self.min_words} must lie between 1 and instructions.max_words={self.max_words}",
        )
        refuse(not 0 < self.max_rouge_l <= 1, f"instructions.max_rouge_l={self.max_rouge_l} must lie in (0, 1]")


OF_ANSWERS = ("postprocess_answers", "review")
"""Stages that judge answers; others ask of the dataset only how patients are split."""


@dataclass
class Dataset:
    """Which pairs are kept, and how patients are split."""

    max_answer_words: int = only(OF_ANSWERS, 400)
    language: Language = only(OF_ANSWERS, Language.en)
    min_faithfulness: float = only(OF_ANSWERS, 1.0)
    """Answers of which the report supports a smaller share of checkable claims are dropped; 0 keeps all, their scores beside them."""
    decisions: str | None = external_input(stage=OF_ANSWERS)
    """JSONL of a person's decisions from `stage=review`; they outweigh the filters."""
    validation_fraction: float = 0.1
    test_fraction: float = 0.1
    """Share of patients, for reports whose source prescribes no split."""

    def __post_init__(self) -> None:
        refuse(not 0 <= self.min_faithfulness <= 1, f"dataset.min_faithfulness={self.min_faithfulness} must lie in [0, 1]")
        refuse(self.max_answer_words < 1, f"dataset.max_answer_words={self.max_answer_words} must be at least 1")
        refuse(
            not (min(self.validation_fraction, self.test_fraction) >= 0 and self.validation_fraction + self.test_fraction < 1),
            f"dataset.validation_fraction={self.validation_fraction} and dataset.test_fraction={self.test_fraction} "
            "must not be negative and must leave patients to train on",
        )


class Provider(Enum):
    """Who writes instructions and answers."""

    rules = "rules"
    openai = "openai"
    azure = "azure"
    bedrock = "bedrock"
    vertex = "vertex"
    local = "local"


class TeacherMode(Enum):
    """`live` asks call by call; `batch` hands files to the provider's batch service, at half the price within a day."""

    live = "live"
    batch = "batch"


@dataclass
class Budget:
    """What one teacher pass may cost in all, earlier attempts at it included; null: no cap."""

    usd: float | None = None
    tokens: int | None = None
    """Prompt and reply tokens together."""
    requests: int | None = None

    def __post_init__(self) -> None:
        for name in ("usd", "tokens", "requests"):
            value = getattr(self, name)
            refuse(value is not None and not value > 0, f"teacher.budget.{name}={value} must be above 0; null means no cap")


BASE_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[A-Za-z0-9._/~%-]*)?")
REGION = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
PROJECT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.:-]*")
VARIABLE_NAME = re.compile(r"(?![^_]{32})[A-Za-z_][A-Za-z0-9_]*")
"""Long strings without an underscore are keys, not names of variables."""


@dataclass
class Teacher:
    """The teacher that writes instructions and answers."""

    provider: Provider = Provider.rules
    model: str = "rules"
    base_url: str | None = operational()
    """Endpoint of an OpenAI-compatible server; null is the provider's own."""
    api_version: str | None = operational()
    """Azure's `api-version`."""
    api_key_env: str | None = operational()
    """Name of the environment variable that holds the key; null for servers that ask none, and for what Bedrock and Vertex find by
    themselves."""
    region: str | None = operational()
    """AWS region of Bedrock, such as us-east-1, or location of Vertex, such as europe-west4 or global."""
    project: str | None = operational()
    """Google Cloud project that Vertex is asked in."""
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 512
    """Longest reply, in tokens."""
    max_requests_per_minute: float = operational(500.0)
    max_tokens_per_minute: float = operational(200_000.0)
    """The endpoint's limits, prompt and reply tokens together."""
    max_in_flight: int = operational(32)
    """Requests under way at once."""
    max_attempts: int = operational(6)
    """Tries of one request before it counts as failed; a 429 is no try."""
    timeout: float = operational(120.0)
    """Seconds that one request may take."""
    mode: TeacherMode = operational(TeacherMode.live)
    budget: Budget = operational(factory=Budget)
    prices: str | None = operational()
    """YAML file of prices like radgpt/teacher/prices.yaml; null: that one."""

    def __post_init__(self) -> None:
        refuse(
            self.provider is Provider.local and not self.base_url, "teacher=local needs teacher.base_url, such as http://127.0.0.1:8000/v1"
        )
        refuse(
            self.provider is Provider.azure and not self.base_url,
            "teacher=azure needs teacher.base_url, the endpoint of your Azure resource",
        )
        refuse(self.provider is Provider.azure and not self.api_version, "teacher=azure needs teacher.api_version, such as 2024-10-21")
        refuse(self.provider is Provider.bedrock and not self.region, "teacher=bedrock needs teacher.region, such as us-east-1")
        for name, example in {"region": "europe-west4 or global", "project": "radiology-123456"}.items():
            refuse(
                self.provider is Provider.vertex and not self.base_url and not getattr(self, name),
                f"teacher=vertex needs teacher.{name}, such as {example}",
            )
        for name, pattern in {"region": REGION, "project": PROJECT}.items():
            value = getattr(self, name)
            refuse(value is not None and not pattern.fullmatch(value), f"teacher.{name}={value} is none; give it as its provider writes it")
        refuse(
            self.mode is TeacherMode.batch and self.provider not in (Provider.openai, Provider.azure),
            f"teacher.mode=batch has no meaning with teacher={self.provider.value}, only with openai and azure; set teacher.mode=live",
        )
        # Neither is quoted: the one may hold a password, the other a key pasted in the wrong place.
        refuse(
            self.base_url is not None and not BASE_URL.fullmatch(self.base_url),
            "teacher.base_url must look like http://host:port/path, without user, password, query or fragment",
        )
        refuse(
            self.api_key_env is not None and not VARIABLE_NAME.fullmatch(self.api_key_env),
            "teacher.api_key_env must name an environment variable, such as OPENAI_API_KEY; never write a key into a configuration",
        )
        refuse(
            self.provider is Provider.openai and not self.base_url and not self.api_key_env,
            "teacher=openai needs teacher.api_key_env, the name of the environment variable with the key",
        )
        refuse(not self.model.strip(), "teacher.model is empty; give the model's name as its server knows it")
        refuse(not 0 <= self.temperature <= 2, f"teacher.temperature={self.temperature} must lie in [0, 2]")
        refuse(not 0 < self.top_p <= 1, f"teacher.top_p={self.top_p} must lie in (0, 1]")
        for name in ("max_tokens", "max_requests_per_minute", "max_tokens_per_minute", "max_in_flight", "max_attempts", "timeout"):
            refuse(not getattr(self, name) > 0, f"teacher.{name}={getattr(self, name)} must be above 0")
        refuse(
            self.max_tokens > self.max_tokens_per_minute,
            f"teacher.max_tokens={self.max_tokens} must not exceed teacher.max_tokens_per_minute={self.max_tokens_per_minute}",
        )


class ModelSource(Enum):
    """Where base weights come from."""

    hub = "hub"
    smollm2 = "smollm2"
    tiny = "tiny"


class Dtype(Enum):
    """Number format of the weights; `auto`: bfloat16 where the device computes in it, else float32."""

    auto = "auto"
    bfloat16 = "bfloat16"
    float16 = "float16"
    float32 = "float32"


@dataclass
class Model:
    """The base model."""

    source: ModelSource = ModelSource.hub
    name_or_path: str = MISSING
    """Hugging Face model id, or a local folder."""
    revision: str | None = None
    token_env: str = operational("HF_TOKEN")
    """Name of the environment variable that holds the Hugging Face token, for gated models."""
    dtype: Dtype = Dtype.auto
    attn_implementation: str | None = None
    """As in transformers' `from_pretrained`; null lets transformers choose."""
    chat_template: str | None = external_input(names=CHAT_TEMPLATES)
    """How a conversation is written down: a name of radgpt/chat_templates.py (`plain`, `alpaca`, `chatml`, `llama2`, ...) or a file in
    Jinja; null: the tokenizer's own, or `plain` where it has none."""
    tiny_hidden_size: int = 128
    tiny_layers: int = 2
    tiny_vocab_size: int = 2048
    """Shape of the Llama that `source: tiny` makes on the spot."""


class Quantization(Enum):
    """What a frozen base is held in: LLM.int8() (arXiv 2208.07339), or 4-bit NormalFloat quantised twice (arXiv 2305.14314)."""

    none = "none"
    int8 = "int8"
    nf4 = "nf4"


class Method(Enum):
    """What is trained; `none` keeps the base model as it is, to measure it with the same line."""

    lora = "lora"
    full = "full"
    none = "none"


@dataclass
class Tuning:
    """What is trained, named as in peft's LoraConfig."""

    method: Method = Method.full
    r: int | None = None
    lora_alpha: int | None = None
    lora_dropout: float | None = None
    target_modules: list[str] | None = None
    """Module names; `[all-linear]` for every linear layer but the head; null for peft's own choice for the model."""
    use_dora: bool = False
    """Weight-decomposed adapters (arXiv 2402.09353)."""
    use_rslora: bool = False
    """Scale adapters by lora_alpha / sqrt(r) instead of lora_alpha / r (arXiv 2312.03732)."""
    quantization: Quantization = Quantization.none
    """Of the frozen base under adapters; nf4 makes it QLoRA."""
    init_from: str | None = external_input()
    """Checkpoint folder of an earlier finetune or pretrain, whose adapter or weights training starts from; null: the base model."""
    after_pretraining: bool = only("finetune", False)
    """Start from what `stage=pretrain` made with the same settings."""

    def __post_init__(self) -> None:
        settings = {"r": self.r, "lora_alpha": self.lora_alpha, "lora_dropout": self.lora_dropout}
        for name, value in settings.items():
            refuse(
                self.method is Method.lora and value is None,
                f"tuning=lora needs tuning.{name}",
            )
            refuse(
                self.method is not Method.lora and value is not None,
                f"tuning.{name}={value} has no meaning with tuning={self.method.value}; leave it out or choose tuning=lora",
            )
        for name, why in {
            "use_dora": self.use_dora,
            "use_rslora": self.use_rslora,
            "target_modules": self.target_modules is not None,
        }.items():
            refuse(
                why and self.method is not Method.lora,
                f"tuning.{name} has no meaning with tuning={self.method.value}; leave it out or choose tuning=lora",
            )
        refuse(
            self.quantization is not Quantization.none and self.method is Method.full,
            f"tuning.quantization={self.quantization.name} holds weights that stay as they are, and tuning=full trains them; choose "
            "tuning=lora, or leave it out",
        )
        for name, given in {"init_from": self.init_from is not None, "after_pretraining": self.after_pretraining}.items():
            refuse(
                given and self.method is Method.none,
                f"tuning.{name} has no meaning with tuning=none, which measures the base model; to measure what an earlier training left, "
                "set inputs.checkpoint to it",
            )
        refuse(
            self.init_from is not None and self.after_pretraining,
            f"tuning.init_from={self.init_from} and tuning.after_pretraining=true are two places to start from; leave one out",
        )
        if self.method is Method.lora:
            refuse(self.target_modules == [], "tuning.target_modules=[] names no module; give names, [all-linear] or null")
            refuse(self.r < 1, f"tuning.r={self.r} must be at least 1")  # type: ignore[operator]
            refuse(not 0 <= self.lora_dropout < 1, f"tuning.lora_dropout={self.lora_dropout} must lie in [0, 1)")  # type: ignore[operator]


class TooLong(Enum):
    """What becomes of an example above `training.model_max_length`: left out, or its report cut from the end; counted either way."""

    drop = "drop"
    cut_report = "cut_report"


class Batching(Enum):
    """How examples become micro-batches.

    `padded`, `grouped` and `padding_free` take the same examples into an optimizer step and give the same gradients: padded in
    the order drawn; padded among examples of similar length; or laid end to end without padding, balanced by tokens. `packed`
    fills rows of `model_max_length` tokens with whole examples by best fit, so that a step holds more of them.
    """

    padded = "padded"
    grouped = "grouped"
    padding_free = "padding_free"
    packed = "packed"


STRATEGIES = ("no", "steps", "epoch")
"""When the Trainer saves, or evaluates."""


@dataclass
class Training:
    """How it is trained, named as in transformers' TrainingArguments."""

    model_max_length: int = 4096
    """Longest training example, in tokens."""
    too_long: TooLong = TooLong.drop
    faithful: bool = False
    """Make token files and batches as the original Radiology-GPT does, after Stanford Alpaca with `<s>` as its padding token. Only for
    `batching: padded`, and only to repeat its results; where the tokenizer has a token that opens texts:

    - that token pads, and is masked out of attention wherever it stands, the start of each example included;
    - prompts are counted without it, so that the mask is one token short: the prompt's last token is learned too (with several
      answers, as many tokens before each as such tokens stand before it);
    - an example above `model_max_length` is cut on the right, answer and end token included, and none is dropped."""
    batching: Batching = Batching.padding_free
    share_prefixes: bool = False
    """Compute what examples of a row have in common at their beginning (a system message, a report that several questions are about)
    once for all of them, which changes no gradient; with `batching: packed`, neighbours that share most of it are put into one row."""
    max_train_samples: int | None = None
    max_eval_samples: int | None = None
    """Use only so many pairs of the split, drawn by seed."""
    num_train_epochs: float = 3.0
    max_steps: int = -1
    """Optimizer steps; above 0 it overrides `num_train_epochs`."""
    per_device_train_batch_size: int = 4
    """Micro-batch: examples a device takes at once; with `batching: packed`, rows of `model_max_length` tokens."""
    per_device_eval_batch_size: int = 4
    gradient_accumulation_steps: int = 8
    learning_rate: float = 2e-4
    weight_decay: float = 0.0
    optim: str = "adamw_torch_fused"
    """As transformers names optimizers (`adamw_torch_fused`, `paged_adamw_8bit`, ...)."""
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    adam_epsilon: float = 1e-8
    neftune_noise_alpha: float | None = None
    """Strength of the noise on input embeddings (NEFTune, arXiv 2310.05914); null: none."""
    warmup_ratio: float = 0.03
    warmup_steps: int | None = None
    """Optimizer steps of warm-up; where set, it stands instead of `warmup_ratio`."""
    lr_scheduler_type: str = "cosine"
    max_grad_norm: float = 1.0
    gradient_checkpointing: bool = True
    save_strategy: str = "epoch"
    save_steps: float = operational(500)
    save_total_limit: int | None = operational(2)
    eval_strategy: str = "epoch"
    eval_steps: float | None = None
    sample_generations: int = operational(2)
    """Validation prompts answered greedily at each evaluation; their text is kept in the run's folder alone."""
    load_best_model_at_end: bool = False
    """Keep the checkpoint with the best `metric_for_best_model` rather than the last."""
    metric_for_best_model: str = "eval_loss"
    early_stopping_patience: int | None = None
    """Evaluations without a better `metric_for_best_model` after which training ends; null: it goes to the end."""
    max_loss_spike: float | None = 10.0
    """A step whose loss exceeds this many times the median of the last steps' ends the training; null: only NaN and infinity do."""
    fsdp: bool = False
    """Shard weights, gradients and optimizer states by PyTorch's FSDP2 instead of DeepSpeed."""
    logging_steps: int = operational(1)
    workers: int | None = operational()
    """Processes that tokenise; null: one for each CPU core."""
    dataloader_num_workers: int = operational(0)
    ddp_timeout: int = operational(18000)
    """Seconds that a rank waits for the others."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            refuse(isinstance(value, float) and not math.isfinite(value), f"training.{name}={value} must be a finite number")
        for name in (
            "model_max_length",
            "num_train_epochs",
            "per_device_train_batch_size",
            "per_device_eval_batch_size",
            "gradient_accumulation_steps",
            "learning_rate",
        ):
            refuse(getattr(self, name) <= 0, f"training.{name}={getattr(self, name)} must be above 0")
        for name in ("max_train_samples", "max_eval_samples"):
            value = getattr(self, name)
            refuse(value is not None and value < 1, f"training.{name}={value} must be at least 1")
        refuse(not 0 <= self.warmup_ratio < 1, f"training.warmup_ratio={self.warmup_ratio} must lie in [0, 1)")
        refuse(self.workers is not None and self.workers < 1, f"training.workers={self.workers} must be at least 1")
        refuse(
            self.max_steps < 1 and self.max_steps != -1,
            f"training.max_steps={self.max_steps} must be at least 1, or -1 to train for training.num_train_epochs",
        )
        self._refuse_misplanned()
        if self.faithful:
            refuse(
                self.batching is not Batching.padded,
                f"training.faithful=true pads as the original does, not training.batching={self.batching.value}; set "
                "training.batching=padded",
            )
            refuse(
                self.too_long is not TooLong.drop,
                f"training.faithful=true cuts long examples on the right, not by training.too_long={self.too_long.value}; leave that out",
            )
        refuse(
            self.share_prefixes and self.batching not in (Batching.padding_free, Batching.packed),
            f"training.share_prefixes=true has no meaning with training.batching={self.batching.value}; choose packed or padding_free",
        )
        refuse(self.warmup_steps is not None and self.warmup_steps < 0, f"training.warmup_steps={self.warmup_steps} must not be negative")
        for name in ("sample_generations", "weight_decay", "max_grad_norm", "adam_epsilon", "dataloader_num_workers"):
            refuse(getattr(self, name) < 0, f"training.{name}={getattr(self, name)} must not be negative")
        for name in ("adam_beta1", "adam_beta2"):
            refuse(not 0 <= getattr(self, name) < 1, f"training.{name}={getattr(self, name)} must lie in [0, 1)")
        for name in ("early_stopping_patience", "save_total_limit"):
            value = getattr(self, name)
            refuse(value is not None and value < 1, f"training.{name}={value} must be at least 1")
        refuse(
            self.neftune_noise_alpha is not None and self.neftune_noise_alpha <= 0,
            f"training.neftune_noise_alpha={self.neftune_noise_alpha} must be above 0; null adds no noise",
        )
        refuse(
            self.max_loss_spike is not None and self.max_loss_spike <= 1, f"training.max_loss_spike={self.max_loss_spike} must be above 1"
        )

    def _refuse_misplanned(self) -> None:
        """Refuse times of saving and evaluating that there are not, or of which the best checkpoint or an early end cannot come."""
        for name in ("save_strategy", "eval_strategy"):
            value = getattr(self, name)
            refuse(value not in STRATEGIES, f"training.{name}={value} is unknown; choose one of {', '.join(STRATEGIES)}")
        for name in ("save_steps", "eval_steps", "logging_steps"):
            value = getattr(self, name)
            refuse(value is not None and value <= 0, f"training.{name}={value} must be above 0")
        best, patience = self.load_best_model_at_end, self.early_stopping_patience
        asked = "training.load_best_model_at_end=true" if best else f"training.early_stopping_patience={patience}"
        refuse(
            (best or patience is not None) and self.eval_strategy == "no",
            f"{asked} needs evaluations: set training.eval_strategy=epoch or steps",
        )
        refuse(
            best and self.save_strategy != self.eval_strategy,
            f"{asked} keeps what is saved when it is evaluated: set training.save_strategy={self.eval_strategy}, "
            "as training.eval_strategy is",
        )
        every = self.eval_steps or self.logging_steps
        refuse(
            best and self.eval_strategy == "steps" and (self.save_steps / every) % 1 > 1e-9,
            f"{asked}: training.save_steps={self.save_steps:g} must be a multiple of training.eval_steps={every:g}",
        )


@dataclass
class Pretraining(Training):
    """`stage=pretrain`: continued pre-training on raw reports, with settings of its own under the same names."""

    def __post_init__(self) -> None:
        with settings_of("pretraining", written="training"):
            super().__post_init__()
        windows = "has no meaning with raw reports: one above pretraining.model_max_length is cut into windows, and none is lost"
        refuse(self.too_long is not TooLong.drop, f"pretraining.too_long={self.too_long.value} {windows}; leave it out")
        refuse(self.faithful, "pretraining.faithful=true has no meaning: the original Radiology-GPT does not pre-train; leave it out")


class OffloadDevice(Enum):
    """Where DeepSpeed keeps what it takes off the devices."""

    none = "none"
    cpu = "cpu"
    nvme = "nvme"


@dataclass
class OffloadOptimizer:
    """Optimizer states outside the devices' memory (ZeRO-Offload, arXiv 2101.06840); the step itself is then taken by the CPU."""

    device: OffloadDevice = OffloadDevice.none
    nvme_path: str | None = operational()
    """Folder on a local NVMe disk, for `device: nvme`."""
    pin_memory: bool = operational(True)
    buffer_count: int = operational(4)
    pipeline_read: bool = operational(False)
    pipeline_write: bool = operational(False)
    fast_init: bool = operational(False)
    ratio: float = 1.0
    """Share of the states that is offloaded, with stage 3."""


@dataclass
class OffloadParam:
    """Weights outside the devices' memory, with stage 3 (ZeRO-Infinity, arXiv 2104.07857)."""

    device: OffloadDevice = OffloadDevice.none
    nvme_path: str | None = operational()
    """As for the optimizer."""
    pin_memory: bool = operational(True)
    buffer_count: int = operational(5)
    buffer_size: int = operational(100_000_000)
    """Elements."""
    max_in_cpu: int = operational(1_000_000_000)
    """Elements kept in the host's memory with `device: nvme`."""


@dataclass
class Zero:
    """DeepSpeed's `zero_optimization` (ZeRO, arXiv 1910.02054); a null is left out, so that DeepSpeed's own default holds."""

    stage: int = 0
    """What is split over the processes: 0 nothing, 1 optimizer states, 2 gradients as well, 3 weights as well."""
    overlap_comm: bool | None = operational()
    contiguous_gradients: bool | None = operational()
    reduce_scatter: bool | None = operational()
    reduce_bucket_size: int | None = operational()
    """Elements; null: DeepSpeed's 5e8, with stage 3 the square of the model's hidden size."""
    allgather_partitions: bool | None = operational()
    allgather_bucket_size: int | None = operational()
    round_robin_gradients: bool | None = operational()
    sub_group_size: int | None = operational()
    stage3_max_live_parameters: int | None = operational()
    stage3_max_reuse_distance: int | None = operational()
    stage3_prefetch_bucket_size: int | None = operational()
    """Elements; null: 0.9 times the square of the model's hidden size."""
    stage3_param_persistence_threshold: int | None = operational()
    """Elements, below which a tensor stays whole on every device; null: ten times the model's hidden size."""
    stage3_module_granularity_threshold: int | None = operational()
    memory_efficient_linear: bool | None = operational()
    zero_hpz_partition_size: int | None = operational()
    """Processes that share a second copy of the weights (ZeRO++, arXiv 2306.10209)."""
    zero_quantized_weights: bool | None = None
    zero_quantized_nontrainable_weights: bool | None = None
    zero_quantized_gradients: bool | None = None
    offload_optimizer: OffloadOptimizer = field(default_factory=OffloadOptimizer)
    offload_param: OffloadParam = field(default_factory=OffloadParam)

    def __post_init__(self) -> None:
        path = "deepspeed.zero_optimization"
        refuse(self.stage not in (0, 1, 2, 3), f"{path}.stage={self.stage} must be 0, 1, 2 or 3")
        for name, least in {"offload_optimizer": 1, "offload_param": 3}.items():
            section = getattr(self, name)
            device, nvme = section.device.name, section.device is OffloadDevice.nvme
            refuse(
                section.device is not OffloadDevice.none and self.stage < (3 if nvme else least),
                f"{path}.{name}.device={device} needs {path}.stage={3 if nvme or least == 3 else '1, 2 or 3'}",
            )
            refuse(nvme and not section.nvme_path, f"{path}.{name}.device=nvme needs {path}.{name}.nvme_path, a folder on a local disk")
        refuse(
            not 0 <= self.offload_optimizer.ratio <= 1, f"{path}.offload_optimizer.ratio={self.offload_optimizer.ratio} must lie in [0, 1]"
        )
        refuse(
            self.offload_optimizer.ratio < 1 and self.stage != 3,
            f"{path}.offload_optimizer.ratio={self.offload_optimizer.ratio} needs {path}.stage=3",
        )


@dataclass
class DeepSpeed:
    """DeepSpeed's JSON, typed so that a misspelt key is refused; batch sizes, precision, clipping and optimizer come from `training`."""

    enabled: bool = False
    zero_optimization: Zero = field(default_factory=Zero)
    zero_allow_untested_optimizer: bool = True
    steps_per_print: int = operational(1_000_000)
    wall_clock_breakdown: bool = operational(False)


class Launcher(Enum):
    """One process; one for each device of each node; or the same inside a Slurm job that is submitted."""

    single = "single"
    torchrun = "torchrun"
    slurm = "slurm"


@dataclass
class Launch:
    """In how many processes, on how many nodes, a stage runs that can be distributed."""

    launcher: Launcher = Launcher.single
    processes: int | str | None = None
    """Processes on each node; null or `auto`: one for each GPU, at least one."""
    nodes: int = 1
    """Machines that share `outputs`; the same command is given on each (Slurm does so itself)."""
    node_rank: int | None = operational()
    """This machine's number, 0 for the one of `rendezvous`; null: it is found out."""
    rendezvous: str | None = operational()
    """HOST:PORT where the machines meet; HOST is the one that leads."""
    port: int = operational(0)
    """Port where the processes of a stage meet; 0 takes a free one."""

    def __post_init__(self) -> None:
        if self.processes == "auto":
            self.processes = None
        refuse(isinstance(self.processes, str), f"launch.processes={self.processes} must be a number, or auto")
        refuse(self.processes is not None and int(self.processes) < 1, f"launch.processes={self.processes} must be at least 1")
        alone = self.launcher is Launcher.single
        refuse(alone and int(self.processes or 1) > 1, f"launch.processes={self.processes} needs launch=torchrun")
        refuse(self.nodes < 1, f"launch.nodes={self.nodes} must be at least 1")
        refuse(alone and self.nodes > 1, f"launch.nodes={self.nodes} needs launch=torchrun or launch=slurm")
        refuse(
            self.launcher is Launcher.torchrun and self.nodes > 1 and self.rendezvous is None,
            f"launch.nodes={self.nodes} needs launch.rendezvous=HOST:PORT, the same on each node; HOST is the node that leads",
        )
        refuse(
            self.rendezvous is not None and not re.fullmatch(r"[\w.-]+:\d{1,5}", self.rendezvous),
            f"launch.rendezvous={self.rendezvous} must be HOST:PORT",
        )
        refuse(
            self.node_rank is not None and not 0 <= self.node_rank < self.nodes,
            f"launch.node_rank={self.node_rank} must lie between 0 and launch.nodes-1={self.nodes - 1}",
        )
        refuse(not 0 <= self.port < 65536, f"launch.port={self.port} must lie between 0 and 65535")


@dataclass
class Preflight:
    """The estimate that a training stage makes before it starts, and alone with `dry_run=true`."""

    gpu: str | None = operational()
    """GPU that a dry run plans for, such as `A100-80GB`; null: the device that is here, as for a run."""
    enabled: bool = operational(True)
    """Whether a run tells what it will take, and is refused before weights are loaded where it cannot fit."""


class WandbMode(Enum):
    """`auto`: online where a key is set up, else offline."""

    auto = "auto"
    online = "online"
    offline = "offline"
    disabled = "disabled"


@dataclass
class Wandb:
    """Weights & Biases."""

    mode: WandbMode = WandbMode.auto
    project: str = "radgpt"
    entity: str | None = None


EXPORT_DTYPES = ("float32", "bfloat16", "float16")
GGUF_TYPES = ("f32", "f16", "bf16", "q8_0", "auto")
"""As llama.cpp's converter names them; smaller types are made from these by llama.cpp's `llama-quantize`."""
SHARD_SIZE = re.compile(r"\d+(\.\d+)?(KB|MB|GB|TB)")


@dataclass
class Export:
    """`stage=export`."""

    dtype: str = "bfloat16"
    """Number format of the exported weights."""
    max_shard_size: str = "5GB"
    gguf: str | None = None
    """Type of a GGUF file to make as well (`f16`, `q8_0`, ...), by llama.cpp's converter where it is installed; null: none."""
    gguf_converter: str | None = operational()
    """llama.cpp's convert_hf_to_gguf.py; null: the one on PATH."""

    def __post_init__(self) -> None:
        refuse(self.dtype not in EXPORT_DTYPES, f"export.dtype={self.dtype} is none of {', '.join(EXPORT_DTYPES)}")
        refuse(
            not SHARD_SIZE.fullmatch(self.max_shard_size),
            f"export.max_shard_size={self.max_shard_size} is no size; give a number with its unit, such as 5GB or 500MB",
        )
        refuse(self.gguf is not None and self.gguf not in GGUF_TYPES, f"export.gguf={self.gguf} is none of {', '.join(GGUF_TYPES)}")
        refuse(
            self.gguf is None and self.gguf_converter is not None,
            "export.gguf_converter has no meaning without export.gguf; say which type to make, such as export.gguf=q8_0",
        )


@dataclass
class Decoding:
    """How replies are drawn, named as in transformers' GenerationConfig."""

    max_new_tokens: int = 1024
    do_sample: bool = True
    temperature: float = 0.75
    top_p: float = 0.9
    top_k: int = 100
    repetition_penalty: float = 1.2
    num_beams: int = 1

    def __post_init__(self) -> None:
        refuse(self.max_new_tokens < 1, f"decoding.max_new_tokens={self.max_new_tokens} must be at least 1")
        refuse(
            self.do_sample and self.temperature <= 0,
            f"decoding.temperature={self.temperature} must be above 0; for greedy decoding choose decoding=greedy",
        )
        refuse(not 0 < self.top_p <= 1, f"decoding.top_p={self.top_p} must lie in (0, 1]")


@dataclass
class Prediction:
    """What `stage=predict` answers."""

    split: str = "test"
    limit: int | None = None
    """Answer only the first so many pairs of the split."""
    batch_size: int = 8
    """Prompts decoded together."""

    def __post_init__(self) -> None:
        refuse(self.split not in ("train", "validation", "test"), f"prediction.split={self.split} must be train, validation or test")
        refuse(self.limit is not None and self.limit < 1, f"prediction.limit={self.limit} must be at least 1")
        refuse(self.batch_size < 1, f"prediction.batch_size={self.batch_size} must be at least 1")


@dataclass
class Evaluation:
    """How predictions are scored."""

    bootstrap_samples: int = 1000
    """Resamples of patients for each interval."""
    confidence: float = 0.95

    def __post_init__(self) -> None:
        refuse(self.bootstrap_samples < 100, f"evaluation.bootstrap_samples={self.bootstrap_samples} must be at least 100")
        refuse(not 0 < self.confidence < 1, f"evaluation.confidence={self.confidence} must lie in (0, 1)")


@dataclass
class Chat:
    """`stage=chat`."""

    message: str | None = None
    """Answer this once and exit; null opens a conversation."""
    report: str | None = None
    """File with the report to talk about; the literal `sample` takes one of the test split."""


@dataclass
class Review:
    """`stage=review`: a local page where a person judges answers beside their reports."""

    decisions: str | None = operational()
    """File that decisions are appended to; null: `decisions.jsonl` in the run's folder."""
    reviewer: str | None = operational()
    """Who decides, as each decision names them; null: the name that you are logged in with."""
    port: int = operational(0)
    """Port on 127.0.0.1; 0 takes a free one."""

    def __post_init__(self) -> None:
        refuse(not 0 <= self.port < 65536, f"review.port={self.port} must lie between 0 and 65535")


@dataclass
class Inputs:
    """Files to read instead of what an earlier stage made, by artifact name."""

    reports: str | None = None
    raw_instructions: str | None = None
    instructions: str | None = None
    raw_answers: str | None = None
    dataset: str | None = None
    pretrained: str | None = None
    checkpoint: str | None = None
    predictions: str | None = None


@dataclass
class Config:
    """The whole configuration."""

    name: str = "default"
    """The experiment: W&B group and folder under `outputs`."""
    stage: str = "pipeline"
    pipeline: list[str] = field(default_factory=list)
    """Stages that `stage=pipeline` runs, in order."""
    seed: int = 0
    outputs: str = "outputs"
    force: bool = False
    """Run a stage again although its outcome exists."""
    dry_run: bool = False
    """Tell what a stage would take, and do nothing: a teacher stage's calls, tokens and cost, a training stage's memory and steps."""
    objective: str | None = None
    """Headline metric that a sweeper optimises, such as `eval_loss`."""
    cache: str = "~/.cache/radgpt"
    """Folder for converted models."""
    inputs: Inputs = field(default_factory=Inputs)
    data: Data = field(default_factory=Data)
    governance: DataUse = field(default_factory=DataUse)
    export_reports: ExportReports = field(default_factory=ExportReports)
    prompt: Prompt = field(default_factory=Prompt)
    instructions: Instructions = field(default_factory=Instructions)
    dataset: Dataset = field(default_factory=Dataset)
    teacher: Teacher = field(default_factory=Teacher)
    model: Model = field(default_factory=Model)
    tuning: Tuning = field(default_factory=Tuning)
    training: Training = field(default_factory=Training)
    pretraining: Pretraining = field(default_factory=Pretraining)
    deepspeed: DeepSpeed = field(default_factory=DeepSpeed)
    launch: Launch = field(default_factory=Launch)
    preflight: Preflight = field(default_factory=Preflight)
    export: Export = field(default_factory=Export)
    wandb: Wandb = field(default_factory=Wandb)
    decoding: Decoding = field(default_factory=Decoding)
    prediction: Prediction = field(default_factory=Prediction)
    evaluation: Evaluation = field(default_factory=Evaluation)
    chat: Chat = field(default_factory=Chat)
    review: Review = field(default_factory=Review)

    def __post_init__(self) -> None:
        refuse(not 0 <= self.seed < 2**32, f"seed={self.seed} must lie between 0 and 2**32 - 1")


def as_mapping(section: Any) -> dict[str, Any]:
    """A section as plain values: sections inside it as dictionaries, enums by name."""
    return {
        name: as_mapping(value) if is_dataclass(value) else value.name if isinstance(value, Enum) else value
        for name, value in vars(section).items()
    }
