"""What waits for a device is known before it is recorded, and what a failed recording left is put
right. torch's side of it is played here; `test_cuda.py` asks a real device."""

from __future__ import annotations

import threading
import warnings

import pytest
import torch

from streamsep.devices.captures import clean_up_capture, refuse_waiting

THERE = torch.device("cuda", 0)


class Modes:
    """What torch does when it is asked to watch, on a device that is not there."""

    def __init__(self) -> None:
        self.mode: int | str = 0

    def get(self) -> int | str:
        return self.mode

    def set(self, mode: int | str) -> None:
        warnings.warn("Synchronization debug mode is a prototype feature", stacklevel=1)
        self.mode = mode

    def wait(self) -> None:
        if self.mode == "warn":
            warnings.warn("called a synchronizing CUDA operation", stacklevel=1)


@pytest.fixture
def modes(monkeypatch: pytest.MonkeyPatch) -> Modes:
    played = Modes()
    monkeypatch.setattr(torch.cuda, "get_sync_debug_mode", played.get)
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", played.set)
    return played


def test_what_waits_is_refused_every_time(modes: Modes) -> None:
    for _ in range(2):
        with pytest.raises(RuntimeError, match="it waits for the device"), refuse_waiting():
            modes.wait()
        assert modes.mode == 0


def test_what_does_not_wait_passes(modes: Modes) -> None:
    with refuse_waiting():
        assert modes.mode == "warn"
    modes.wait()
    assert modes.mode == 0


def test_other_threads_may_wait(modes: Modes) -> None:
    failed = []

    def work() -> None:
        try:
            modes.wait()
        except Exception as error:  # noqa: BLE001 - told by the thread that tests
            failed.append(error)

    with refuse_waiting():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert not failed


def test_errors_and_other_warnings_pass(modes: Modes) -> None:
    with pytest.raises(UserWarning, match="of another kind"), refuse_waiting():
        warnings.warn("of another kind", stacklevel=1)
    with pytest.raises(ZeroDivisionError), refuse_waiting():
        raise ZeroDivisionError
    assert modes.mode == 0


def test_a_capture_that_ended_in_order_keeps_its_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_capturing(index: int, pool: object) -> None:
        raise RuntimeError("endAllocatePool: not currently recording to mempool_id")

    monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", not_capturing, raising=False)
    monkeypatch.setattr(torch._C, "_cuda_releasePool", lambda *_: pytest.fail("released twice"))
    assert clean_up_capture(THERE, (0, 7), None) == (0, 7)  # type: ignore[arg-type]


def test_a_capture_that_was_broken_off_is_ended_and_its_pool_let_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = []

    def no_device(*_: object, **__: object) -> None:
        raise RuntimeError("no device")

    monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", lambda *of: told.append(("end", of)))
    monkeypatch.setattr(torch._C, "_cuda_releasePool", lambda *of: told.append(("release", of)))
    monkeypatch.setattr(torch, "zeros", no_device)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 8))
    assert clean_up_capture(THERE, (0, 7), None) == (0, 8)  # type: ignore[arg-type]
    assert told == [("end", (0, (0, 7))), ("release", (0, (0, 7)))]
