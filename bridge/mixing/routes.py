"""Which stem plays on which outputs."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.mixing.controls import HIGHEST_GAIN_DB
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DRY", "MIX", "Route", "parse_route"]

MIX = "mix"
"""Source of a route: all stems by their gains, and the dry input by what wet leaves of it."""
DRY = "dry"
"""Source of a route: the delayed input as it is."""

_ROUTE = re.compile(r"(?P<source>[^:]+):(?P<outputs>[0-9,-]+)(:(?P<gain>[^:]+))?")
_EXPECTED = "expected SOURCE:OUTPUTS or SOURCE:OUTPUTS:GAIN_DB, such as vocals:1-2 or mix:3,4:-6"
_LAST_OUTPUT = 4096


@dataclass(frozen=True, slots=True)
class Route:
    """One source on some outputs.

    With as many outputs as the source has channels, each channel has its own; one output gets the
    mean of the channels; a source of one channel plays on any number of outputs.

    Attributes:
        source: a stem's name, "mix" or "dry".
        outputs: indices of the outputs, from 0.
        gain_db: -inf to `HIGHEST_GAIN_DB`.
    """

    source: str
    outputs: tuple[int, ...]
    gain_db: float = 0.0

    def check(self, stems: Sequence[str], channels: int, outputs: int) -> None:
        """Make sure that it can be played.

        Args:
            stems: names of the stems.
            channels: C, of every stem.
            outputs: O, how many there are.

        Raises:
            ConfigError: there is no such source or output, or the channels do not fit.
        """
        if self.source not in (*stems, MIX, DRY):
            raise ConfigError(
                f"route '{self}': there is no '{self.source}', expected "
                f"{', '.join((*stems, MIX, DRY))}"
            )
        if not self.outputs or len(set(self.outputs)) < len(self.outputs):
            raise ConfigError(f"route '{self}': expected different outputs, at least one")
        if min(self.outputs) < 0 or max(self.outputs) >= outputs:
            raise ConfigError(
                f"route '{self}': the outputs are 1 to {outputs}; open more, or choose others"
            )
        if len(self.outputs) not in (1, channels) and channels != 1:
            raise ConfigError(
                f"route '{self}': {channels} channels on {len(self.outputs)} outputs, expected "
                f"{channels} outputs or one"
            )
        if not self.gain_db <= HIGHEST_GAIN_DB:
            raise ConfigError(f"route '{self}': expected a gain of at most {HIGHEST_GAIN_DB:g} dB")

    def __str__(self) -> str:
        outputs = ",".join(str(output + 1) for output in self.outputs)
        gain = f":{self.gain_db:g}" if self.gain_db else ""
        return f"{self.source}:{outputs}{gain}"


def parse_route(text: str) -> Route:
    """A route as it is typed: `vocals:1-2`, `drums:5`, `mix:1,2`, `other:3-4:-6`.

    Args:
        text: the source, its outputs counted from 1, and if need be a gain in dB.

    Raises:
        ConfigError: it is no route.
    """
    match = _ROUTE.fullmatch(text.strip())
    if match is None:
        raise ConfigError(f"'{text}' is no route, {_EXPECTED}")
    return Route(
        match["source"], _outputs(match["outputs"], text), _gain_db(match["gain"] or "0", text)
    )


def _outputs(listed: str, text: str) -> tuple[int, ...]:
    outputs: list[int] = []
    for part in listed.split(","):
        first, dash, last = part.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise ConfigError(f"'{text}' is no route, {_EXPECTED}")
        begin, end = int(first), int(last or first)
        if not 1 <= begin <= end <= _LAST_OUTPUT:
            raise ConfigError(f"'{text}' is no route: outputs are counted from 1 upwards")
        outputs.extend(range(begin - 1, end))
    return tuple(outputs)


def _gain_db(written: str, text: str) -> float:
    try:
        gain_db = float(written.lower().removesuffix("db"))
    except ValueError:
        gain_db = math.nan
    if math.isnan(gain_db):
        raise ConfigError(f"'{text}' is no route, {_EXPECTED}")
    return gain_db
