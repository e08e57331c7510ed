"""What an evaluation found, and what a reader must know about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamsep._version import __version__
from streamsep.evaluation.methods import OFFLINE, Baseline, Offline
from streamsep.evaluation.plots import draw_boxes, draw_sweep
from streamsep.evaluation.summary import ALL, NSDR
from streamsep.evaluation.tables import result_tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

    from streamsep.evaluation.methods import Finish, Method
    from streamsep.evaluation.summary import Summary
    from streamsep.evaluation.sweep import SweepPoint
    from streamsep.evaluation.tables import Table

__all__ = ["Report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that the files of an evaluation tell.

    Attributes:
        model: name of the network.
        weights_sha256: checksum of its file.
        sample_rate: samples per second of network and songs.
        data: name of the folder of songs.
        mixture_file: whether the mixtures came from files; otherwise they are the stems' sums.
        finish: what was done to the estimates.
        incremental: whether live streams kept from hop to hop what the network can keep.
        methods: what was judged, baselines included; not the points of a sweep.
        summary: its figures.
        sweep: the points of a sweep, if there was one.
        failures: one line for every song that could not be judged.
    """

    model: str
    weights_sha256: str
    sample_rate: int
    data: str
    mixture_file: bool
    finish: Finish
    incremental: bool
    methods: Sequence[Method]
    summary: Summary
    sweep: Sequence[SweepPoint] = ()
    failures: Sequence[str] = ()

    @property
    def title(self) -> str:
        """One line for the top of a page."""
        return f"{self.model} on {self.data}"

    @property
    def judged(self) -> list[Method]:
        """The methods that are no baselines."""
        return [method for method in self.methods if not isinstance(method, Baseline)]

    @property
    def facts(self) -> dict[str, str]:
        """What a reader must know before looking at figures."""
        return {
            "network": f"{self.model} (sha256 {self.weights_sha256[:16]}…)",
            "songs": f"{self.summary.song_count} from '{self.data}'{self._silence}",
            "mixture": "mixture files" if self.mixture_file else "the sum of the stems",
            "estimates": f"consistency {self.finish.consistency}, refine {self.finish.refinement}",
            "files": "; ".join(_settings_of(m) for m in self.methods if isinstance(m, Offline)),
            "streams": "what can be kept from hop to hop is kept"
            if self.incremental
            else "every window computed anew",
            "program": f"streamsep {__version__}",
        }

    @property
    def _silence(self) -> str:
        """Why there is no figure at all, where there is none."""
        return "" if self.summary.measures else "; no figures: every stem of every song is silent"

    def tables(self) -> list[Table]:
        """The tables of results, on whatever they will be shown."""
        return result_tables(self.summary, self.methods, self.sample_rate, self.sweep)

    def box_plots(self) -> Figure:
        """Scores over songs."""
        return draw_boxes(self.summary, self.judged)

    def sweep_plot(self) -> Figure:
        """Quality against latency."""
        stems = (*self.summary.sources, ALL)
        offline = {stem: self.summary.figure(NSDR, OFFLINE, stem) for stem in stems}
        return draw_sweep(self.sweep, self.summary.sources, self.sample_rate, offline)


def _settings_of(offline: Offline) -> str:
    tiling = offline.tiling
    return f"segment {tiling.segment} samples, overlap {tiling.overlap:g}, shifts {offline.shifts}"
