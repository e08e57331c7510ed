"""What `streamsep live` shows: a picture in a terminal, lines in a pipe, JSON for programs."""

from __future__ import annotations

import json
import math
import sys
import time
from typing import TYPE_CHECKING, Protocol, Self

import typer

from streamsep.cli.screen import output

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

    from rich.console import Group
    from rich.table import Table

    from bridge.live.reports import Measured, Playing
    from bridge.live.status import LiveStatus
    from bridge.mixing import MixControls, Route

__all__ = [
    "JsonScreen",
    "LineScreen",
    "LiveScreen",
    "Picture",
    "QuietScreen",
    "make_screen",
    "summary",
]

_QUIETEST_DB = -60.0
_CELLS = 30
_FULL_AND_EMPTY = "█·"
_FULL_AND_EMPTY_IN_ASCII = "#-"
_JSON_EVERY_S = 1.0
_PICTURE_EVERY_S = 0.1
_NEWS_KEPT = 6


class LiveScreen(Protocol):
    """Where a live loop shows itself."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""

    def show(self, status: LiveStatus, controls: MixControls | None, news: list[str]) -> None:
        """Show how it is, and what is new."""

    def finish(self, status: LiveStatus) -> None:
        """Say how it was."""


class QuietScreen:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def show(self, status: LiveStatus, controls: MixControls | None, news: list[str]) -> None:
        """Show nothing."""

    def finish(self, status: LiveStatus) -> None:
        """Say nothing."""


class LineScreen(QuietScreen):
    """A line for whatever is new, for a terminal that is none."""

    def __init__(self) -> None:
        self._announced = False

    def show(self, status: LiveStatus, controls: MixControls | None, news: list[str]) -> None:
        """Print what is new."""
        del controls
        if status.playing is not None and not self._announced:
            self._announced = True
            typer.echo(_headline(status))
            typer.echo(f"latency {_terms(status)}")
        for line in news:
            typer.echo(line, err=True)

    def finish(self, status: LiveStatus) -> None:
        """Print the counts."""
        typer.echo(summary(status))


class JsonScreen(QuietScreen):
    """An object a second, and one for whatever is new."""

    def __init__(self) -> None:
        self._next_s = 0.0
        self._phase = ""

    def show(self, status: LiveStatus, controls: MixControls | None, news: list[str]) -> None:
        """Print an object if it is time."""
        now_s = time.monotonic()
        if now_s < self._next_s and not news and status.phase == self._phase:
            return
        self._next_s = now_s + _JSON_EVERY_S
        self._phase = status.phase
        levels = (
            {name: _number(controls.get(name)) for name in controls.names()} if controls else {}
        )
        self._write({**status.as_dict(), "controls": levels, "news": news})

    def finish(self, status: LiveStatus) -> None:
        """Print the last object."""
        self._write({**status.as_dict(), "controls": {}, "news": []})

    @staticmethod
    def _write(values: dict[str, object]) -> None:
        # ASCII: whatever a device is called, and whatever standard output can hold.
        sys.stdout.write(json.dumps(values) + "\n")
        sys.stdout.flush()


class Picture(QuietScreen):
    """Meters that move.

    Args:
        outputs: channels of the output device to show, counted from 0.
    """

    def __init__(self, outputs: Iterable[int]) -> None:
        from rich.live import Live

        console = output()
        self._live = Live(console=console, auto_refresh=False)
        self._outputs = sorted(set(outputs))
        self._full_and_empty = _full_and_empty(console.encoding)
        self._news: list[str] = []
        self._next_s = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, status: LiveStatus, controls: MixControls | None, news: list[str]) -> None:
        """Draw it again."""
        self._news = [*self._news, *(f"{time.strftime('%H:%M:%S')} {line}" for line in news)]
        del self._news[:-_NEWS_KEPT]
        if news or time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _PICTURE_EVERY_S
            self._live.update(self._draw(status, controls), refresh=True)

    def finish(self, status: LiveStatus) -> None:
        """Print the counts below."""
        self._live.stop()
        typer.echo(summary(status))

    def _draw(self, status: LiveStatus, controls: MixControls | None) -> Group:
        """The meters come last: what a small terminal has no room for is cut off."""
        from rich.console import Group

        parts: list[object] = [_headline(status)]
        playing, measured = status.playing, status.measured
        if playing is not None:
            parts.append(f"latency {_terms(status)}")
        if playing is not None and measured is not None:
            parts.append(_counts(status, measured))
            if measured.recording:
                parts.append(f"recording {measured.recording}")
        parts += self._news
        if playing is not None and measured is not None:
            parts.append(self._meters(playing, measured, controls))
        return Group(*parts)  # type: ignore[arg-type]  # strings and a table, all renderable

    def _meters(self, playing: Playing, measured: Measured, controls: MixControls | None) -> Table:
        from rich.table import Table

        table = Table.grid(padding=(0, 1))

        def add(name: str, peak: float, setting: str = "") -> None:
            table.add_row(name, self._bar(peak), _decibels(peak), setting)

        add("input", measured.input_peak)
        for stem, peak in zip(playing.stems, measured.stem_peaks, strict=True):
            add(stem, peak, _setting(controls, stem) if controls else "")
        for channel in self._outputs:
            add(f"output {channel + 1}", measured.output_peaks[channel])
        return table

    def _bar(self, peak: float) -> str:
        level_db = 20 * math.log10(peak) if peak > 0 else _QUIETEST_DB
        full = round(_CELLS * min(1.0, max(0.0, 1 - level_db / _QUIETEST_DB)))
        return self._full_and_empty[0] * full + self._full_and_empty[1] * (_CELLS - full)


def make_screen(routes: Sequence[Route], *, quiet: bool, as_json: bool) -> LiveScreen:
    """The screen that fits standard output.

    Args:
        routes: what plays where.
        quiet: show nothing.
        as_json: for programs.
    """
    if as_json:
        return JsonScreen()
    if quiet:
        return QuietScreen()
    if sys.stdout.isatty() and not _is_dumb():
        return Picture(output for route in routes for output in route.outputs)
    return LineScreen()


def summary(status: LiveStatus) -> str:
    """How it was, in a line."""
    counts = status.counts
    rate = status.playing.sample_rate if status.playing else 0
    played = f"played {counts['samples'] / rate:.1f} s" if rate else "never played"
    return (
        f"{played}, latency {status.latency} samples; {counts['xruns']} xruns, "
        f"{counts['missed']} samples without stems in {counts['gaps']} gaps, "
        f"{status.restarts} restarts"
    )


def _is_dumb() -> bool:
    """Whether the terminal cannot draw over what it has drawn."""
    from rich.console import Console

    return Console().is_dumb_terminal


def _full_and_empty(encoding: str) -> str:
    """The characters of a meter."""
    try:
        _FULL_AND_EMPTY.encode(encoding)
    except UnicodeEncodeError:
        return _FULL_AND_EMPTY_IN_ASCII
    return _FULL_AND_EMPTY


def _counts(status: LiveStatus, measured: Measured) -> str:
    counts = status.counts
    return (
        f"callback {measured.load:.0%} of a block, {counts['xruns']} xruns, "
        f"{counts['lost']} samples lost; engine {measured.engine}, {counts['missed']} samples "
        f"without stems in {counts['gaps']} gaps, {status.restarts} restarts"
    )


def _headline(status: LiveStatus) -> str:
    playing = status.playing
    if playing is None:
        return f"{status.phase}: {status.text}" if status.text else str(status.phase)
    devices = (
        playing.input if playing.input == playing.output else f"{playing.input} to {playing.output}"
    )
    about = f"{playing.model}, preset {playing.preset}, {devices} at {playing.sample_rate} Hz"
    return about if not status.text else f"{about}; {status.phase}: {status.text}"


def _terms(status: LiveStatus) -> str:
    assert status.playing is not None
    terms = ", ".join(
        f"{name.replace('_', ' ')} {length}"
        for name, length in status.playing.latency_terms.items()
        if length
    )
    milliseconds = 1000 * status.latency / status.playing.sample_rate
    return f"{status.latency} samples, {milliseconds:.0f} ms: {terms}"


def _setting(controls: MixControls, stem: str) -> str:
    gain_db = controls.get(f"{stem}.gain")
    words = [f"{gain_db:+.1f} dB"] if gain_db else []
    words += [each for each in ("mute", "solo") if controls.get(f"{stem}.{each}")]
    return " ".join(words)


def _decibels(peak: float) -> str:
    return f"{20 * math.log10(peak):6.1f}" if peak > 1e-5 else "     -"


def _number(value: float) -> float | None:
    """JSON knows no infinity: silence is null."""
    return value if math.isfinite(value) else None
