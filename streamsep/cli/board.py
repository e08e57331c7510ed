"""`streamsep board`: songs through a board of plugins, in one pass with their separation."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamsep.cli.screen import CacheDir
from streamsep.cli.separate_options import (
    ClipModeChoice,
    Consistency,
    ConsistencyChoice,
    Device,
    Download,
    Float32,
    Int24,
    Jobs,
    JsonLines,
    LatencyPresetName,
    ModelName,
    Mp3Bitrate,
    Overlap,
    Refinement,
    RefinementChoice,
    Seed,
    Segment,
    Shifts,
    Tracks,
)
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from streamsep.config.board import BoardConfig
    from streamsep.files import Encoding
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
    mp3_bitrate: Mp3Bitrate = 320,
    clip_mode: ClipModeChoice = None,
    device: Device = "auto",
    shifts: Shifts = 0,
    overlap: Overlap = None,
    segment: Segment = None,
    latency_preset: LatencyPresetName = None,
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
    if latency_preset is not None and (segment is not None or overlap is not None):
        raise ConfigError(
            "--latency-preset sets its own segments: leave out --segment and --overlap"
        )
    from streamsep.config.board import load_board

    config = load_board(name)
    encoding = _encoding(file_format, int24=int24, float32=float32, bitrate=mp3_bitrate)
    if not tracks:
        raise ConfigError("no FILE or DIR was given; see 'streamsep board --help'")
    from streamsep.cli.loading import (
        announce_model,
        choose_device,
        file_tiling,
        load_with_progress,
    )
    from streamsep.cli.track_batch import carry_out, is_among, live_tiling
    from streamsep.files import expand
    from streamsep.offline import SeparationOptions
    from vst_wrapper.boards import BoardRenderer, check_board

    device = choose_device(device)
    # All that can be wrong without the network is looked at before one is fetched.
    check_board(config)
    layout = _layout(out, config, filename)
    found, errors = expand(tracks, exclude=out)
    if is_among(out, tracks):
        # The output folder is what shall be rendered (`.` into `.`): only leave out its results.
        found, errors = expand(tracks, exclude=out / config.name)
    if not found:
        raise errors[0] if errors else ConfigError("no audio files were found")
    live = live_tiling(latency_preset)
    options = SeparationOptions(
        shifts=shifts,
        consistency=consistency.value,
        refinement=refine.value,
        encoding=encoding,
        clip_mode=clip_mode.value if clip_mode else None,
        device=device,
        seed=seed,
    )
    network = load_with_progress(model, device=device, cache_dir=cache_dir, download=download)
    options = replace(
        options,
        tiling=live.fitted_to(network.stride) if live else file_tiling(network, segment, overlap),
    )
    renderer = BoardRenderer(config, network.sources, min(jobs, len(found)))
    announce_model(network, quiet=as_json)
    return carry_out(
        found,
        errors,
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


def _encoding(file_format: Format, *, int24: bool, float32: bool, bitrate: int) -> Encoding:
    from streamsep.files import Encoding

    if int24 and float32:
        raise ConfigError("--int24 and --float32 exclude each other")
    if file_format is Format.MP3 and (int24 or float32):
        raise ConfigError("mp3 has no sample format: leave out --int24 and --float32")
    return Encoding(
        container=file_format.value,
        samples="int24" if int24 else "float32" if float32 else "int16",
        bitrate_kbps=bitrate,
    )
