"""Weights that diffq quantised, restored without it.

Défossez, Adi, Synnaeve, "Differentiable Model Compression via Pseudo Quantization Noise" (2021).
A tensor is stored as a range and, for each number, which of 2^b evenly spaced levels of the range
it is::

    weight = min + level / (2^b − 1) · (max − min)

The bits b are the same for all weights (diffq's `UniformQuantizer`), or learnt for every group of
neighbours (`DiffQuantizer`). Levels may be packed: bit k of 64 levels (or 8, 16, 32) becomes one
whole number. Only large tensors are quantised; the small ones follow as they are. None has a name:
they come in the order in which demucs' network lists its parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from streamsep.errors import CheckpointError
from streamsep.models.checkpoints.assembly import StoredWeight
from streamsep.models.checkpoints.option_limits import short
from streamsep.models.checkpoints.restricted_unpickler import ForeignClass

if TYPE_CHECKING:
    from torch import nn

__all__ = ["is_quantised", "restored_weights"]

_UNIFORM = "diffq.uniform.UniformQuantizer"
_LEARNT = "diffq.diffq.DiffQuantizer"
_MOST_BITS = 15
# Where demucs' network lists its parts in another order than ours.
_PART_ORDER = {
    "hybrid_demucs": ("freq_encoder", "freq_decoder", "time_encoder", "time_decoder", "freq_emb")
}


def is_quantised(state: object) -> bool:
    """Whether what should be weights by name is what demucs makes of a quantised network."""
    return isinstance(state, Mapping) and ("__quantized" in state or "compressed" in state)


def restored_weights(
    state: Any, network: nn.Module, architecture: str
) -> tuple[dict[str, StoredWeight], str]:
    """Find the name of every tensor of a quantised network.

    Args:
        state: what diffq's quantiser returned, with `StoredWeight` for tensors.
        network: ours, which the weights shall fill.
        architecture: its name.

    Returns:
        The weights by our names, and how they are stored, in words.

    Raises:
        CheckpointError: the state is not diffq's, or does not fit the network.
    """
    try:
        quantised, meta = list(state["quantized"]), dict(state.get("meta", {}))
        plain = [*state.get("float16", ()), *state.get("others", ())]
        options = dict(meta.get("init_kwargs", {}))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CheckpointError("its weights are quantised in a way that is not diffq's") from None
    klass = meta.get("klass")
    kind = klass.name if isinstance(klass, ForeignClass) else _LEARNT
    if kind not in (_UNIFORM, _LEARNT):
        raise CheckpointError(
            f"its weights are quantised by {kind:.60}, expected {_UNIFORM} or {_LEARNT}"
        )
    if state.get("float16") and state.get("others"):
        raise CheckpointError("its small tensors are stored in two ways, expected one")
    options["packed"] = bool(meta.get("packed", False))
    restore = _uniform if kind == _UNIFORM else _learnt
    parameters = _in_their_order(network, architecture)
    large = _largest(parameters, len(quantised))
    entries, others = iter(quantised), iter(plain)
    weights: dict[str, StoredWeight] = {}
    for name, parameter in parameters:
        shape = tuple(parameter.shape)
        if name in large:
            read = partial(restore, next(entries), shape, options)
            weights[name] = StoredWeight(shape, "DiffQ", read)
        else:
            weights[name] = next(others, _ABSENT)
    _check_whole(weights, len(plain))
    return weights, "levels of DiffQ"


_ABSENT = StoredWeight((), "nothing", lambda: torch.empty(0))


def _check_whole(weights: Mapping[str, StoredWeight], plain: int) -> None:
    """Check that the file holds as many tensors beside the quantised ones as the network has.

    Raises:
        CheckpointError: it holds fewer or more.
    """
    if any(not isinstance(weight, StoredWeight) for weight in weights.values()):
        raise CheckpointError("its quantised weights hold something that is no tensor")
    expected = sum(weight.element_type != "DiffQ" for weight in weights.values())
    if expected != plain:
        raise CheckpointError(
            f"it holds {plain} tensors that are not quantised, expected {expected}"
        )


def _in_their_order(network: nn.Module, architecture: str) -> list[tuple[str, Tensor]]:
    parameters: list[tuple[str, Tensor]] = list(network.named_parameters())
    if architecture in _PART_ORDER:
        order = {part: index for index, part in enumerate(_PART_ORDER[architecture])}
        parameters.sort(key=lambda entry: order[entry[0].partition(".")[0]])
    return parameters


def _largest(parameters: Sequence[tuple[str, Tensor]], count: int) -> frozenset[str]:
    """The names of the `count` largest: diffq quantises what is larger than a threshold.

    Raises:
        CheckpointError: no threshold gives as many.
    """
    sizes = sorted((weight.numel() for _, weight in parameters), reverse=True)
    threshold = sizes[count] if count < len(sizes) else -1
    names = frozenset(name for name, weight in parameters if weight.numel() > threshold)
    if len(names) != count:
        raise CheckpointError(
            f"it holds {count} quantised tensors, which are not the largest of the network's "
            f"{len(sizes)}"
        )
    return names


def _uniform(entry: Any, shape: tuple[int, ...], options: Mapping[str, Any]) -> Tensor:
    """Restore a tensor whose weights all have as many bits."""
    stored, limits = entry
    bits = options.get("bits", 8)
    if not isinstance(bits, int | float) or not 1 <= bits <= _MOST_BITS:
        raise CheckpointError(f"weights of {short(bits)} bits, expected 1 to {_MOST_BITS}")
    levels = stored.read().flatten()
    if options["packed"]:
        levels = _unpacked(levels.reshape(stored.shape), math.prod(shape))
    return _on_range(levels, torch.tensor(float(bits)), limits).reshape(shape)


def _learnt(entry: Any, shape: tuple[int, ...], options: Mapping[str, Any]) -> Tensor:
    """Restore a tensor whose groups of weights have bits of their own."""
    stored, limits, stored_bits = entry
    numel = math.prod(shape)
    if not options["packed"]:
        levels, bits = stored.read(), stored_bits.read().flatten()
        return _on_range(levels.reshape(len(bits), -1), bits[:, None], limits).reshape(shape)
    group = options.get("group_size", 1)
    if not isinstance(group, int) or group < 1 or numel % group:
        raise CheckpointError(f"groups of {short(group)} weights, of {numel} in a tensor")
    least = options.get("min_bits", 2)
    if not isinstance(least, int | float) or not 0 <= least <= _MOST_BITS:
        raise CheckpointError(f"at least {short(least)} bits, expected 0 to {_MOST_BITS}")
    bits = _unpacked(stored_bits.read(), numel // group) + int(least)
    levels = torch.zeros(numel // group, group, dtype=torch.int16)
    known = torch.zeros(numel // group, dtype=torch.bool)
    for count, packed in enumerate(stored, start=1):
        if packed is not None:
            rows = bits == count
            levels[rows] = _unpacked(packed.read(), int(rows.sum()) * group).reshape(-1, group)
            known |= rows
    if not known.all():
        raise CheckpointError("levels of quantised weights are missing")
    return _on_range(levels, bits[:, None], limits).reshape(shape)


def _on_range(levels: Tensor, bits: Tensor, limits: Any) -> Tensor:
    """From levels and their bits to float32, in diffq's order of operations."""
    low, high = (float(limit) for limit in limits)
    step = 1 / (2 ** bits.float() - 1)
    return levels.float() * step * (high - low) + low


def _unpacked(packed: Tensor, count: int) -> Tensor:
    """Unpack `count` levels into int16 [count].

    Args:
        packed: whole numbers [lines, bits, block], or [bits, columns]. Bit i of number [l, k, j]
            is bit k of level [l, i, j], or of level [i, j].
        count: how many levels there are; what follows is padding.
    """
    lines = packed[None] if packed.dim() == 2 else packed
    if packed.is_floating_point() or lines.dim() != 3 or lines.shape[1] > _MOST_BITS:
        raise CheckpointError(f"packed levels of {packed.dtype} {short(tuple(packed.shape))}")
    width = 8 * packed.element_size()
    padding = width if packed.dim() == 2 else width * lines.shape[2]
    room = lines.shape[0] * width * lines.shape[2]
    if not count <= room < count + padding:
        raise CheckpointError(f"room for {room} levels of quantised weights, expected {count}")
    levels = np.zeros((lines.shape[0], width, lines.shape[2]), dtype=np.int16)
    for bit in range(lines.shape[1]):
        numbers = np.ascontiguousarray(lines[:, bit].numpy()).view(np.uint8)
        single = np.unpackbits(numbers, bitorder="little", axis=-1)
        columns = single.reshape(lines.shape[0], lines.shape[2], width)
        levels |= columns.swapaxes(1, 2).astype(np.int16) << bit
    return torch.from_numpy(levels.reshape(-1)[:count])
