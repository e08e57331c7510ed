"""Judging weights on songs that the run does not learn from."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from streamsep.audio.nsdr import nsdr_db
from streamsep.audio.silence import sounding_stems
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

    Attributes:
        tracks: the songs.
        fingerprint: differs where scores cannot be compared: by the songs, how they are separated
            and how the estimates are judged.

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
        songs = [(track.name, track.length) for track in tracks]
        facts = [songs, self._tiling, config.most_s, config.metric, criterion.config]
        self.fingerprint = hashlib.sha256(repr(facts).encode()).hexdigest()

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
        """The loss of one song and the nSDR of its stems, float64 [1 + S]; NaN for silent ones."""
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
            tiling = tiling.fitted_to(separator)
        stream = StreamingSeparator(separator, tiling, device=self._team.device)
        estimate = torch.cat([stream.push(mix), stream.flush()], dim=-1)
        # At the level of normalised examples, where a loss that is not relative belongs.
        loss = self._criterion(estimate[None] / level.deviation, stems[None] / level.deviation)
        sounding = sounding_stems(stems, mix, window=separator.sample_rate).tolist()
        nsdr = [
            nsdr_db(*pair) if sounds else math.nan
            for *pair, sounds in zip(stems, estimate, sounding, strict=True)
        ]
        return torch.tensor([float(loss), *nsdr], dtype=torch.float64)
