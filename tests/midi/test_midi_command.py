"""`streamsep midi`: lists, watches, learns; the latter two on a real JACK server."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from jack_server import environment
from midi.jack_midi import NAME, Controller, running_midi_server
from typer.testing import CliRunner

from streamsep.cli.app import app
from streamsep.config.midi_map import ButtonBinding, FaderBinding, load_midi_map, load_midi_maps
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Typed:
    """The command as somebody types it, line by line."""

    def __init__(self, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "streamsep", "midi", *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
            env={**environment(), "PYTHONUNBUFFERED": "1"},
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def expect(self, words: str) -> str:
        """Wait for a line with these words."""
        seen = []
        while True:
            try:
                line = self._lines.get(timeout=20.0)
            except queue.Empty:
                raise AssertionError(f"'{words}' was not said, but {seen}") from None
            seen.append(line)
            if words in line:
                return line

    def type(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def ended(self) -> int:
        code = self._process.wait(20.0)
        self._reader.join(5.0)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        return code

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))


@pytest.fixture
def hand() -> Iterator[Controller]:
    with running_midi_server():
        controller = Controller()
        yield controller
        controller.unplug()


def test_a_map_is_learnt_from_a_controller(tmp_path: Path, hand: Controller) -> None:
    path = tmp_path / "My Faders.yaml"
    typed = Typed("--learn", path, "--stems", "vocals", "--port", NAME, "--api", "jack")
    typed.expect("vocals.gain: move its fader")
    typed.expect(f"{NAME}:faders is connected")
    for value in range(0, 16_384, 400):
        hand.send((0xB2, 5, value >> 7), (0xB2, 37, value & 0x7F))
    typed.expect("cc 5, cc 37 on channel 3")
    typed.expect("vocals.mute: press its button")
    hand.send((0x90, 60, 100), (0x90, 60, 0))
    typed.expect("note 60 on channel 1, toggle")
    typed.expect("vocals.solo: press")
    typed.type("")
    typed.expect("wet: move")
    typed.type("b")
    typed.expect("vocals.solo: press")
    hand.send((0xB0, 80, 127), (0xB0, 80, 0))
    typed.expect("wet: move")
    typed.type("q")
    typed.expect(f"wrote {path}, 3 controls")
    assert typed.ended() == 0
    learnt = load_midi_map(path)
    assert (learnt.name, learnt.port) == ("my_faders", NAME)
    assert learnt.faders == (FaderBinding(control="vocals.gain", cc=5, fine_cc=37, channel=3),)
    assert learnt.buttons == (
        ButtonBinding(control="vocals.mute", note=60, channel=1),
        ButtonBinding(control="vocals.solo", cc=80, channel=1),
    )


def test_what_a_controller_sends_is_shown_with_its_meaning(hand: Controller) -> None:
    typed = Typed("--watch", "--map", "generic", "--port", NAME, "--api", "jack")
    typed.expect("is connected")
    hand.send((0xB4, 110, 127), (0xC0, 3))
    typed.expect("cc 110 on channel 5: 127")
    typed.expect("bypass = 1")
    typed.expect("c0 03")
    typed.interrupt()
    assert typed.ended() == 130


def run(*arguments: object) -> tuple[int, str, BaseException | None]:
    result = CliRunner().invoke(app, ["midi", *map(str, arguments)], env={"COLUMNS": "200"})
    return result.exit_code, result.output, result.exception


def test_ports_and_maps_are_listed() -> None:
    code, shown, _ = run()
    assert code == 0
    for name, found in load_midi_maps().items():
        assert name in shown
        assert found.description in shown
    listed = json.loads(run("--json")[1])
    assert set(listed["maps"]) == set(load_midi_maps())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--learn", "a.yaml", "--watch"), "got both --learn and --watch"),
        (("--learn", "a.txt"), "'a.txt' is no name for a map"),
        (("--watch", "--map", "absent"), "unknown MIDI map 'absent'"),
        (("--map", "generic"), "--map goes with --watch"),
        (("--watch", "--stems", "drums"), "--stems goes with --learn"),
        (("--port", "nano"), "--port goes with --watch or --learn"),
        (("--watch", "--json"), "--json goes without --watch and --learn"),
        (("--watch", "--api", "smoke"), "MIDI system 'smoke': expected auto, alsa, jack"),
    ],
)
def test_mistakes_are_one_line(arguments: tuple[str, ...], said: str) -> None:
    _, shown, error = run(*arguments)
    assert isinstance(error, ConfigError)
    assert said in str(error)
    assert shown == ""
