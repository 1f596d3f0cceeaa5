"""Who answers, how answers are drawn, and the ways to ask: a file, the terminal, the web page, the API."""

from dataclasses import dataclass
from enum import Enum

from radgpt.config.markers import external_input, operational, refuse
from radgpt.config.model import Quantization
from radgpt.config.teacher import Provider, Service
from radgpt.errors import settings_of


@dataclass
class Decoding:
    """How replies are drawn, named as in transformers' GenerationConfig."""

    max_new_tokens: int = 1024
    do_sample: bool = True
    temperature: float = 0.75
    top_p: float = 0.9
    top_k: int = 100
    """Draw among so many of the likeliest tokens; 0: among all."""
    repetition_penalty: float = 1.2
    num_beams: int = 1

    def __post_init__(self) -> None:
        refuse(self.max_new_tokens < 1, f"decoding.max_new_tokens={self.max_new_tokens} must be at least 1")
        refuse(
            self.do_sample and self.temperature <= 0,
            f"decoding.temperature={self.temperature} must be above 0; for greedy decoding choose decoding=greedy",
        )
        refuse(not 0 < self.top_p <= 1, f"decoding.top_p={self.top_p} must lie in (0, 1]")
        refuse(self.top_k < 0, f"decoding.top_k={self.top_k} must be at least 0")
        refuse(self.repetition_penalty <= 0, f"decoding.repetition_penalty={self.repetition_penalty} must be above 0")
        refuse(self.num_beams < 1, f"decoding.num_beams={self.num_beams} must be at least 1")


@dataclass
class Backend(Service):
    """Who answers questions: the model of this configuration, in this process, or one behind an OpenAI-compatible endpoint."""

    provider: Provider = Provider.transformers
    model: str = "none"
    """The model's name as its server knows it; with `transformers`, section `model` says which."""
    quantization: Quantization = Quantization.none
    """Hold the base in 8 or 4 bits though it was not trained so; an adapter that was trained over a quantised base has that anyway."""
    kept_conversations: int = operational(4)
    """Conversations whose keys and values stay in memory, so that their next turn is not read from its beginning."""

    def __post_init__(self) -> None:
        refuse(
            self.provider in (Provider.none, Provider.rules),
            f"backend.provider={self.provider.value} answers nothing; choose transformers, local, openai, azure, bedrock or vertex",
        )
        with settings_of("backend", written="teacher"):
            if not self.in_process:
                super().__post_init__()
        refuse(
            not self.in_process and self.quantization is not Quantization.none,
            f"backend.quantization={self.quantization.name} has no meaning with backend={self.provider.value}; leave it out",
        )
        refuse(
            not self.in_process and self.model == "none",
            f"backend={self.provider.value} needs backend.model, the model's name as its server knows it",
        )
        refuse(self.kept_conversations < 0, f"backend.kept_conversations={self.kept_conversations} must be at least 0")

    @property
    def section(self) -> str:
        """See `Service`."""
        return "backend"

    @property
    def in_process(self) -> bool:
        """Whether the model is loaded here."""
        return self.provider is Provider.transformers


@dataclass
class Prediction:
    """What `stage=predict` answers."""

    split: str = "test"
    file: str | None = external_input()
    """Answer the rows of this file (JSONL or CSV) instead of a split's; each has `messages`, or `question` and perhaps `report`."""
    limit: int | None = None
    """Answer only the first so many."""
    batch_size: int = operational(16)
    """Prompts decoded together; in float32 the answers do not depend on it."""
    score_references: bool = True
    """Measure how likely the model finds the reference answers (perplexity); models behind an endpoint do not tell."""

    def __post_init__(self) -> None:
        refuse(self.split not in ("train", "validation", "test"), f"prediction.split={self.split} must be train, validation or test")
        refuse(
            self.limit is not None and not 1 <= self.limit < 2**63,
            f"prediction.limit={self.limit} must be at least 1 and below 2**63; null answers all",
        )
        refuse(self.batch_size < 1, f"prediction.batch_size={self.batch_size} must be at least 1")

    @property
    def of_dataset(self) -> bool:
        """Whether a split of the dataset is answered."""
        return self.file is None


SAMPLE = "sample"
"""`chat.report` for a report of the test split."""


@dataclass
class Chat:
    """`stage=chat` and the conversations of `stage=serve`."""

    message: str | None = None
    """Answer this once and exit; null opens a conversation."""
    report: str | None = None
    """File with the report to talk about; the literal `sample` takes one of the test split."""
    system: str | None = None
    """System prompt; null: `prompt.chat.system`, as in training."""

    @property
    def wants_sample(self) -> bool:
        """Whether a report of the test split is looked for."""
        return self.report == SAMPLE


class ApiEngine(Enum):
    """Which existing server `serve.api=true` starts on the exported model."""

    transformers = "transformers"
    vllm = "vllm"


@dataclass
class Serve:
    """`stage=serve`: a web page on 127.0.0.1, or (`api: true`) an OpenAI-compatible server on the exported model."""

    port: int = 7860
    """On 127.0.0.1; 0 takes a free one."""
    user: str | None = None
    """Who may open the page, with the password of `password_env`; null: whoever can reach the port."""
    password_env: str = "RADGPT_PASSWORD"
    """Name of the environment variable that holds the password."""
    api: bool = False
    api_engine: ApiEngine = ApiEngine.transformers
    api_port: int = 8000
    start_timeout: float = 600.0
    """Seconds that the API's server may take until it answers."""

    def __post_init__(self) -> None:
        for name in ("port", "api_port"):
            refuse(not 0 <= getattr(self, name) < 65536, f"serve.{name}={getattr(self, name)} must lie between 0 and 65535")
        refuse(self.start_timeout <= 0, f"serve.start_timeout={self.start_timeout} must be above 0")
