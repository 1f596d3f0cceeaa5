"""Examples in one row do not see each other, and a model that would let them is refused."""

import sys
from types import SimpleNamespace

import pytest
import torch

from radgpt.config import Batching, Model, Training
from radgpt.errors import UserError
from radgpt.training.data.collation import Flat
from radgpt.training.tuning import attention
from radgpt.training.tuning.attention import NAME, band, by_kernel, segment_by_segment, segments_apart, use_segment_attention, varlen_kernel

SIZES = (13, 5, 29, 1, 18)
WINDOW = 8
SMALL = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
}


def make(kind, **settings):
    """A random model of an architecture, with weights large enough that what a token sees shows in its scores."""
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**(SMALL | settings))
    network = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    with torch.no_grad():
        for weights in network.parameters():
            if weights.dim() == 2:
                weights.mul_(4)
    return network


def llama():
    return make("Llama")


def mistral():
    return make("Mistral", sliding_window=WINDOW)


def gemma3():
    layers = ["sliding_attention", "sliding_attention", "full_attention"]
    return make("Gemma3Text", sliding_window=WINDOW, layer_types=layers, query_pre_attn_scalar=8)


def gemma3_with_vision():
    import transformers

    layers = ["sliding_attention", "full_attention"]
    text = SMALL | {"num_hidden_layers": 2, "sliding_window": WINDOW, "layer_types": layers, "query_pre_attn_scalar": 8}
    vision = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 8,
    }
    torch.manual_seed(0)
    config = transformers.Gemma3Config(text_config=text, vision_config=vision, image_token_index=90, mm_tokens_per_image=4)
    return transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


def gpt2():
    return make("GPT2", n_embd=32, n_layer=2, n_head=4, n_positions=256, attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0)


def architectures():
    return pytest.mark.parametrize("build", [llama, mistral, gemma3, gemma3_with_vision, gpt2], ids=lambda build: build.__name__)


def examples(seed=0, sizes=SIZES):
    source = torch.Generator().manual_seed(seed)
    return [{"input_ids": torch.randint(3, 96, (size,), generator=source).tolist(), "mask": [1] * size} for size in sizes]


def flat_logits(network, rows):
    """(tokens, vocabulary) scores of a flat row."""
    batch = Flat(0)(rows)
    del batch["labels"]
    with torch.no_grad(), segments_apart():
        return network(**batch, use_cache=False).logits[0]


def ready(network, batching=Batching.padding_free, asked=None):
    use_segment_attention(network, Training(batching=batching), Model(attn_implementation=asked))
    return network


@architectures()
def test_scores_are_those_of_each_example_alone(build):
    plain, network = build(), ready(build())
    with torch.no_grad():
        alone = [plain(torch.tensor([row["input_ids"]])).logits[0] for row in examples()]
    torch.testing.assert_close(flat_logits(network, examples()), torch.cat(alone), rtol=1e-4, atol=1e-4)


@architectures()
def test_another_example_in_the_row_changes_nothing(build):
    network = ready(build())
    rows, others = examples(), examples(seed=1)
    before = flat_logits(network, rows)
    # All but the third example are exchanged.
    after = flat_logits(network, [*others[:2], rows[2], *others[3:]])
    start, end = sum(SIZES[:2]), sum(SIZES[:3])
    assert torch.equal(before[start:end], after[start:end])
    assert not torch.equal(before[:start], after[:start])


def test_a_window_shorter_than_an_example_is_kept():
    network = ready(mistral())
    rows, others = examples(), examples(seed=1)
    third = {"input_ids": others[2]["input_ids"][:1] + rows[2]["input_ids"][1:], "mask": rows[2]["mask"]}
    start, end = sum(SIZES[:2]), sum(SIZES[:3])
    before, after = flat_logits(network, rows)[start:end], flat_logits(network, [*rows[:2], third, *rows[3:]])[start:end]
    # Through three layers a token reaches 3 x 7 tokens back.
    assert not torch.equal(before[:21], after[:21])
    assert torch.equal(before[22:], after[22:])


def test_a_token_sees_itself_and_so_many_before_it():
    assert band(4, 4, 2, torch.device("cpu")).int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]


@pytest.mark.parametrize("build", [llama, gemma3], ids=lambda build: build.__name__)
def test_scores_in_bfloat16_are_those_of_each_example_alone(build):
    plain, network = build().bfloat16(), ready(build().bfloat16())
    with torch.no_grad():
        alone = torch.cat([plain(torch.tensor([row["input_ids"]])).logits[0] for row in examples()])
    difference = (flat_logits(network, examples()) - alone).float().norm() / alone.float().norm()
    assert difference < 0.02


@pytest.mark.parametrize("build", [llama, gemma3], ids=lambda build: build.__name__)
def test_scores_under_autocast_are_those_of_each_example_alone(build):
    plain, network = build(), ready(build())
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        alone = torch.cat([plain(torch.tensor([row["input_ids"]])).logits[0] for row in examples()])
        together = flat_logits(network, examples())
    assert (together - alone).float().norm() / alone.float().norm() < 0.02


@architectures()
def test_generation_of_padded_prompts_is_that_of_the_plain_model(build):
    def answer(network):
        ids = torch.tensor([[0, 0, 0, *examples()[0]["input_ids"]], examples()[2]["input_ids"][:16]])
        mask = torch.tensor([[0] * 3 + [1] * 13, [1] * 16])
        return network.generate(ids, attention_mask=mask, max_new_tokens=12, do_sample=False, pad_token_id=0, eos_token_id=None).tolist()

    network = ready(build())
    flat_logits(network, examples())
    assert answer(network) == answer(build())


@architectures()
def test_a_padded_batch_is_scored_as_by_the_plain_model(build):
    ids, mask = torch.randint(3, 96, (2, 20), generator=torch.Generator().manual_seed(0)), torch.ones(2, 20, dtype=torch.long)
    mask[1, 11:] = 0
    with torch.no_grad():
        plain, ours = (network(ids, attention_mask=mask).logits for network in (build(), ready(build())))
    torch.testing.assert_close(ours[mask == 1], plain[mask == 1], rtol=1e-5, atol=1e-5)


def test_a_saved_model_does_not_name_the_attention(tmp_path):
    network = ready(llama())
    network.save_pretrained(tmp_path)
    assert NAME not in (tmp_path / "config.json").read_text()


def test_dropout_is_passed_on():
    q = k = v = torch.randn(1, 2, 6, 8)
    torch.manual_seed(0)
    dropped = segment_by_segment(q, k, v, [4, 2], [4, 2], 0.5, None, None)
    assert not torch.equal(dropped, segment_by_segment(q, k, v, [4, 2], [4, 2], 0.0, None, None))


@pytest.mark.parametrize("batching", [Batching.padded, Batching.grouped], ids=lambda mode: mode.value)
def test_padded_modes_leave_the_model_as_it_is(batching):
    network = llama()
    before = network.config._attn_implementation
    assert ready(network, batching, "eager").config._attn_implementation == before


@pytest.mark.parametrize("asked", ["eager", "flex_attention"])
def test_an_attention_with_a_mask_of_all_by_all_is_refused(asked):
    with pytest.raises(UserError, match=rf"model\.attn_implementation={asked} .* training\.batching=grouped"):
        ready(llama(), asked=asked)


def test_flash_attention_that_was_asked_for_is_kept():
    network = llama()
    assert ready(network, asked="flash_attention_2").config._attn_implementation != NAME


@pytest.mark.parametrize(
    ("kind", "settings", "reason"),
    [
        ("Mamba", {"state_size": 4}, "linear_attention"),
        ("Lfm2", {"layer_types": ["conv", "full_attention", "conv"]}, "layers of conv"),
        ("Llama4Text", {"num_local_experts": 2}, "chunked_attention"),
        ("Gemma2", {}, "cannot be told where examples begin"),
        ("Bloom", {"n_head": 4}, "cannot be told where examples begin"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_models_that_mix_tokens_otherwise_are_refused(kind, settings, reason):
    with pytest.raises(UserError, match=rf"training\.batching=packed: .*{reason}.* choose training\.batching=grouped"):
        ready(make(kind, **settings), Batching.packed)


def test_a_model_that_keeps_the_bounds_to_itself_is_refused_when_it_runs():
    network = make("Nemotron")
    with pytest.raises(UserError, match=r"does not hand its attention where examples begin.*training\.batching=grouped"):
        flat_logits(ready(network), examples())


def test_a_model_that_tells_its_window_to_the_mask_alone_is_refused_when_it_runs():
    network = make("Phimoe", sliding_window=WINDOW, num_local_experts=2)
    with pytest.raises(UserError, match=r"sliding window to the mask alone.*training\.batching=grouped"):
        flat_logits(ready(network), examples())


def on_gpu(dtype, head=64, value=None, capability=(8, 0), monkeypatch=None):
    """What `varlen_kernel` looks at of tensors on a GPU."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)

    def tensor(size):
        return SimpleNamespace(device=torch.device("cuda"), dtype=dtype, shape=(1, 4, 10, size))

    return tensor(head), tensor(value or head)


@pytest.mark.parametrize(
    ("flash", "settings", "dropout", "kernel"),
    [
        (True, {"dtype": torch.bfloat16}, 0.0, "flash_attn"),
        (True, {"dtype": torch.float16}, 0.1, "flash_attn"),
        (False, {"dtype": torch.bfloat16}, 0.0, "torch"),
        (False, {"dtype": torch.bfloat16}, 0.1, None),
        (True, {"dtype": torch.float32}, 0.0, None),
        (True, {"dtype": torch.bfloat16, "head": 512}, 0.0, None),
        (True, {"dtype": torch.bfloat16, "value": 32}, 0.0, None),
        (True, {"dtype": torch.bfloat16, "capability": (7, 5)}, 0.0, None),
    ],
)
def test_the_kernel_follows_the_device(monkeypatch, flash, settings, dropout, kernel):
    monkeypatch.setattr(attention, "installed", lambda module: flash or module != "flash_attn")
    query, value = on_gpu(**settings, monkeypatch=monkeypatch)
    assert varlen_kernel(query, value, dropout) == kernel


def test_there_is_no_kernel_on_the_cpu():
    query = torch.zeros(1, 4, 10, 64, dtype=torch.bfloat16)
    assert varlen_kernel(query, query, 0.0) is None


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("kernel", ["flash_attn", "torch"])
def test_kernels_are_called_as_the_slow_way_computes(monkeypatch, kernel, window):
    """A stand-in with the kernels' conventions: (tokens, heads, head size), windows that count the tokens before and after."""
    calls = []

    def stand_in(q, k, v, bounds_q, bounds_k, longest_q, longest_k, **settings):
        calls.append(settings)
        before = settings["window_size"][0]
        distance = torch.arange(len(q))[:, None] - torch.arange(len(q))[None]
        segment = torch.bucketize(torch.arange(len(q)), bounds_q[1:], right=True)
        seen = (distance >= 0) & (segment[:, None] == segment[None]) & ((distance <= before) | (before < 0))
        k, v = (tensor.repeat_interleave(q.shape[1] // k.shape[1], 1) for tensor in (k, v))
        scores = torch.einsum("qhd,khd->hqk", q, k) * settings.get("scale", settings.get("softmax_scale"))
        return torch.einsum("hqk,khd->qhd", scores.masked_fill(~seen, -torch.inf).softmax(-1), v)

    monkeypatch.setitem(sys.modules, "flash_attn", SimpleNamespace(flash_attn_varlen_func=stand_in))
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", stand_in)
    torch.manual_seed(0)
    q, k, v = torch.randn(1, 4, 12, 8), torch.randn(1, 2, 12, 8), torch.randn(1, 2, 12, 8)
    bounds = torch.tensor([0, 7, 12], dtype=torch.int32)
    fast = by_kernel(kernel, q, k, v, (bounds, bounds), (7, 7), 0.0, 0.3, window)
    torch.testing.assert_close(fast, segment_by_segment(q, k, v, [7, 5], [7, 5], 0.0, 0.3, window), rtol=1e-5, atol=1e-5)
    if kernel == "torch":
        assert calls == [{"scale": 0.3, "window_size": (-1 if window is None else 2, 0), "enable_gqa": True}]
    else:
        # `causal` closes the window to the right.
        assert calls[0]["causal"] is True
