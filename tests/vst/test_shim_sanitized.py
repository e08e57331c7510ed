"""With AddressSanitizer and UndefinedBehaviorSanitizer: a host's day, and no word from them."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import numpy as np
from fake_engine import FakeEngine, welcome_to
from shim_engine import ShimEngine, stream_stems
from vst3_host import OFFLINE, PARAMETERS, REALTIME, Vst3Host

from bridge.protocol import Audio, Hello, Message, Stems, encode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

RAGGED = (1, 0, 64, 8192, 0, 777, 3, 20_000)


def music(length: int = 60_000) -> np.ndarray:
    return np.random.default_rng(9).uniform(-0.5, 0.5, (2, length)).astype(np.float32)


def test_the_sanitizers_are_at_work(sanitized: tuple[Path, Path]) -> None:
    symbols = subprocess.run(
        ["nm", "-D", str(sanitized[1])], capture_output=True, text=True, check=True
    )
    assert "__asan_report" in symbols.stdout
    assert "__ubsan_handle" in symbols.stdout


def test_a_render_and_a_performance(sanitized: tuple[Path, Path], shim_engine: ShimEngine) -> None:
    mix = music()
    with Vst3Host(*sanitized, shim_engine.endpoint) as host:
        host.start()
        latency = host.latency
        host.give(mix)
        host.render(mix.shape[-1] + latency, RAGGED, "in-place")
        out = host.take()[..., latency:]
        assert np.abs(out[0] - stream_stems(mix).sum(0)).max() <= 1e-6
        host.start(sample_rate=192_000, block=1, mode=REALTIME, channels=1)
        for name, number in PARAMETERS.items():
            host.tell("queue", number, 5, 0.7)
            host.set(name, 0.3)
        host.render(20_000, RAGGED, "null-buses", mode=REALTIME)
        host.render(1_000, RAGGED, "no-input", "no-outputs", mode=1)
        host.restore(bytes(range(256)))
        host.change_state(endpoint="tcp://[::1]:1")
        host.render(3_000, [100], mode=OFFLINE)
        host.tell("active", 0)
        host.tell("process", REALTIME, 100)
        host.tell("processing", 0)


def test_lives_without_end(sanitized: tuple[Path, Path], shim_engine: ShimEngine) -> None:
    with Vst3Host(*sanitized, shim_engine.endpoint) as host:
        host.tell("cycles", sanitized[1], 10)


class Garbling(FakeEngine):
    """Damages every few messages in some way."""

    def greet(self, hello: Hello) -> list[Message | Sequence[bytes]]:
        self._random = np.random.default_rng(len(self.heard))
        return [welcome_to(hello)]

    def stems(self, audio: Audio) -> list[Message | Sequence[bytes]]:
        answers = super().stems(audio)
        if self._random.random() < 0.3:
            stems = answers[0]
            assert isinstance(stems, Stems)
            frames = [bytearray(bytes(frame)) for frame in encode(stems)]
            for frame in frames:
                for _ in range(self._random.integers(3)):
                    if frame:
                        frame[self._random.integers(len(frame))] = self._random.integers(256)
                del frame[self._random.integers(len(frame) + 1) :]
            return [[bytes(frame) for frame in frames]]
        return answers


def test_an_engine_that_garbles(sanitized: tuple[Path, Path], tmp_path: Path) -> None:
    with (
        Garbling(f"ipc://{tmp_path}/a.ipc") as engine,
        Vst3Host(*sanitized, engine.endpoint) as host,
    ):
        host.choose_preset("stage")
        host.start(block=512)
        host.give(music())
        host.render(100_000, [512], "paced", mode=REALTIME)
        assert int(host.state["connections"]) > 1
        assert np.isfinite(host.take()).all()
