"""One song through one method, and what that scored.

Estimates come later than the mixture they belong to, so the stems wait for them. That queue is as
long as the method's latency; only BSS Eval, whose filters are fitted to whole stems, needs the song
in memory.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from streamsep.engine.fifo import SampleFifo
from streamsep.errors import ConfigError
from streamsep.evaluation.bss_eval import bss_eval
from streamsep.evaluation.energies import EnergyMeter
from streamsep.evaluation.scores import SongScores, StemScores

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from streamsep.evaluation.methods import Method
    from streamsep.evaluation.songs import Song
    from streamsep.models import LoadedModel

    Progress = Callable[[int], None]

__all__ = ["score_song"]

ROUNDING_DB = 100.0
"""Ratios beyond this are made of rounding errors and count as this."""

BSS_NAMES = ("sdr", "isr", "sir", "sar")


def score_song(
    song: Song,
    method: Method,
    model: LoadedModel,
    *,
    bss: bool = True,
    on_progress: Progress | None = None,
) -> SongScores:
    """Separate a song and compare the estimates with its stems.

    Args:
        song: the song.
        method: how to separate it.
        model: the network.
        bss: whether to compute BSS Eval v4 as well, which takes long and the song's memory.
        on_progress: called after every block with the samples it had.

    Raises:
        InputError: a file of the song is damaged.
        ConfigError: there is no memory for the whole song, which BSS Eval needs.
    """
    card = _Scorecard(song, len(model.sources), bss=bss)
    stream = method.open(model, song.mixture_blocks())
    for stems, mixture in song.blocks():
        card.expect(stems, mixture)
        card.compare(stream.push(mixture))
        if on_progress is not None:
            on_progress(mixture.shape[-1])
    card.compare(stream.flush())
    scores = card.finish()
    return SongScores(
        song=song.name,
        method=method.name,
        duration_s=song.frames / song.sample_rate,
        stems=dict(zip(model.sources, scores, strict=True)),
    )


class _Scorecard:
    """Compares estimates with their stems while they come in."""

    def __init__(self, song: Song, stems: int, *, bss: bool) -> None:
        self._rate = song.sample_rate
        self._stems = stems
        self._expected = SampleFifo()
        self._meter = EnergyMeter(stems, window=song.sample_rate)
        # References and estimates of the whole song, for BSS Eval alone.
        self._whole = _room_for(2, stems, song.channels, song.frames) if bss else None
        self._compared = 0

    def expect(self, stems: Tensor, mixture: Tensor) -> None:
        """Remember stems [S, C, t] and the mixture [C, t] until their estimates come."""
        self._expected.push(torch.cat([stems, mixture[None]]))

    def compare(self, estimates: Tensor) -> None:
        """Take in the next estimates [S, C, n]."""
        count = estimates.shape[-1]
        expected = self._expected.pop(count)
        stems, mixture = expected[:-1], expected[-1]
        self._meter.add(stems, mixture, estimates)
        if self._whole is not None:
            place = slice(self._compared, self._compared + count)
            self._whole[0, ..., place] = stems
            self._whole[1, ..., place] = estimates
        self._compared += count

    def finish(self) -> list[StemScores]:
        """The scores of every stem, once all estimates have come."""
        energies = self._meter.finish()
        # A stem that never sounds explains nothing and would leave no frame with a score.
        sounding = [stem for stem, found in enumerate(energies) if not found.never_sounds]
        bss = self._bss_medians(sounding)
        return [
            StemScores(
                nsdr_db=found.nsdr_db,
                false_db=found.false_db,
                silent_s=found.silent_samples / self._rate,
                **bss.get(stem, {}),
            )
            for stem, found in enumerate(energies)
        ]

    def _bss_medians(self, stems: list[int]) -> dict[int, dict[str, float | None]]:
        """Medians over frames, by stem and name, of stems that are judged together."""
        if self._whole is None or not stems or not bool(self._whole[1].any()):
            return {}
        # Choosing copies, and a song is large: only where there is something to leave out.
        judged = self._whole if len(stems) == self._stems else self._whole[:, stems]
        references, estimates = judged.numpy()
        scores = bss_eval(references, estimates, window=self._rate, hop=self._rate)
        medians = scores.median()
        # Where nothing else plays there is no interference to speak of.
        names = [name for name in BSS_NAMES if len(stems) > 1 or name != "sir"]
        return {
            stem: {f"{name}_db": _bounded(float(medians[name][row])) for name in names}
            for row, stem in enumerate(stems)
        }


def _bounded(score_db: float) -> float | None:
    """The score, unless there is none; rounding errors cut off."""
    return None if math.isnan(score_db) else max(-ROUNDING_DB, min(ROUNDING_DB, score_db))


def _room_for(*shape: int) -> Tensor:
    try:
        return torch.zeros(*shape)
    except RuntimeError as error:  # torch has no error of its own for this
        size_gb = 4 * math.prod(shape) / 1e9
        raise ConfigError(
            f"BSS Eval needs the whole song in memory, {size_gb:.0f} GB: use --metrics nsdr"
        ) from error
