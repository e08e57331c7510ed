r"""Practising live streams: the network sees what it will see, and answers for what it will emit.

A live stream cuts its segments from the present. Of each it emits one hop; before it lies the
context, after it the little future that the latency allows (see `streamsep.engine.tiling`)::

    example    |----------------------------------------------------------------|
    seen       |<-------- context -------->|<-- hop -->|<- look-ahead ->|  not seen
    counts                                  ___________
               ____________________________/           \_________________

A network trained on whole segments is judged by its middle as much as by its end, and at the end,
where the future is missing, it is at its worst. Here only what the stream would emit counts towards
the loss, with the weights of the live tiling, and how much future there is changes from example to
example, so that one network serves all latencies.

Where hop and look-ahead are short is where it is hard, and the presets for playing live lie there:
both are drawn with equal chances for each octave of samples.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from streamsep.config.latency_preset import GRID
from streamsep.engine import StreamConfig
from streamsep.training.dataset.chance import Purpose, generator

if TYPE_CHECKING:
    from numpy.random import Generator

    from streamsep.config.training import StreamingConfig

__all__ = ["LivePractice"]


class LivePractice:
    """Draws live tilings; what it draws depends on the seed and the numbers asked for alone.

    Args:
        config: what to draw from.
        stride: of the network, a divisor of 2048.
        seed: of the run.

    Raises:
        ConfigError: the network's stride does not divide 2048.
    """

    def __init__(self, config: StreamingConfig, stride: int, seed: int) -> None:
        self._config = config
        self._stride = stride
        self._seed = seed
        self.weight(0, 0)  # a network off the grid is refused now and not at the first step

    def segment(self, step: int) -> int:
        """Samples that the network sees in a step, the same for all examples of it."""
        rng = generator(Purpose.SEGMENT, self._seed, step)
        least, most = self._config.segment
        return int(rng.integers(least // GRID, most // GRID + 1)) * GRID

    def weight(self, step: int, example: int) -> Tensor:
        """What every sample of an example counts, [T] with T = `segment(step)`."""
        rng = generator(Purpose.TILING, self._seed, example)
        return self._tiling(self.segment(step), rng).tiling(self._stride).weight

    def weights(self, step: int, examples: list[int]) -> Tensor:
        """The weights of several examples, [B, T]."""
        return torch.stack([self.weight(step, example) for example in examples])

    def _tiling(self, segment: int, rng: Generator) -> StreamConfig:
        hop = _draw(self._config.hop, rng)
        look_ahead = _draw(self._config.look_ahead, rng)
        return StreamConfig(
            context=segment - hop - look_ahead,
            hop=hop,
            look_ahead=look_ahead,
            crossfade=min(self._config.crossfade, hop, look_ahead),
        )


def _draw(limits: tuple[int, int], rng: Generator) -> int:
    """A multiple n of the grid within limits; every octave of n + 1 is as likely as the next.

    (n + 1, because n may be 0, which lies in no octave.)
    """
    least, most = (limit // GRID for limit in limits)
    octaves = rng.uniform(math.log2(least + 1), math.log2(most + 2))
    return min(most, max(least, math.floor(2**octaves) - 1)) * GRID
