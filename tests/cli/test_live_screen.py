"""What `streamsep live` shows: the latency by its terms, every stem, and whatever is counted."""

from __future__ import annotations

import io
import json
import math
import sys
from typing import TYPE_CHECKING

import pytest

from bridge.live.reports import Measured, Playing
from bridge.live.status import LivePhase, LiveStatus
from bridge.mixing import MixControls, parse_route
from streamsep.cli.live_screen import (
    JsonScreen,
    LineScreen,
    Picture,
    QuietScreen,
    make_screen,
)
from streamsep.cli.screen import escape_what_cannot_be_encoded

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamsep.cli.live_screen import LiveScreen

STEMS = ["drums", "bass", "other", "vocals"]
TERMS = {"device_input": 0, "device_output": 512, "block": 256, "network": 16384}


class Terminal(io.TextIOWrapper):
    """A terminal with an encoding of its own."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding)

    def isatty(self) -> bool:
        return True

    def shown(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding, errors="replace")


def playing_status(device: str = "player") -> LiveStatus:
    playing = Playing(
        input=device,
        output="recorder",
        sample_rate=44_100,
        block=256,
        latency_terms=TERMS,
        stems=STEMS,
        model="starter",
        preset="live",
        consistency="off",
        budget=0,
    )
    measured = Measured(
        engine="streaming",
        samples=44_100,
        load=0.125,
        longest=256,
        xruns=3,
        lost=5,
        slow=0,
        missed=77,
        gaps=2,
        late=0,
        substituted=0,
        connections=1,
        input_peak=0.5,
        stem_peaks=[1.0, 0.0, 0.25, 0.0],
        output_peaks=[0.5, 0.5],
        recording="1.0 s",
    )
    return LiveStatus(phase=LivePhase.PLAYING, playing=playing, measured=measured)


def test_the_picture_shows_meters_terms_counts_and_news(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    controls = MixControls(STEMS)
    controls.set("vocals.gain", -6.0)
    controls.set("drums.mute", 1)
    with Picture([0, 1]) as screen:
        screen.show(playing_status(), controls, ["stems again"])
    shown = capsys.readouterr().out
    for expected in (
        "starter, preset live, player to recorder at 44100 Hz",
        "17152 samples, 389 ms: device output 512, block 256, network 16384",
        "drums",
        "mute",
        "-6.0 dB",
        "12% of a block, 3 xruns, 5 samples lost",
        "77 samples without stems in 2 gaps",
        "recording 1.0 s",
        "stems again",
    ):
        assert expected in shown


@pytest.mark.parametrize("lines", [7, 10, 30])
def test_news_are_seen_on_a_terminal_that_is_too_small_for_all_meters(
    monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    terminal = Terminal("utf-8")
    monkeypatch.setattr(sys, "stdout", terminal)
    for name, value in {"TERM": "xterm", "LINES": str(lines), "COLUMNS": "160"}.items():
        monkeypatch.setenv(name, value)
    with Picture([0, 1]) as screen:
        screen.show(playing_status(), None, ["stems again"])
        shown = terminal.shown()
    assert "stems again" in shown
    assert "input" in shown
    assert ("output 2" in shown) == (lines == 30)


def test_outputs_that_nothing_is_sent_to_have_no_meter(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = playing_status()
    assert status.measured is not None
    status.measured.output_peaks[:] = [0.0] * 6 + [0.5, 0.5]
    with Picture([7, 6]) as screen:
        screen.show(status, None, [])
    shown = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert [line for line in shown if line[0] == "output"] == [["output", "7"], ["output", "8"]]


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
@pytest.mark.parametrize("make", [lambda: Picture([0, 1]), LineScreen, JsonScreen])
def test_what_the_terminal_has_no_characters_for_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, encoding: str, make: Callable[[], LiveScreen]
) -> None:
    terminal = Terminal(encoding)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "160")
    escape_what_cannot_be_encoded()
    # The second is what a name that is no UTF-8 becomes.
    status = playing_status("Студия \udcff")
    with make() as screen:
        screen.show(status, None, ["Студия has gone"])
    screen.finish(status)
    shown = terminal.shown()
    assert "starter" in shown
    if isinstance(screen, Picture):
        assert "#" * 27 + "-" * 3 in shown or encoding == "utf-8"
        assert ("█" * 27 + "·" * 3 in shown) == (encoding == "utf-8")
    if isinstance(screen, JsonScreen):
        assert json.loads(shown.splitlines()[0])["input"] == "Студия \udcff"


def test_what_a_device_is_called_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    with Picture([0, 1]) as screen:
        screen.show(playing_status("Box [/usb] :drum:"), None, [])
    assert "Box [/usb] :drum:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("term", "kind"), [("xterm-256color", Picture), ("dumb", LineScreen), ("unknown", LineScreen)]
)
def test_a_terminal_that_cannot_draw_over_itself_gets_lines(
    monkeypatch: pytest.MonkeyPatch, term: str, kind: type[LiveScreen]
) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal("utf-8"))
    monkeypatch.setenv("TERM", term)
    assert type(make_screen([parse_route("mix:1-2")], quiet=False, as_json=False)) is kind


def test_a_pipe_gets_lines(capsys: pytest.CaptureFixture[str]) -> None:
    screen = LineScreen()
    for news in ([], ["gone"], []):
        screen.show(playing_status(), None, news)
    screen.finish(playing_status())
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "starter, preset live, player to recorder at 44100 Hz",
        "latency 17152 samples, 389 ms: device output 512, block 256, network 16384",
        "played 1.0 s, latency 17152 samples; 3 xruns, 77 samples without stems in 2 gaps, "
        "0 restarts",
    ]
    assert printed.err == "gone\n"


def test_programs_get_json_in_which_silence_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    controls = MixControls(STEMS)
    controls.set("bass.gain", -math.inf)
    screen = JsonScreen()
    screen.show(playing_status(), controls, [])
    screen.show(playing_status(), controls, [])
    screen.show(playing_status(), controls, ["gone"])
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["latency"], first["latency_terms"]) == (17152, TERMS)
    assert (first["controls"]["bass.gain"], first["controls"]["drums.gain"]) == (None, 0.0)
    assert (first["news"], second["news"]) == ([], ["gone"])


def test_counts_go_on_over_several_audio_processes() -> None:
    status = playing_status()
    status.child_ended()
    assert status.counts["xruns"] == 3
    status.measured = playing_status().measured
    assert (status.counts["xruns"], status.counts["missed"]) == (6, 154)


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with QuietScreen() as screen:
        screen.show(playing_status(), None, ["gone"])
        screen.finish(playing_status())
    printed = capsys.readouterr()
    assert printed.out + printed.err == ""
