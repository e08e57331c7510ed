"""Engines are forked: one that dies is replaced by one that has its measurements."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from exported_programs import describe, export, plain_network
from support import require

from bridge.live.zygote import can_fork, how_it_ended
from bridge.processes.child_process import ChildProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).with_name("forked_engine.py")
PROGRAM_SCRIPT = Path(__file__).with_name("forked_program.py")

pytestmark = pytest.mark.skipif(not can_fork(), reason="engines are forked on Linux alone")


@contextmanager
def zygote(what: str = "serve", script: Path = SCRIPT) -> Iterator[ChildProcess]:
    child = ChildProcess([sys.executable, str(script), what])
    try:
        yield child
    finally:
        child.kill()
        child.close(0.0)


def next_line(child: ChildProcess, begin: str) -> list[str]:
    """Words of the next line that begins like this."""
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        line = child.next_line(0.1)
        if line is not None and line.startswith(begin):
            return line.split()
        assert line is not None or not child.drained, child.errors
    raise AssertionError(f"no line '{begin}'; {child.errors}")


def wait_until_gone(process: psutil.Process, at_most_s: float = 20.0) -> None:
    deadline_s = time.monotonic() + at_most_s
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline_s, process
        time.sleep(0.01)


def test_one_that_is_killed_is_replaced_and_gets_what_it_had_found_out() -> None:
    with zygote() as child:
        for number in range(1, 6):
            _, count, threads, total, pid = next_line(child, "READY")
            # With the threads that torch had, which compute what they should.
            assert (int(count), int(threads), int(total)) == (number, 2, 256**3)
            engine = psutil.Process(int(pid))
            assert engine.ppid() == child.pid
            engine.kill()
            assert next_line(child, "ENDED") == ["ENDED", "killed", "by", "SIGKILL"]


def test_a_program_of_onnx_computes_with_the_threads_of_its_engine(tmp_path: Path) -> None:
    for package in ("onnxruntime", "onnxscript"):
        require(find_spec(package), f"{package} is not installed")
    description = describe(export(plain_network(), tmp_path / "net.onnx"))
    with zygote(str(description), PROGRAM_SCRIPT) as child:
        for _ in range(2):
            _, begun, agreement, pid = next_line(child, "READY")
            # The thread that asks computes as well.
            assert (int(begun), agreement) == (2, "equal")
            psutil.Process(int(pid)).kill()


def test_all_end_with_standard_input() -> None:
    with zygote() as child:
        engine = psutil.Process(int(next_line(child, "READY")[-1]))
        child.cut()
        wait_until_gone(engine)
        wait_until_gone(psutil.Process(child.pid))


def test_one_that_hangs_ends_with_standard_input_too() -> None:
    with zygote() as child:
        engine = psutil.Process(int(next_line(child, "READY")[-1]))
        engine.suspend()
        child.cut()
        wait_until_gone(engine)
        wait_until_gone(psutil.Process(child.pid))


def test_an_engine_outlives_its_zygote_and_ends_when_it_is_told() -> None:
    with zygote() as child:
        engine = psutil.Process(int(next_line(child, "READY")[-1]))
        psutil.Process(child.pid).kill()
        deadline_s = time.monotonic() + 20
        while child.exit_code is None:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        time.sleep(0.2)
        assert engine.is_running()
        assert not child.drained
        child.close(5.0)
        assert child.exit_code == -signal.SIGKILL
        wait_until_gone(engine)


def test_a_refusal_is_final() -> None:
    with zygote("refuse") as child:
        deadline_s = time.monotonic() + 60
        while not child.drained:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        assert child.exit_code == 2


def test_one_that_never_serves_is_tried_again_ever_more_rarely() -> None:
    with zygote("crash") as child:
        ended_s = []
        for _ in range(4):
            assert next_line(child, "ENDED")[-1] == "SIGSEGV"
            ended_s.append(time.monotonic())
        pauses_s = [after - before for before, after in pairwise(ended_s)]
        # Each at least as long as was waited, twice as long as the time before.
        for pause_s, least_s in zip(pauses_s, (0.19, 0.39, 0.79), strict=True):
            assert pause_s > least_s


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0, "exit code 0"),
        (3, "exit code 3"),
        (-9, "killed by SIGKILL"),
        (-63, "killed by signal 63"),
    ],
)
def test_an_end_is_told_in_words(code: int, words: str) -> None:
    assert how_it_ended(code) == words
