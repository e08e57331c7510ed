"""Stems for scripts, in the shape of a pedalboard plugin.

    from vst_wrapper import StemPlugin

    plugin = StemPlugin.in_process(preset="studio")      # or StemPlugin.through_engine()
    plugin.vocals_db = -12.0
    plugin.drums_mute = True
    quieter = plugin(song, sample_rate=44_100)           # [C, T] -> [C, T], at lag 0

Like pedalboard's own, it makes up for its latency: what comes out lies where it lay in the song.
With ``reset=True``, the default, a call is a whole song and as much comes out as went in. With
``reset=False`` calls continue a stream: the first `latency_samples` samples that come out belong
to nothing and are left out, so that early calls return less than they were given, and as many
zeros at the end push out the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from bridge.mixing import Mixer, Route
from streamsep.closing import Closing
from streamsep.errors import ConfigError, InputError
from vst_wrapper.stem_parameters import StemParameters

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from bridge.keys import ClientKeys
    from streamsep.engine import ConsistencyName, Separator
    from vst_wrapper.stem_line import StemLine

    Samples = NDArray[np.float32]

__all__ = ["StemPlugin"]

MOST_CHANNELS = 64
"""More rows than this are taken for samples: pedalboard guesses too, and would turn them round."""

LONGEST_BLOCK = 1 << 16


class StemPlugin(Closing, StemParameters):
    """A song in, its stems mixed anew out.

    Parameters are attributes; all can be turned at any time and move smoothly, within 20 ms for a
    change by the factor 1:

    - ``vocals_db``, ``drums_db``, ...: level of a stem, from -inf to 12 dB;
    - ``vocals_mute``, ``vocals_solo``, ...: whether it is silent, or it alone is heard;
    - ``dry_wet``: from 0, the input as it is, to 1, the stems;
    - ``bypass``: the input as it is, whatever the rest says.

    Args:
        open_line: gives stems for a sample rate and a channel count; use `in_process` or
            `through_engine` for one.
        sample_rate: samples per second to expect, until `process` says otherwise.
        channels: C to expect, until `process` says otherwise.
        returns: ``mix`` for [C, T]; ``stems`` for [S, C, T], every stem by its level, where `other`
            takes what dry_wet and bypass leave of the input.

    Raises:
        ConfigError: `returns` is something else.
        StreamSepError: no stems can be had.
    """

    is_effect = True
    is_instrument = False

    def __init__(
        self,
        open_line: Callable[[int, int], StemLine],
        *,
        sample_rate: int = 44_100,
        channels: int = 2,
        returns: Literal["mix", "stems"] = "mix",
    ) -> None:
        if returns not in ("mix", "stems"):
            raise ConfigError(f"returns: got {returns!r}, expected 'mix' or 'stems'")
        self._open_line = open_line
        self._returns = returns
        self._line = open_line(sample_rate, channels)
        super().__init__(self._line.stems)
        self._begin(sample_rate, channels)

    @classmethod
    def in_process(
        cls,
        model: Separator | str | Path = "auto",
        *,
        preset: str = "studio",
        device: str = "cpu",
        consistency: ConsistencyName = "off",
        incremental: bool | None = None,
        returns: Literal["mix", "stems"] = "mix",
    ) -> Self:
        """A plugin whose network runs in this process.

        Args:
            model: a network, or a name or path for `streamsep.load_separator`.
            preset: how it listens; a name from `streamsep presets` or the path of a YAML file.
            device: where a network is loaded to.
            consistency: ``other`` or ``energy`` to make the stems sum to the input.
            incremental: whether hops keep what the one before has computed, where the network can;
                None for what engines do by themselves: on the processor.
            returns: what `process` gives.

        Raises:
            StreamSepError: the network or the preset cannot be used.
        """
        from vst_wrapper.local_line import local_lines

        open_line = local_lines(
            model,
            preset=preset,
            device=device,
            consistency=consistency,
            incremental=incremental,
        )
        return cls(open_line, returns=returns)

    @classmethod
    def through_engine(
        cls,
        *,
        preset: str = "",
        consistency: str = "",
        address: str | None = None,
        keys: ClientKeys | None = None,
        connect_timeout_s: float = 5.0,
        sample_rate: int = 44_100,
        channels: int = 2,
        returns: Literal["mix", "stems"] = "mix",
    ) -> Self:
        """A plugin whose network runs in the engine of `streamsep serve`; torch is not needed here.

        Args:
            preset: how the engine listens; empty for its own choice.
            consistency: off, other or energy; empty for the engine's own choice.
            address: of the engine's audio socket; None for the engine of this user.
            keys: for an engine that is reached over a network.
            connect_timeout_s: seconds to wait for an engine.
            sample_rate: samples per second to expect.
            channels: C to expect.
            returns: what `process` gives.

        Raises:
            EngineError: no engine answers, or it refuses.
        """
        from bridge.client import StemClient

        def open_line(sample_rate: int, channels: int) -> StemLine:
            return StemClient(
                sample_rate=sample_rate,
                channels=channels,
                preset=preset,
                consistency=consistency,
                address=address,
                keys=keys,
                name="StemPlugin",
                connect_timeout_s=connect_timeout_s,
            )

        return cls(open_line, sample_rate=sample_rate, channels=channels, returns=returns)

    @property
    def latency_samples(self) -> int:
        """Samples between an input sample and the output that depends on it, at the last rate."""
        return self._line.latency

    def process(
        self,
        input_array: NDArray[np.floating],
        sample_rate: float,
        buffer_size: int = 8192,
        reset: bool = True,
    ) -> Samples:
        """Mix a song's stems anew.

        Args:
            input_array: float samples [C, T], or [T] of one channel; T from 0.
            sample_rate: samples per second, a whole number.
            buffer_size: samples to work on at once; the result does not depend on it.
            reset: whether this is a whole song; otherwise it continues what came before.

        Returns:
            float32 [C, n], or [n] where the input was [T]; with ``returns="stems"`` with an axis
            for the stems in front. n is T, but less at the start of a stream; see the module.

        Raises:
            InputError: the samples have another shape or type.
            ConfigError: the rate or the buffer size cannot be used, or the rate or the channels
                change within a stream.
            EngineError: the engine has gone.
        """
        block = _planar(input_array)
        rate = _whole_rate(sample_rate)
        if buffer_size < 1:
            raise ConfigError(f"buffer_size: got {buffer_size}, expected at least 1")
        if (rate, block.shape[0]) != (self._sample_rate, self._channels):
            self._change_format(rate, block.shape[0], reset=reset)
        elif reset:
            self.reset()
        size = min(buffer_size, LONGEST_BLOCK)
        parts = [
            self._advance(block[:, start : start + size])
            for start in range(0, block.shape[-1], size)
        ]
        if reset:
            parts.append(self._finish())
        output = self._shaped(np.concatenate([self._nothing(), *parts], axis=-1))
        return output if input_array.ndim == 2 else output[..., 0, :]

    __call__ = process

    def reset(self) -> None:
        """Drop the stream; the next block is the start of another. Parameters stay."""
        self._line.reset()
        self._begin(self._sample_rate, self._channels)

    def close(self) -> None:
        """Let go of the engine, if there is one."""
        self._line.close()

    def __repr__(self) -> str:
        values = " ".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"<StemPlugin {values}>"

    def _change_format(self, sample_rate: int, channels: int, *, reset: bool) -> None:
        if not reset and self._taken:
            raise ConfigError(
                f"got {sample_rate} Hz and {channels} channels within a stream of "
                f"{self._sample_rate} Hz and {self._channels}; call reset first"
            )
        line = self._open_line(sample_rate, channels)
        self._line.close()
        self._line = line
        self._begin(sample_rate, channels)

    def _begin(self, sample_rate: int, channels: int) -> None:
        self._sample_rate, self._channels = sample_rate, channels
        self._taken = 0
        self._mixer = Mixer(
            self.stems,
            self._routes(),
            channels=channels,
            outputs=self._outputs,
            sample_rate=sample_rate,
            longest_block=LONGEST_BLOCK,
            ceiling_db=None,
        )
        self._dry: Samples = np.zeros((channels, 0), np.float32)
        self._early = self._line.latency

    @property
    def _outputs(self) -> int:
        return self._channels * (len(self.stems) if self._returns == "stems" else 1)

    def _routes(self) -> list[Route]:
        sources = self.stems if self._returns == "stems" else ("mix",)
        count = self._channels
        return [
            Route(source, tuple(range(index * count, (index + 1) * count)))
            for index, source in enumerate(sources)
        ]

    def _advance(self, block: Samples) -> Samples:
        """From the next input [C, t] to the next output [O, n]."""
        self._taken += block.shape[-1]
        self._dry = np.concatenate([self._dry, block], axis=-1)
        stems = self._line.process(block)
        left_out = min(self._early, stems.shape[-1])
        self._early -= left_out
        return self._mixed(stems[..., left_out:])

    def _finish(self) -> Samples:
        """The rest of a whole song; be as new."""
        early, song_left = self._early, self._dry.shape[-1]
        stems = self._line.flush()[..., early:]
        rest = [
            self._mixed(stems[..., start : start + LONGEST_BLOCK])
            for start in range(0, song_left, LONGEST_BLOCK)
        ]
        self._begin(self._sample_rate, self._channels)
        return np.concatenate([self._nothing(), *rest], axis=-1)

    def _mixed(self, stems: Samples) -> Samples:
        """Stems [S, C, n] and as much of the waiting input, by the parameters."""
        length = stems.shape[-1]
        dry, self._dry = self._dry[:, :length], self._dry[:, length:]
        output = np.empty((self._outputs, length), np.float32)
        self._mixer.mix(stems, dry, output, self._controls)
        return output

    def _nothing(self) -> Samples:
        return np.zeros((self._outputs, 0), np.float32)

    def _shaped(self, output: Samples) -> Samples:
        if self._returns == "mix":
            return output
        return output.reshape(len(self.stems), self._channels, output.shape[-1])


def _planar(samples: NDArray[np.floating]) -> Samples:
    """Samples as float32 [C, T]."""
    if not isinstance(samples, np.ndarray) or samples.dtype.kind != "f":
        kind = samples.dtype if isinstance(samples, np.ndarray) else type(samples).__name__
        raise InputError(f"expected an array of float samples, got {kind}")
    if samples.ndim not in (1, 2) or 0 in samples.shape[:-1]:
        raise InputError(f"expected samples [C, T] or [T], got {list(samples.shape)}")
    planar = samples[None] if samples.ndim == 1 else samples
    if planar.shape[0] > MOST_CHANNELS:
        raise InputError(
            f"expected samples [C, T], got {list(samples.shape)}; transpose interleaved samples"
        )
    return np.ascontiguousarray(planar, np.float32)


def _whole_rate(sample_rate: float) -> int:
    if sample_rate < 1 or sample_rate != int(sample_rate):
        raise ConfigError(f"sample_rate: got {sample_rate}, expected a whole number of Hz")
    return int(sample_rate)
