"""From a configuration and a set of tensors to a network, checking before allocating.

The network is first built with weights that nobody fills in: address space, no memory. That tells
the name and shape of every weight that has to be there. Only when the file offers exactly these
are their numbers read, and take the place of the empty ones.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from streamsep.errors import CheckpointError, ConfigError
from streamsep.models.architectures import ARCHITECTURES, architecture_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamsep.models.architectures import Network

__all__ = ["assemble", "check_config"]

# Wider than any network that exists. A damaged or hostile file must not make the loader build
# a million layers, and a stride of 1 would never reach the last one.
_RANGES = {
    "audio_channels": (1, 64),
    "sample_rate": (1_000, 1_000_000),
    "hidden": (1, 1024),
    "time_hidden": (1, 1024),
    "growth": (1, 4),
    "depth": (1, 12),
    "n_fft": (16, 65_536),
    "kernel_size": (1, 64),
    "stride": (2, 16),
    "time_stride": (1, 16),
    "context": (0, 16),
    "encoder_context": (0, 16),
    "wiener_iterations": (-100, 100),
    "training_wiener_iterations": (-100, 100),
    "band_layers": (0, 12),
    "norm_starts": (0, 1_000_000),
    "norm_groups": (1, 1024),
    "branch_depth": (-16, 16),
    "branch_compress": (0.25, 1024),
    "branch_lstm_starts": (0, 1_000_000),
    "branch_attention_starts": (0, 1_000_000),
    "lstm_layers": (0, 16),
    "hop": (1, 65_536),
    "bandwidth": (1.0, 1_000_000.0),
    "filters": (1, 4096),
    "filter_length": (2, 4096),
    "bottleneck": (1, 4096),
    "blocks": (1, 16),
    "repeats": (1, 16),
    "levels": (1, 16),
    "down_kernel": (1, 1024),
    "up_kernel": (1, 1024),
}
_MOST_SOURCES = 32
_MOST_BAND_EDGES = 32


def check_config(options: Mapping[str, Any], architecture: str = "hybrid_demucs") -> Any:
    """Turn the options found in a file into a configuration.

    Args:
        options: by their names in the architecture's configuration; what is missing has its
            default.
        architecture: the network's name in `ARCHITECTURES`.

    Returns:
        The configuration, of the architecture's class.

    Raises:
        CheckpointError: the architecture is unknown, or an option is unknown, of the wrong kind or
            out of range.
    """
    if architecture not in ARCHITECTURES:
        raise CheckpointError(
            f"architecture {architecture!r:.60}, expected {', '.join(map(repr, ARCHITECTURES))}"
        )
    kind = ARCHITECTURES[architecture].config
    unknown = sorted(set(options) - {field.name for field in fields(kind)})
    if unknown:
        raise CheckpointError(f"unknown option {unknown[0]!r:.60}, a newer streamsep may know it")
    for name, (least, most) in _RANGES.items():
        value = options.get(name)
        if value is None:
            continue
        if not isinstance(value, int | float) or not least <= value <= most:
            raise CheckpointError(f"{name} is {value!r:.60}, expected {least} to {most}")
    if len(options.get("sources", ())) > _MOST_SOURCES:
        raise CheckpointError(f"more than {_MOST_SOURCES} sources")
    if len(options.get("band_edges", ())) > _MOST_BAND_EDGES:
        raise CheckpointError(f"more than {_MOST_BAND_EDGES} band_edges")
    try:
        return TypeAdapter(kind).validate_python(dict(options))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise CheckpointError(f"{name} is {first['input']!r:.60}, {first['msg']}") from None
    except ConfigError as error:
        raise CheckpointError(str(error)) from None


def assemble(
    config: Any,
    shapes: Mapping[str, tuple[int, ...]],
    read: Callable[[str], Tensor],
) -> Network:
    """Build the network and fill in its weights.

    Args:
        config: the network's shape, as `check_config` returns it.
        shapes: name and shape of every tensor that the file offers.
        read: returns a tensor of the file by its name.

    Returns:
        The network on the CPU in float32, in evaluation mode.

    Raises:
        CheckpointError: tensors are missing, superfluous, of another shape or not finite.
    """
    try:
        with _EmptyWeights():
            network = architecture_of(config).network(_without_initial_values(config))
        network.config = config
    except (ConfigError, RuntimeError, ValueError, TypeError, ArithmeticError) as error:
        raise CheckpointError(f"no network has this configuration: {error}") from None
    wanted = network.state_dict()
    _compare({name: tuple(weight.shape) for name, weight in wanted.items()}, shapes)
    found = {name: _checked(name, read(name), weight) for name, weight in wanted.items()}
    network.load_state_dict(found, assign=True)
    return network.eval()


def _without_initial_values(config: Any) -> Any:
    """The same network, save that nothing is computed for weights that will be replaced."""
    names = {field.name for field in fields(config)}
    unset: dict[str, Any] = {"rescale": 0, "embedding_smooth": False}
    return replace(config, **{name: value for name, value in unset.items() if name in names})


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


def _checked(name: str, tensor: Tensor, wanted: Tensor) -> Tensor:
    """A tensor of the file as the network needs it: float32 and finite, or a counter."""
    if not wanted.is_floating_point():
        if tensor.dtype != wanted.dtype:
            raise CheckpointError(f"{name} holds {tensor.dtype}, expected {wanted.dtype}")
        return tensor
    if not tensor.is_floating_point():
        raise CheckpointError(f"{name} holds {tensor.dtype}, expected floating point numbers")
    tensor = tensor.to(torch.float32)
    # The sum is finite if all are, unless it overflows, and is ten times faster to find.
    if not tensor.sum().isfinite() and not tensor.isfinite().all():
        raise CheckpointError(f"{name} holds NaN or infinity, the file is damaged")
    return tensor
