"""Small tokenizers and chat templates with the habits of well-known model families, for tests of what is learned."""

from functools import cache

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

TALK = [
    {"role": "system", "content": "Answer from the report."},
    {"role": "user", "content": "Heart is enlarged.\n\nHow is the heart?"},
    {"role": "assistant", "content": " It is enlarged. "},
    {"role": "user", "content": "And the lungs?"},
    {"role": "assistant", "content": "The report does not say.\n\nAsk for a film."},
]
ANSWERS = ["It is enlarged.", "The report does not say.\n\nAsk for a film."]

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# A conversation without a system prompt gets one.
QWEN2 = "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}{% endif %}" + CHATML
# The last answer gets an empty block of thoughts, earlier ones lose theirs, and a prompt has one only on demand.
QWEN3 = (
    "{% set ns = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}"
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
    "{% if m.role == 'assistant' and loop.index0 > ns.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    "{{ m.content.split('</think>')[-1] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}"
)
# The answer has a space on either side, every question opens the text anew, and the system prompt stands inside the first one.
LLAMA2 = (
    "{% set system = messages[0].content if messages[0].role == 'system' else '' %}"
    "{% for m in messages %}{% if m.role == 'user' %}"
    "{{ bos_token + '[INST] ' + ('<<SYS>>\n' + system + '\n<</SYS>>\n\n' if system and loop.index0 == 1 else '') }}"
    "{{ m.content + ' [/INST]' }}"
    "{% elif m.role == 'assistant' %}{{ ' ' + m.content + ' ' + eos_token }}{% endif %}{% endfor %}"
)
# Every conversation has a system turn, with a date in it; content is trimmed.
LLAMA3 = (
    "{{ bos_token }}{% set date = date_string if date_string is defined else strftime_now('%d %b %Y') %}"
    "{{ '<|start_header_id|>system<|end_header_id|>\n\nToday Date: ' + date + '\n\n' }}"
    "{% if messages[0].role == 'system' %}{{ messages[0].content | trim }}{% set messages = messages[1:] %}{% endif %}{{ '<|eot_id|>' }}"
    "{% for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
# The system prompt moves along, into the last question.
MISTRAL = (
    "{{ bos_token }}{% set system = messages[0].content if messages[0].role == 'system' else '' %}"
    "{% for m in messages if m.role != 'system' %}{% if m.role == 'user' %}"
    "{{ '[INST] ' + (system + '\n\n' if system and loop.last else '') + m.content + '[/INST]' }}"
    "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
)
# The end of text stands behind the last turn, unless an answer is asked for.
PHI3 = (
    "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
# Turns must alternate, the assistant is called model, and the system prompt opens the first question.
GEMMA3 = (
    "{{ bos_token }}{% set opening = '' %}"
    "{% if messages[0].role == 'system' %}{% set opening = messages[0].content + '\n\n' %}{% set messages = messages[1:] %}{% endif %}"
    "{% for m in messages %}"
    "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns must alternate') }}{% endif %}"
    "{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' + (opening if loop.first else '') }}"
    "{{ m.content | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
# No system turn at all.
GEMMA2 = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + GEMMA3

SPECIAL = {
    "gpt": ("<s>", "</s>", []),
    "qwen": (None, "<|endoftext|>", ["<|im_start|>", "<|im_end|>"]),
    "llama2": ("<s>", "</s>", []),
    "llama3": ("<|begin_of_text|>", "<|end_of_text|>", ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]),
    "mistral": ("<s>", "</s>", ["[INST]", "[/INST]"]),
    "phi": (None, "<|endoftext|>", ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]),
    "gemma": ("<bos>", "<eos>", ["<start_of_turn>", "<end_of_turn>"]),
}
"""Family to its tokens for the beginning and the end of a text, and further special ones."""

FAMILIES = {
    "chatml": ("qwen", CHATML, "", "<|im_end|>"),
    "qwen2": ("qwen", QWEN2, "", "<|im_end|>"),
    "qwen3": ("qwen", QWEN3, "", "<|im_end|>"),
    "llama2": ("llama2", LLAMA2, " ", " </s>"),
    "llama3": ("llama3", LLAMA3, "", "<|eot_id|>"),
    "mistral": ("mistral", MISTRAL, " ", "</s>"),
    "phi3": ("phi", PHI3, "", "<|end|>"),
    "gemma2": ("gemma", GEMMA2, "", "<end_of_turn>"),
    "gemma3": ("gemma", GEMMA3, "", "<end_of_turn>"),
}
"""Template to its tokenizer's family, its text, and what stands before and after the learned text of an answer."""

_WORDS = r"'s|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


@cache
def tokenizer_of(family: str) -> PreTrainedTokenizerFast:
    """A family's way to cut text, with merges learned from TALK. Padding is the end of text, as where a base has no padding token."""
    bos, eos, further = SPECIAL[family]
    bpe = Tokenizer(models.BPE(byte_fallback=family in ("llama2", "mistral", "gemma")))
    alphabet = []
    if family in ("llama2", "mistral"):
        bpe.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        bpe.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    elif family == "gemma":
        bpe.normalizer = normalizers.Replace(" ", "▁")
        bpe.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    else:
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        split = [pre_tokenizers.Split(Regex(_WORDS), "isolated")] if family != "gpt" else []
        bpe.pre_tokenizer = pre_tokenizers.Sequence([*split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=family == "gpt")])
        bpe.decoder = decoders.ByteLevel()
    named = [token for token in (bos, eos, *further) if token]
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=named, initial_alphabet=alphabet, show_progress=False)
    printable = "".join(map(chr, range(32, 127))) + "\n"
    bpe.train_from_iterator([message["content"] for message in TALK] * 3 + list(printable), trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token=bos, eos_token=eos, additional_special_tokens=further)
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.name_or_path = family
    return tokenizer


def with_template(family: str, template: str) -> PreTrainedTokenizerFast:
    """A copy of a family's tokenizer, with a chat template."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer_of(family).backend_tokenizer, **tokenizer_of(family).init_kwargs)
    for name in ("bos_token", "eos_token", "pad_token", "name_or_path"):
        setattr(tokenizer, name, getattr(tokenizer_of(family), name))
    tokenizer.chat_template = template
    return tokenizer
