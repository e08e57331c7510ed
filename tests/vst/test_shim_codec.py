"""The plugin reads and writes the same bytes as the first implementation of the protocol."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

FILES = Path(__file__).parents[1] / "data" / "protocol"


def codec(program: Path, *words: object) -> bytes:
    """What the program says; it must never die, whatever it reads."""
    done = subprocess.run([str(program), *map(str, words)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "name", ["hello", "hello-offline", "audio", "flush", "reset", "ping", "bye"]
)
def test_what_a_client_says_has_the_bytes_of_its_file(codec_program: Path, name: str) -> None:
    assert codec(codec_program, "write", name) == (FILES / f"{name}.bin").read_bytes()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "welcome",
            "WELCOME 16909060 streamsep 0.1.0|starter|drums|bass|other|vocals 48000 2 live other "
            "17833 1803 2400 480000 300 1500",
        ),
        (
            "stems",
            "STEMS 16909060 1 3 1099511627759 4x2x2 0 0.125 0.25 0.375 0.5 0.625 0.75 0.875 1 "
            "1.125 1.25 1.375 1.5 1.625 1.75 1.875",
        ),
        ("stems-substituted", "STEMS 7 0 0 0 4x1x1 substituted 1 1 1 1"),
        ("stems-end", "STEMS 7 0 1 1 4x1x0 end"),
        ("pong", "PONG 7 41 busy"),
        ("error", "ERROR 7 5 no room: 120 % of the time is taken"),
        ("bye", "BYE 7 the engine stops"),
    ],
)
def test_what_an_engine_says_is_understood(codec_program: Path, name: str, expected: str) -> None:
    assert codec(codec_program, "read", FILES / f"{name}.bin").decode() == expected


@pytest.mark.parametrize("name", ["welcome", "stems", "error"])
def test_damaged_messages_are_refused_or_understood(
    codec_program: Path, name: str, tmp_path: Path
) -> None:
    random = np.random.default_rng(3)
    good = (FILES / f"{name}.bin").read_bytes()
    refused = 0
    for number in range(40):
        damaged = bytearray(good[: random.integers(len(good) + 1)] if number % 2 else good)
        for _ in range(3):
            if damaged:
                damaged[random.integers(len(damaged))] = random.integers(256)
        file = tmp_path / "damaged"
        file.write_bytes(damaged)
        refused += codec(codec_program, "read", file).startswith(b"refused: ")
    assert refused > 10


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (4, 9, "version 9 of the protocol"),
        (0, 88, "does not start with SSEP"),
        (5, 3, "does not send messages of the type 3"),
        (31, 255, "a position beyond"),
    ],
)
def test_a_refusal_says_why(
    codec_program: Path, tmp_path: Path, place: int, value: int, reason: str
) -> None:
    message = bytearray((FILES / "pong.bin").read_bytes())
    message[place] = value
    file = tmp_path / "message"
    file.write_bytes(message)
    assert reason in codec(codec_program, "read", file).decode()
