"""What `streamsep live` shows: the latency by its terms, every stem, and whatever is counted."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from bridge.live.reports import Measured, Playing
from bridge.live.status import LivePhase, LiveStatus
from bridge.mixing import MixControls
from streamsep.cli.live_screen import JsonScreen, LineScreen, Picture, QuietScreen

if TYPE_CHECKING:
    import pytest

STEMS = ["drums", "bass", "other", "vocals"]
TERMS = {"device_input": 0, "device_output": 512, "block": 256, "network": 16384}


def playing_status() -> LiveStatus:
    playing = Playing(
        input="player",
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
    with Picture() as screen:
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
