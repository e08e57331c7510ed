"""One picture of a separation: the mixture and its stems as spectrograms, on one scale."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import torch
from matplotlib.figure import Figure

from streamsep.files.output import write_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["save_spectrograms"]

N_FFT = 2048
RANGE_DB = 80.0
COLUMNS = 1200
"""STFT columns across the picture, at most: longer sounds are drawn with a longer hop."""


def save_spectrograms(path: Path, sounds: Mapping[str, Tensor], sample_rate: int) -> None:
    """Draw sounds one above the other and save them.

    Args:
        path: where to; the extension decides the format.
        sounds: [C, T] by title, all of one length.
        sample_rate: samples per second.

    Raises:
        OutputError: the picture cannot be written.
    """
    levels = {title: _level_db(sound) for title, sound in sounds.items()}
    loudest = max(float(level.max()) for level in levels.values())
    figure = Figure(figsize=(11, 1.9 * len(levels) + 0.6), layout="constrained")
    axes = figure.subplots(len(levels), 1, sharex=True, squeeze=False)[:, 0]
    duration_s = max(sound.shape[-1] for sound in sounds.values()) / sample_rate
    for axis, (title, level) in zip(axes, levels.items(), strict=True):
        image = axis.imshow(
            level,
            origin="lower",
            aspect="auto",
            extent=(0, duration_s, 0, sample_rate / 2000),
            vmin=loudest - RANGE_DB,
            vmax=loudest,
            cmap="magma",
        )
        # Music happens at the bottom; on a linear axis it would be a thin line.
        axis.set_yscale("symlog", linthresh=0.5)
        axis.set_ylim(0, sample_rate / 2000)
        axis.set_yticks([0.1, 0.5, 2, 8], ["0.1", "0.5", "2", "8"])
        axis.set_ylabel("kHz")
        axis.set_title(title, loc="left", fontsize=10)
    axes[-1].set_xlabel("seconds")
    figure.colorbar(image, ax=list(axes), label="dB", fraction=0.025, pad=0.01)
    drawn = io.BytesIO()
    figure.savefig(drawn, format=path.suffix.removeprefix("."), dpi=110)
    write_whole(path, drawn.getvalue())


def _level_db(sound: Tensor) -> NDArray[np.float32]:
    """Magnitudes [F, N] of the mono mix in dB."""
    mono = sound.mean(0)
    if len(mono) < N_FFT:
        mono = torch.nn.functional.pad(mono, (0, N_FFT - len(mono)))
    hop = max(N_FFT // 4, len(mono) // COLUMNS)
    window = torch.hann_window(N_FFT)
    spectrum = torch.stft(mono, N_FFT, hop, window=window, return_complex=True).abs()
    level: NDArray[np.float32] = (20 * torch.log10(spectrum + 1e-6)).numpy()
    return level
