r"""Refinement: giving the mixture out again, in the proportions that the network found.

What a network gives does not sum to the mixture: some sound is in two stems, some in none, some
was never played. How large each stem is at some pitch and moment it tells better than how that
sounds exactly. So only the sizes are taken from the estimates, cell by cell of a spectrogram, and
the sound from the mixture::

    estimates ── STFT ── |E_s|^p ── ÷ Σ|E|^p ── mask_s ─┐
                                                        × ── inverse STFT ── refined stems
    mixture ──── STFT ──────────────────────────────────┘

The masks of a cell sum to one, so the stems sum to the mixture. p = 2 is the Wiener filter of
Gaussian sources; p = 1 is that of sources with heavier tails, which is the better description of
music and of estimates that are themselves uncertain.

It happens within a segment, before overlap-add. So it needs no sample beyond those that the network
has seen anyway and adds nothing to the latency; it keeps no state, so the cuts of the stream cannot
show; and averaging segments whose stems sum to the mixture keeps that sum.

Source: Liutkus and Badeau, "Generalized Wiener filtering with fractional power spectrograms"
(2015).
"""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor

from streamsep.audio.inverse_stft import inverse_stft
from streamsep.errors import ConfigError

__all__ = [
    "REFINEMENT_NAMES",
    "Refinement",
    "RefinementName",
    "WienerRefinement",
    "make_refinement",
]

RefinementName = Literal["off", "wiener"]
REFINEMENT_NAMES: tuple[RefinementName, ...] = ("off", "wiener")

FLOOR = 1e-10
"""Added to every amplitude: cells that no stem claims are shared equally. A full-scale sine has
amplitudes above 1000, so it shows nowhere else."""


class Refinement(Protocol):
    """Improves the estimates of a segment by looking at the mixture again; stateless."""

    def heard(self, wanted: slice) -> slice:
        """The samples of a segment that it looks at to refine some; they may end beyond it."""

    def __call__(self, mix: Tensor, estimates: Tensor, wanted: slice) -> Tensor:
        """Refine some samples of a segment.

        Args:
            mix: the segment [B, C, T], finite; or of it what is `heard`.
            estimates: what the network made of that, [B, S, C, T], finite.
            wanted: the samples of these that will be used, from 0 to at most T.

        Returns:
            Those samples, refined: [B, S, C, wanted].
        """


class WienerRefinement:
    """Filters the mixture with the ratios of the estimates' spectrograms.

    Args:
        power: p, above 0 to 2: 1 for ratios of amplitudes, 2 for ratios of powers.
        window: length of the STFT's Hann window, samples, a positive multiple of 4; its hop is a
            quarter of it.

    Raises:
        ConfigError: a value is out of its range.
    """

    def __init__(self, power: float = 1.0, window: int = 4096) -> None:
        if not 0 < power <= 2:
            raise ConfigError(f"the power of the masks must be above 0 and at most 2, got {power}")
        if window < 4 or window % 4:
            raise ConfigError(f"the window must be a positive multiple of 4 samples, got {window}")
        self._power = power
        self._hop = window // 4
        self._window = torch.hann_window(window)

    def heard(self, wanted: slice) -> slice:
        """What the STFT frames that reach into the wanted samples look at, all of them whole.

        The frames lie on the same grid whatever is wanted.
        """
        window = 4 * self._hop
        start = max(0, wanted.start - window) // self._hop * self._hop
        return slice(start, wanted.stop + window)

    def __call__(self, mix: Tensor, estimates: Tensor, wanted: slice) -> Tensor:
        """Refine estimates [B, S, C, T] of mix [B, C, T] where wanted."""
        heard = self.heard(wanted)
        filtered = self._filtered(mix[..., heard], estimates[..., heard])
        return filtered[..., wanted.start - heard.start : wanted.stop - heard.start]

    def _filtered(self, mix: Tensor, estimates: Tensor) -> Tensor:
        masks = torch.stack([self._spectrum(stem).abs() for stem in estimates.unbind(1)], dim=1)
        masks.add_(FLOOR).pow_(self._power)
        masks /= masks.sum(1, keepdim=True)
        spectrum = self._spectrum(mix)
        # Stem by stem: a segment's complex spectrograms are large, and one at a time is enough.
        stems = [self._waveform(mask * spectrum, mix.shape[-1]) for mask in masks.unbind(1)]
        return torch.stack(stems, dim=1)

    def _spectrum(self, waves: Tensor) -> Tensor:
        """Centred STFT of [B, C, T] with silence around it: complex [B, C, F, N]."""
        flat = torch.stft(
            waves.flatten(0, 1),
            4 * self._hop,
            self._hop,
            window=self._window.to(waves.device),
            pad_mode="constant",
            return_complex=True,
        )
        return flat.reshape(*waves.shape[:2], *flat.shape[1:])

    def _waveform(self, spectrum: Tensor, length: int) -> Tensor:
        """Inverse of `_spectrum`, [B, C, length]."""
        window = self._window.to(spectrum.device)
        flat = inverse_stft(spectrum.flatten(0, 1), window, self._hop, length)
        return flat.reshape(*spectrum.shape[:2], length)


def make_refinement(name: RefinementName) -> Refinement | None:
    """The refinement of a name, None for ``off``.

    Raises:
        ConfigError: the name is unknown.
    """
    if name == "off":
        return None
    if name == "wiener":
        return WienerRefinement()
    raise ConfigError(f"unknown refinement {name!r}, expected one of {', '.join(REFINEMENT_NAMES)}")
