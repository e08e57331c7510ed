"""A session's stream at work ends when it is told to, whatever it was given to do."""

from __future__ import annotations

import threading
import time

import fakes
import numpy as np
import torch
from torch import Tensor

from bridge.server.scheduler import Scheduler, Ticket
from bridge.server.stream_worker import Finished, StreamWorker
from streamsep import StreamConfig

CONFIG = StreamConfig(context=4096, hop=2048, look_ahead=2048, crossfade=512)


class Gate(fakes.PassThrough):
    """Separates when it is let, and counts."""

    def __init__(self) -> None:
        super().__init__(stride=2048)
        self.may_go_on = threading.Event()
        self.begun = threading.Event()
        self.segments = 0

    def __call__(self, mix: Tensor) -> Tensor:
        self.segments += 1
        self.begun.set()
        assert self.may_go_on.wait(20)
        return super().__call__(mix)


def test_one_that_is_stopped_ends_after_the_segment_that_is_being_computed() -> None:
    gate = Gate()
    scheduler = Scheduler(gate, torch.device("cpu"))
    delivered: list[Finished] = []
    worker = StreamWorker(
        gate,
        scheduler,
        Ticket(),
        CONFIG,
        sample_rate=44_100,
        channels=2,
        consistency="off",
        deliver=delivered.append,
    )
    try:
        worker.start()
        worker.push(np.zeros((2, 20 * CONFIG.hop), np.float32), time.monotonic())
        assert gate.begun.wait(20)
        worker.stop()
        gate.may_go_on.set()
        end_s = time.monotonic() + 20
        while scheduler.is_used:
            assert time.monotonic() < end_s, "the stream goes on"
            time.sleep(0.01)
    finally:
        gate.may_go_on.set()
        scheduler.stop()
    assert gate.segments == 1
    assert not delivered
