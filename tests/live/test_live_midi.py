"""A controller at work while it plays: faders, and learning what they shall do."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from command_rig import DEVICES, Command, assert_all_end, live
from hall import playing_hall
from jack_server import environment, running_server
from loop_rig import noise

from streamsep.config.midi_map import ButtonBinding, FaderBinding, load_midi_map

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONTROLLER = Path(__file__).parents[1] / "midi" / "controller_process.py"
MAP = """\
name: base
description: what is played with
port: desk
pick_up: false
faders:
  - {control: wet, cc: 20}
  - {control: drums.gain, cc: 21}
"""


class Hand:
    """A second rtmidi client that sends."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(CONTROLLER), "desk", ""],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env=environment(),
        )

    def send(self, *messages: Sequence[int]) -> None:
        """Send messages, all at once."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(messages)}\n")
        self._process.stdin.flush()

    def sweep(self, number: int) -> None:
        """Move a fader from the bottom to the top."""
        self.send(*((0xB0, number, value) for value in range(128)))

    def close(self) -> None:
        """Unplug it."""
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def jack_of_its_own(tmp_path: Path) -> Iterator[None]:
    """A server that waits for its clients loses no message, and long waits for dead ones."""
    with running_server(512), playing_hall(tmp_path / "hall", noise(2.0)) as hall:
        hall.play()
        yield


@contextmanager
def playing(user: Path, *arguments: object) -> Iterator[tuple[Command, Hand]]:
    """The command, and a controller that it has found."""
    hand = Hand()
    command = Command(user, *arguments)
    try:
        yield command, hand
    finally:
        command.close()
        hand.close()


@pytest.mark.usefixtures("jack_of_its_own")
def test_a_fader_of_a_midi_controller_turns_a_stem_down(user: Path) -> None:
    with playing(user, "--midi", "generic", "--midi-port", "desk") as (command, hand):
        command.await_news("desk:faders is connected")
        # The fader of the vocals, from the top to the bottom: it picks its gain up on the way.
        halves = [((0xB0, 23, value), (0xB0, 55, 0)) for value in range(127, -1, -1)]
        hand.send(*(half for pair in halves for half in pair))
        # JSON knows no infinity: null is silence.
        status = command.await_status(
            lambda status: status["controls"].get("vocals.gain", 0) is None
        )
        assert status["controls"]["drums.gain"] == 0.0
        processes = command.processes()
        assert command.end(signal.SIGINT)[0] == 0
        assert_all_end(processes)


@pytest.mark.usefixtures("jack_of_its_own")
def test_controls_are_learnt_while_it_plays(user: Path, tmp_path: Path) -> None:
    base, learnt_path = tmp_path / "base.yaml", tmp_path / "learnt.yaml"
    base.write_text(MAP)
    options = ("--midi", base, "--midi-learn", learnt_path)
    names = [("--learn", name) for name in ("vocals.gain", "bypass", "drums.gain", "master")]
    with playing(user, *options, *(part for pair in names for part in pair)) as (command, hand):
        command.await_news("desk:faders is connected")
        command.await_news("vocals.gain: move its fader")
        # What is played with goes on.
        hand.send((0xB0, 20, 127), (0xB0, 20, 0))
        command.await_status(lambda status: status["controls"].get("wet") == 0.0)
        hand.sweep(30)
        command.await_news("vocals.gain is cc 30 on channel 1")
        # A session that ends now loses nothing.
        assert "vocals.gain" in {each.control for each in load_midi_map(learnt_path).faders}
        # It works at once.
        hand.send((0xB0, 30, 0))
        command.await_status(lambda status: status["controls"].get("vocals.gain", 0) is None)
        command.await_news("bypass: press its button")
        hand.send((0x90, 60, 100), (0x90, 60, 0))
        command.await_news("bypass is note 60 on channel 1, toggle")
        command.await_news("drums.gain: move its fader")
        command.type("")  # it keeps the one that it has
        command.await_news("master: move its fader")
        command.type("q")
        command.await_news("2 controls learnt")
        hand.send((0xB0, 21, 0), (0x90, 60, 100))
        status = command.await_status(lambda status: status["controls"].get("bypass") == 1.0)
        assert status["controls"]["drums.gain"] is None
        code, said, errors = command.end(signal.SIGTERM)
        assert (code, errors) == (0, "")
        assert said[-1]["missed"] == 0
    learnt = load_midi_map(learnt_path)
    assert (learnt.name, learnt.port, learnt.pick_up) == ("learnt", "desk", False)
    assert learnt.faders == (
        FaderBinding(control="wet", cc=20),
        FaderBinding(control="drums.gain", cc=21),
        FaderBinding(control="vocals.gain", cc=30, channel=1),
    )
    assert learnt.buttons == (ButtonBinding(control="bypass", note=60, channel=1),)
    assert load_midi_map(base).name == "base"


@pytest.mark.usefixtures("jack")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--midi-learn", "mine.txt"), "'mine.txt' is no name for a map"),
        (("--midi-learn", "/dev/null/mine.yaml"), "cannot write '/dev/null/mine.yaml'"),
        (("--learn", "wet"), "expected --midi-learn FILE"),
        (("--midi-learn", "mine.yaml", "--learn", "loud"), "'loud' is no control"),
        (("--midi-learn", "mine.yaml", "--learn", "strings.gain"), "there is no stem 'strings'"),
        (("--midi-learn", "mine.yaml", "--midi", "absent"), "unknown MIDI map 'absent'"),
    ],
)
def test_what_cannot_be_learnt_is_one_line(
    user: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = live(user, *DEVICES, *arguments, folder=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("streamsep: ")
    assert list(tmp_path.iterdir()) == []
