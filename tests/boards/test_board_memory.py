"""Memory does not grow with the length of a song on its way through a board.

The long run, 2 hours against 2 minutes in processes of their own, is a benchmark:
`benchmarks/boards.py`.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import psutil
from board_material import config_of
from fakes import Gains
from offline.material import fake_model, noise

from streamsep.files import Encoding, StemWriter
from streamsep.offline import SeparationOptions, separate_track
from vst_wrapper.boards import BoardRenderer

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

RATE = 44_100
MINUTES = 4
ALLOWED = 6 * 2**20
"""Bytes; a minute of one stem, as float32 in stereo, is 21 MB."""

PLAIN_HEAP = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
"""The C library then gives buffers back when they are freed; else threads that happen to meet leave
gaps in a heap or two, of up to 13 MB where the machine is busy."""


def growth(folder: Path) -> int:
    """Bytes by which the process grows after the first minute of a song."""
    song = folder / "song.wav"
    minute = noise(2, 60 * RATE)
    with StemWriter(song, RATE, 2, Encoding()) as writer:
        for _ in range(MINUTES):
            writer.write(minute)
    del minute
    config = config_of(
        folder,
        stems={
            "drums": {"plugins": [{"effect": "BrickwallLimiter"}]},
            "vocals": {
                "plugins": [{"effect": "Gain", "automation": {"gain_db": [[0, 0], [240, -60]]}}],
                "sends": {"hall": -10},
            },
        },
        sends={"hall": {"plugins": [{"effect": "Reverb"}]}},
        outputs=["mix", "drums"],
    )
    model = fake_model(Gains(gains=(0.1, 0.2, 0.3, 0.4)), segment=65_536)
    process = psutil.Process()
    resident: list[int] = []
    where: list[int] = []

    def look(done: int, total: int | None) -> None:
        where.append(done)
        resident.append(process.memory_info().rss)

    renderer = BoardRenderer(config, model.sources)
    separate_track(
        song,
        model,
        SeparationOptions(),
        lambda stem, ext: folder / f"{stem}.{ext}",
        look,
        renderer=renderer,
    )
    begun = [size for done, size in zip(where, resident, strict=True) if 0 < done <= 60 * RATE]
    return max(resident) - max(begun)


def test_memory_does_not_grow_between_one_minute_and_four(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in PLAIN_HEAP.items():
        monkeypatch.setenv(name, value)
    # A process in which no other test has left a heap that comes and goes.
    with ProcessPoolExecutor(1, get_context("spawn")) as fresh_process:
        assert fresh_process.submit(growth, tmp_path).result() < ALLOWED
