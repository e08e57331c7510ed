"""What a loop that comes back has learnt from the one before it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.live import supervisor
from bridge.live.engine_keeper import EngineKeeper
from bridge.live.reports import Ended, Playing, Reason, encode
from bridge.live.supervisor import LiveLoop
from bridge.live.task import AudioTask
from bridge.run_folder import ipc_endpoints

if TYPE_CHECKING:
    import pytest

PLAYING = Playing(
    input="in",
    output="out",
    sample_rate=44_100,
    block=256,
    latency_terms={"block": 256},
    stems=["drums", "bass", "other", "vocals"],
    model="none",
    preset="live",
    consistency="off",
    budget=8192,
)
LONGER = Ended(reason=Reason.LONGER_BLOCKS, text="longer blocks", block=512)


def second_task(folder: Path, monkeypatch: pytest.MonkeyPatch, first: list[str]) -> AudioTask:
    """What the second child is told, after the first one has said some lines."""
    (folder / "0").write_text("\n".join(first))
    (folder / "1").write_text(encode(PLAYING))
    monkeypatch.setenv("STREAMSEP_SCRIPT", str(folder))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr(supervisor, "_CHILD", "scripted_child")
    task = AudioTask(input="in", output="out", address="ipc:///nowhere")
    keeper = EngineKeeper(ipc_endpoints(folder), None, None)
    tasks = folder / "tasks"
    with LiveLoop(task, keeper) as loop:
        end_s = time.monotonic() + 60
        while not tasks.exists() or len(tasks.read_text().splitlines()) < 2:
            assert time.monotonic() < end_s
            loop.poll(0.1)
    return AudioTask.from_json(tasks.read_text().splitlines()[1])


def test_longer_blocks_than_at_first_are_expected_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = second_task(tmp_path, monkeypatch, [encode(PLAYING), encode(LONGER)])
    assert (task.block, task.least_block) == (None, 512)


def test_the_budget_is_the_same_time_at_every_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = Ended(reason=Reason.SERVER_GONE, text="the server has gone", block=256)
    task = second_task(tmp_path, monkeypatch, [encode(PLAYING), encode(gone)])
    assert task.least_block == 1
    for rate in (44_100, 48_000, 96_000):
        assert round(task.budget_s * rate) == round(8192 * rate / 44_100)
