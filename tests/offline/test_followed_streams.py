"""Files through a latency preset: every hop keeps what the one before has computed."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import torch
from fakes import Remembering, SegmentShaped
from streams import one_push

from offline.material import fake_model, listing, noise, read, stems_of, tiny_model, write
from streamsep import StreamConfig, StreamingSeparator
from streamsep.errors import ConfigError
from streamsep.files import Encoding, expand
from streamsep.offline import OutputLayout, SeparationOptions, separate_batch, separate_file

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

FLOAT = Encoding(samples="float32")
RATE = 8_000
SHORT = StreamConfig(context=4096, hop=2048, look_ahead=2048, crossfade=512)
KEEPING = StreamConfig(context=40 * 2048, hop=2048, look_ahead=2048, crossfade=512)
"""So long that a hop of a network of 2048 samples' stride finds something to keep."""


@dataclass(frozen=True, kw_only=True)
class Crowded(Remembering):
    """A device that holds one segment; the first is there until another one was refused."""

    inside: threading.Lock = field(default_factory=threading.Lock)
    refused: threading.Event = field(default_factory=threading.Event)

    def __call__(self, mix: Tensor) -> Tensor:
        if not self.inside.acquire(blocking=False):
            self.refused.set()
            raise torch.OutOfMemoryError("CUDA out of memory")
        try:
            self.refused.wait(20)
            return super().__call__(mix)
        finally:
            self.inside.release()


def songs(folder: Path) -> list[Path]:
    return [
        write(folder / f"song{number}.wav", noise(2, 20_000, seed=number), RATE)
        for number in range(3)
    ]


def streamed(separator: SegmentShaped, song: Path, **options: object) -> Tensor:
    stream = StreamingSeparator(
        separator, SHORT, sample_rate=RATE, channels=2, incremental=True, **options
    )
    return one_push(stream, read(song))


@pytest.mark.parametrize("shifts", [0, 2])
@pytest.mark.parametrize("jobs", [1, 3])
def test_every_track_is_followed_by_itself(jobs: int, shifts: int, tmp_path: Path) -> None:
    wanted = [
        streamed(Remembering(sample_rate=RATE), song, shifts=shifts)
        for song in songs(tmp_path / "songs")
    ]
    options = SeparationOptions(encoding=FLOAT, tiling=SHORT, shifts=shifts)
    found, _ = expand([tmp_path / "songs"])
    layout = OutputLayout(tmp_path / "out", "fake")
    outcomes = separate_batch(
        found, fake_model(Remembering(sample_rate=RATE)), options, layout, jobs=jobs
    )
    for outcome, stems in zip(outcomes, wanted, strict=True):
        assert torch.equal(stems_of(outcome.result), stems)


def test_files_give_the_stems_of_a_live_stream(tmp_path: Path) -> None:
    song = write(tmp_path / "song.wav", noise(2, 60_000))
    model = tiny_model()
    stems = {
        incremental: stems_of(
            separate_file(
                song,
                model,
                tmp_path / str(incremental),
                SeparationOptions(encoding=FLOAT, tiling=KEEPING, incremental=incremental),
            )
        )
        for incremental in (None, True, False)
    }
    live = one_push(StreamingSeparator(model, KEEPING, incremental=True), read(song))
    assert torch.allclose(stems[True], live, atol=1e-6)
    assert torch.equal(stems[None], stems[True]), "on a processor"
    difference = (stems[False] - stems[True]).square().mean() / stems[False].square().mean()
    assert -80 <= 10 * difference.log10() <= -30, "kept frames are nearly those of today"


@pytest.mark.parametrize(
    ("options", "followed"),
    [
        ({"tiling": SHORT}, True),
        ({"tiling": SHORT, "incremental": False}, False),
        ({"tiling": SHORT, "device": "cuda"}, False),
        ({"tiling": SHORT, "device": "cuda", "incremental": True}, True),
        ({}, False),
        ({"incremental": True}, False),
    ],
)
def test_only_streams_are_followed_and_on_a_gpu_only_if_asked_for(
    options: dict[str, object], followed: bool, tmp_path: Path
) -> None:
    model = fake_model(Remembering(sample_rate=RATE))
    song = songs(tmp_path)[0]
    separate_file(song, model, tmp_path / "out", SeparationOptions(**options))
    assert bool(model.separator.hops) == followed


def test_a_hop_without_memory_ends_the_track_in_one_line_and_is_not_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = fake_model(Remembering(sample_rate=RATE, lasts=3))
    options = SeparationOptions(tiling=SHORT)
    with pytest.raises(ConfigError, match=r"memory ran out even with segments of 1\.0 s: close"):
        separate_file(songs(tmp_path)[0], model, tmp_path / "out", options)
    assert model.separator.hops == [1, 2, 3, 4]
    assert listing(tmp_path / "out") == []
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]


def test_a_track_that_found_no_memory_beside_others_begins_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = [streamed(Remembering(sample_rate=RATE), song) for song in songs(tmp_path / "songs")]
    found, _ = expand([tmp_path / "songs"])
    outcomes = separate_batch(
        found,
        fake_model(Crowded(sample_rate=RATE)),
        SeparationOptions(encoding=FLOAT, tiling=SHORT),
        OutputLayout(tmp_path / "out", "fake"),
        jobs=3,
    )
    assert [outcome.error for outcome in outcomes] == [None] * 3
    for outcome, stems in zip(outcomes, wanted, strict=True):
        assert torch.equal(stems_of(outcome.result), stems)
    warnings = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert warnings == ["the device's memory does not hold 3 segments at a time: going on with 1"]
