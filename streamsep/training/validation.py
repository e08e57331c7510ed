"""Judging weights on songs that the run does not learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from streamsep.audio.statistics import measure
from streamsep.config import load_preset
from streamsep.engine import NormalisedSeparator, OverlapConfig, StreamConfig, StreamingSeparator
from streamsep.training.reports import Scores

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamsep.config.training import ValidationConfig
    from streamsep.engine import Separator
    from streamsep.files import TrackFolder
    from streamsep.training.loss import Criterion
    from streamsep.training.team import Team

__all__ = ["Judge"]

DELTA = 1e-7
"""Keeps silence from dividing by zero in the nSDR, as in the Music Demixing Challenge."""


class Judge:
    """Separates the held-out songs and scores the stems.

    The songs go through the same engine as a user's files or live streams do: files are seen
    normalised by the whole track's statistics, streams as they come.

    Args:
        tracks: the songs.
        config: how to separate them.
        criterion: the loss of the run.
        segment: samples that the network sees at once where the configuration does not say.
        team: the processes that share the songs out, and where they compute.

    Raises:
        ConfigError: there is no such preset.
    """

    def __init__(
        self,
        tracks: Sequence[TrackFolder],
        config: ValidationConfig,
        criterion: Criterion,
        *,
        segment: int,
        team: Team,
    ) -> None:
        self.tracks = tuple(tracks)
        self._criterion = criterion
        self._team = team
        self._most_s = config.most_s
        self._normalised = config.latency_preset is None
        self._tiling: OverlapConfig | StreamConfig
        if config.latency_preset is None:
            self._tiling = OverlapConfig(segment=config.segment or segment)
        else:
            self._tiling = StreamConfig.from_preset(load_preset(config.latency_preset))

    @property
    def own_share(self) -> int:
        """Songs that this process scores for every set of weights."""
        return len(range(self._team.rank, len(self.tracks), self._team.size))

    def scores(
        self, name: str, separator: Separator, advance: Callable[[], None] | None = None
    ) -> Scores:
        """Score a separator.

        Args:
            name: of its weights, for the result.
            separator: on the team's device.
            advance: called after every song of this process.

        Returns:
            The same in every process of the team.
        """
        sources = separator.sources
        rows = torch.zeros(len(self.tracks), 1 + len(sources), dtype=torch.float64)
        for index in range(self._team.rank, len(self.tracks), self._team.size):
            rows[index] = self._score(separator, self.tracks[index])
            if advance is not None:
                advance()
        # Every row is zero in all processes but one.
        means = self._team.sum(rows).nanmean(dim=0).tolist()
        nsdr_db = dict(zip(sources, means[1:], strict=True))
        return Scores(weights=name, loss=means[0], nsdr_db=nsdr_db)

    def _score(self, separator: Separator, track: TrackFolder) -> Tensor:
        """The loss and the nSDR of every stem of one song, float64 [1 + S]."""
        length = track.length
        if self._most_s is not None:
            length = min(length, round(self._most_s * separator.sample_rate))
        stems = torch.stack([track.read(stem, 0, length) for stem in range(len(track.stems))])
        mix = stems.sum(dim=0)
        level = measure([mix])
        if self._normalised:
            separator = NormalisedSeparator(separator, level.mean, level.deviation)
        tiling = self._tiling
        if isinstance(tiling, StreamConfig):
            tiling = tiling.fitted_to(separator.stride)
        stream = StreamingSeparator(separator, tiling, device=self._team.device)
        estimate = torch.cat([stream.push(mix), stream.flush()], dim=-1)
        # At the level of normalised examples, where a loss that is not relative belongs.
        loss = self._criterion(estimate[None] / level.deviation, stems[None] / level.deviation)
        return torch.cat([loss.double(), nsdr_of_stems_db(stems, estimate)])


def nsdr_of_stems_db(stems: Tensor, estimate: Tensor) -> Tensor:
    """The nSDR of stems [S, C, T] that sound, NaN for those that do not, float64 [S].

    Source: Mitsufuji et al., "Music Demixing Challenge 2021", section 3.2.
    """
    signal = stems.double().square().sum(dim=(1, 2))
    error = (stems - estimate).double().square().sum(dim=(1, 2))
    nsdr_db = 10 * torch.log10((signal + DELTA) / (error + DELTA))
    return nsdr_db.where(signal > 0, torch.nan)
