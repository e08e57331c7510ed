"""Plugins in a row, and streams that run at different delays brought together.

A plugin that holds sound back, because it looks ahead or works on blocks of its own, gives back
fewer samples than it was given until it has begun to speak, and as many from then on: pedalboard
leaves out what a plugin says before the first sample that it was given. So the n-th sample that
comes out of a chain belongs to the n-th that went in, and aligning chains is counting samples.

Every plugin is fed blocks of one size, counted from the start of the song, whatever the caller's
are: some prepare themselves anew, and forget what they hold, when a longer block comes along. It
is also where automation takes effect: a parameter has the value that its curve has at the first
sample of the block, in the time of the song and not in that of the plugin before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pedalboard
import torch
from pedalboard_native import ExternalPluginReloadType
from torch import Tensor

from streamsep.engine.fifo import SampleFifo
from streamsep.errors import ConfigError
from vst_wrapper.boards.automation import Automated, Curve, check_automation
from vst_wrapper.boards.effects import (
    CANNOT_STREAM,
    EFFECTS,
    Number,
    check_effect_parameter,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["AUTOMATION_BLOCK", "BLOCK", "Alignment", "Chain", "PluginStage"]

BLOCK = 8_192
"""Samples that a plugin is given at once."""

AUTOMATION_BLOCK = 512
"""Samples that a plugin is given at once when parameters of it move."""


class Chain:
    """Plugins in a row and a gain behind them.

    Args:
        plugins: in their order. A `Pedalboard` or `Chain` among them counts as its plugins, the
            plugins of a `Mix` run side by side.
        gain_db: level behind them.
        where: where on the board it is, for messages.

    Raises:
        ConfigError: a plugin cannot be streamed, or cannot follow its automation.
    """

    def __init__(
        self, plugins: Iterable[pedalboard.Plugin | Automated], gain_db: float, where: str
    ) -> None:
        self._links = [
            _make_link(plugin, f"{where}, plugin {number}")
            for number, plugin in enumerate(_flattened(plugins), start=1)
        ]
        self._gain = 10.0 ** (gain_db / 20.0)

    def plugins(self) -> Iterator[pedalboard.Plugin]:
        """Every plugin of the chain."""
        for link in self._links:
            yield from link.plugins()

    def stages(self) -> Iterator[PluginStage]:
        """Every plugin with what it was given and gave back."""
        for link in self._links:
            yield from link.stages()

    def start(self, sample_rate: int) -> None:
        """Drop what is inside; what comes next is the start of a song.

        Raises:
            ConfigError: a parameter does not fit the sample rate.
        """
        for link in self._links:
            link.start(sample_rate)

    def push(self, samples: Tensor) -> Tensor:
        """Take in [C, t]; give back what has come through, [C, n], from where the last call ended.

        Raises:
            ConfigError: a plugin failed, or gave what is not finite.
        """
        for link in self._links:
            samples = link.push(samples)
        return samples if self._gain == 1.0 else samples * self._gain


class Alignment:
    """Streams of the same song that arrive in pieces of different lengths, side by side again.

    Args:
        count: how many streams.
    """

    def __init__(self, count: int) -> None:
        self._queues = [SampleFifo() for _ in range(count)]

    def clear(self) -> None:
        """Forget what waits."""
        for queue in self._queues:
            queue.clear()

    def push(self, parts: Sequence[Tensor]) -> list[Tensor]:
        """Take in one piece [C, t] of every stream; give back what all of them have, [C, n]."""
        for queue, part in zip(self._queues, parts, strict=True):
            queue.push(part)
        ready = min(len(queue) for queue in self._queues)
        return [queue.pop(ready) for queue in self._queues]


class PluginStage:
    """One plugin, fed in blocks of one size.

    Args:
        plugin: the plugin.
        where: where on the board it is, for messages.
        curves: of the parameters that move.
    """

    def __init__(
        self, plugin: pedalboard.Plugin, where: str, curves: dict[str, Curve] | None = None
    ) -> None:
        self.where = f"{where} ({_name_of(plugin)})"
        self._plugin = plugin
        self._curves = curves or {}
        self._block = AUTOMATION_BLOCK if curves else BLOCK
        self._waiting = SampleFifo()
        self._set: dict[str, float] = {}
        self._sample_rate = 0
        self.given = 0
        self.returned = 0

    @property
    def held(self) -> int:
        """Samples that went in and have not come out."""
        return self.given - self.returned

    @property
    def is_reloaded(self) -> bool:
        """Whether pedalboard loads the plugin again to reset it, which takes the main thread."""
        kind = getattr(self._plugin, "_reload_type", ExternalPluginReloadType.ClearsAudioOnReset)
        return kind != ExternalPluginReloadType.ClearsAudioOnReset

    def plugins(self) -> Iterator[pedalboard.Plugin]:
        """The plugin."""
        yield self._plugin

    def stages(self) -> Iterator[PluginStage]:
        """This."""
        yield self

    def start(self, sample_rate: int) -> None:
        """Drop what is inside."""
        self._check_frequencies(sample_rate)
        self._sample_rate = sample_rate
        self._waiting.clear()
        self._set.clear()
        self.given = self.returned = 0
        # Before the reset: a plugin may work out its delay from its parameters then.
        self._follow_curves()
        try:
            self._plugin.reset()
        except (RuntimeError, ValueError) as error:
            raise self._failure(error) from error

    def push(self, samples: Tensor) -> Tensor:
        """Take in [C, t]; give back [C, n]."""
        self._waiting.push(samples)
        done = [samples[..., :0]]
        while len(self._waiting) >= self._block:
            self._follow_curves()
            done.append(self._process(self._waiting.pop(self._block)))
        return torch.cat(done, dim=-1)

    def _process(self, block: Tensor) -> Tensor:
        try:
            output = self._plugin.process(
                block.numpy(), self._sample_rate, buffer_size=self._block, reset=False
            )
        except (RuntimeError, ValueError) as error:
            raise self._failure(error) from error
        samples = torch.from_numpy(output)
        # A finite sum proves finite terms; the sum of huge finite ones may overflow.
        if not samples.sum().isfinite() and not samples.isfinite().all():
            at_s = self.given / self._sample_rate
            raise ConfigError(
                f"{self.where}: gave NaN or infinity at {at_s:.2f} s, expected finite samples; "
                "change its parameters"
            )
        self.given += self._block
        self.returned += output.shape[-1]
        return samples

    def _follow_curves(self) -> None:
        for parameter, curve in self._curves.items():
            value = curve.at(self.given / self._sample_rate)
            if self._set.get(parameter) != value:
                setattr(self._plugin, parameter, value)
                self._set[parameter] = value

    def _check_frequencies(self, sample_rate: int) -> None:
        name = _name_of(self._plugin)
        where = self.where.removesuffix(f" ({name})")
        for parameter, kind in EFFECTS.get(name, {}).items():
            if isinstance(kind, Number) and kind.below_nyquist:
                curve = self._curves.get(parameter)
                value = curve.extremes[1] if curve else float(getattr(self._plugin, parameter))
                check_effect_parameter(name, parameter, value, where, sample_rate)

    def _failure(self, error: Exception) -> ConfigError:
        return ConfigError(f"{self.where}: {' '.join(str(error).split())}")


class SideBySide:
    """The plugins of a `pedalboard.Mix`: all hear the same, what they give is added.

    pedalboard's own forgets, from call to call, what the faster of them have already given.
    """

    def __init__(self, plugins: Iterable[pedalboard.Plugin], where: str) -> None:
        self._chains = [
            Chain([plugin], 0.0, f"{where} (Mix, {number})")
            for number, plugin in enumerate(plugins, start=1)
        ]
        self._alignment = Alignment(len(self._chains))

    def plugins(self) -> Iterator[pedalboard.Plugin]:
        """Every plugin in it."""
        for chain in self._chains:
            yield from chain.plugins()

    def stages(self) -> Iterator[PluginStage]:
        """Every stage in it."""
        for chain in self._chains:
            yield from chain.stages()

    def start(self, sample_rate: int) -> None:
        """Drop what is inside."""
        self._alignment.clear()
        for chain in self._chains:
            chain.start(sample_rate)

    def push(self, samples: Tensor) -> Tensor:
        """Take in [C, t]; give back the sum [C, n]."""
        first, *others = self._alignment.push([chain.push(samples) for chain in self._chains])
        return sum(others, start=first)


def _flattened(
    plugins: Iterable[pedalboard.Plugin | Automated],
) -> Iterator[pedalboard.Plugin | Automated]:
    for plugin in plugins:
        if isinstance(plugin, pedalboard.Chain):  # a Pedalboard is one too
            yield from _flattened(plugin)
        elif not isinstance(plugin, pedalboard.Mix) or len(plugin):
            yield plugin


def _make_link(item: pedalboard.Plugin | Automated, where: str) -> PluginStage | SideBySide:
    if isinstance(item, pedalboard.Mix):
        return SideBySide(item, where)
    plugin, points = (item.plugin, item.curves) if isinstance(item, Automated) else (item, {})
    name = _name_of(plugin)
    if not isinstance(plugin, pedalboard.Plugin):
        raise ConfigError(f"{where}: got {name}, expected a plugin of pedalboard")
    if name in CANNOT_STREAM:
        raise ConfigError(
            f"{where}: {name} cannot be used on a board, pedalboard's loses its sound between "
            "blocks; apply it to the finished file"
        )
    for parameter, curve in points.items():
        check_automation(plugin, parameter, curve, where)
    return PluginStage(plugin, where, {key: Curve(curve) for key, curve in points.items()})


def _name_of(plugin: object) -> str:
    external = isinstance(plugin, pedalboard.ExternalPlugin)
    return str(getattr(plugin, "name", "")) if external else type(plugin).__name__
