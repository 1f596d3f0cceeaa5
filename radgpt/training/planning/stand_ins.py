"""Stand-ins for a device and its kernels: tensors and layers that take the memory of real ones and compute nothing."""

import weakref
from typing import TYPE_CHECKING, Any

from radgpt.config import Quantization

if TYPE_CHECKING:
    import torch


class LiveBytes:
    """Counts the bytes of the tensors that come to be inside the block and are still there, by phase."""

    def __init__(self, known: "list[Any]", phase: str) -> None:
        """`known`: tensors from before, which do not count; `phase`: the first."""
        from torch.utils import _python_dispatch

        self.live = 0
        self.phase = phase
        self.peak: dict[str, int] = {}
        self.on_entry: dict[str, int] = {}
        self._seen = {tensor.untyped_storage()._cdata for tensor in known}
        count = self._count

        dispatch: Any = _python_dispatch

        class Mode(dispatch.TorchDispatchMode):  # type: ignore[misc]
            def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
                return count(function(*arguments, **(named or {})))

        self._mode: Any = Mode()

    def __enter__(self) -> "LiveBytes":
        self._mode.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._mode.__exit__(*error)

    def enter(self, phase: str) -> None:
        """Begin a phase."""
        self.phase = phase
        self.on_entry.setdefault(phase, self.live)
        self.peak[phase] = max(self.peak.get(phase, 0), self.live)

    def _count(self, result: Any) -> Any:
        import torch
        from torch.utils._pytree import tree_leaves

        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                place, size = storage._cdata, storage.nbytes()
                if place not in self._seen:
                    self._seen.add(place)
                    self.live += size
                    weakref.finalize(storage, self._forget, place, size)
        self.peak[self.phase] = max(self.peak.get(self.phase, 0), self.live)
        return result

    def _forget(self, place: int, size: int) -> None:
        self._seen.discard(place)
        self.live -= size


def fused_attention(
    module: Any, query: "torch.Tensor", key: "torch.Tensor", value: "torch.Tensor", attention_mask: Any = None, **settings: Any
) -> "tuple[torch.Tensor, None]":
    """Stands for a fused kernel; (rows, heads, tokens, width of a head) to (rows, tokens, heads, width of a head)."""
    import torch

    class Fused(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, query: Any, key: Any, value: Any) -> Any:
            rows, heads, tokens, _ = query.shape
            output = query.new_empty(rows, tokens, heads, value.shape[-1])
            ctx.save_for_backward(query, key, value, output, query.new_empty(rows, heads, tokens, dtype=torch.float32))
            return output

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            return tuple(torch.empty_like(tensor) for tensor in ctx.saved_tensors[:3])

    apply: Any = Fused.apply
    return apply(query, key, value), None


def imitate_quantized(network: Any, quantization: Quantization) -> None:
    """Let the linear layers below the head hold what bitsandbytes' hold during a step.

    Both make a copy of the weight in the number format of the input. LLM.int8() also keeps its input until backward, out of the
    reach of recomputation (bitsandbytes 0.50, `MatMul8bitLt`).
    """
    import torch

    keeps_input = quantization is Quantization.int8

    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, inputs: Any, weight: Any) -> Any:
            ctx.kept, ctx.weight = inputs if keeps_input else None, weight
            copy = None if keeps_input else torch.empty_like(weight, dtype=inputs.dtype)
            output = inputs.new_empty(*inputs.shape[:-1], weight.shape[0])
            del copy
            return output

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            copy = torch.empty_like(ctx.weight, dtype=gradients[0].dtype)
            gradient = gradients[0].new_empty(*gradients[0].shape[:-1], ctx.weight.shape[1])
            del copy
            return gradient, None

    class Quantized(torch.nn.Linear):
        def forward(self, inputs: Any) -> Any:
            if torch.is_autocast_enabled("cpu"):
                inputs = inputs.to(torch.get_autocast_dtype("cpu"))
            apply: Any = Product.apply
            output = apply(inputs, self.weight)
            return output if self.bias is None else output + self.bias

    for module in network.modules():
        if type(module) is torch.nn.Linear and module is not network.get_output_embeddings():
            module.weight.requires_grad_(False)
            module.__class__ = Quantized


def imitate_device(network: Any) -> None:
    """Replace the tensors of a model on the meta device by some that say they are on the CPU; tied weights stay tied."""
    import torch

    made: dict[int, Any] = {}
    for module in network.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                if id(parameter) not in made:
                    empty = torch.empty(parameter.shape, dtype=parameter.dtype)
                    made[id(parameter)] = torch.nn.Parameter(empty, requires_grad=parameter.requires_grad)
                module._parameters[name] = made[id(parameter)]
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype)
