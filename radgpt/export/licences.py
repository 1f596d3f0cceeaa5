"""What the licences of known base models ask of whoever passes on a model that was made from one.

The licences themselves decide; a card that names the wrong duty helps nobody, so that what is not known here is said to be unknown.
"""

import re
from dataclasses import dataclass

from radgpt.config import Model, ModelSource


@dataclass(frozen=True)
class Licence:
    """The licence of a base model."""

    hub_id: str
    """As the Hugging Face hub names it in a card's front matter; `other` for those that it does not know."""
    name: str
    link: str
    asks: str
    """What it asks of whoever passes on a derived model, in a sentence or two."""


APACHE = Licence(
    "apache-2.0",
    "Apache License 2.0",
    "https://www.apache.org/licenses/LICENSE-2.0",
    "Pass on a copy of the licence and the base's notices, and say that the weights were changed.",
)
MIT = Licence("mit", "MIT License", "https://opensource.org/license/mit", "Pass on the base's copyright notice and the licence's text.")
GEMMA = Licence(
    "gemma",
    "Gemma Terms of Use",
    "https://ai.google.dev/gemma/terms",
    "Pass on a copy of the terms with their use restrictions, say that the files were changed, and add the notice “Gemma is provided "
    "under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms”.",
)
MEDGEMMA = Licence(
    "other",
    "Health AI Developer Foundations terms of use",
    "https://developers.google.com/health-ai-developer-foundations/terms",
    "Pass on a copy of the terms with their use restrictions, and say that the files were changed.",
)
QWEN = Licence(
    "other",
    "Qwen licence of that size",
    "https://huggingface.co/Qwen",
    "It is not Apache 2.0: read it at the base's page before you pass it on.",
)
LLAMA_2 = Licence(
    "llama2",
    "Llama 2 Community License",
    "https://ai.meta.com/llama/license/",
    "Pass on a copy of the licence, and a notice file with “Llama 2 is licensed under the LLAMA 2 Community License, Copyright © Meta "
    "Platforms, Inc. All Rights Reserved.” Meta's acceptable use policy holds; outputs may not improve other language models.",
)


def llama_3(version: str) -> Licence:
    """The community licence of Llama 3, 3.1, 3.2 or 3.3."""
    shown = "Built with Meta Llama 3" if version == "3" else "Built with Llama"
    begins = "Llama 3" if version == "3" else "Llama"
    owner = "Meta Llama 3" if version == "3" else f"Llama {version}"
    return Licence(
        f"llama{version}",
        f"Llama {version} Community License",
        f"https://www.llama.com/llama{version.replace('.', '_')}/license/",
        f"Show “{shown}” prominently, begin the model's name with “{begins}”, pass on a copy of the licence, and a notice file with "
        f"“{owner} is licensed under the {owner} Community License, Copyright © Meta Platforms, Inc. All Rights Reserved.” "
        "Meta's acceptable use policy holds.",
    )


FAMILIES: tuple[tuple[str, str, Licence], ...] = (
    ("meta-llama", r"Llama-2-", LLAMA_2),
    ("meta-llama", r"Meta-Llama-3-", llama_3("3")),
    ("meta-llama", r"(Meta-)?Llama-3\.1-", llama_3("3.1")),
    ("meta-llama", r"Llama-3\.2-", llama_3("3.2")),
    ("meta-llama", r"Llama-3\.3-", llama_3("3.3")),
    ("Qwen", r"Qwen2\.5-(3|72)B", QWEN),
    ("Qwen", r"Qwen2\.5-(0\.5|1\.5|7|14|32)B", APACHE),
    ("Qwen", r"Qwen3-", APACHE),
    ("mistralai", r"(Mistral-7B|Mixtral-8x(7|22)B|Mistral-Nemo)-", APACHE),
    ("HuggingFaceTB", r"SmolLM[23]?-", APACHE),
    ("microsoft", r"(?i)phi-([34]|3\.5)-", MIT),
    ("google", r"gemma-[123]n?-", GEMMA),
    ("google", r"gemma-4-", APACHE),
    ("google", r"medgemma-", MEDGEMMA),
)
"""Owner on the Hugging Face hub, how the names of its models begin, and their licence, as of November 2026."""


def licence_of(model: Model) -> Licence | None:
    """The licence of a base model by its name, that of a local folder included; None where it is not known."""
    if model.source is ModelSource.tiny:
        return None
    owner, _, name = hub_name(model).rpartition("/")
    return next((licence for of, begins, licence in FAMILIES if owner in (of, "") and re.match(begins, name)), None)


def hub_name(model: Model) -> str:
    """`owner/name` of a model of the hub; of a local folder its own name alone, which says nothing of this machine."""
    parts = model.name_or_path.rstrip("/").split("/")
    local = model.name_or_path.startswith(("/", ".", "~")) or len(parts) > 2
    return parts[-1] if local else model.name_or_path
