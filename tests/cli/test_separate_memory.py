"""`streamsep separate` without enough memory: a warning and shorter segments, or one line and 2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from fakes import SegmentShaped
from offline.material import fake_model, noise, write

from cli.commands import typed
from cli.conftest import written

if TYPE_CHECKING:
    from pathlib import Path


class Small(SegmentShaped):
    """A device that holds so many seconds."""

    seconds = 0.0

    def __call__(self, mix: torch.Tensor) -> torch.Tensor:
        if mix.shape[-1] > self.seconds * self.sample_rate:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate\n20.00 MiB")
        return super().__call__(mix)


@pytest.fixture
def device(folder: Path, monkeypatch: pytest.MonkeyPatch) -> type[Small]:
    """What every network runs on, beside a song of six seconds."""

    class Device(Small):
        pass

    model = fake_model(Device(), segment=4 * 44_100)
    monkeypatch.setattr("streamsep.models.load_model", lambda *_, **__: model)
    write(folder / "song.wav", noise(2, 6 * 44_100))
    return Device


def test_shorter_segments_are_said_and_all_is_done(
    device: type[Small],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    device.seconds = 3.0
    ended = typed(capsys, "separate", "song.wav")
    assert ended.code == 0
    said = [each.getMessage() for each in caplog.records if each.name.startswith("streamsep")]
    assert said == ["memory ran out with segments of 4.0 s: going on with 2.0 s"]
    assert len(written(folder)) == 4


def test_when_nothing_fits_it_ends_with_one_line_and_2(
    device: type[Small], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = typed(capsys, "separate", "song.wav")
    ended.check_one_line(2, "memory ran out even with segments of 1.0 s: close other programs")
    assert written(folder) == []
