"""What programs are told of tracks: a JSON object for each, as soon as it has ended."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Self

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.files import BadArgument
    from streamsep.offline import TrackOutcome

__all__ = ["JsonTracks"]


class JsonTracks:
    """A `BatchObserver` that prints an object a line; errors go to the error stream as well.

    Args:
        model: name of the network.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def refused(self, bad: BadArgument) -> None:
        """Print why an argument leads to no track."""
        self._print(bad.path, {"error": str(bad.error)})

    def started(self, index: int, source: Path) -> None:
        """Print nothing."""

    def advanced(self, index: int, done: int, total: int | None) -> None:
        """Print nothing."""

    def ended(self, index: int, outcome: TrackOutcome) -> None:
        """Print what came of a track."""
        del index
        self._print(outcome.source, _as_json(outcome))

    def _print(self, source: Path, facts: dict[str, Any]) -> None:
        described = {"source": str(source), "model": self._model, **facts}
        with self._one_at_a_time:
            typer.echo(json.dumps(described))
            if "error" in facts:
                typer.echo(f"streamsep: {' '.join(facts['error'].split())}", err=True)


def _as_json(outcome: TrackOutcome) -> dict[str, Any]:
    if outcome.error is not None:
        return {"error": str(outcome.error)}
    result = outcome.result
    if result is None:
        return {"skipped": True}
    return {
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
