"""The files of a take by themselves: right at every moment, and however large."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from recording.take_player import material

from bridge.recording.flac import FlacFile
from bridge.recording.wav import WavFile

if TYPE_CHECKING:
    from pathlib import Path

RATE = 48_000


def read(path: Path, begin: int = 0) -> np.ndarray:
    """Frames [C, T] as 24-bit steps."""
    with soundfile.SoundFile(path) as file:
        assert file.samplerate == RATE
        file.seek(begin)
        return file.read(dtype="float32", always_2d=True).T


@pytest.mark.parametrize("kind", ["flac", "wav24", "wav32"])
@given(lengths=st.lists(st.integers(0, 9_000), min_size=1, max_size=6))
def test_after_every_update_the_file_gives_back_what_it_says(
    tmp_path_factory: pytest.TempPathFactory, kind: str, lengths: list[int]
) -> None:
    """It is read as it lies there, by another program, while its writer still has it open."""
    path = tmp_path_factory.mktemp("take") / "file"
    position = 0
    with path.open("xb+", buffering=0) as opened:
        file = (
            FlacFile(opened, RATE, 2)
            if kind == "flac"
            else WavFile(opened, RATE, 2, is_float=kind == "wav32")
        )
        for length in lengths:
            file.write(material(position, length)[3].T)
            position += length
            file.update()
            assert position - (4096 if kind == "flac" else 0) <= file.safe_frames <= position
            if file.safe_frames:
                found = read(path)
                np.testing.assert_array_equal(found, material(0, file.safe_frames)[3])
        file.finish()
        assert file.safe_frames == position
    if position:
        np.testing.assert_array_equal(read(path), material(0, position)[3])


@pytest.mark.parametrize("kind", ["flac", "wav24"])
def test_a_file_that_is_finished_stays_whole_when_its_neighbours_fail(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "file"
    with path.open("xb+", buffering=0) as opened:
        file = (
            FlacFile(opened, RATE, 2)
            if kind == "flac"
            else WavFile(opened, RATE, 2, is_float=False)
        )
        file.write(material(0, 10_000)[3].T)
        file.update()
        file.finish()
        file.recover()
    np.testing.assert_array_equal(read(path), material(0, 10_000)[3])


@pytest.mark.parametrize("kind", ["wav24", "wav32"])
def test_a_wav_past_4_gib_is_an_rf64(tmp_path: Path, kind: str) -> None:
    """The gigabytes are a hole in the file, which takes no room."""
    path = tmp_path / "long.wav"
    frame_bytes = 6 if kind == "wav24" else 8
    skipped = 2**32 // frame_bytes
    with path.open("xb+", buffering=0) as opened:
        file = WavFile(opened, RATE, 2, is_float=kind == "wav32")
        file.write(material(0, 100)[0].T)
        file.update()
        assert soundfile.info(path).format == "WAV"
        opened.seek(skipped * frame_bytes, 1)
        file._written += skipped
        file.write(material(100, 100)[0].T)
        file.finish()
    info = soundfile.info(path)
    assert (info.format, info.frames) == ("RF64", skipped + 200)
    np.testing.assert_array_equal(read(path, skipped + 100), material(100, 100)[0])


@pytest.mark.parametrize("kind", ["flac", "wav24"])
def test_integers_are_clamped_not_wrapped(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "loud"
    with path.open("xb+", buffering=0) as opened:
        file = FlacFile(opened, RATE, 1) if kind == "flac" else WavFile(
            opened, RATE, 1, is_float=False
        )  # fmt: skip
        file.write(np.array([[1.5], [-1.5], [1.0], [2**-24]], np.float32))
        file.finish()
    top = 1.0 - 2**-23
    np.testing.assert_array_equal(read(path)[0], np.float32([top, -1.0, top, 0.0]))
