"""Memory does not grow with the length of a track.

The long run, 4 hours against 2 minutes in processes of their own, is a benchmark:
`benchmarks/long_file_memory.py`.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import psutil
import pytest
from fakes import Gains

from offline.material import fake_model, noise
from streamsep import StreamConfig
from streamsep.files import Encoding, StemWriter
from streamsep.offline import SeparationOptions, separate_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RATE = 8_000
MINUTES = 10
ALLOWED = 12 * 2**20
"""Bytes; one stem of the track, as float32, would be 19 MB."""


@pytest.fixture(scope="module")
def long_song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("long") / "song.wav"
    minute = noise(1, 60 * RATE)
    with StemWriter(path, RATE, 1, Encoding()) as writer:
        for _ in range(MINUTES):
            writer.write(minute)
    return path


OPTIONS = {
    "file": {},
    "live": {"tiling": StreamConfig(context=4096, hop=32768, look_ahead=4096, crossfade=1024)},
    "consistent": {"consistency": "energy"},
    "shifted": {"shifts": 2},
    "complement": {"two_stems": "drums", "other_method": "minus"},
    "rescaled": {"clip_mode": "rescale"},
}


@pytest.fixture(scope="module")
def fresh_process() -> Iterator[ProcessPoolExecutor]:
    """One in which no other test has left a heap that comes and goes."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        yield pool


def growth(kind: str, song: Path, out: Path) -> int:
    """Bytes by which the process grows after the first fifth of a track."""
    model = fake_model(Gains(sample_rate=RATE, channels=1), segment=65_536)
    process = psutil.Process()
    resident: list[int] = []

    def look(done: int, total: int | None) -> None:
        if done:
            resident.append(process.memory_info().rss)

    separate_file(song, model, out, SeparationOptions(**OPTIONS[kind]), look)
    return max(resident) - max(resident[: len(resident) // 5])


@pytest.mark.parametrize("kind", OPTIONS)
def test_memory_does_not_grow_with_the_track(
    kind: str, long_song: Path, tmp_path: Path, fresh_process: ProcessPoolExecutor
) -> None:
    assert fresh_process.submit(growth, kind, long_song, tmp_path).result() < ALLOWED
