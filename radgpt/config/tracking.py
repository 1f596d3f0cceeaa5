"""Where runs are logged."""

from dataclasses import dataclass
from enum import Enum


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
    text: bool = False
    """Let tables of questions and answers go there, as `stage=compare` makes them; refused for credentialed runs."""
