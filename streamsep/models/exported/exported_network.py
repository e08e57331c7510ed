"""A program and its description, together a `Separator`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from streamsep.devices.out_of_memory import is_out_of_memory
from streamsep.errors import ModelError
from streamsep.models.segment_lengths import SegmentLengths

if TYPE_CHECKING:
    from streamsep.config.network_description import NetworkDescription
    from streamsep.models.exported.program import Program

__all__ = ["ExportedNetwork"]


class ExportedNetwork:
    """A network that somebody exported, as a `Separator`.

    What the program gives is checked every time: a program that forgets samples or stems must not
    be heard as one that is a little out of time.

    Args:
        program: what computes.
        description: what it computes.
        name: what messages call it.
    """

    def __init__(self, program: Program, description: NetworkDescription, name: str) -> None:
        self._program = program
        self._description = description
        self._name = name
        self.lengths = SegmentLengths(
            stride=description.stride,
            minimum=description.minimum_segment or description.stride,
            fixed=description.fixed_segment,
        )

    @property
    def sample_rate(self) -> int:
        """Samples per second that it expects."""
        return self._description.sample_rate

    @property
    def channels(self) -> int:
        """Audio channels that it expects."""
        return self._description.channels

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the stems, in the order of the output."""
        return self._description.sources

    @property
    def stride(self) -> int:
        """Samples by which a segment may move without changing how the network sees it."""
        return self._description.stride

    @property
    def minimum_segment(self) -> int:
        """The shortest segment that is not completed with zeros."""
        return self.lengths.shortest

    def __call__(self, mix: Tensor) -> Tensor:
        """Separate float32 mix [B, C, T], T from 1, into [B, S, C, T].

        Raises:
            ModelError: the program fails, or its output is not as described.
            MemoryError: there is no memory for a segment of this length; torch raises a
                RuntimeError of its own instead.
        """
        return self.lengths.apply(self._separate, mix)

    def _separate(self, mix: Tensor) -> Tensor:
        """The stems of a mix whose length the program takes."""
        if self._description.batches or mix.shape[0] == 1:
            return self._run(mix)
        return torch.cat([self._run(example) for example in torch.split(mix, 1)])

    def _run(self, mix: Tensor) -> Tensor:
        layout = self._description.input
        given = _arranged(mix, "BCT", layout)
        try:
            stems = self._program(given)
        except Exception as error:
            # A program may fail in any way; which one is its maker's to understand.
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            told = f"an input {layout} of {_numbers(given.shape)} ({reason:.200})"
            if is_out_of_memory(error):
                # No fault of the program: whoever gives it segments can do with less.
                if isinstance(error, RuntimeError | MemoryError):
                    raise
                raise MemoryError(f"{self._name}: no memory for {told}") from error
            raise ModelError(
                f"{self._name}: the program fails on {told}; correct the description or the program"
            ) from error
        return self._stems(stems, mix)

    def _stems(self, stems: object, mix: Tensor) -> Tensor:
        """What the program gave, as [B, S, C, T].

        Raises:
            ModelError: it is something else than described.
        """
        batch, channels, length = mix.shape
        sizes = {"B": batch, "S": len(self.sources), "C": channels, "T": length}
        layout = self._description.output
        expected = tuple(sizes[letter] for letter in layout)
        if isinstance(stems, tuple | list) and len(stems) == 1:
            stems = stems[0]
        if isinstance(stems, Tensor) and (stems.shape, stems.dtype) == (expected, torch.float32):
            return _arranged(stems, layout, "BSCT")
        raise ModelError(
            f"{self._name}: got {_told(stems)} from the program, expected float32 {layout} of "
            f"{_numbers(expected)}; correct sources, channels, stride, minimum_segment, "
            "fixed_segment or output in the description"
        )


def _arranged(tensor: Tensor, now: str, wanted: str) -> Tensor:
    """Dimensions in another order; those that are missing on either side have the size 1."""
    tensor = tensor[tuple(0 if letter not in wanted else slice(None) for letter in now)]
    kept = [letter for letter in now if letter in wanted]
    missing = [letter for letter in wanted if letter not in kept]
    tensor = tensor[(None,) * len(missing)]
    kept = missing + kept
    return tensor.permute([kept.index(letter) for letter in wanted])


def _told(value: object) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {_numbers(value.shape)}"
    if isinstance(value, tuple | list):
        return f"{len(value)} things"
    return f"a {type(value).__name__}"


def _numbers(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
