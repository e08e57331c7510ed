"""`streamsep separate`: files in, stem files out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from streamsep.cli.separate_options import (
    Filename,
    Flac,
    ListModels,
    Mp3,
    OtherMethod,
    OtherMethodChoice,
    OutFolder,
    SkipExisting,
    TwoStems,
)
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

__all__ = ["separate"]


def separate(
    tracks: Tracks = None,
    name: ModelName = "auto",
    out: OutFolder = Path("separated"),
    filename: Filename = "{track}/{stem}.{ext}",
    device: Device = "auto",
    precision: PrecisionChoice = Precision.FLOAT32,
    shifts: Shifts = 0,
    overlap: Overlap = None,
    segment: Segment = None,
    latency_preset: LatencyPresetName = None,
    incremental: Incremental = None,
    consistency: ConsistencyChoice = Consistency.OFF,
    refine: RefinementChoice = Refinement.OFF,
    two_stems: TwoStems = None,
    other_method: OtherMethodChoice = None,
    int24: Int24 = False,
    float32: Float32 = False,
    clip_mode: ClipModeChoice = None,
    flac: Flac = False,
    mp3: Mp3 = False,
    mp3_bitrate: Mp3Bitrate = None,
    jobs: Jobs = 1,
    skip_existing: SkipExisting = False,
    seed: Seed = 0,
    download: Download = True,
    cache_dir: CacheDir = None,
    list_models: ListModels = False,
    as_json: JsonLines = False,
) -> int:
    """Separate files into OUT/MODEL/TRACK/{drums,bass,other,vocals}.wav.

    16-bit at the file's rate unless asked otherwise. Exit code: 0 all done, 1 some tracks failed,
    2 nothing could be done, 130 interrupted.
    """
    if list_models:
        from streamsep.cli.models import models

        models(as_json=as_json, cache_dir=cache_dir)
        return 0
    if flac and mp3:
        raise ConfigError("--flac and --mp3 exclude each other")
    if other_method is not None and two_stems is None:
        raise ConfigError("--other-method is about no_STEM: add --two-stems STEM, or leave it out")
    encoding = chosen_encoding(
        "flac" if flac else "mp3" if mp3 else "wav",
        int24=int24,
        float32=float32,
        bitrate_kbps=mp3_bitrate,
    )
    check_segments(latency_preset, segment, overlap, incremental)
    from streamsep.cli.loading import (
        announce_model,
        check_followed,
        choose_device,
        file_tiling,
        load_with_progress,
    )
    from streamsep.files import expand
    from streamsep.offline import OutputLayout, SeparationOptions

    if not tracks:
        raise ConfigError("no FILE or DIR was given; see 'streamsep separate --help'")
    device = choose_device(device)
    found, bad = expand(tracks, exclude=out)
    if not found:
        raise bad[0].error if bad else ConfigError("no audio files were found")
    # All that can be wrong without the network is looked at before one is fetched.
    OutputLayout(out, name, filename)
    live = live_tiling(latency_preset)
    options = SeparationOptions(
        shifts=shifts,
        consistency=consistency.value,
        refinement=refine.value,
        two_stems=two_stems,
        other_method=(other_method or OtherMethod.ADD).value,
        encoding=encoding,
        clip_mode=clip_mode.value if clip_mode else None,
        device=device,
        incremental=incremental,
        seed=seed,
    )
    model = load_with_progress(
        name,
        device=device,
        cache_dir=cache_dir,
        download=download,
        precision=precision.value,
    )
    layout = OutputLayout(out, model.name, filename)
    if is_among(out, tracks):
        # The output folder is what shall be separated (`.` into `.`): only leave out its stems.
        found, bad = expand(tracks, exclude=layout.folder)
    if live is None:
        options = replace(options, tiling=file_tiling(model, segment, overlap))
    else:
        options = replace(options, tiling=live.fitted_to(model))
    announce_model(model, quiet=as_json)
    if incremental:
        check_followed(model)
    return carry_out(
        found,
        bad,
        model,
        options,
        layout,
        jobs=jobs,
        skip_existing=skip_existing,
        as_json=as_json,
    )
