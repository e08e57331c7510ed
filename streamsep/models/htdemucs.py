"""HTDemucs, the hybrid with a transformer in its middle, by way of the demucs package.

The network is demucs' own (`demucs.htdemucs`, from the extra `streamsep[demucs]`); only its forward
is used, never demucs' way through a song. What is ours is that it streams: it was trained on
segments of one length, 7.8 s, and knows the place of a sample by its distance from the start of
one, so a shorter segment is completed with zeros at its end and a longer one is separated in pieces
that overlap. Every segment therefore costs what 7.8 s cost, however short it is.

Source: "Hybrid Transformers for Music Source Separation".
"""

from __future__ import annotations

import inspect
import logging
from dataclasses import dataclass, field
from fractions import Fraction
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from streamsep.errors import MissingToolError
from streamsep.models.network import NetworkConfig, SeparationNetwork, check_least
from streamsep.models.segment_lengths import SegmentLengths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor, nn

__all__ = ["HTDemucs", "HTDemucsConfig", "check_demucs_installed", "htdemucs_options"]

logger = logging.getLogger(__name__)

_LONGEST_S = 60
_OURS = {"sources": "sources", "audio_channels": "audio_channels", "samplerate": "sample_rate"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HTDemucsConfig(NetworkConfig):
    """The shape of an HTDemucs.

    Attributes:
        segment: samples of the segments it was trained on.
        arguments: demucs' other arguments by its names; what is missing has demucs' default.

    Raises:
        ConfigError: a value is out of its range.
    """

    segment: int = 343_980
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        NetworkConfig.__post_init__(self)
        check_least(self, {"segment": 4096})


class HTDemucs(SeparationNetwork[HTDemucsConfig]):
    """demucs' network as a `Separator`.

    Args:
        config: the shape of the network.

    Raises:
        MissingToolError: the demucs package is not installed.
    """

    def __init__(self, config: HTDemucsConfig) -> None:
        super().__init__(config)
        network = _demucs_class()(
            sources=list(config.sources),
            audio_channels=config.audio_channels,
            samplerate=config.sample_rate,
            segment=Fraction(config.segment, config.sample_rate),
            use_train_segment=True,
            **config.arguments,
        )
        self.network: nn.Module = network
        self._hop = int(network.hop_length)
        self._lengths = SegmentLengths(stride=self.stride, fixed=config.segment)

    @property
    def stride(self) -> int:
        """One STFT hop. The layers in time have smaller strides, of which it is a multiple."""
        return self._hop

    @property
    def longest_segment(self) -> int:
        """Samples that it sees at once at most."""
        return self.config.segment

    def forward(self, mix: Tensor) -> Tensor:
        """Separate mix [B, C, T], T from 1, into [B, S, C, T]."""
        return self._lengths.apply(self.network, mix)

    def _samples_per_step(self) -> int:
        return self.config.segment


def htdemucs_options(args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, object]:
    """Express the arguments in a package of demucs as options of `HTDemucsConfig`, not yet checked.

    Args:
        args: positional arguments.
        kwargs: arguments by name. Those that demucs does not know are ignored with a warning, as
            demucs does.

    Raises:
        ValueError: the length of its segments makes no sense.
        MissingToolError: the demucs package is not installed.
    """
    parameters = inspect.signature(_demucs_class()).parameters
    given = {**dict(zip(parameters, args, strict=False)), **kwargs}
    for name in given.keys() - parameters.keys():
        logger.warning("ignoring demucs' option %.60s, which demucs does not know", name)
    arguments = {name: given[name] for name in parameters if name in given}
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    options = {ours: arguments.pop(name) for name, ours in _OURS.items() if name in arguments}
    if arguments.pop("use_train_segment", True) is not True:
        raise ValueError("use_train_segment is off, expected a network of one segment length")
    seconds = _seconds(arguments.pop("segment", defaults["segment"]))
    options["segment"] = int(seconds * options.get("sample_rate", defaults["samplerate"]))
    options["arguments"] = arguments
    return options


def check_demucs_installed() -> None:
    """Find out whether there will be a network for the weights, before they are downloaded.

    Raises:
        MissingToolError: the demucs package is not installed.
    """
    if find_spec("demucs") is None:
        raise MissingToolError(
            "HTDemucs needs the package demucs, which is not installed; "
            "'uv sync --inexact --extra demucs' installs it"
        )


def _demucs_class() -> Any:
    check_demucs_installed()
    try:
        from demucs.htdemucs import HTDemucs as Theirs
    except ImportError as error:
        raise MissingToolError(
            f"HTDemucs needs the package demucs, which cannot be imported ({error}); install "
            "streamsep[demucs] again"
        ) from error
    return Theirs


def _seconds(value: Any) -> Any:
    """The length of its segments, which demucs states as a number or a fraction."""
    if isinstance(value, dict) and value.get("_type") == "fraction":
        # As demucs writes it into JSON.
        value = Fraction(int(value["numerator"]), int(value["denominator"]))
    if not isinstance(value, int | float | Fraction) or not 0 < value <= _LONGEST_S:
        raise ValueError(f"segment is {value!r:.60}, expected up to {_LONGEST_S} s")
    return value
