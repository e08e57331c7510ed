"""One evaluation from beginning to end: what is judged, where its results belong, what they tell.

    plan = EvaluationPlan(
        model=model, data=data, songs=find_songs(data, ...), offline=Offline(tiling)
    )
    report = plan.carry_out(plan.folder)
    write_report(report, plan.folder)

The network is judged as files are separated, and as every live stream that is named; beside it
stand the mixture and silence. The tilings of a sweep are judged by nSDR alone: they are many.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from streamsep.errors import ConfigError
from streamsep.evaluation.methods import MIXTURE, SILENCE
from streamsep.evaluation.records import Records, Task, sha256_of
from streamsep.evaluation.report import Report
from streamsep.evaluation.runner import Unobserved, evaluate
from streamsep.evaluation.summary import summarise
from streamsep.evaluation.sweep import sweep_points
from streamsep.files.output import check_writable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamsep.evaluation.methods import Live, Method, Offline
    from streamsep.evaluation.runner import Observer, Outcome
    from streamsep.evaluation.songs import Song
    from streamsep.models import LoadedModel

__all__ = ["EvaluationPlan"]


@dataclass(frozen=True, kw_only=True)
class EvaluationPlan:
    """What is to be judged, and by what.

    Attributes:
        model: the network.
        data: the folder of the songs; its name is told.
        songs: the songs, of that folder.
        offline: how whole files are separated; its finish is told as that of all methods.
        streams: live streams, of any tiling: it is fitted to the network.
        sweep: the tilings of a sweep, as of `Grid.methods`.
        bss: whether BSS Eval is computed as well, but for the sweep.

    Raises:
        ConfigError: two methods have one name.
    """

    model: LoadedModel
    data: Path
    songs: Sequence[Song]
    offline: Offline
    streams: Sequence[Live] = ()
    sweep: Sequence[Live] = ()
    bss: bool = True

    def __post_init__(self) -> None:
        names = [method.name for method in (*self.methods, *self.sweep)]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ConfigError(
                f"the method '{min(twice)}' is there twice; rename one of the presets"
            )

    @cached_property
    def methods(self) -> tuple[Method, ...]:
        """What the tables compare: files, streams, and what a network must beat."""
        fitted = (replace(live, tiling=live.tiling.fitted_to(self.model)) for live in self.streams)
        return (self.offline, *fitted, MIXTURE, SILENCE)

    @cached_property
    def tasks(self) -> list[Task]:
        """Every song by every method, those of the sweep included."""
        return [
            Task(song, method, bss)
            for song in self.songs
            for methods, bss in ((self.methods, self.bss), (self.sweep, False))
            for method in methods
        ]

    @cached_property
    def weights_sha256(self) -> str:
        """The checksum of the network's files."""
        return sha256_of(*self.model.files)

    @property
    def folder(self) -> Path:
        """Where the results belong, unless somebody knows better; another one for each network.

        Trainings and their owners call many files the same, so the folder around a file and the
        beginning of its checksum belong to the name; once, where the network has the folder's name.
        """
        network = self.model.name
        if self.model.card is None:
            around = self.model.path.resolve().parent.name
            parts = dict.fromkeys((around, network, self.weights_sha256[:8]))
            network = "-".join(filter(None, parts))
        return Path("evaluated") / network / self._data_name

    def carry_out(
        self,
        out: Path,
        *,
        load: Callable[[], LoadedModel] | None = None,
        jobs: int = 1,
        observer: Observer | None = None,
    ) -> Report:
        """Judge everything that was not judged before.

        Args:
            out: folder of the results, in which the scores of every song are kept as they come.
            load: loads the network in other processes; needed for more than one job.
            jobs: songs judged at the same time.
            observer: is told how it is getting on.

        Returns:
            What was found; `write_report` writes it down.

        Raises:
            OutputError: nothing can be written to the folder.
            ConfigError: a process was killed.
            KeyboardInterrupt: Ctrl-C; what was finished is kept.
        """
        check_writable(out)
        outcomes = evaluate(
            self.tasks,
            self.model,
            Records(out, self.weights_sha256),
            load=load,
            jobs=jobs,
            observer=observer or Unobserved(),
        )
        return self._report(outcomes)

    def _report(self, outcomes: Sequence[Outcome]) -> Report:
        # A damaged file fails every method alike; once is enough.
        failures = dict.fromkeys(str(o.error) for o in outcomes if o.error is not None)
        scores = [outcome.scores for outcome in outcomes if outcome.scores is not None]
        everything = summarise(scores, self.model.sources)
        return Report(
            model=self.model.name,
            weights_sha256=self.weights_sha256,
            sample_rate=self.model.sample_rate,
            data=self._data_name,
            mixture_file=any(song.mixture is not None for song in self.songs),
            finish=self.offline.finish,
            incremental=any(live.incremental for live in (*self.streams, *self.sweep)),
            methods=self.methods,
            summary=everything.only([method.name for method in self.methods]),
            sweep=sweep_points(everything, self.sweep) if everything.song_count else (),
            failures=tuple(failures),
        )

    @property
    def _data_name(self) -> str:
        """What the folder of songs is called, `.` included."""
        return self.data.resolve().name
