"""`streamsep board`: songs through a board of plugins, in one pass with their separation."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamsep.cli.shared_options import (
    CacheDir,
    Consistency,
    ConsistencyChoice,
    Device,
    Download,
    LatencyPresetName,
    ModelName,
    Refinement,
    RefinementChoice,
    Segment,
    Shifts,
)
from streamsep.cli.track_batch import (
    carry_out,
    check_segments,
    chosen_encoding,
    is_among,
    live_tiling,
)
from streamsep.cli.track_options import (
    ClipModeChoice,
    Float32,
    Incremental,
    Int24,
    Jobs,
    JsonLines,
    Mp3Bitrate,
    Overlap,
    Precision,
    PrecisionChoice,
    Seed,
    Tracks,
)
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from streamsep.config.board import BoardConfig
    from streamsep.offline import OutputLayout

__all__ = ["board"]


class Format(StrEnum):
    """Values of --format."""

    WAV = "wav"
    FLAC = "flac"
    MP3 = "mp3"


BoardName = Annotated[
    str | None,
    typer.Argument(
        metavar="BOARD", help="A name from 'streamsep board --list', or a YAML file of your own."
    ),
]

OutFolder = Annotated[Path, typer.Option("-o", "--out", help="Folder for the results.")]

Filename = Annotated[
    str | None,
    typer.Option(
        help="Path of a result below OUT/BOARD; may use {track}, {trackext}, {stem}, {ext}. "
        "[default: {track}.{ext}; {track}/{stem}.{ext} if the board gives several]"
    ),
]

FormatChoice = Annotated[Format, typer.Option("--format", help="What to write.")]

SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", help="Leave out tracks whose results are all there.")
]

ListBoards = Annotated[bool, typer.Option("--list", help="List the boards and stop.")]


def board(
    name: BoardName = None,
    tracks: Tracks = None,
    model: ModelName = "auto",
    out: OutFolder = Path("boards"),
    filename: Filename = None,
    file_format: FormatChoice = Format.WAV,
    int24: Int24 = False,
    float32: Float32 = False,
    mp3_bitrate: Mp3Bitrate = None,
    clip_mode: ClipModeChoice = None,
    device: Device = "auto",
    precision: PrecisionChoice = Precision.FLOAT32,
    shifts: Shifts = 0,
    overlap: Overlap = None,
    segment: Segment = None,
    latency_preset: LatencyPresetName = None,
    incremental: Incremental = None,
    consistency: ConsistencyChoice = Consistency.OFF,
    refine: RefinementChoice = Refinement.OFF,
    jobs: Jobs = 1,
    skip_existing: SkipExisting = False,
    seed: Seed = 0,
    download: Download = True,
    cache_dir: CacheDir = None,
    list_boards: ListBoards = False,
    as_json: JsonLines = False,
) -> int:
    """Send songs through a board of plugins into OUT/BOARD/TRACK.wav.

    A board says which effects and plugins each stem goes through and what is written: see
    docs/boards.md. Rate, channels and length are the file's, 16-bit unless asked otherwise. Exit
    code: 0 all done, 1 some tracks failed, 2 nothing could be done, 130 interrupted.
    """
    if list_boards:
        return _list(as_json=as_json)
    if name is None:
        raise ConfigError("no BOARD was given; see 'streamsep board --list'")
    check_segments(latency_preset, segment, overlap, incremental)
    from streamsep.config.board import load_board

    config = load_board(name)
    encoding = chosen_encoding(
        file_format.value, int24=int24, float32=float32, bitrate_kbps=mp3_bitrate
    )
    if not tracks:
        raise ConfigError("no FILE or DIR was given; see 'streamsep board --help'")
    from streamsep.cli.loading import (
        announce_model,
        check_followed,
        choose_device,
        file_tiling,
        load_with_progress,
    )
    from streamsep.files import expand
    from streamsep.offline import SeparationOptions, tracks_under_way
    from vst_wrapper.boards import BoardRenderer, check_board

    device = choose_device(device)
    # All that can be wrong without the network is looked at before one is fetched.
    check_board(config)
    layout = _layout(out, config, filename)
    found, bad = expand(tracks, exclude=out)
    if is_among(out, tracks):
        # The output folder is what shall be rendered (`.` into `.`): only leave out its results.
        found, bad = expand(tracks, exclude=out / config.name)
    if not found:
        raise bad[0].error if bad else ConfigError("no audio files were found")
    live = live_tiling(latency_preset)
    options = SeparationOptions(
        shifts=shifts,
        consistency=consistency.value,
        refinement=refine.value,
        encoding=encoding,
        clip_mode=clip_mode.value if clip_mode else None,
        device=device,
        incremental=incremental,
        seed=seed,
    )
    network = load_with_progress(
        model, device=device, cache_dir=cache_dir, download=download, precision=precision.value
    )
    options = replace(
        options,
        tiling=live.fitted_to(network) if live else file_tiling(network, segment, overlap),
    )
    boards = tracks_under_way(len(found), jobs, options)
    renderer = BoardRenderer(config, network.sources, boards)
    announce_model(network, quiet=as_json)
    if incremental:
        check_followed(network)
    return carry_out(
        found,
        bad,
        network,
        options,
        layout,
        jobs=jobs,
        skip_existing=skip_existing,
        as_json=as_json,
        renderer=renderer,
    )


def _list(*, as_json: bool) -> int:
    """Show the boards that come with streamsep."""
    from streamsep.cli.screen import new_table, output, show_json
    from streamsep.config.board import load_boards

    found = load_boards().values()
    if as_json:
        show_json([{"name": one.name, "description": one.description} for one in found])
        return 0
    table = new_table(["board"], last="what it makes of a song")
    for one in found:
        table.add_row(one.name, one.description)
    output().print(table)
    return 0


def _layout(out: Path, config: BoardConfig, template: str | None) -> OutputLayout:
    """Where results go: a file per track, or a folder where there are several."""
    from streamsep.config.board import ALL_STEMS
    from streamsep.offline import DEFAULT_TEMPLATE, OutputLayout

    several = len(config.outputs) > 1 or ALL_STEMS in config.outputs
    default = DEFAULT_TEMPLATE if several else "{track}.{ext}"
    return OutputLayout(out, config.name, template or default, several)
