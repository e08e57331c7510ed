"""What commands that separate many files share: what options mean, the progress, the exit code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from streamsep.engine import StreamConfig
    from streamsep.files import BadArgument, Encoding, FoundAudio
    from streamsep.models import LoadedModel
    from streamsep.offline import (
        OutputLayout,
        Renderer,
        SeparationOptions,
        TrackOutcome,
    )

__all__ = [
    "carry_out",
    "check_segments",
    "chosen_encoding",
    "is_among",
    "live_tiling",
]

SOME_FAILED = 1
ALL_FAILED = 2


def check_segments(
    latency_preset: str | None,
    segment: float | None,
    overlap: float | None,
    incremental: bool | None,
) -> None:
    """Let only one option say how long segments are, and none be about a stream that is not one.

    Raises:
        ConfigError: two do, or one is.
    """
    if latency_preset is None and incremental is not None:
        raise ConfigError(
            "--incremental and --exact say how a --latency-preset is computed: add one, or leave "
            f"out {'--incremental' if incremental else '--exact'}"
        )
    if latency_preset is not None and (segment is not None or overlap is not None):
        raise ConfigError(
            "--latency-preset sets its own segments: leave out --segment and --overlap"
        )


def chosen_encoding(
    container: Literal["wav", "flac", "mp3"],
    *,
    int24: bool,
    float32: bool,
    bitrate_kbps: int | None,
) -> Encoding:
    """What the options of an encoding mean together.

    Raises:
        ConfigError: they exclude each other.
    """
    from streamsep.files import Encoding

    if int24 and float32:
        raise ConfigError("--int24 and --float32 exclude each other")
    if container == "mp3" and (int24 or float32):
        raise ConfigError("mp3 has no sample format: leave out --int24 and --float32")
    if container != "mp3" and bitrate_kbps is not None:
        raise ConfigError(f"a {container} has no bit rate to choose: leave out --mp3-bitrate")
    samples: Literal["int24", "float32", "int16"] = (
        "int24" if int24 else "float32" if float32 else "int16"
    )
    if bitrate_kbps is None:
        return Encoding(container, samples)
    return Encoding(container, samples, bitrate_kbps)


def live_tiling(preset: str | None) -> StreamConfig | None:
    """The segments of a latency preset; None for none."""
    if preset is None:
        return None
    from streamsep.config import load_preset
    from streamsep.engine import StreamConfig

    return StreamConfig.from_preset(load_preset(preset))


def is_among(folder: Path, arguments: Sequence[Path]) -> bool:
    """Whether one of the arguments is this folder, under whatever name."""
    # `Path.resolve` raises for a link to itself before Python 3.13, which is for `expand` to say.
    return os.path.realpath(folder) in {os.path.realpath(argument) for argument in arguments}


def carry_out(
    found: Sequence[FoundAudio],
    bad: Sequence[BadArgument],
    model: LoadedModel,
    options: SeparationOptions,
    layout: OutputLayout,
    *,
    jobs: int,
    skip_existing: bool,
    as_json: bool,
    renderer: Renderer | None = None,
) -> int:
    """Separate files while showing how far they are.

    Args:
        found: the files.
        bad: the other arguments.
        model: the network.
        options: how, and what to write.
        layout: where the results go.
        jobs: tracks separated at the same time.
        skip_existing: leave out tracks whose results are all there.
        as_json: print one JSON object per track and bad argument instead of text.
        renderer: what is made of the stems; None to write the stems that the options ask for.

    Returns:
        The exit code: 0 all done, 1 some tracks failed, 2 nothing could be done.
    """
    from streamsep.cli.track_json import JsonTracks
    from streamsep.cli.track_progress import TrackProgress
    from streamsep.offline import separate_batch

    with JsonTracks(model.name) if as_json else TrackProgress() as observer:
        for each in bad:
            observer.refused(each)
        outcomes = separate_batch(
            found,
            model,
            options,
            layout,
            jobs=jobs,
            skip_existing=skip_existing,
            observer=observer,
            renderer=renderer,
        )
    return _exit_code(outcomes, len(bad))


def _exit_code(outcomes: list[TrackOutcome], bad_arguments: int) -> int:
    failed = bad_arguments + sum(outcome.error is not None for outcome in outcomes)
    if failed == 0:
        return 0
    return SOME_FAILED if failed < len(outcomes) + bad_arguments else ALL_FAILED
