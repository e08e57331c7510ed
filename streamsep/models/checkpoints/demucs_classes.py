"""demucs' classes of networks, each with our name for it and for its options.

A package names a class and its arguments, positional ones included (`demucs_signatures`). The same
names meant other networks in other releases: `Demucs` of v1, v2 and v3 differ, and the arguments
tell which it is. The names of stems came with v2; v1 only counts them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streamsep.errors import CheckpointError
from streamsep.models.checkpoints import demucs_signatures as signatures
from streamsep.models.checkpoints.option_limits import check_config, short
from streamsep.models.htdemucs import htdemucs_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["FOUR_STEMS", "DemucsClass", "find_class"]

logger = logging.getLogger(__name__)

FOUR_STEMS = ("drums", "bass", "other", "vocals")
"""What demucs separates wherever a file does not say it."""


@dataclass(frozen=True, slots=True)
class DemucsClass:
    """One class of one release.

    Attributes:
        architecture: our name for the network.
        arguments: theirs in the order of the signature, each with ours, or None if it says nothing
            about the network.
        finish: expresses in our way what differs in more than its name; changes the options.
        rename: from a weight's name in their file to ours.
        fixed: arguments for which we have no option, each with the only value we can build.
    """

    architecture: str
    arguments: Mapping[str, str | None]
    finish: Callable[[dict[str, Any]], None]
    rename: Callable[[str], str] = str
    fixed: Mapping[str, object] = field(default_factory=dict)

    def configure(self, args: Sequence[object], kwargs: Mapping[str, object]) -> Any:
        """Turn a package's arguments into a configuration of ours.

        Arguments that this class does not know are ignored with a warning, as demucs does: they
        have gone and say nothing about the network any more.

        Raises:
            CheckpointError: an argument means something that we cannot build, or is out of range.
        """
        options: dict[str, Any] = {}
        for name, value in {**dict(zip(self.arguments, args, strict=False)), **kwargs}.items():
            if name in self.fixed:
                if value != self.fixed[name]:
                    raise CheckpointError(
                        f"{name} is {short(value)}, expected {self.fixed[name]!r}: streamsep has "
                        "no such network"
                    )
            elif name not in self.arguments:
                logger.warning("ignoring demucs' option %s, which demucs does not know", name)
            elif (ours := self.arguments[name]) is not None:
                options[ours] = value
        self.finish(options)
        return check_config(options, self.architecture)


@dataclass(frozen=True, slots=True)
class _HTDemucsClass(DemucsClass):
    """The class that demucs builds itself, so its arguments stay as they are."""

    def configure(self, args: Sequence[object], kwargs: Mapping[str, object]) -> Any:
        return check_config(htdemucs_options(args, kwargs), self.architecture)


def find_class(name: str, args: Sequence[object], kwargs: Mapping[str, object]) -> DemucsClass:
    """The class that a package names.

    Args:
        name: with its module, such as "demucs.hdemucs.HDemucs".
        args: its positional arguments, which tell releases apart.
        kwargs: its arguments by name.

    Raises:
        CheckpointError: we have no such network.
    """
    first = args[0] if args else kwargs.get("sources")
    # v1 had no list of names: it counts stems, and its Conv-TasNet begins with its filters.
    classes = _CLASSES | (_NAMING if isinstance(first, list | tuple) else _COUNTING)
    if name not in classes:
        raise CheckpointError(
            f"it holds a {name:.80}; of demucs' networks streamsep knows {', '.join(classes)}"
        )
    return classes[name]


def _none_is_zero(options: dict[str, Any], *names: str) -> None:
    """None, and whatever else is nothing, stands for "none of it" in demucs."""
    for name in names:
        if name in options:
            options[name] = options[name] or 0


def _branches(options: dict[str, Any]) -> None:
    """One number of demucs says where residual branches are."""
    branches = options.pop("branches", 1)
    if branches not in range(4):
        raise CheckpointError(f"dconv_mode is {short(branches)}, expected 0 to 3")
    options["encoder_branches"] = branches in (1, 3)
    options["decoder_branches"] = branches in (2, 3)


def _finish_hybrid(options: dict[str, Any]) -> None:
    _none_is_zero(options, "freq_embedding", "rescale")
    if "band_edges" in options:
        options["band_edges"] = options["band_edges"] or ()
    _branches(options)


def _finish_time(options: dict[str, Any]) -> None:
    _none_is_zero(options, "rescale", "lstm_layers")
    _branches(options)


def _finish_unpadded(options: dict[str, Any]) -> None:
    _none_is_zero(options, "rescale", "lstm_layers")
    # The kernel of the convolution; ours counts the neighbours on each side.
    kernel = options.pop("context", 3)
    if not isinstance(kernel, int) or kernel < 1 or kernel % 2 == 0:
        raise CheckpointError(f"context is {short(kernel)}, expected an odd number")
    options["context"] = kernel // 2
    _name_stems(options)


def _name_stems(options: dict[str, Any]) -> None:
    """Four stems that are only counted are the four of MUSDB."""
    sources = options.get("sources", len(FOUR_STEMS))
    if isinstance(sources, int):
        if sources != len(FOUR_STEMS):
            raise CheckpointError(
                f"{short(sources)} stems whose names the file does not hold, expected "
                f"{len(FOUR_STEMS)}"
            )
        options["sources"] = FOUR_STEMS


def _rename_hybrid(name: str) -> str:
    prefixes = {
        "encoder.": "freq_encoder.",
        "decoder.": "freq_decoder.",
        "tencoder.": "time_encoder.",
        "tdecoder.": "time_decoder.",
    }
    for theirs, ours in prefixes.items():
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name


def _finish_conv_tasnet(options: dict[str, Any]) -> None:
    # Theirs has 8 blocks unless told otherwise, ours the 10 of all that was published.
    options.setdefault("blocks", 8)
    _name_stems(options)


_HYBRID = DemucsClass("hybrid_demucs", signatures.HYBRID_DEMUCS, _finish_hybrid, _rename_hybrid)
_CLASSES = {
    "demucs.hdemucs.HDemucs": _HYBRID,
    "demucs.wdemucs.WDemucs": _HYBRID,
    "demucs.htdemucs.HTDemucs": _HTDemucsClass("htdemucs", {}, dict.clear, "network.{}".format),
    "demucs.demucs.Demucs": DemucsClass("demucs_time", signatures.TIME_DEMUCS, _finish_time),
}
_COUNTING = {
    "demucs.model.Demucs": DemucsClass("demucs_v1", signatures.DEMUCS_V1, _finish_unpadded),
    "demucs.tasnet.ConvTasNet": DemucsClass(
        "conv_tasnet",
        signatures.CONV_TASNET_V1,
        _finish_conv_tasnet,
        fixed=signatures.CONV_TASNET_FIXED,
    ),
}
_NAMING = {
    "demucs.model.Demucs": DemucsClass(
        "demucs_v2", signatures.DEMUCS_V2, _finish_unpadded, fixed={"normalize": False}
    ),
    "demucs.tasnet.ConvTasNet": DemucsClass(
        "conv_tasnet",
        signatures.CONV_TASNET_V2,
        _finish_conv_tasnet,
        fixed=signatures.CONV_TASNET_FIXED,
    ),
}
