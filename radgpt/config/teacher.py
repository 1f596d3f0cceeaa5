"""Chat models that are asked over HTTP: the teacher and the judge, their limits and their budgets."""

import re
from dataclasses import dataclass
from enum import Enum

from radgpt.config.markers import external_input, operational, refuse
from radgpt.errors import settings_of


class Provider(Enum):
    """Who is asked: nobody; the embedded teacher; a model in this process; or an OpenAI-compatible endpoint."""

    none = "none"
    rules = "rules"
    transformers = "transformers"
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
class Service:
    """A chat model and how it is reached. Messages name its settings as the teacher's: `settings_of` renames them for others."""

    provider: Provider = Provider.rules
    model: str = "rules"
    """The model's name as its server knows it."""
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
        for name in ("max_requests_per_minute", "max_tokens_per_minute", "max_in_flight", "max_attempts", "timeout"):
            refuse(not getattr(self, name) > 0, f"teacher.{name}={getattr(self, name)} must be above 0")

    @property
    def section(self) -> str:
        """The section of the configuration that it is, for what the user is told."""
        return "teacher"

    @property
    def is_asked(self) -> bool:
        """Whether anything is asked through it; a judge may be `none`, and a backend a model in this process."""
        return self.provider not in (Provider.none, Provider.transformers)

    @property
    def is_endpoint(self) -> bool:
        """Whether it is asked over HTTP."""
        return self.is_asked and self.provider is not Provider.rules


@dataclass
class Teacher(Service):
    """The teacher that writes instructions and answers."""

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 512
    """Longest reply, in tokens."""

    def __post_init__(self) -> None:
        super().__post_init__()
        refuse(
            self.provider in (Provider.none, Provider.transformers),
            f"teacher.provider={self.provider.value} is no teacher; choose rules, local, openai, azure, bedrock or vertex",
        )
        refuse(not 0 <= self.temperature <= 2, f"teacher.temperature={self.temperature} must lie in [0, 2]")
        refuse(not 0 < self.top_p <= 1, f"teacher.top_p={self.top_p} must lie in (0, 1]")
        refuse(not self.max_tokens > 0, f"teacher.max_tokens={self.max_tokens} must be above 0")
        refuse(
            self.max_tokens > self.max_tokens_per_minute,
            f"teacher.max_tokens={self.max_tokens} must not exceed teacher.max_tokens_per_minute={self.max_tokens_per_minute}",
        )


class Grading(Enum):
    """What a judge is shown: one answer; all models' answers to a question at once, as the original Radiology-GPT does; or two of them."""

    single = "single"
    together = "together"
    pairwise = "pairwise"


RUBRICS = ("original", "asclepius")
"""Rubrics that we ship: accuracy, conciseness and understandability, each 1 to 4, as the original Radiology-GPT has GPT-4 grade; one score,
1 to 4, as Asclepius has it."""


@dataclass
class Judge(Teacher):
    """A language model that grades answers, with settings of its own under a teacher's names; `provider: none`: no judge."""

    provider: Provider = Provider.none
    model: str = "none"
    temperature: float = 0.0
    grading: Grading = Grading.single
    """`together` and `pairwise` are for `stage=compare`."""
    rubric: str = external_input(lambda: "original", names=RUBRICS)
    """One of RUBRICS, or a YAML file like those of radgpt/evaluation/judge/rubrics."""
    both_orders: bool = True
    """Where several answers are shown: ask with their order and with its reverse."""
    repeats: int = 1
    """Times that each question is put to the judge."""
    limit: int | None = None
    """Judge only so many questions, drawn by seed; null: all."""

    def __post_init__(self) -> None:
        with settings_of("judge", written="teacher"):
            if self.provider is not Provider.none:
                super().__post_init__()
        refuse(self.provider is Provider.rules, "judge=rules: the embedded teacher grades nothing; choose none, local, openai, ...")
        refuse(self.repeats < 1, f"judge.repeats={self.repeats} must be at least 1")
        refuse(self.limit is not None and self.limit < 1, f"judge.limit={self.limit} must be at least 1")

    @property
    def section(self) -> str:
        """See `Service`."""
        return "judge"
