"""A mixer with its controls, and somebody who plays through it in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bridge.mixing import MixControls, Mixer, parse_route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["RATE", "STEMS", "Desk", "noise"]

STEMS = ("drums", "bass", "other", "vocals")
RATE = 8_000
LONGEST = 512


class Desk:
    """Four stems through the given routes."""

    def __init__(
        self, *routes: str, channels: int = 2, outputs: int = 8, ceiling_db: float | None = 0.0
    ) -> None:
        self.channels, self.outputs = channels, outputs
        self.controls = MixControls(STEMS)
        self.mixer = Mixer(
            STEMS,
            [parse_route(route) for route in routes],
            channels=channels,
            outputs=outputs,
            sample_rate=RATE,
            longest_block=LONGEST,
            ceiling_db=ceiling_db,
        )

    def play(
        self,
        stems: np.ndarray,
        dry: np.ndarray | None = None,
        blocks: Iterable[int] = (),
        turn: Callable[[int], None] = lambda position: None,
    ) -> np.ndarray:
        """What comes out, [O, T]; `turn` is called with the position before every block."""
        if dry is None:
            dry = stems.sum(0, dtype=np.float32)
        out = np.full((self.outputs, dry.shape[-1]), np.nan, np.float32)
        lengths, position = iter(blocks), 0
        while position < dry.shape[-1]:
            end = min(position + next(lengths, 64), dry.shape[-1])
            turn(position)
            part = np.full((self.outputs, end - position), np.nan, np.float32)
            self.mixer.mix(stems[..., position:end], dry[:, position:end], part, self.controls)
            out[:, position:end] = part
            position = end
        return out


def noise(*shape: int, peak: float = 0.2, seed: int = 0) -> np.ndarray:
    """Uniform noise, float32."""
    return np.random.default_rng(seed).uniform(-peak, peak, shape).astype(np.float32)
