"""What commands that separate many files share: the live tiling, the progress, the exit code."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from streamsep.engine import StreamConfig
    from streamsep.errors import StreamSepError
    from streamsep.files import FoundAudio
    from streamsep.models import LoadedModel
    from streamsep.offline import (
        OutputLayout,
        Renderer,
        SeparatedTrack,
        SeparationOptions,
        TrackOutcome,
    )

__all__ = ["carry_out", "is_among", "live_tiling"]

SOME_FAILED = 1
ALL_FAILED = 2


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
    errors: Sequence[StreamSepError],
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
        errors: what was wrong with other arguments.
        model: the network.
        options: how, and what to write.
        layout: where the results go.
        jobs: tracks separated at the same time.
        skip_existing: leave out tracks whose results are all there.
        as_json: print one JSON object per track instead of text.
        renderer: what is made of the stems; None to write the stems that the options ask for.

    Returns:
        The exit code: 0 all done, 1 some tracks failed, 2 nothing could be done.
    """
    from streamsep.cli.track_progress import TrackProgress
    from streamsep.offline import separate_batch

    with TrackProgress(quiet=as_json) as observer:
        for error in errors:
            observer.say_error(str(error))
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
    if as_json:
        for outcome in outcomes:
            typer.echo(json.dumps(_as_json(outcome, model)))
    return _exit_code(outcomes, len(errors))


def _exit_code(outcomes: list[TrackOutcome], bad_arguments: int) -> int:
    failed = bad_arguments + sum(outcome.error is not None for outcome in outcomes)
    if failed == 0:
        return 0
    return SOME_FAILED if failed < len(outcomes) + bad_arguments else ALL_FAILED


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
