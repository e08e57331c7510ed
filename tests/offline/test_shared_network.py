"""Tracks that share a network: batches fill up, memory that runs out means less at a time."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import torch
from fakes import FakeSeparator, SegmentShaped

from offline.material import fake_model, listing, noise, read, stems_of, tiny_model, write
from streamsep import StreamConfig
from streamsep.engine import OverlapConfig
from streamsep.errors import ConfigError
from streamsep.files import Encoding, StemWriter, expand
from streamsep.offline import OutputLayout, SeparationOptions, separate_batch, separate_file
from streamsep.offline.shared_network import Room, SharedNetwork
from streamsep.offline.shared_tiling import SharedTiling

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from streamsep.models import LoadedModel
    from streamsep.offline import TrackOutcome

FLOAT = Encoding(samples="float32")


@dataclass(frozen=True, kw_only=True)
class Small(SegmentShaped):
    """A device that holds so many samples of input, and says so as CUDA does.

    Attributes:
        holds: samples per channel, over all segments that it is given at once.
        seen: the shapes that it was given and could hold.
        refused: those that it could not.
        first_s: seconds that the first one takes, in which others can gather.
    """

    sample_rate: int = 8_000
    holds: int = 1 << 40
    first_s: float = 0.0
    error: type[Exception] = torch.OutOfMemoryError
    words: str = "CUDA out of memory. Tried to allocate\n20.00 MiB"
    seen: list[tuple[int, ...]] = field(default_factory=list)
    refused: list[tuple[int, ...]] = field(default_factory=list)
    inside: list[int] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, mix: Tensor) -> Tensor:
        if not self.seen:
            time.sleep(self.first_s)
        taken = mix.shape[0] * mix.shape[-1]
        with self.lock:
            self.inside.append(taken)
            fits = sum(self.inside) <= self.holds
            (self.seen if fits else self.refused).append(tuple(mix.shape))
        try:
            if not fits:
                raise self.error(self.words)
            return super().__call__(mix)
        finally:
            with self.lock:
                self.inside.remove(taken)


def songs(folder: Path, count: int = 6, length: int = 20_000) -> Path:
    for number in range(count):
        write(folder / f"song{number}.wav", noise(2, length, seed=number), 8_000)
    return folder


def batch(
    folder: Path, model: LoadedModel, out: str, *, jobs: int = 1, **options: object
) -> list[TrackOutcome]:
    found, _ = expand([folder])
    chosen = SeparationOptions(encoding=FLOAT, **options)
    layout = OutputLayout(folder.parent / out, "fake")
    return separate_batch(found, model, chosen, layout, jobs=jobs)


def samples(outcomes: list[TrackOutcome]) -> list[Tensor]:
    assert [outcome.error for outcome in outcomes] == [None] * len(outcomes)
    return [read(path) for outcome in outcomes for path in outcome.result.stems.values()]


def equal(one: list[Tensor], two: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def one_by_one(folder: Path, model: LoadedModel, **options: object) -> list[Tensor]:
    """What files give that are separated alone, with nothing before or after them."""
    chosen = SeparationOptions(encoding=FLOAT, **options)
    out = folder.parent / "alone"
    return [
        stem
        for song in sorted(folder.iterdir())
        for stem in stems_of(separate_file(song, model, out, chosen))
    ]


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


def test_short_files_fill_a_batch_together(tmp_path: Path) -> None:
    # A single segment each: alone, none of them could fill a batch.
    model = fake_model(Small(first_s=0.5), segment=40_000)
    folder = songs(tmp_path / "songs", count=24, length=4_000)
    together = samples(batch(folder, model, "out", batch=4))
    shapes = model.separator.seen
    assert sum(shape[0] for shape in shapes) == 24
    assert max(shape[0] for shape in shapes) > 1
    # Every example of a batch is computed by itself here, so not even rounding differs.
    assert equal(together, one_by_one(folder, fake_model(SegmentShaped(sample_rate=8_000), 40_000)))


def test_a_file_fills_batches_alone(tmp_path: Path) -> None:
    model = fake_model(Small(first_s=0.5), segment=2_000)
    song = write(tmp_path / "song.wav", noise(2, 60_000), 8_000)
    separate_file(song, model, tmp_path / "out", SeparationOptions(batch=4))
    assert (4, 2, 2_000) in model.separator.seen


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("kind", ["plain", "shifts", "live", "refined"])
def test_one_at_a_time_is_the_same_to_the_last_bit(kind: str, jobs: int, tmp_path: Path) -> None:
    options = {
        "plain": {},
        "shifts": {"shifts": 2},
        "live": {"tiling": StreamConfig(context=4096, hop=2048, look_ahead=2048, crossfade=512)},
        "refined": {"refinement": "wiener", "consistency": "energy"},
    }[kind]
    folder = songs(tmp_path / "songs", count=3)
    model = fake_model(SegmentShaped(sample_rate=8_000))
    together = samples(batch(folder, model, "out", jobs=jobs, **options))
    assert equal(together, one_by_one(folder, model, **options))


def test_batches_of_a_network_differ_by_rounding_alone(tmp_path: Path) -> None:
    model = tiny_model()
    folder = tmp_path / "songs"
    for number in range(3):
        write(folder / f"song{number}.wav", noise(2, 16_384, seed=number))
    together = torch.stack(samples(batch(folder, model, "out", batch=3)))
    alone = torch.stack(one_by_one(folder, model))
    error = (together - alone).square().mean() / alone.square().mean()
    assert 10 * error.clamp(min=1e-30).log10() < -100


def test_a_batch_that_does_not_fit_becomes_smaller_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = fake_model(Small(holds=8_000, first_s=0.5), segment=4_000)
    folder = songs(tmp_path / "songs")
    together = samples(batch(folder, model, "out", batch=8))
    assert max(shape[0] for shape in model.separator.seen) <= 2
    said = warnings_of(caplog)
    assert 1 <= len(said) <= 3  # from 8 by halves, or from what had gathered
    assert all(" segments at a time: going on with " in line for line in said)
    assert len(model.separator.refused) == len(said)
    assert equal(together, one_by_one(folder, fake_model(SegmentShaped(sample_rate=8_000), 4_000)))


def test_jobs_that_do_not_fit_beside_each_other_take_turns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = fake_model(Small(holds=4_000), segment=4_000)
    folder = songs(tmp_path / "songs")
    together = samples(batch(folder, model, "out", jobs=4))
    assert equal(together, one_by_one(folder, fake_model(SegmentShaped(sample_rate=8_000), 4_000)))
    assert len(warnings_of(caplog)) <= 2


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (torch.OutOfMemoryError, "CUDA out of memory. Tried to allocate 2 GiB"),
        (MemoryError, ""),
        (RuntimeError, "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't"),
        (RuntimeError, "DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
        (RuntimeError, "MPS backend out of memory (MPS allocated: 9.05 GB)"),
        (RuntimeError, "std::bad_alloc"),
        (RuntimeError, "could not create a primitive"),
    ],
)
def test_a_segment_that_does_not_fit_becomes_shorter(
    error: type[Exception], words: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = fake_model(Small(holds=20_000, error=error, words=words), segment=64_000)
    folder = songs(tmp_path / "songs", count=2, length=100_000)
    shortened = samples(batch(folder, model, "out"))
    asked_for = OverlapConfig(segment=16_000)
    plain = fake_model(SegmentShaped(sample_rate=8_000))
    assert equal(shortened, one_by_one(folder, plain, tiling=asked_for))
    # Once for all tracks, from 8 s to 4 s and from there to 2 s.
    assert warnings_of(caplog) == [
        "memory ran out with segments of 8.0 s: going on with 4.0 s",
        "memory ran out with segments of 4.0 s: going on with 2.0 s",
    ]


@pytest.mark.parametrize("preset", [False, True], ids=["file", "live"])
def test_what_does_not_fit_at_all_is_one_clear_error(preset: bool, tmp_path: Path) -> None:
    model = fake_model(Small(holds=100), segment=64_000)
    live = StreamConfig(context=4096, hop=2048, look_ahead=2048) if preset else None
    song = write(tmp_path / "song.wav", noise(2, 100_000), 8_000)
    with pytest.raises(ConfigError, match=r"memory ran out even with segments of 1\.0 s: close"):
        separate_file(song, model, tmp_path / "out", SeparationOptions(tiling=live))
    assert listing(tmp_path / "out") == []


def test_memory_that_runs_out_while_writing_is_no_crash_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = StemWriter.write
    calls: list[int] = []

    def write_or_fail(self: StemWriter, block: Tensor) -> None:
        calls.append(1)
        if len(calls) == 6:
            raise MemoryError
        plain(self, block)

    song = write(tmp_path / "song.wav", noise(2, 100_000), 8_000)
    monkeypatch.setattr(StemWriter, "write", write_or_fail)
    model = fake_model(SegmentShaped(sample_rate=8_000), segment=32_000)
    track = separate_file(song, model, tmp_path / "out", SeparationOptions(encoding=FLOAT))
    shorter = SeparationOptions(encoding=FLOAT, tiling=OverlapConfig(segment=16_000))
    expected = separate_file(song, model, tmp_path / "expected", shorter)
    assert torch.equal(stems_of(track), stems_of(expected))


def test_a_track_that_fails_does_not_keep_the_network_from_the_others(tmp_path: Path) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Picky(FakeSeparator):
        sample_rate: int = 8_000

        def __call__(self, mix: Tensor) -> Tensor:
            if mix.shape[-1] == 3_000:
                raise ConfigError("3000 samples are too few")
            return mix[:, None].expand(-1, 4, -1, -1)

    folder = songs(tmp_path / "songs", count=3)
    write(folder / "song1.wav", noise(2, 3_000), 8_000)
    outcomes = batch(folder, fake_model(Picky()), "out")
    assert [str(outcome.error) for outcome in outcomes] == [
        "None",
        "3000 samples are too few",
        "None",
    ]


def test_a_track_is_not_charged_for_the_time_of_another() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Slow(SegmentShaped):
        def __call__(self, mix: Tensor) -> Tensor:
            time.sleep(0.05)
            return super().__call__(mix)

    tiling = SharedTiling(OverlapConfig(segment=1_000), Slow())
    with SharedNetwork(Slow(), tiling, Room()) as network:
        waiting, computing = network.seat(0), network.seat(1)
        begun_s = time.perf_counter()
        watches = waiting.watch(), computing.watch()
        computing(noise(2, 1_000)[None])
        charged = [watch.elapsed_s for watch in watches]
        passed_s = time.perf_counter() - begun_s
    assert 0 <= charged[0] <= passed_s - 0.05
    assert 0.05 <= charged[1] <= passed_s


def test_a_batch_that_does_not_fit_when_all_is_over_keeps_nobody_waiting() -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Starving(SegmentShaped):
        def __call__(self, mix: Tensor) -> Tensor:
            begun.set()
            go_on.wait(30)
            raise MemoryError

    model = fake_model(Starving(sample_rate=8_000), segment=4_000)
    tiling = SharedTiling(OverlapConfig(segment=4_000), model.separator)
    with ThreadPoolExecutor() as pool:
        with SharedNetwork(model.separator, tiling, Room(1, workers=2)) as shared:
            waiting = pool.submit(shared.seat(), noise(2, 4_000)[None])
            assert begun.wait(30)
            threading.Timer(0.2, go_on.set).start()
        with pytest.raises(CancelledError):
            waiting.result(30)
