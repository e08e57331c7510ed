"""Which weights a run keeps: of the last ones and all averages, at any validation, the best."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from streamsep.training.checkpoint import BestWeights
from streamsep.training.reports import LAST_WEIGHTS, ValidationReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamsep.config.training import ValidationConfig
    from streamsep.models.architectures import Network
    from streamsep.training.ema import WeightAverages
    from streamsep.training.reports import Watcher
    from streamsep.training.validation import Judge

__all__ = ["Selection"]


class Selection:
    """Judges weights and keeps the best.

    Args:
        judge: scores them; without songs there is nothing to judge by.
        config: what is best, and how often to look.

    Attributes:
        best: None before the first validation.
    """

    def __init__(self, judge: Judge, config: ValidationConfig) -> None:
        self._judge = judge
        self._config = config
        self.best: BestWeights | None = None

    def go_on_from(self, best: BestWeights | None) -> bool:
        """Take up the best weights of a run, if new ones can be compared with them.

        Weights that were judged by other songs or in another way may have scores that none will
        ever beat, however much better they are. Versions that did not say how they judged had the
        same loss, but let other stems count for the nSDR.

        Args:
            best: that a checkpoint holds.

        Returns:
            Whether they were taken up, or there were none.
        """
        comparable = (
            best is None
            or best.judged_by == self._judge.fingerprint
            or (best.judged_by is None and self._config.metric == "loss")
        )
        self.best = best if comparable else None
        return comparable

    def is_due(self, ended: int | None, *, last: bool) -> bool:
        """Whether to look.

        Args:
            ended: the epoch that has just ended, from 1; None within an epoch.
            last: whether the run is over.
        """
        due = ended is not None and ended % self._config.every == 0
        return bool(self._judge.tracks) and (due or last)

    def choose(
        self,
        network: Network,
        averages: WeightAverages,
        *,
        step: int,
        epoch: int,
        watchers: Sequence[Watcher],
    ) -> ValidationReport:
        """Judge a network's weights and their averages; keep the best if nothing was better yet.

        Args:
            network: which stays as it is.
            averages: of its weights.
            step: steps done.
            epoch: epochs done, an unfinished one included.
            watchers: hear about every song and, at the end, the scores.
        """
        candidates = {LAST_WEIGHTS: network.state_dict(), **dict(averages)}
        judged = copy.deepcopy(network).eval()
        total = len(candidates) * self._judge.own_share
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            for watcher in watchers:
                watcher.validating(done, total)

        scores = []
        for name, weights in candidates.items():
            judged.load_state_dict(weights)
            scores.append(self._judge.scores(name, judged, advance))
        best = scores[0]
        for other in scores[1:]:
            best = other if other.beats(best, self._config.metric) else best
        improved = self.best is None or best.beats(self.best.scores, self._config.metric)
        if improved:
            copies = {name: value.clone() for name, value in candidates[best.weights].items()}
            self.best = BestWeights(
                step=step, scores=best, weights=copies, judged_by=self._judge.fingerprint
            )
        report = ValidationReport(
            step=step, epoch=epoch, scores=tuple(scores), best=best, improved=improved
        )
        for watcher in watchers:
            watcher.validated(report)
        return report

    def kept(self, network: Network, averages: WeightAverages) -> Network:
        """A copy of a network with the best weights, on the CPU and ready to separate.

        Without any validation these are those of the first average or, without any, the last.
        """
        network = copy.deepcopy(network).cpu().eval()
        weights = self.best.weights if self.best else next((w for _, w in averages), None)
        if weights is not None:
            network.load_state_dict(weights)
        return network
