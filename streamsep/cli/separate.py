"""`streamsep separate`: files in, stem files out."""

from __future__ import annotations

import json
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from streamsep.engine import OverlapConfig, StreamConfig
    from streamsep.files import Encoding
    from streamsep.models import LoadedModel
    from streamsep.offline import SeparatedTrack, TrackOutcome

__all__ = ["separate"]

SOME_FAILED = 1


class Consistency(StrEnum):
    """Values of --consistency."""

    OFF = "off"
    OTHER = "other"
    ENERGY = "energy"


class OtherMethod(StrEnum):
    """Values of --other-method."""

    NONE = "none"
    ADD = "add"
    MINUS = "minus"


class ClipMode(StrEnum):
    """Values of --clip-mode."""

    RESCALE = "rescale"
    CLAMP = "clamp"
    NONE = "none"


def separate(
    tracks: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE|DIR...",
            help="Audio files, and folders that are searched for them. Any format libsndfile "
            "reads, and ffmpeg's where ffmpeg is installed; any sample rate from 1 Hz to 384 kHz. "
            "Stems keep the file's rate and channels: mono comes back mono, and more than two "
            "channels are separated in pairs (1-2, 3-4, ...), a last odd one by itself.",
        ),
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            "-n",
            "--model",
            "--name",
            help="The network: a name from 'streamsep models', a file of weights, or auto: the "
            "best official one on this machine, else downloaded, else the built-in starter.",
        ),
    ] = "auto",
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the stems.")] = Path(
        "separated"
    ),
    filename: Annotated[
        str,
        typer.Option(
            help="Path of a stem below OUT/MODEL; may use {track}, {trackext}, {stem}, {ext}."
        ),
    ] = "{track}/{stem}.{ext}",
    device: Annotated[
        str, typer.Option("-d", "--device", help="cpu, cuda, cuda:1, mps; auto: the fastest here.")
    ] = "auto",
    shifts: Annotated[
        int,
        typer.Option(
            min=0, max=100, help="Average this many passes with random delays: better, slower."
        ),
    ] = 0,
    overlap: Annotated[
        float | None, typer.Option(min=0.0, max=0.99, help="Overlap of segments. [default: 0.25]")
    ] = None,
    segment: Annotated[
        float | None,
        typer.Option(
            max=600.0,
            help="Seconds the network sees at once, rounded to its grid; less takes less memory. "
            "[default: the model's]",
        ),
    ] = None,
    latency_preset: Annotated[
        str | None,
        typer.Option(
            help="Separate as the live engine would: a name from 'streamsep presets' or a file."
        ),
    ] = None,
    consistency: Annotated[
        Consistency,
        typer.Option(
            help="Make the stems sum to the mix: 'other' gives what is missing to that stem, "
            "'energy' shares it among all."
        ),
    ] = Consistency.OFF,
    two_stems: Annotated[
        str | None, typer.Option(metavar="STEM", help="Write only STEM and no_STEM.")
    ] = None,
    other_method: Annotated[
        OtherMethod,
        typer.Option(
            help="With --two-stems: no_STEM is the sum of the other stems (add), the mix minus "
            "STEM (minus), or not written (none)."
        ),
    ] = OtherMethod.ADD,
    int24: Annotated[bool, typer.Option("--int24", help="24-bit instead of 16-bit.")] = False,
    float32: Annotated[bool, typer.Option("--float32", help="32-bit float wav.")] = False,
    clip_mode: Annotated[
        ClipMode | None,
        typer.Option(
            help="Samples beyond full scale: clamp them, rescale all stems of the track by one "
            "gain, or none (float32 only). [default: clamp; none for --float32]"
        ),
    ] = None,
    flac: Annotated[bool, typer.Option("--flac", help="Write flac.")] = False,
    mp3: Annotated[bool, typer.Option("--mp3", help="Write mp3.")] = False,
    mp3_bitrate: Annotated[int, typer.Option(help="kbit/s of mp3.")] = 320,
    jobs: Annotated[
        int, typer.Option("-j", "--jobs", min=1, help="Tracks separated at the same time.")
    ] = 1,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out tracks whose stems are all there.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Decides the random delays of --shifts.")] = 0,
    download: Annotated[
        bool, typer.Option(help="Whether a network that is not here may be downloaded.")
    ] = True,
    cache_dir: Annotated[
        Path | None,
        typer.Option(envvar="STREAMSEP_CACHE_DIR", help="Folder of downloaded networks."),
    ] = None,
    list_models: Annotated[
        bool, typer.Option("--list-models", help="List the networks and stop.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per track instead of text.")
    ] = False,
) -> int:
    """Separate files into OUT/MODEL/TRACK/{drums,bass,other,vocals}.wav.

    16-bit at the file's rate unless asked otherwise. Exit code: 0 all done, 1 some tracks failed,
    2 nothing could be done, 130 interrupted.
    """
    if list_models:
        from streamsep.cli.models import models

        models(as_json=as_json, cache_dir=cache_dir)
        return 0
    encoding = _encoding(int24=int24, float32=float32, flac=flac, mp3=mp3, bitrate=mp3_bitrate)
    if latency_preset is not None and (segment is not None or overlap is not None):
        raise ConfigError(
            "--latency-preset sets its own segments: leave out --segment and --overlap"
        )
    from streamsep.cli.loading import announce_model, choose_device, load_with_progress
    from streamsep.cli.track_progress import TrackProgress
    from streamsep.files import expand
    from streamsep.offline import OutputLayout, SeparationOptions, separate_batch

    if not tracks:
        raise ConfigError("no FILE or DIR was given; see 'streamsep separate --help'")
    device = choose_device(device)
    found, errors = expand(tracks, exclude=out)
    if not found:
        raise errors[0] if errors else ConfigError("no audio files were found")
    # All that can be wrong without the network is looked at before one is fetched.
    OutputLayout(out, name, filename)
    options = SeparationOptions(
        tiling=_live_tiling(latency_preset),
        shifts=shifts,
        consistency=consistency.value,
        two_stems=two_stems,
        other_method=other_method.value,
        encoding=encoding,
        clip_mode=clip_mode.value if clip_mode else None,
        device=device,
        seed=seed,
    )
    model = load_with_progress(name, device=device, cache_dir=cache_dir, download=download)
    layout = OutputLayout(out, model.name, filename)
    if any(track.resolve() == out.resolve() for track in tracks):
        # The output folder is what shall be separated (`.` into `.`): only leave out its stems.
        found, errors = expand(tracks, exclude=layout.folder)
    if options.tiling is None:
        options = replace(options, tiling=_file_tiling(model, segment, overlap))
    announce_model(model, quiet=as_json)
    with TrackProgress(quiet=as_json) as observer:
        for error in errors:
            observer.say_error(str(error))
        outcomes = separate_batch(
            found, model, options, layout, jobs=jobs, skip_existing=skip_existing, observer=observer
        )
    if as_json:
        for outcome in outcomes:
            typer.echo(json.dumps(_as_json(outcome, model)))
    return _exit_code(outcomes, len(errors))


def _exit_code(outcomes: list[TrackOutcome], bad_arguments: int) -> int:
    failed = bad_arguments + sum(outcome.error is not None for outcome in outcomes)
    if failed == 0:
        return 0
    return SOME_FAILED if failed < len(outcomes) + bad_arguments else 2


def _encoding(*, int24: bool, float32: bool, flac: bool, mp3: bool, bitrate: int) -> Encoding:
    from streamsep.files import Encoding

    if int24 and float32:
        raise ConfigError("--int24 and --float32 exclude each other")
    if flac and mp3:
        raise ConfigError("--flac and --mp3 exclude each other")
    if mp3 and (int24 or float32):
        raise ConfigError("mp3 has no sample format: leave out --int24 and --float32")
    return Encoding(
        container="flac" if flac else "mp3" if mp3 else "wav",
        samples="int24" if int24 else "float32" if float32 else "int16",
        bitrate_kbps=bitrate,
    )


def _live_tiling(name: str | None) -> StreamConfig | None:
    if name is None:
        return None
    from streamsep.config import load_preset
    from streamsep.engine import StreamConfig

    return StreamConfig.from_preset(load_preset(name))


def _file_tiling(
    model: LoadedModel, segment_s: float | None, overlap: float | None
) -> OverlapConfig:
    """Segments on the network's grid: hop and segment both multiples of its stride by default."""
    from streamsep.engine import OverlapConfig

    segment = model.segment
    if segment_s is not None:
        # Four strides, so that a quarter of overlap leaves the hop on the grid too.
        grid = 4 * model.stride
        segment = grid * round(segment_s * model.sample_rate / grid)
        if segment < grid:
            raise ConfigError(
                f"--segment {segment_s:g} s is too short for this network, use at least "
                f"{grid / model.sample_rate:.2f} s"
            )
    return OverlapConfig(segment=segment, overlap=0.25 if overlap is None else overlap)


def _as_json(outcome: TrackOutcome, model: LoadedModel) -> dict[str, Any]:
    result: SeparatedTrack | None = outcome.result
    described: dict[str, Any] = {"source": str(outcome.source), "model": model.name}
    if outcome.error is not None:
        return {**described, "error": str(outcome.error)}
    if result is None:
        return {**described, "skipped": True}
    return {
        **described,
        "stems": {stem: str(path) for stem, path in result.stems.items()},
        "sample_rate": result.sample_rate,
        "channels": result.channels,
        "frames": result.frames,
        "elapsed_s": round(result.elapsed_s, 3),
        "rtf": round(result.rtf, 4),
        "latency": result.latency,
        "replaced_samples": result.replaced_samples,
        "overshoots": result.overshoots,
    }
