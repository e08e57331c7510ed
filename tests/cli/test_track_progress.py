"""Bars, results and errors on a screen, and in a pipe."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest

from streamsep.cli.screen import escape_what_cannot_be_encoded
from streamsep.cli.track_progress import TrackProgress
from streamsep.errors import InputError
from streamsep.files import BadArgument
from streamsep.offline import SeparatedTrack, TrackOutcome


class Terminal(io.StringIO):
    """Remembers what is shown on it."""

    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        """The pieces that began at the left edge, without colours."""
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())
        return re.split(r"[\r\n]+", plain)


def outcome(folder: Path) -> TrackOutcome:
    track = SeparatedTrack(
        source=folder / "song.wav",
        stems={"bass": folder / "bass.wav"},
        sample_rate=44_100,
        channels=2,
        frames=44_100,
        elapsed_s=0.5,
        latency=None,
        replaced_samples=0,
        overshoots=0,
    )
    return TrackOutcome(track.source, result=track)


@pytest.mark.parametrize("piped", [False, True])
def test_bars_do_not_get_into_the_results(
    piped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Terminal()
    results = io.StringIO() if piped else screen
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "stdout", results)
    with TrackProgress() as observer:
        observer.started(0, Path("[red]a:heart:.wav"))
        observer.started(1, Path("b.wav"))
        observer.advanced(0, 50, 100)
        observer.ended(1, outcome(tmp_path))
        observer.refused(BadArgument(Path("c.wav"), InputError("one\nline")))
    expected = f"{tmp_path}/song.wav: 1.0 s in 0.5 s (RTF 0.50) -> {tmp_path}/ (bass.wav)"
    assert any(line.startswith("[red]a:heart:.wav ━") for line in screen.lines())
    assert any("50 %" in line for line in screen.lines())
    assert "streamsep: one line" in screen.lines()
    if piped:
        assert results.getvalue() == f"{expected}\n"
    else:
        assert expected in screen.lines()


def test_names_that_the_screen_cannot_show_are_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    escape_what_cannot_be_encoded()
    with TrackProgress() as observer:
        observer.ended(0, outcome(Path("größe\udcff")))
    narrow.flush()
    assert b"gr\\xf6\\xdfe\\udcff" in narrow.buffer.getvalue()
