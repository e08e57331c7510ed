"""From a configuration and a set of tensors to a network, checking before allocating.

The network is first built with weights that nobody fills in: address space, no memory. That tells
the name and shape of every weight that has to be there. Only when the file offers exactly these
are their numbers read, and take the place of the empty ones.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from streamsep.errors import CheckpointError, ConfigError
from streamsep.models.hybrid_demucs import HybridDemucs, HybridDemucsConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["assemble", "check_config"]

# Wider than any network that exists. A damaged or hostile file must not make the loader build
# a million layers, and a stride of 1 would never reach the last one.
_RANGES = {
    "audio_channels": (1, 64),
    "sample_rate": (1_000, 1_000_000),
    "hidden": (1, 1024),
    "growth": (1, 4),
    "depth": (1, 12),
    "n_fft": (16, 65_536),
    "kernel_size": (1, 64),
    "stride": (2, 16),
    "time_stride": (1, 16),
    "context": (0, 16),
    "norm_starts": (0, 1_000_000),
    "norm_groups": (1, 1024),
    "branch_depth": (0, 16),
    "branch_compress": (0.25, 1024),
    "branch_lstm_starts": (0, 1_000_000),
    "branch_attention_starts": (0, 1_000_000),
}
_MOST_SOURCES = 32


def check_config(options: Mapping[str, Any]) -> HybridDemucsConfig:
    """Turn the options found in a file into a configuration.

    Args:
        options: by the names of `HybridDemucsConfig`; what is missing has its default.

    Raises:
        CheckpointError: an option is unknown, of the wrong kind or out of range.
    """
    names = HybridDemucsConfig.__dataclass_fields__
    unknown = sorted(set(options) - set(names))
    if unknown:
        raise CheckpointError(f"unknown option {unknown[0]!r:.60}, a newer streamsep may know it")
    for name, (least, most) in _RANGES.items():
        value = options.get(name, least)
        if not isinstance(value, int | float) or not least <= value <= most:
            raise CheckpointError(f"{name} is {value!r:.60}, expected {least} to {most}")
    if len(options.get("sources", ())) > _MOST_SOURCES:
        raise CheckpointError(f"more than {_MOST_SOURCES} sources")
    try:
        return TypeAdapter(HybridDemucsConfig).validate_python(dict(options))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise CheckpointError(f"{name} is {first['input']!r:.60}, {first['msg']}") from None
    except ConfigError as error:
        raise CheckpointError(str(error)) from None


def assemble(
    config: HybridDemucsConfig,
    shapes: Mapping[str, tuple[int, ...]],
    read: Callable[[str], Tensor],
) -> HybridDemucs:
    """Build the network and fill in its weights.

    Args:
        config: the network's shape.
        shapes: name and shape of every tensor that the file offers.
        read: returns a tensor of the file by its name.

    Returns:
        The network on the CPU in float32, in evaluation mode.

    Raises:
        CheckpointError: tensors are missing, superfluous, of another shape or not finite.
    """
    try:
        with _EmptyWeights():
            network = HybridDemucs(replace(config, rescale=0, embedding_smooth=False))
        network.config = config
    except (ConfigError, RuntimeError, ValueError, TypeError, ArithmeticError) as error:
        raise CheckpointError(f"no network has this configuration: {error}") from None
    wanted = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
    _compare(wanted, shapes)
    network.load_state_dict({name: _finite(name, read(name)) for name in wanted}, assign=True)
    return network.eval()


class _EmptyWeights(TorchFunctionMode):
    """Builds layers without drawing their initial weights, which takes most of the time.

    (torch's "meta" device would do the same after importing its compiler for three seconds.)
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def _compare(wanted: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> None:
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    if missing:
        raise CheckpointError(
            f"{len(missing)} of {len(wanted)} tensors are missing, the first is {missing[0]}"
        )
    if extra:
        raise CheckpointError(f"{len(extra)} tensors too many, the first is {extra[0]!r:.80}")
    for name, shape in wanted.items():
        if shape != found[name]:
            raise CheckpointError(f"{name} has shape {found[name]!r:.60}, expected {shape}")


def _finite(name: str, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point():
        raise CheckpointError(f"{name} holds {tensor.dtype}, expected floating point numbers")
    tensor = tensor.to(torch.float32)
    # The sum is finite if all are, unless it overflows, and is ten times faster to find.
    if not tensor.sum().isfinite() and not tensor.isfinite().all():
        raise CheckpointError(f"{name} holds NaN or infinity, the file is damaged")
    return tensor
