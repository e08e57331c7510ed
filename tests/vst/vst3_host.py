"""The host of tests/vst/host as a Python object: one command a line, one answer a line."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

__all__ = ["OFFLINE", "PARAMETERS", "PRESETS", "REALTIME", "Vst3Host"]

REALTIME = 0
OFFLINE = 2
BUSES = 5
SIDES = 2

PARAMETERS = {
    **{f"{stem}_gain": k for k, stem in enumerate(("drums", "bass", "other", "vocals"))},
    **{f"{stem}_mute": 10 + k for k, stem in enumerate(("drums", "bass", "other", "vocals"))},
    **{f"{stem}_solo": 20 + k for k, stem in enumerate(("drums", "bass", "other", "vocals"))},
    "mix": 30,
    "bypass": 31,
    "render": 32,
    "preset": 33,
}
"""Ids of the parameters; they are permanent."""

PRESETS = ("instant", "stage", "live", "studio", "lean")
"""The choices of the parameter "preset"; their order is permanent."""


class Vst3Host:
    """A process that hosts one plugin at a time.

    Args:
        program: the built host.
        binary: the plugin's shared object.
        endpoint: of the engine.
    """

    def __init__(self, program: Path, binary: Path, endpoint: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._files = Path(self._folder.name)
        self._binary = binary
        self._process = subprocess.Popen(
            [str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1", "XDG_RUNTIME_DIR": "/nowhere"},
        )
        self.channels = 2
        self.tell("load", binary)
        self.change_state(endpoint=endpoint)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        code = self.close()
        if error is None:
            assert code == 0, f"the host ended with {code}"

    def close(self) -> int:
        """Unload the plugin and end the process; its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            return self._process.wait(30)
        finally:
            self._process.kill()
            self._process.stdout.close()
            self._folder.cleanup()

    def tell(self, *words: object) -> str:
        """Give a command and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().rstrip("\n")
        assert answer, f"the host died of {words}"
        assert not answer.startswith("error"), answer
        return answer

    def start(
        self,
        *,
        sample_rate: float = 44_100,
        block: int = 8192,
        mode: int = OFFLINE,
        channels: int = 2,
    ) -> None:
        """Set the plugin up and activate it, anew if it was active."""
        self.channels = channels
        self.tell("active", 0)
        self.tell("setup", sample_rate, block, mode, channels)
        self.tell("active", 1)
        self.tell("processing", 1)

    @property
    def latency(self) -> int:
        return int(self.tell("latency"))

    def set(self, name: str, value: float) -> None:
        """Set a parameter, from 0 to 1."""
        self.tell("set", PARAMETERS[name], value)

    def choose_preset(self, name: str) -> None:
        """Set the latency preset by its name."""
        self.set("preset", PRESETS.index(name) / (len(PRESETS) - 1))

    @property
    def state(self) -> dict[str, str]:
        """The saved state, its title aside."""
        _, *lines = self.tell("state").split("\t")
        return dict(line.split("=", 1) for line in lines if line)

    def change_state(self, **changes: object) -> None:
        """Save, change, restore."""
        text = "streamsep plugin state 1\n" + "".join(
            f"{name}={value}\n" for name, value in {**self.state, **changes}.items()
        )
        assert self.restore(text.encode())

    def restore(self, state: bytes) -> bool:
        """Restore a state; whether the plugin took it."""
        file = self._files / "state"
        file.write_bytes(state)
        return self.tell("restore", file) == "ok"

    def give(self, mix: np.ndarray) -> None:
        """What the next samples are, [C, T]; silence follows."""
        file = self._files / "input"
        file.write_bytes(np.ascontiguousarray(mix, np.float32).tobytes())
        self.tell("input", file, len(mix))

    def render(
        self, samples: int, blocks: Sequence[int], *handling: str, mode: int = OFFLINE
    ) -> None:
        """Process in blocks of these lengths, in turn."""
        self.tell("render", mode, samples, ",".join(map(str, blocks)), *handling)

    def take(self) -> np.ndarray:
        """What came out since the last time, [5, C, T]: the main output and the four stems."""
        file = self._files / "output"
        self.tell("write", file)
        samples = np.fromfile(file, np.float32)
        return samples.reshape(BUSES, SIDES, -1)[:, : self.channels]
