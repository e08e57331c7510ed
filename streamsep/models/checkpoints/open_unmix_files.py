"""openunmix' files: bare weights, as a rule of one stem each.

Nobody names the stem in such a file, so its own name does: `vocals-b62c91ce.pth` holds the vocals.
Files of several stems are joined into one network (`load_stem_files`), which is what openunmix
does; the weights of its whole `Separator` in one file are read too. The shapes tell the rest, but
for the hop of the STFT: it is a quarter of the window in all music networks that were published.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from streamsep.errors import CheckpointError
from streamsep.models.checkpoints.assembly import (
    ReadCheckpoint,
    assemble,
    element_types,
    empty_network,
)
from streamsep.models.checkpoints.option_limits import check_config, short
from streamsep.models.checkpoints.restricted_unpickler import StoredTensor
from streamsep.models.checkpoints.torch_file import TorchFile
from streamsep.models.open_unmix import stem_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from streamsep.models.checkpoints.assembly import StoredWeight

__all__ = ["build_open_unmix", "is_open_unmix", "join_stem_files"]

_MARK = "fc1.weight"
_WHOLE = "target_models."
_BESIDE = ("window", "sample_rate", "num_batches_tracked")
_WINDOW = 4096
_SAMPLE_RATE = 44_100


def is_open_unmix(content: object) -> bool:
    """Whether what was saved looks like weights of openunmix."""
    return (
        isinstance(content, dict)
        and any(str(name).split(".")[-2:] == _MARK.split(".") for name in content)
        and any(str(name).endswith("input_mean") for name in content)
        and all(isinstance(value, StoredTensor) for value in content.values())
    )


def build_open_unmix(file: TorchFile, path: Path) -> ReadCheckpoint:
    """Load the weights of one stem, or of a whole `Separator`.

    Args:
        file: the open file.
        path: where it lies; its name is the stem's.

    Raises:
        CheckpointError: the tensors are not those of an Open-Unmix.
    """
    return _build(_by_stem(file, path), file.size)


def join_stem_files(paths: Sequence[Path]) -> ReadCheckpoint:
    """Load one network from files of one stem each.

    Args:
        paths: the files, in the order in which the network shall have its stems.

    Raises:
        CheckpointError: a file holds something else, or a stem comes twice.
    """
    stems: dict[str, dict[str, StoredWeight]] = {}
    with ExitStack() as stack:
        size = 0
        for path in paths:
            file = stack.enter_context(TorchFile(path))
            if not is_open_unmix(file.content):
                raise CheckpointError(
                    f"{path}: only files of openunmix, one for each stem, can be joined"
                )
            found = _by_stem(file, path)
            if twice := stems.keys() & found.keys():
                raise CheckpointError(f"{path}: the stem '{min(twice)}' comes twice")
            stems |= found
            size += file.size
        return _build(stems, size)


def _by_stem(file: TorchFile, path: Path) -> dict[str, dict[str, StoredWeight]]:
    """The weights of every stem, without what lies beside them."""
    weights = {
        name: weight
        for name, weight in file.describe_all(file.content).items()
        if name.split(".")[-1] not in _BESIDE
    }
    if not any(name.startswith(_WHOLE) for name in weights):
        return {re.split(r"[-_.]", path.name)[0]: weights}
    stems: dict[str, dict[str, StoredWeight]] = {}
    for name, weight in weights.items():
        stem, _, rest = name.removeprefix(_WHOLE).partition(".")
        stems.setdefault(stem, {})[rest] = weight
    return stems


def _build(stems: Mapping[str, Mapping[str, StoredWeight]], size: int) -> ReadCheckpoint:
    options = _options(next(iter(stems.values())))
    # One stem alone needs a place for everything else, or the filter gives it the whole mixture.
    options |= {"sources": tuple(stems), "wiener_residual": len(stems) == 1}
    network = empty_network(check_config(options, "open_unmix"), size)
    weights = {
        f"{_WHOLE}{stem_key(stem)}.{name}": weight
        for stem, own in stems.items()
        for name, weight in own.items()
    }
    return ReadCheckpoint(
        network=assemble(network, weights),
        file_format="openunmix",
        stored_as=element_types(weights.values()),
    )


def _options(weights: Mapping[str, StoredWeight]) -> dict[str, Any]:
    """What the shapes of a stem's weights say about the network."""
    try:
        hidden, inputs = weights[_MARK].shape
        (seen,), (bins,) = weights["input_mean"].shape, weights["output_mean"].shape
        layers = sum(re.fullmatch(r"lstm\.bias_ih_l\d+", name) is not None for name in weights)
        channels = inputs // seen
    except (KeyError, ValueError, TypeError, ZeroDivisionError):
        raise CheckpointError("the tensors are not those of an Open-Unmix") from None
    window = 2 * (bins - 1)
    if window != _WINDOW:
        raise CheckpointError(
            f"an Open-Unmix for windows of {short(window)} samples, whose rate and hop the file "
            f"does not hold, expected {_WINDOW}"
        )
    return {
        "audio_channels": channels,
        "sample_rate": _SAMPLE_RATE,
        "n_fft": window,
        "hop": window // 4,
        # The middle between the last bin that is looked at and the next one.
        "bandwidth": (seen - 0.5) * _SAMPLE_RATE / window,
        "hidden": hidden,
        "lstm_layers": layers,
        "bidirectional": "lstm.bias_ih_l0_reverse" in weights,
    }
