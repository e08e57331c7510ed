"""A full-duplex stream of PortAudio, and what its callback notices.

Blocks come as the device delivers them: with `blocksize=0` JACK's period goes straight through, and
may change while it plays. Any fixed size would be adapted to by a block of delay.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.live.portaudio import explain

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from bridge.live.devices import Device

    Samples = NDArray[np.float32]
    Play = Callable[[Samples, Samples], None]

__all__ = ["DeviceStream", "StreamCounters"]

_SLACK_S = 1.0
_PIECE = 1024
"""As much of a block as PortAudio hands over at a time."""


@dataclass(slots=True)
class StreamCounters:
    """What the callback has noticed; only it writes.

    Attributes:
        blocks: callbacks.
        samples: per channel.
        longest: samples of the longest block of the device, which may be several callbacks.
        called_s: time of the last callback.
        overflows: callbacks before which input was lost.
        underflows: callbacks before which the output had run dry.
        lost: samples that are missing between the times of two inputs; no more than fit between
            two callbacks, because the clock of a JACK server that had to wait may jump by days.
        slow: callbacks during which this process computed for longer than the block lasts: whatever
            is lost then is our doing. Time in which others had the processor does not count.
        load: largest share of a block's duration that its callback took, since somebody last set it
            to 0.
    """

    blocks: int = 0
    samples: int = 0
    longest: int = 0
    called_s: float = 0.0
    overflows: int = 0
    underflows: int = 0
    lost: int = 0
    slow: int = 0
    load: float = 0.0


class DeviceStream:
    """Input and output of one or two devices that share a clock, opened and running.

    Args:
        portaudio: the module `sounddevice`.
        source: the input device.
        sink: the output device.
        inputs: channels to open.
        outputs: channels to open.
        sample_rate: samples per second.

    Raises:
        ConfigError: the devices cannot be opened like that.
    """

    def __init__(
        self,
        portaudio: Any,
        source: Device,
        sink: Device,
        *,
        inputs: int,
        outputs: int,
        sample_rate: int,
    ) -> None:
        self.source = source
        self.sink = sink
        self.sample_rate = sample_rate
        self.counters = StreamCounters()
        self.play: Play | None = None
        """What fills the output; silence until it is set."""
        self._next_input_s: float | None = None
        self._times_s = (0.0, 0.0)
        self._block_s = 0.0
        self._block = 0
        problem = portaudio.PortAudioError
        blamed, words = source, f"{inputs} input channels"
        try:
            portaudio.check_input_settings(source.number, inputs, "float32", None, sample_rate)
            blamed, words = sink, f"{outputs} output channels"
            portaudio.check_output_settings(sink.number, outputs, "float32", None, sample_rate)
            self._stream = portaudio.Stream(
                samplerate=sample_rate,
                blocksize=0,
                device=(source.number, sink.number),
                channels=(inputs, outputs),
                dtype="float32",
                latency="low",
                callback=self._callback,
            )
            self._stream.start()
        except problem as error:
            raise explain(
                error, device=str(blamed), sample_rate=sample_rate, channels=words
            ) from error

    @property
    def active(self) -> bool:
        """Whether callbacks can be expected."""
        return bool(self._stream.active)

    def latency_terms(self) -> dict[str, int]:
        """Samples between the interface's input and a block, and between a block and its output.

        As the callback was told with the last block; what software clients of JACK declare is what
        counts there.
        """
        before_s, after_s = self._times_s
        total = round((before_s + after_s) * self.sample_rate)
        before = round(before_s * self.sample_rate)
        return {"device_input": before, "device_output": total - before}

    def close(self) -> None:
        """Stop and close; with a sound server that has died this never returns."""
        self._stream.abort()
        self._stream.close()

    def _callback(
        self, indata: Samples, outdata: Samples, frames: int, times: Any, flags: Any
    ) -> None:
        """Real-time: counts and calls `play`."""
        begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
        counters = self.counters
        most_lost = (time.monotonic() - counters.called_s + _SLACK_S) * self.sample_rate
        counters.called_s = time.monotonic()
        if flags:
            counters.overflows += bool(flags.input_overflow)
            counters.underflows += bool(flags.output_underflow)
        input_s = times.inputBufferAdcTime
        missing: int | None = None
        if self._next_input_s is not None:
            missing = round((input_s - self._next_input_s) * self.sample_rate)
            # Less is jitter of the clock that these times are read from.
            counters.lost += missing if frames <= missing <= most_lost else 0
        # Callbacks of one block are told the same time, and the input of each goes on where that of
        # the one before ended. Where a server makes up for a pause, two blocks may be told the same
        # time; their input then begins at the same time, too.
        if self._block % _PIECE == 0 and times.currentTime == self._block_s and missing == 0:
            self._block += frames
        else:
            self._block = frames
            self._block_s = times.currentTime
            output_s = times.outputBufferDacTime
            self._times_s = (times.currentTime - input_s, output_s - times.currentTime)
        counters.longest = max(counters.longest, self._block)
        self._next_input_s = input_s + frames / self.sample_rate
        if self.play is None:
            outdata.fill(0.0)
        else:
            self.play(indata, outdata)
        counters.blocks += 1
        counters.samples += frames
        if frames:
            share = (time.perf_counter() - begin_s) * self.sample_rate / frames
            counters.load = max(counters.load, share)
            computed_s = time.process_time() - begin_cpu_s
            counters.slow += computed_s * self.sample_rate > frames
