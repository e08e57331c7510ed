"""An engine that is there and computes nothing is not sent more than it allows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from vst.fake_engine import FakeEngine, welcome_to

from bridge.client import LiveState, LiveStemClient

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bridge.protocol import Audio, Hello, Message

RATE, BLOCK, WINDOW = 44_100, 512, 20_000


class Hanging(FakeEngine):
    """Answers PING, but sends no stems before it is told to."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.computes = False
        self._waiting: list[Audio] = []

    def greet(self, hello: Hello) -> list[Message | Sequence[bytes]]:
        return [welcome_to(hello, window=WINDOW, budget=4096)]

    def stems(self, audio: Audio) -> list[Message | Sequence[bytes]]:
        self._waiting = [each for each in self._waiting if each.epoch == audio.epoch] + [audio]
        if not self.computes:
            return []
        answers = [answer for each in self._waiting for answer in super(Hanging, self).stems(each)]
        self._waiting = []
        return answers


def play(client: LiveStemClient, samples: int) -> np.ndarray:
    """Play noise at a few times the pace of a device; the stems of the last block."""
    block = np.random.default_rng(0).uniform(-0.5, 0.5, (2, BLOCK)).astype(np.float32)
    for _ in range(0, samples, BLOCK):
        stems = client.process(block)
        time.sleep(0.003)
    return stems


def test_the_session_goes_on_when_it_computes_again(tmp_path: Path) -> None:
    with (
        Hanging(f"ipc://{tmp_path}/a.ipc") as engine,
        LiveStemClient(sample_rate=RATE, block=BLOCK, address=engine.endpoint) as client,
    ):
        play(client, 4 * WINDOW)
        assert client.state is LiveState.STREAMING
        assert client.counters.connections == 1
        engine.computes = True
        play(client, 2 * WINDOW)
        missed = client.counters.missed
        stems = play(client, WINDOW)
        assert client.counters.missed == missed
        # The fake's stems are the mixture times 1, 2, 3 and 4.
        assert np.array_equal(stems[3], 4 * stems[0])
        assert client.counters.connections == 1
        client.close()
        assert client.state is LiveState.CLOSED
        # Leaving the block closes it again, which does no harm.
