"""A mixing board for stems: a chain of plugins for each, sends that they share, and the mix.

    from pedalboard import Compressor, Gain, Reverb
    from vst_wrapper import Send, StemBoard

    board = StemBoard(
        stems={"vocals": [Compressor(threshold_db=-20, ratio=3), Gain(3)]},
        sends={"room": Send([Reverb(dry_level=0.0, wet_level=1.0)], {"vocals": -12.0})},
        gains_db={"drums": -2.0},
    )
    mix = board.process(stems, sample_rate=44_100)["mix"]    # stems [S, C, T] -> [C, T]

All chains come out aligned with each other and with the song, to the sample, whatever their plugins
hold back; see `vst_wrapper.boards.chain` for how.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from streamsep.config.board import LONGEST_TAIL_S, MIX
from streamsep.errors import ConfigError, InputError
from vst_wrapper.boards.chain import BLOCK, Alignment, Chain
from vst_wrapper.boards.outputs import board_outputs, length_of_sound
from vst_wrapper.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    import pedalboard
    from numpy.typing import NDArray

    from vst_wrapper.boards.automation import Automated
    from vst_wrapper.boards.chain import PluginStage

    Plugins = Sequence[pedalboard.Plugin | Automated]
    Samples = NDArray[np.float32]

__all__ = ["DEMUCS_STEMS", "Send", "StemBoard"]

DEMUCS_STEMS = ("drums", "bass", "other", "vocals")

PIECE = 2 * BLOCK
"""Samples of whole stems that are rendered at once."""

LONGEST_DELAY_S = 60.0
"""Chains that hold sound back for longer are taken to be silent for ever."""


@dataclass(frozen=True, slots=True)
class Send:
    """A chain that several stems share.

    Attributes:
        plugins: of the chain.
        levels_db: how loud each stem goes in, behind its gain; stems not named do not.
        gain_db: how loud what comes out goes into the mix.
    """

    plugins: Plugins
    levels_db: Mapping[str, float] = field(default_factory=dict)
    gain_db: float = 0.0


class StemBoard:
    """Renders stems through plugins, as a stream or in one call.

    Args:
        sources: names of the stems, in the order in which they come.
        stems: the plugins of each stem; stems not named have none.
        mix: the plugins of the sum.
        sends: chains that stems share, by name; what they give is added to the sum.
        gains_db: level of stems behind their plugins.
        muted: stems that are heard neither in the sum nor in the sends.
        mix_gain_db: level of the mix behind its plugins.
        outputs: what `push` and `flush` give: ``mix``, names of stems (behind plugins and gain),
            or ``stems`` for all of them.
        tail_s: how much longer than the song the outputs may become while effects ring out, 0 to
            30 seconds.

    Raises:
        ConfigError: a stem is named that is not among the sources, a plugin is there twice or
            cannot be streamed, or an automation does not fit its plugin.
    """

    def __init__(
        self,
        sources: Sequence[str] = DEMUCS_STEMS,
        *,
        stems: Mapping[str, Plugins] | None = None,
        mix: Plugins = (),
        sends: Mapping[str, Send] | None = None,
        gains_db: Mapping[str, float] | None = None,
        muted: Collection[str] = (),
        mix_gain_db: float = 0.0,
        outputs: Sequence[str] = (MIX,),
        tail_s: float = 0.0,
    ) -> None:
        stems, sends, gains_db = stems or {}, sends or {}, gains_db or {}
        self.sources = tuple(sources)
        self.outputs = board_outputs(outputs, self.sources)
        self._check_names(
            [*stems, *gains_db, *muted, *(n for s in sends.values() for n in s.levels_db)]
        )
        if not 0.0 <= tail_s <= LONGEST_TAIL_S:
            raise ConfigError(f"tail_s: got {tail_s}, expected 0 to {LONGEST_TAIL_S:g} seconds")
        self.tail_s = tail_s
        # What is neither heard nor written is not computed.
        self._heard = [name for name in self.sources if name not in muted]
        needed = [name for name in self.sources if name in {*self._heard, *self.outputs}]
        self._strips = {
            name: Chain(stems.get(name, ()), gains_db.get(name, 0.0), f"stem '{name}'")
            for name in needed or self.sources
        }
        self._sends = {
            name: Chain(send.plugins, send.gain_db, f"send '{name}'")
            for name, send in sends.items()
        }
        self._levels = {name: _factors(send.levels_db) for name, send in sends.items()}
        self._mix = Chain(mix, mix_gain_db, MIX)
        self._check_plugins_differ()
        self._aligned_strips = Alignment(len(self._strips))
        self._aligned_mix = Alignment(1 + len(sends))
        self._aligned_outputs = Alignment(1 + len(self._strips))
        self._sample_rate = self._channels = 0
        self._received = self._returned = 0

    def start(self, sample_rate: int, channels: int) -> None:
        """Drop what is inside; what comes next is the start of a song.

        Args:
            sample_rate: samples per second of the song, at least 1.
            channels: C of the song.

        Raises:
            ConfigError: a frequency does not fit the sample rate.
        """
        self._sample_rate, self._channels = sample_rate, channels
        self._received = self._returned = 0
        for chain in self._chains():
            chain.start(sample_rate)
        for alignment in (self._aligned_strips, self._aligned_mix, self._aligned_outputs):
            alignment.clear()

    def reset(self) -> None:
        """Drop what is inside; the next song has the same sample rate and channels."""
        self.start(self._sample_rate, self._channels)

    def push(self, stems: Samples) -> Samples:
        """Take in the next samples of the stems.

        Args:
            stems: float32 [S, C, t], t from 0, in the order of `sources`.

        Returns:
            float32 [O, C, n], n from 0: the outputs from where the last call stopped, in the order
            of `outputs`. The first sample that comes out corresponds to the first that went in.

        Raises:
            InputError: the samples have another shape, or `start` was not called.
            ConfigError: a plugin failed, or gave what is not finite.
        """
        self._check_shape(stems)
        self._received += stems.shape[-1]
        return self._given(self._render(torch.from_numpy(np.asarray(stems, np.float32).copy())))

    def flush(self) -> Samples:
        """End the song: return the rest and the tail; be as new.

        Returns:
            float32 [O, C, n]. Without a tail as much has come out in all as went in.

        Raises:
            ConfigError: a plugin failed, or keeps back what it was given.
        """
        tail = round(self.tail_s * self._sample_rate)
        missing = self._received + tail - self._returned
        silence = torch.zeros(len(self.sources), self._channels, BLOCK)
        parts = [np.zeros((len(self.outputs), self._channels, 0), np.float32)]
        patience = missing + round(LONGEST_DELAY_S * self._sample_rate)
        while missing > 0:
            if patience <= 0:
                raise self._stuck()
            part = self._given(self._render(silence))
            missing -= part.shape[-1]
            patience -= BLOCK
            parts.append(part)
        rest = np.concatenate(parts, axis=-1)
        rest = rest[..., : rest.shape[-1] + min(missing, 0)]
        rest = rest[..., : max(rest.shape[-1] - tail, length_of_sound(rest))]
        self.reset()
        return rest

    def process(
        self, stems: Samples | Mapping[str, Samples], sample_rate: int
    ) -> dict[str, Samples]:
        """Render whole stems.

        Args:
            stems: float32 [S, C, T] in the order of `sources`, or [C, T] by name.
            sample_rate: samples per second.

        Returns:
            [C, T] of every output by name, longer by the tail if there is one.

        Raises:
            InputError: the stems have another shape, or one is missing.
            ConfigError: a plugin failed.
        """
        whole = self._stacked(stems) if not isinstance(stems, np.ndarray) else stems
        if whole.ndim != 3:
            raise InputError(f"expected stems [S, C, T], got {list(whole.shape)}")
        self.start(sample_rate, whole.shape[1])
        # In pieces that fit into the processor's cache: the whole would be copied through memory
        # by every plugin.
        pieces = [
            self.push(whole[..., begin : begin + PIECE])
            for begin in range(0, whole.shape[-1], PIECE)
        ]
        outputs = np.concatenate([*pieces, self.flush()], axis=-1)
        return dict(zip(self.outputs, outputs, strict=True))

    def stages(self) -> Iterator[PluginStage]:
        """Every plugin, with where it is on the board."""
        for chain in self._chains():
            yield from chain.stages()

    def _render(self, stems: Tensor) -> Tensor:
        """From stems [S, C, t] to outputs [O, C, n]."""
        by_name = dict(zip(self.sources, stems, strict=True))
        pushed = [chain.push(by_name[name]) for name, chain in self._strips.items()]
        strips = dict(zip(self._strips, self._aligned_strips.push(pushed), strict=True))
        empty = stems.new_zeros(self._channels, next(iter(strips.values())).shape[-1])
        dry = _total([strips[name] for name in self._heard], empty)
        wet = [
            chain.push(
                _total([strips[s] * self._levels[name][s] for s in self._senders(name)], empty)
            )
            for name, chain in self._sends.items()
        ]
        first, *others = self._aligned_mix.push([dry, *wet])
        mix = self._mix.push(_total([first, *others], first))
        mix, *rest = self._aligned_outputs.push([mix, *strips.values()])
        ready = {**dict(zip(strips, rest, strict=True)), MIX: mix}
        return torch.stack([ready[name] for name in self.outputs])

    def _senders(self, send: str) -> list[str]:
        return [stem for stem in self._heard if stem in self._levels[send]]

    def _given(self, outputs: Tensor) -> Samples:
        self._returned += outputs.shape[-1]
        return outputs.numpy()

    def _chains(self) -> Iterable[Chain]:
        return (*self._strips.values(), *self._sends.values(), self._mix)

    def _stacked(self, stems: Mapping[str, Samples]) -> Samples:
        self._check_names(stems)
        if missing := [name for name in self.sources if name not in stems]:
            raise InputError(f"stem '{missing[0]}' is missing, expected {', '.join(self.sources)}")
        if len({stem.shape for stem in stems.values()}) > 1:
            shapes = ", ".join(f"{name} {list(stem.shape)}" for name, stem in stems.items())
            raise InputError(f"expected stems of one shape [C, T], got {shapes}")
        return np.stack([stems[name] for name in self.sources])

    def _check_names(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.sources:
                raise ConfigError(f"unknown stem '{name}', {nearest(name, self.sources)}")

    def _check_plugins_differ(self) -> None:
        seen = Counter(id(plugin) for chain in self._chains() for plugin in chain.plugins())
        for stage in self.stages():
            if any(seen[id(plugin)] > 1 for plugin in stage.plugins()):
                raise ConfigError(
                    f"{stage.where}: the same plugin stands at several places of the board; "
                    "make one for each"
                )

    def _check_shape(self, stems: Samples) -> None:
        expected = (len(self.sources), self._channels)
        if self._channels == 0:
            raise InputError("expected 'start' before the first samples")
        if stems.ndim != 3 or stems.shape[:2] != expected:
            raise InputError(
                f"expected stems [S={expected[0]}, C={expected[1]}, t], got {list(stems.shape)}"
            )

    def _stuck(self) -> ConfigError:
        worst = max(self.stages(), key=lambda stage: stage.held)
        return ConfigError(
            f"{worst.where}: keeps back {worst.held} samples, expected at most "
            f"{LONGEST_DELAY_S:g} s; use another plugin"
        )


def _factors(levels_db: Mapping[str, float]) -> dict[str, float]:
    return {name: 10.0 ** (level_db / 20.0) for name, level_db in levels_db.items()}


def _total(parts: Sequence[Tensor], silence: Tensor) -> Tensor:
    """The sum, added up in order; silence of nothing."""
    if not parts:
        return torch.zeros_like(silence)
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
