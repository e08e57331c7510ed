"""From a configuration and a set of tensors to a network, checking before allocating.

The network is first built with weights that nobody fills in: address space, no memory, and no more
of it than the file could fill. That tells the name and shape of every weight that has to be there.
Only when the file offers exactly these are their numbers read, and take the place of the empty
ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from streamsep.devices.out_of_memory import is_out_of_memory
from streamsep.errors import CheckpointError, ConfigError
from streamsep.models.architectures import architecture_of
from streamsep.models.checkpoints.option_limits import short

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from streamsep.models.architectures import Network

__all__ = ["ReadCheckpoint", "StoredWeight", "assemble", "element_types", "empty_network"]

# A quantised weight has two bits or more, and small networks have tensors of their own making.
_MOST_WEIGHTS_PER_BYTE = 8
_SPARE_WEIGHTS = 2**20
_FACTORIES = (torch.empty, torch.zeros, torch.ones, torch.randn, torch.rand, torch.full)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCheckpoint:
    """What was in a file of weights.

    Attributes:
        network: on the CPU in float32, in evaluation mode.
        file_format: whose format it is, such as "demucs package".
        stored_as: element types in the file, such as "float16".
        licence: terms of the weights; None if the file does not say.
        training: what they were trained on; None if the file does not say.
    """

    network: Network
    file_format: str
    stored_as: str
    licence: str | None = None
    training: str | None = None


@dataclass(frozen=True, slots=True)
class StoredWeight:
    """A tensor that a file offers, not read yet.

    Attributes:
        shape: its shape, as the file states it.
        element_type: how it is stored, such as "float16".
        read: returns its numbers.
    """

    shape: tuple[Any, ...]
    element_type: str
    read: Callable[[], Tensor]


def element_types(weights: Iterable[StoredWeight]) -> str:
    """How weights are stored, in one line."""
    return ", ".join(sorted({weight.element_type for weight in weights})) or "nothing"


def empty_network(config: Any, file_size: int) -> Network:
    """Build a network whose weights are not there yet.

    Args:
        config: the network's shape, as `check_config` returns it.
        file_size: bytes of the file that is supposed to hold its weights.

    Raises:
        CheckpointError: there is no such network, or the file is too small for it.
    """
    try:
        with _EmptyWeights(_MOST_WEIGHTS_PER_BYTE * file_size + _SPARE_WEIGHTS):
            network = architecture_of(config).network(_without_initial_values(config))
        network.config = config
    except (ConfigError, RuntimeError, ValueError, TypeError, ArithmeticError) as error:
        if is_out_of_memory(error):
            raise
        reason = str(error).partition("\n")[0]
        raise CheckpointError(f"no network has this configuration: {reason:.200}") from None
    return network


def assemble(network: Network, offered: Mapping[str, StoredWeight]) -> Network:
    """Fill in the weights of a network.

    Args:
        network: from `empty_network`; it is changed.
        offered: every tensor of the file by its name.

    Returns:
        The network on the CPU in float32, in evaluation mode.

    Raises:
        CheckpointError: tensors are missing, superfluous, of another shape or not finite.
    """
    wanted = network.state_dict()
    _compare(wanted, offered)
    found = {name: _checked(name, offered[name].read(), weight) for name, weight in wanted.items()}
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

    Args:
        most: how many numbers all layers together may have.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._left = most

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == nn.init.__name__:
            return args[0] if args else kwargs["tensor"]
        if func in _FACTORIES:
            self._left -= _numel(args)
            if self._left < 0:
                raise CheckpointError(
                    "its options describe a network of more weights than the file can hold"
                )
        return func(*args, **kwargs)


def _numel(sizes: tuple[Any, ...]) -> int:
    """How many numbers a tensor of these sizes has, given one by one or as a tuple."""
    if sizes and not isinstance(sizes[0], int):
        sizes = tuple(sizes[0])
    return math.prod(size for size in sizes if isinstance(size, int))


def _compare(wanted: Mapping[str, Tensor], found: Mapping[str, StoredWeight]) -> None:
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    if missing:
        raise CheckpointError(
            f"{len(missing)} of {len(wanted)} tensors are missing, the first is {missing[0]}"
        )
    if extra:
        raise CheckpointError(f"{len(extra)} tensors too many, the first is {short(extra[0])}")
    for name, weight in wanted.items():
        if tuple(weight.shape) != found[name].shape:
            shape = short(found[name].shape)
            raise CheckpointError(f"{name} has shape {shape}, expected {tuple(weight.shape)}")


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
