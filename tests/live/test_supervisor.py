"""What a loop that comes back has learnt from the one before it."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.live import supervisor
from bridge.live.engine_keeper import EngineKeeper
from bridge.live.reports import Ended, Noted, Playing, Reason, Waiting, encode
from bridge.live.supervisor import LiveLoop
from bridge.live.task import AudioTask
from bridge.run_folder import ipc_endpoints

if TYPE_CHECKING:
    import pytest

ENGINE = Path(__file__).parents[1] / "bridge" / "serve_fake.py"
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
GONE = Ended(reason=Reason.SERVER_GONE, text="the server has gone", block=256)
LONGER = Ended(reason=Reason.LONGER_BLOCKS, text="longer blocks", block=512)


def scripted(folder: Path, monkeypatch: pytest.MonkeyPatch, lines: list[list[str]]) -> AudioTask:
    """Let the first child, the second and so on say some lines."""
    for turn, said in enumerate(lines):
        (folder / str(turn)).write_text("\n".join(said))
    monkeypatch.setenv("STREAMSEP_SCRIPT", str(folder))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr(supervisor, "_CHILD", "scripted_child")
    return AudioTask(input="in", output="out", address="ipc:///nowhere")


def second_task(folder: Path, monkeypatch: pytest.MonkeyPatch, first: list[str]) -> AudioTask:
    """What the second child is told, after the first one has said some lines."""
    task = scripted(folder, monkeypatch, [first, [encode(PLAYING)]])
    with LiveLoop(task, EngineKeeper(ipc_endpoints(folder), None, None)) as loop:
        poll_until_second_child(loop, folder)
    return AudioTask.from_json((folder / "tasks").read_text().splitlines()[1])


def poll_until_second_child(loop: LiveLoop, folder: Path) -> None:
    """Let it play until the second child has taken its task."""
    tasks = folder / "tasks"
    end_s = time.monotonic() + 60
    while not tasks.exists() or len(tasks.read_text().splitlines()) < 2:
        assert time.monotonic() < end_s
        loop.poll(0.1)


def test_longer_blocks_than_at_first_are_expected_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = second_task(tmp_path, monkeypatch, [encode(PLAYING), encode(LONGER)])
    assert (task.block, task.least_block) == (None, 512)


def test_the_budget_is_the_same_time_at_every_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = second_task(tmp_path, monkeypatch, [encode(PLAYING), encode(GONE)])
    assert task.least_block == 1
    for rate in (44_100, 48_000, 96_000):
        assert round(task.budget_s * rate) == round(8192 * rate / 44_100)


def test_a_loop_that_comes_back_asks_for_the_stems_that_its_controls_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = second_task(tmp_path, monkeypatch, [encode(PLAYING), encode(GONE)])
    assert task.stems == ("drums", "bass", "other", "vocals")


def test_a_child_that_hangs_is_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_CLOSING_S", 2.0)
    (tmp_path / "hangs").touch()
    task = scripted(tmp_path, monkeypatch, [[encode(PLAYING), encode(GONE)], [encode(PLAYING)]])
    with LiveLoop(task, EngineKeeper(ipc_endpoints(tmp_path), None, None)) as loop:
        poll_until_second_child(loop, tmp_path)
        closing_s = time.monotonic()
        loop.close()
        assert 1.9 < time.monotonic() - closing_s < 3.5


def test_an_engine_that_went_while_the_device_was_away_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none_answers = encode(Waiting(text="no engine answers", engine=True))
    task = scripted(tmp_path, monkeypatch, [[encode(PLAYING), encode(GONE)], [none_answers]])
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(ENGINE), folder, "--lifeline"]
        keeper = EngineKeeper(ipc_endpoints(Path(folder)), None, command)
        news: list[str] = []
        with contextlib.closing(keeper), LiveLoop(task, keeper) as loop:
            end_s = time.monotonic() + 60
            while not keeper.starts:
                assert time.monotonic() < end_s
                news += loop.poll(0.1)
    assert "the engine has gone; starting one" in news
    assert not [line for line in news if "stems" in line], news


def test_what_goes_wrong_at_the_very_end_is_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "last").write_text(encode(Noted(text="recording has stopped after 1.0 s")))
    second_task(tmp_path, monkeypatch, [encode(PLAYING), encode(GONE)])
    assert "recording has stopped after 1.0 s" in caplog.messages
