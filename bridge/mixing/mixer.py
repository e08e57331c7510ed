"""The mixing desk of the live loop: stems and the dry input in, outputs of the sound card out.

Every route is a sum of sources (the stems, and the dry input that the caller has delayed as much as
the stems), each with a factor that follows from the controls::

    stem s of a mix    wet · gain[s] · route · master
    dry of a mix       (1 − wet) · route · master

Factors never jump: those of a route move together in straight lines to where the controls want
them, none of them by more than 1 / (RAMP_S · sample_rate) per sample, and arrive exactly. While one
rests at 1, its samples are added as they are, so a unity mix is exact to the bit.

Bypass and panic make wet 0: every mix turns into the dry input within one ramp, whatever the gains
say. What happens to stems on outputs of their own follows the rule for late stems, so that the
outputs together remain the mixture: `other` plays the dry input and the rest falls silent. Without
an output for `other`, and without a mix, the first route of a stem takes its part. The master
counts all the same. The two are apart so that a foot that toggles bypass cannot end a panic.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from bridge.mixing.limiter import Limiter
from bridge.mixing.routes import DRY, MIX
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bridge.mixing.controls import Amplitudes, MixControls
    from bridge.mixing.routes import Route

    Samples = NDArray[np.float32]

__all__ = ["LOUDEST", "RAMP_S", "Mixer"]

RAMP_S = 0.02
"""Seconds for a factor to move by 1."""
LOUDEST = 1e6
"""Samples beyond this, 120 dB over full scale, are damage and are played as silence, as NaN is."""


class Mixer:
    """Plays stems on outputs.

    Args:
        stems: their names.
        routes: what plays where; outputs that no route names are silent.
        channels: C, of every stem and of the dry input.
        outputs: O.
        sample_rate: samples per second.
        longest_block: the most samples that `mix` will get at once.
        ceiling_db: above this the limiter acts; None for no limiter.

    Raises:
        ConfigError: a route cannot be played.
    """

    def __init__(
        self,
        stems: Sequence[str],
        routes: Sequence[Route],
        *,
        channels: int,
        outputs: int,
        sample_rate: int,
        longest_block: int,
        ceiling_db: float | None = 0.0,
    ) -> None:
        if not routes:
            raise ConfigError("got no route, expected at least one, such as mix:1-2")
        for route in routes:
            route.check(stems, channels, outputs)
        self.stems = tuple(stems)
        self.routes = tuple(routes)
        substitute = _substitute(self.stems, self.routes)
        self._paths = [
            _Path(self.stems, route, channels, takes_dry=route is substitute, length=longest_block)
            for route in routes
        ]
        self._step = 1.0 / (RAMP_S * sample_rate)
        self._stems = np.empty((len(stems), channels, longest_block), np.float32)
        self._dry = np.empty((channels, longest_block), np.float32)
        self._bad = np.empty(self._stems.shape, np.bool_)
        self._limiters: list[tuple[list[int], Limiter]] = []
        if ceiling_db is not None:
            ceiling = 10.0 ** (ceiling_db / 20.0)
            self._limiters = [
                (group, Limiter(sample_rate, longest_block, ceiling))
                for group in _played_together(self.routes)
            ]
        self.reset()

    @property
    def limiting(self) -> float:
        """The lowest gain of the limiters at this moment, 1 where they do nothing."""
        return min((limiter.gain for _, limiter in self._limiters), default=1.0)

    def reset(self) -> None:
        """Be as new: the next block starts at its gains without a ramp."""
        self._values: list[float] | None = None
        self.damaged = 0
        """Blocks in which samples were not finite, or beyond `LOUDEST`."""
        for _, limiter in self._limiters:
            limiter.reset()

    def mix(self, stems: Samples, dry: Samples, out: Samples, controls: MixControls) -> None:
        """Fill the outputs with one block.

        Real-time: no lock and no system call; small lists, and views of arrays that lie ready.

        Args:
            stems: float32 [S, C, n], n from 0 to the longest block.
            dry: float32 [C, n], the input as late as the stems.
            out: float32 [O, n], to be filled; it may share no memory with the others.
            controls: those of the same stems.
        """
        length = dry.shape[-1]
        if length == 0:
            return
        self._follow(controls)
        stems = self._sound(stems, self._stems[..., :length])
        dry = self._sound(dry, self._dry[:, :length])
        out.fill(0.0)
        for path in self._paths:
            path.add(stems, dry, out)
        for group, limiter in self._limiters:
            limiter.limit([out[output] for output in group])

    def _follow(self, controls: MixControls) -> None:
        """Turn to where the controls stand."""
        values = controls.values()
        if values == self._values:
            return
        amplitudes = controls.amplitudes()
        for path in self._paths:
            path.aim(amplitudes, self._step)
            if self._values is None:
                path.arrive()
        self._values = values

    def _sound(self, samples: Samples, copy: Samples) -> Samples:
        """The samples, or a copy in which the damaged ones are silent."""
        if samples.min() >= -LOUDEST and samples.max() <= LOUDEST:
            return samples
        self.damaged += 1
        bad = self._bad.reshape(-1)[: samples.size].reshape(samples.shape)
        np.abs(samples, out=copy)
        np.less_equal(copy, LOUDEST, out=bad)  # False for NaN
        np.logical_not(bad, out=bad)
        np.copyto(copy, samples)
        np.copyto(copy, np.float32(0.0), where=bad)
        return copy


class _Path:
    """One route at work: its factors, the dry input's last, and where they are going."""

    def __init__(
        self, stems: tuple[str, ...], route: Route, channels: int, *, takes_dry: bool, length: int
    ) -> None:
        plays_all = route.source == MIX
        self._shares = [float(plays_all or stem == route.source) for stem in stems]
        self._takes_dry = plays_all or takes_dry
        self._is_dry = route.source == DRY
        self._gain = 10.0 ** (route.gain_db / 20.0)
        if len(route.outputs) == 1:
            self._gain /= channels
        self._wires = _wires(channels, route.outputs)
        self._begins = [0.0] * (len(stems) + 1)
        self._targets = self._begins
        self._duration = 0
        self._elapsed = 0
        self._count = np.arange(1, length + 1, dtype=np.float32)
        self._ramp = np.empty(length, np.float32)
        self._scaled = np.empty((channels, length), np.float32)

    def aim(self, amplitudes: Amplitudes, step: float) -> None:
        """Set where the factors have to go."""
        everything = self._gain * amplitudes.master
        wet = everything * amplitudes.wet
        if self._is_dry:
            dry = everything
        else:
            dry = everything * (1.0 - amplitudes.wet) if self._takes_dry else 0.0
        factors = [
            wet * share * gain for share, gain in zip(self._shares, amplitudes.stems, strict=True)
        ]
        begins = [
            self._level(begin, target)
            for begin, target in zip(self._begins, self._targets, strict=True)
        ]
        # As float32, because a ramp that is one has to meet them.
        targets: list[float] = np.array([*factors, dry], np.float32).tolist()
        largest = max(abs(to - since) for since, to in zip(begins, targets, strict=True))
        self._begins, self._targets = begins, targets
        self._duration, self._elapsed = math.ceil(largest / step), 0

    def arrive(self) -> None:
        """Be there at once."""
        self._elapsed = self._duration

    def add(self, stems: Samples, dry: Samples, out: Samples) -> None:
        """Add the sources to the outputs, and move on by as many samples."""
        moving = self._elapsed < self._duration
        for index, (begin, target) in enumerate(zip(self._begins, self._targets, strict=True)):
            source = stems[index] if index < len(stems) else dry
            if moving and begin != target:
                self._add(source, self._line(begin, target, dry.shape[-1]), out)
            elif target == 1.0:
                for channels, outputs in self._wires:
                    out[outputs] += source[channels]
            elif target:
                self._add(source, np.float32(target), out)
        self._elapsed = min(self._elapsed + dry.shape[-1], self._duration)

    def _level(self, begin: float, target: float) -> float:
        """Where a factor is now."""
        if self._elapsed == self._duration:
            return target
        return begin + (target - begin) * self._elapsed / self._duration

    def _line(self, begin: float, target: float, length: int) -> Samples:
        """The next values of a factor, up to the target and then there."""
        line = self._ramp[:length]
        np.add(self._count[:length], np.float32(self._elapsed), out=line)
        line *= np.float32((target - begin) / self._duration)
        line += np.float32(begin)
        line[max(0, self._duration - self._elapsed - 1) :] = target
        return line

    def _add(self, source: Samples, factor: Samples | np.float32, out: Samples) -> None:
        for channels, outputs in self._wires:
            part = source[channels]
            scaled = self._scaled[: len(part), : out.shape[-1]]
            np.multiply(part, factor, out=scaled)
            out[outputs] += scaled


def _wires(channels: int, outputs: tuple[int, ...]) -> list[tuple[slice, slice]]:
    """Which channels are added to which outputs; neighbours go together."""
    neighbours = outputs == tuple(range(outputs[0], outputs[0] + len(outputs)))
    if neighbours and channels in (1, len(outputs)):
        return [(slice(0, channels), slice(outputs[0], outputs[-1] + 1))]
    return [
        (_one(wire % channels), _one(outputs[wire % len(outputs)]))
        for wire in range(max(channels, len(outputs)))
    ]


def _one(index: int) -> slice:
    return slice(index, index + 1)


def _substitute(stems: Sequence[str], routes: Sequence[Route]) -> Route | None:
    """The route of a stem that plays the dry input where the stems do not play."""
    own = [route for route in routes if route.source in stems]
    others = [route for route in own if route.source == "other"]
    if others:
        return others[0]
    return own[0] if own and not any(route.source == MIX for route in routes) else None


def _played_together(routes: Sequence[Route]) -> list[list[int]]:
    """The outputs in groups that share a limiter: those that one route plays on."""
    groups: list[set[int]] = []
    for route in routes:
        joined = set(route.outputs)
        apart = []
        for group in groups:
            if group & joined:
                joined |= group
            else:
                apart.append(group)
        groups = [*apart, joined]
    return [sorted(group) for group in groups]
