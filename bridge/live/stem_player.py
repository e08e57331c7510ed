"""What happens to a block between the device's input and its output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from bridge.live.delay_line import DelayLine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bridge.client import LiveStemClient
    from bridge.mixing import MixControls, Mixer

    Samples = NDArray[np.float32]

__all__ = ["BlockSink", "StemPlayer"]

_FADE_S = 0.02
"""At the end; an output that is cut off clicks."""


class BlockSink(Protocol):
    """Whoever keeps what is played, such as a recorder."""

    def write(self, dry: Samples, stems: Samples) -> None:
        """Keep a block: float32 dry [C, n], stems [S, C, n]. Real-time."""


class StemPlayer:
    """Blocks of the device's input into blocks of its output, through the engine and the mixer.

    Everything it needs lies ready; a block longer than the longest is taken in pieces.

    Args:
        client: the session with the engine.
        mixer: from stems to outputs.
        controls: of the mixer.
        input_channels: which channels of the input are separated, from 0.
        outputs: O, channels of the output.
        sample_rate: samples per second.
        block: the longest block in one piece.
        sink: gets the delayed input and the stems as they are before the mixer.
    """

    def __init__(
        self,
        client: LiveStemClient,
        mixer: Mixer,
        controls: MixControls,
        *,
        input_channels: Sequence[int],
        outputs: int,
        sample_rate: int,
        block: int,
        sink: BlockSink | None = None,
    ) -> None:
        channels, stems = len(input_channels), len(client.stems)
        self._client = client
        self._mixer = mixer
        self._controls = controls
        self._input_channels = np.array(input_channels)
        self._block = block
        self._sink = sink
        self._delay = DelayLine(channels, client.latency, block)
        self._mix = np.empty((channels, block), np.float32)
        self._dry = np.empty((channels, block), np.float32)
        self._stems = np.empty((stems, channels, block), np.float32)
        self._magnitude = np.empty((stems, channels, block), np.float32)
        self._out = np.empty((outputs, block), np.float32)
        self._fade_step = np.float32(1 / (_FADE_S * sample_rate))
        self._steps = np.arange(1, block + 1, dtype=np.float32) * self._fade_step
        self._ending = False
        self._level = 1.0
        self._peaks = np.zeros(1 + stems + outputs, np.float32)
        self._new_peaks = np.zeros_like(self._peaks)

    @property
    def silent(self) -> bool:
        """Whether the output has faded out."""
        return self._level == 0.0

    def fade_out(self) -> None:
        """Come to an end; the output is silence soon."""
        self._ending = True

    def take_peaks(self) -> tuple[float, list[float], list[float]]:
        """Largest amplitudes since the last call: of the input, each stem, each output."""
        peaks = self._peaks.tolist()
        self._peaks[:] = 0.0
        stems = 1 + len(self._stems)
        return peaks[0], peaks[1:stems], peaks[stems:]

    def play(self, indata: Samples, outdata: Samples) -> None:
        """Play a block.

        Real-time: no lock; the one system call wakes the client's thread.

        Args:
            indata: float32 [n, inputs] of the device, n from 0.
            outdata: float32 [n, outputs] of the device, to be filled.
        """
        for begin in range(0, len(indata), self._block):
            piece = slice(begin, begin + self._block)
            self._play_piece(indata[piece], outdata[piece])

    def _play_piece(self, indata: Samples, outdata: Samples) -> None:
        length = len(indata)
        mix, dry, out = self._mix[:, :length], self._dry[:, :length], self._out[:, :length]
        stems = self._stems[..., :length]
        np.take(indata.T, self._input_channels, axis=0, out=mix, mode="clip")
        self._client.process(mix, stems)
        self._delay.exchange(mix, dry)
        self._mixer.mix(stems, dry, out, self._controls)
        if self._sink is not None:
            self._sink.write(dry, stems)
        if self._ending:
            self._fade(out)
        outdata[:] = out.T
        self._measure(mix, stems, out)

    def _fade(self, out: Samples) -> None:
        length = out.shape[-1]
        out *= np.maximum(np.float32(self._level) - self._steps[:length], 0.0)
        self._level = max(0.0, self._level - float(self._steps[length - 1]))

    def _measure(self, mix: Samples, stems: Samples, out: Samples) -> None:
        length = mix.shape[-1]
        count = len(stems)
        peaks = self._new_peaks
        magnitude = self._magnitude[..., :length]
        np.abs(stems, out=magnitude)
        magnitude.max(axis=(1, 2), out=peaks[1 : 1 + count])
        peaks[0] = max(mix.max(), -mix.min(), 0.0)
        out.max(axis=1, out=peaks[1 + count :])
        np.maximum(peaks[1 + count :], -out.min(axis=1), out=peaks[1 + count :])
        np.fmax(self._peaks, peaks, out=self._peaks)
