"""How a complex spectrogram is shown to the network, and how its answer becomes spectrograms.

Paper, section "Spectrogram representation". Either the real and the imaginary part are channels,
and the answer is a spectrogram; or the network sees magnitudes, answers with the magnitudes of the
stems, and the phases have to come from the mixture::

    ComplexAsChannels   z ─ (Re z, Im z) ─ network ─ (Re y, Im y) ─ y
    Magnitudes          z ─      |z|     ─ network ─ |y| ─ Wiener filter ─ y
                        └───────────────────────────────────────┘
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from streamsep.models.wiener import wiener_filter

if TYPE_CHECKING:
    from streamsep.models.hybrid_config import HybridDemucsConfig

__all__ = ["ComplexAsChannels", "Magnitudes", "Representation", "representation_of"]


class Representation(Protocol):
    """What the network needs to know about its spectrograms."""

    @property
    def width(self) -> int:
        """Channels of the network per channel of audio."""

    def to_channels(self, mixture: Tensor) -> Tensor:
        """Show the mixture, complex [B, C, F, N], as real channels [B, width · C, F, N]."""

    def to_spectrograms(self, answer: Tensor, mixture: Tensor) -> Tensor:
        """Read the answer, real [B, S, width · C, F, N], as complex [B, S, C, F, N]."""


class ComplexAsChannels(nn.Module):
    """Real and imaginary part are channels: the network says everything about its stems."""

    width = 2

    def to_channels(self, mixture: Tensor) -> Tensor:
        """As in `Representation`."""
        return torch.view_as_real(mixture).permute(0, 1, 4, 2, 3).flatten(1, 2)

    def to_spectrograms(self, answer: Tensor, mixture: Tensor) -> Tensor:
        """As in `Representation`."""
        batch, stems, _, bins, frames = answer.shape
        parts = answer.reshape(batch, stems, -1, 2, bins, frames).permute(0, 1, 2, 4, 5, 3)
        return torch.view_as_complex(parts.contiguous())


class Magnitudes(nn.Module):
    """Magnitudes are channels; phases are the mixture's or those of a Wiener filter.

    Args:
        iterations: of the Wiener filter; 0 takes the mixture's phase as it is, and a negative
            number does too but for bins where the mixture is silent: there the stems are as well.
        training_iterations: the same while the network is in training mode.
        residual: filter with one stem more, see `wiener_filter`.
    """

    width = 1

    def __init__(self, iterations: int, training_iterations: int, *, residual: bool) -> None:
        super().__init__()
        self.iterations = iterations
        self.training_iterations = training_iterations
        self.residual = residual

    def to_channels(self, mixture: Tensor) -> Tensor:
        """As in `Representation`."""
        return mixture.abs()

    def to_spectrograms(self, answer: Tensor, mixture: Tensor) -> Tensor:
        """As in `Representation`."""
        iterations = self.training_iterations if self.training else self.iterations
        if iterations < 0:
            phase = mixture / (1e-8 + mixture.abs())
            return phase[:, None] * answer
        return wiener_filter(answer, mixture, iterations=iterations, residual=self.residual)


def representation_of(config: HybridDemucsConfig) -> ComplexAsChannels | Magnitudes:
    """The representation that a configuration asks for."""
    if config.complex_as_channels:
        return ComplexAsChannels()
    return Magnitudes(
        config.wiener_iterations,
        config.training_wiener_iterations,
        residual=config.wiener_residual,
    )
