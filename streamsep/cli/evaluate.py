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
from streamsep.cli.shared_options import (
    CacheDir,
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

    from streamsep.evaluation.methods import Finish, Live
    from streamsep.evaluation.plan import EvaluationPlan
    from streamsep.evaluation.report import Report
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
    where it stopped. Exit code: 0 all done, 1 some songs failed, 2 nothing could be done, 130
    interrupted.
    """
    from streamsep.cli.loading import (
        announce_model,
        check_followed,
        choose_device,
        file_tiling,
        load_with_progress,
    )
    from streamsep.evaluation.methods import Finish, Offline
    from streamsep.evaluation.plan import EvaluationPlan
    from streamsep.evaluation.songs import find_songs
    from streamsep.models import load_model

    bss = _wants_bss(metrics)
    stem_names = read_stem_names(stem_name or [])
    finish = Finish(consistency=consistency.value, refinement=refine.value)
    streams = _live_methods(preset or [], finish)
    grid = _grid(sweep, sweep_hops, sweep_look_aheads, sweep_segments)
    if not data.is_dir():
        raise InputError(f"'{data}' is no folder: give one that holds a folder per song")
    device = choose_device(device)
    network = load_with_progress(
        model, device=device, cache_dir=cache_dir, download=download, precision="float32"
    )
    announce_model(network, quiet=False)
    incremental = incremental and check_followed(network)
    # In other processes, the same network again: by now its file is here, and what 'auto' meant
    # is decided.
    again = partial(
        load_model,
        network.card.name if network.card else model,
        cache_dir=cache_dir,
        device=device,
        precision="float32",
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
    plan = EvaluationPlan(
        model=network,
        data=data,
        songs=songs,
        offline=Offline(file_tiling(network, segment, None), shifts, finish),
        streams=[replace(live, incremental=incremental) for live in streams],
        sweep=_sweep_methods(grid, network, finish, incremental) if grid else (),
        bss=bss,
    )
    folder = out or plan.folder
    return _publish(_carry_out(plan, folder, again, jobs), folder)


def _carry_out(
    plan: EvaluationPlan, out: Path, load: Callable[[], LoadedModel], jobs: int
) -> Report:
    """Judge everything with a bar on the screen; Ctrl-C says what is kept."""
    from streamsep.cli.evaluate_progress import EvaluationProgress

    with EvaluationProgress(plan.tasks) as observer:
        try:
            return plan.carry_out(out, load=load, jobs=jobs, observer=observer)
        except KeyboardInterrupt:
            observer.say(
                f"stopped; {observer.done} of {len(plan.tasks)} measurements are kept in {out}, "
                "the same command goes on from there"
            )
            raise SystemExit(INTERRUPTED) from None


def _publish(report: Report, out: Path) -> int:
    """Write and show what was found; return the exit code."""
    from streamsep.cli.screen import new_table, output
    from streamsep.evaluation.export import write_report

    if not report.summary.song_count:
        return ALL_FAILED
    files = write_report(report, out)
    screen = output()
    screen.width = WIDEST  # figures that are cut off help nobody
    if not report.summary.measures:
        screen.print("no figures: every stem of every song is silent")
    for table in report.tables():
        shown = new_table(table.headings[:1], table.headings[1:])
        for row in table.rows:
            shown.add_row(*row)
        screen.print(f"\n{table.title}: {table.note}", soft_wrap=True)
        screen.print(shown)
    typer.echo(f"written to {out}/: {', '.join(file.name for file in files)}")
    return SOME_FAILED if report.failures else 0


def _wants_bss(metrics: str) -> bool:
    wanted = {name.strip() for name in metrics.split(",")}
    if "nsdr" not in wanted or wanted - set(METRICS):
        raise ConfigError(f"--metrics '{metrics}': expected nsdr or nsdr,bss")
    return "bss" in wanted


def _live_methods(presets: Sequence[str], finish: Finish) -> list[Live]:
    from streamsep.config import load_preset
    from streamsep.engine import StreamConfig
    from streamsep.evaluation.methods import Live

    loaded = {name: load_preset(name) for name in presets}
    methods = [
        Live(found.name, StreamConfig.from_preset(found), finish) for found in loaded.values()
    ]
    return sorted(methods, key=lambda method: -method.latency)


def _sweep_methods(
    grid: Grid, network: LoadedModel, finish: Finish, incremental: bool
) -> list[Live]:
    stride = network.stride
    return grid.completed(stride).methods(stride, finish, incremental=incremental)


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
