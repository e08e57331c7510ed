"""`streamsep evaluate`: how well a network separates songs whose stems are known."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from streamsep.cli.evaluate_options import (
    Data,
    Incremental,
    Metrics,
    Presets,
    Processes,
    ResultsFolder,
    Sweep,
    SweepHops,
    SweepLookAheads,
    SweepSegments,
    UseMixtureFile,
)
from streamsep.cli.screen import CacheDir
from streamsep.cli.separate_options import (
    Consistency,
    ConsistencyChoice,
    Device,
    Download,
    ModelName,
    Refinement,
    RefinementChoice,
    Segment,
    Shifts,
)
from streamsep.cli.stem_names import StemNames, read_stem_names
from streamsep.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamsep.evaluation.methods import Finish, Live, Method
    from streamsep.evaluation.report import Report
    from streamsep.evaluation.scores import SongScores
    from streamsep.evaluation.songs import Song
    from streamsep.evaluation.sweep import Grid
    from streamsep.models import LoadedModel

__all__ = ["evaluate"]

SOME_FAILED = 1
ALL_FAILED = 2
INTERRUPTED = 130
METRICS = ("nsdr", "bss")
WIDEST = 400
"""More columns than any table has."""


def evaluate(
    data: Data,
    model: ModelName = "auto",
    preset: Presets = None,
    incremental: Incremental = False,
    out: ResultsFolder = None,
    metrics: Metrics = "nsdr,bss",
    use_mixture_file: UseMixtureFile = False,
    stem_name: StemNames = None,
    shifts: Shifts = 0,
    segment: Segment = None,
    consistency: ConsistencyChoice = Consistency.OFF,
    refine: RefinementChoice = Refinement.OFF,
    sweep: Sweep = False,
    sweep_hops: SweepHops = None,
    sweep_look_aheads: SweepLookAheads = None,
    sweep_segments: SweepSegments = None,
    device: Device = "auto",
    jobs: Processes = 1,
    download: Download = True,
    cache_dir: CacheDir = None,
) -> int:
    """Separate songs with known stems and score the estimates.

    As files are separated, and as a live stream under every --preset; beside that, what the mixture
    and silence score. Writes results.csv, .json, .md and .html. A run that was stopped goes on
    where it stopped. Exit code: 0 all done, 1 some songs failed, 2 nothing could be done.
    """
    from streamsep.cli.loading import announce_model, choose_device, load_with_progress
    from streamsep.evaluation.methods import Finish
    from streamsep.evaluation.songs import find_songs
    from streamsep.models import load_model

    bss = _wants_bss(metrics)
    stem_names = read_stem_names(stem_name or [])
    finish = Finish(consistency=consistency.value, refinement=refine.value)
    presets = _live_methods(preset or [], finish, incremental)
    grid = _grid(sweep, sweep_hops, sweep_look_aheads, sweep_segments)
    if not data.is_dir():
        raise InputError(f"'{data}' is no folder: give one that holds a folder per song")
    device = choose_device(device)
    network = load_with_progress(model, device=device, cache_dir=cache_dir, download=download)
    announce_model(network, quiet=False)
    if incremental and not _can_follow(network):
        typer.echo(
            f"--incremental changes nothing: '{network.name}' computes every window anew", err=True
        )
        incremental = False
        presets = [replace(live, incremental=False) for live in presets]
    # In other processes, the same network again: by now its file is here.
    again = partial(
        load_model,
        network.card.name if network.card else network.path,
        cache_dir=cache_dir,
        device=device,
        download=False,
    )
    songs = find_songs(
        data,
        network.sources,
        network.sample_rate,
        network.channels,
        stem_names=stem_names,
        use_mixture_file=use_mixture_file,
    )
    plan = _Plan(network, data, songs, use_mixture_file, bss, finish, incremental)
    plan.choose_methods(presets, grid, segment, shifts)
    return plan.carry_out(out, again, jobs)


def _can_follow(network: LoadedModel) -> bool:
    """Whether it keeps from hop to hop what it can; that does not depend on the hop."""
    hop = network.stride
    return network.follow(segment=32 * hop, hop=hop, wanted=slice(0, hop)) is not None


class _Plan:
    """What is to be judged, and by what."""

    def __init__(
        self,
        model: LoadedModel,
        data: Path,
        songs: Sequence[Song],
        use_mixture_file: bool,
        bss: bool,
        finish: Finish,
        incremental: bool,
    ) -> None:
        self._model = model
        self._data = data
        self._use_mixture_file = use_mixture_file
        self._bss = bss
        self._finish = finish
        self._incremental = incremental
        self._songs = songs
        self._methods: list[Method] = []
        self._grid: list[Live] = []

    def choose_methods(
        self, presets: Sequence[Live], grid: Grid | None, segment_s: float | None, shifts: int
    ) -> None:
        """Set what will be judged; presets and the default grid fit the network's stride."""
        from streamsep.cli.loading import file_tiling
        from streamsep.evaluation.methods import MIXTURE, SILENCE, Offline

        stride = self._model.stride
        offline = Offline(file_tiling(self._model, segment_s, None), shifts, self._finish)
        fitted = [replace(live, tiling=live.tiling.fitted_to(stride)) for live in presets]
        self._methods = [offline, *fitted, MIXTURE, SILENCE]
        if grid:
            self._grid = grid.completed(stride).methods(
                stride, self._finish, incremental=self._incremental
            )
        names = [method.name for method in (*self._methods, *self._grid)]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ConfigError(f"--preset: '{min(twice)}' is there twice; rename one of the presets")

    def carry_out(self, out: Path | None, load: Callable[[], LoadedModel], jobs: int) -> int:
        """Judge everything, write and show the results; return the exit code.

        Args:
            out: folder of the results; None for one named after the network and the songs.
            load: loads the network in other processes.
            jobs: how many there are.
        """
        from streamsep.cli.evaluate_progress import EvaluationProgress
        from streamsep.evaluation.records import Records, Task, sha256_of
        from streamsep.evaluation.runner import evaluate as judge_all
        from streamsep.evaluation.whole_file import check_writable

        weights = sha256_of(*self._model.files)
        out = out or Path("evaluated") / _folder_of(self._model, weights) / _name(self._data)
        check_writable(out)
        tasks = [
            Task(song, method, bss=self._bss and method not in self._grid)
            for song in self._songs
            for method in (*self._methods, *self._grid)
        ]
        records = Records(out, weights)
        with EvaluationProgress(tasks) as observer:
            try:
                outcomes = judge_all(
                    tasks, self._model, records, load=load, jobs=jobs, observer=observer
                )
            except KeyboardInterrupt:
                observer.say(
                    f"stopped; {observer.done} of {len(tasks)} measurements are kept in {out}, the "
                    "same command goes on from there"
                )
                raise SystemExit(INTERRUPTED) from None
        failures = list(dict.fromkeys(str(o.error) for o in outcomes if o.error is not None))
        report = self._report([o.scores for o in outcomes if o.scores], weights, failures)
        return _publish(report, out)

    def _report(
        self, scores: Sequence[SongScores], weights: str, failures: Sequence[str]
    ) -> Report:
        from streamsep.evaluation.report import Report
        from streamsep.evaluation.summary import summarise
        from streamsep.evaluation.sweep import sweep_points

        everything = summarise(scores, self._model.sources)
        known = everything.song_count > 0
        return Report(
            model=self._model.name,
            weights_sha256=weights,
            sample_rate=self._model.sample_rate,
            data=_name(self._data),
            mixture_file=self._use_mixture_file,
            finish=self._finish,
            incremental=self._incremental,
            methods=self._methods,
            summary=everything.only([method.name for method in self._methods]),
            sweep=sweep_points(everything, self._grid) if known else (),
            failures=failures,
        )


def _publish(report: Report, out: Path) -> int:
    """Write and show what was found; return the exit code."""
    from streamsep.cli.screen import new_table, output
    from streamsep.evaluation.export import write_report

    if not report.summary.song_count:
        return ALL_FAILED
    files = write_report(report, out)
    screen = output()
    screen.width = WIDEST  # figures that are cut off help nobody
    for table in report.tables():
        shown = new_table(table.headings[:1], table.headings[1:])
        for row in table.rows:
            shown.add_row(*row)
        screen.print(f"\n{table.title}: {table.note}", soft_wrap=True)
        screen.print(shown)
    typer.echo(f"written to {out}/: {', '.join(file.name for file in files)}")
    return SOME_FAILED if report.failures else 0


def _name(data: Path) -> str:
    """What a folder is called, `.` included."""
    return data.resolve().name


def _folder_of(model: LoadedModel, weights: str) -> str:
    """What the folder of a network's results is called; the same for no two networks.

    Trainings and their owners call many files the same, so the folder around a file and the
    beginning of its checksum belong to the name; once, where the network has the folder's name.
    """
    if model.card is not None:
        return model.name
    around = model.path.resolve().parent.name
    return "-".join(filter(None, dict.fromkeys((around, model.name, weights[:8]))))


def _wants_bss(metrics: str) -> bool:
    wanted = {name.strip() for name in metrics.split(",")}
    if "nsdr" not in wanted or wanted - set(METRICS):
        raise ConfigError(f"--metrics '{metrics}': expected nsdr or nsdr,bss")
    return "bss" in wanted


def _live_methods(presets: Sequence[str], finish: Finish, incremental: bool) -> list[Live]:
    from streamsep.config import load_preset
    from streamsep.engine import StreamConfig
    from streamsep.evaluation.methods import Live

    loaded = {name: load_preset(name) for name in presets}
    methods = [
        Live(found.name, StreamConfig.from_preset(found), finish, incremental)
        for found in loaded.values()
    ]
    return sorted(methods, key=lambda method: -method.latency)


def _grid(
    wanted: bool, hops: str | None, look_aheads: str | None, segments: str | None
) -> Grid | None:
    options = {
        "--sweep-hops": hops,
        "--sweep-look-aheads": look_aheads,
        "--sweep-segments": segments,
    }
    given = [name for name, text in options.items() if text is not None]
    if not wanted:
        if given:
            raise ConfigError(f"{given[0]} sets the grid of a sweep: add --sweep or leave it out")
        return None
    from streamsep.evaluation.sweep import Grid

    return Grid(
        hops=_lengths("--sweep-hops", hops, least=1),
        look_aheads=_lengths("--sweep-look-aheads", look_aheads),
        segments=_lengths("--sweep-segments", segments, least=1),
    )


def _lengths(option: str, text: str | None, least: int = 0) -> tuple[int, ...]:
    """Whole numbers between commas, each once; none for no text."""
    if text is None:
        return ()
    try:
        lengths = sorted({int(word) for word in text.split(",")})
    except ValueError:
        lengths = [-1]
    if lengths[0] < least:
        raise ConfigError(f"{option} '{text}': expected samples between commas, as in 2048,8192")
    return tuple(lengths)
