r"""A bag: several networks that separate together.

Networks that were trained apart err apart, so the mean of their estimates errs less than each does.
Every member has a weight for every stem, and the bag's estimate is the weighted mean::

                        drums  bass  other  vocals
    in time, first        1      1     0      0
    in time, second       0      1     0      0        stem = Σ weight · estimate / Σ weight
    hybrid                1      0     1      1        (down its column)

A bag is a `Separator` like any other. Each segment of a stream is given to all members, so however
many there are, they share one stream. A member that counts for none of the wanted stems is not run.

Source: "Hybrid Spectrogram and Waveform Source Separation", section "Models"; the behaviour of
`demucs.apply.BagOfModels`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamsep.errors import ConfigError
from streamsep.separator import separate_within, surroundings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from torch import Tensor

    from streamsep.engine import Separator

__all__ = ["Bag", "Member"]


@dataclass(frozen=True, slots=True)
class Member:
    """A network in a bag.

    Attributes:
        name: what messages call it.
        separator: the network; or another bag, which then counts as its members.
        weights: how much it counts for each of its sources, finite and at least 0; None for 1 each.
    """

    name: str
    separator: Separator
    weights: tuple[float, ...] | None = None

    def weight_of(self, source: str) -> float:
        """How much it counts for a source."""
        return 1.0 if self.weights is None else self.weights[self.separator.sources.index(source)]


class Bag:
    """The weighted mean of several networks, as a `Separator`.

    The members stay in memory, where they are, as long as the bag does.

    Args:
        members: at least one, all with the same sources, sample rate and channels. A network that
            is there twice counts twice and is run once.
        wanted: names of the stems to separate, in any order; None for all.

    Raises:
        ConfigError: the members do not fit together, a weight is missing or is none, no member
            counts for a wanted stem, or there is no such stem.
    """

    def __init__(self, members: Sequence[Member], wanted: Sequence[str] | None = None) -> None:
        _check(members)
        self._sources = _chosen(members[0].separator.sources, wanted)
        self._members = tuple(_merged(_flat(members), self._sources))

    @property
    def sample_rate(self) -> int:
        """Samples per second that all members expect."""
        return self._members[0].separator.sample_rate

    @property
    def channels(self) -> int:
        """Audio channels that all members expect."""
        return self._members[0].separator.channels

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the stems, in the order of the output."""
        return self._sources

    @property
    def stride(self) -> int:
        """Samples by which a segment may move without any member seeing it differently."""
        return math.lcm(*(member.separator.stride for member in self._members))

    @property
    def members(self) -> tuple[Member, ...]:
        """The single networks that are run for a segment, with weights that sum to 1 per stem."""
        return self._members

    def restrict(self, wanted: Sequence[str]) -> Bag:
        """A bag of these stems alone, without the members that they do not need.

        Args:
            wanted: names of some of the bag's stems, in any order.

        Raises:
            ConfigError: there is no such stem.
        """
        return Bag(self._members, _chosen(self._sources, wanted))

    def __call__(self, mix: Tensor) -> Tensor:
        """Separate float32 mix [B, C, T], T from 1, into [B, S, C, T]."""
        return self.separate_within(mix, 0, mix.shape[-1])

    @property
    def surroundings(self) -> int:
        """Samples on either side of a segment that a member makes use of."""
        return max(surroundings_of(member.separator) for member in self._members)

    def separate_within(self, mix: Tensor, start: int, length: int) -> Tensor:
        """Separate a part of mix [B, C, T], aware of the rest, into [B, S, C, length]."""
        stems = mix.new_zeros(mix.shape[0], len(self._sources), mix.shape[1], length)
        for member in self._members:
            estimate = separate_within(member.separator, mix, start, length)
            for row, source in enumerate(self._sources):
                if weight := member.weight_of(source):
                    column = member.separator.sources.index(source)
                    stems[:, row].add_(estimate[:, column], alpha=weight)
        return stems


def _check(members: Sequence[Member]) -> None:
    """Check that members can be averaged."""
    if not members:
        raise ConfigError("a bag needs at least one member, got none")
    first = members[0]
    for member in members:
        for fact in ("sources", "sample_rate", "channels"):
            got, expected = (getattr(each.separator, fact) for each in (member, first))
            if got != expected:
                raise ConfigError(
                    f"'{member.name}' has {fact.replace('_', ' ')} {_told(got)} and '{first.name}' "
                    f"{_told(expected)}, but the members of a bag must agree; leave one of them out"
                )
        weights = member.weights
        if weights is None:
            continue
        if len(weights) != len(first.separator.sources):
            raise ConfigError(
                f"'{member.name}' has {len(weights)} weights, expected one for each of "
                f"{', '.join(first.separator.sources)}"
            )
        if not all(math.isfinite(weight) and weight >= 0 for weight in weights):
            raise ConfigError(
                f"'{member.name}' has weights {_told(weights)}, expected numbers from 0"
            )


def _told(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _chosen(sources: tuple[str, ...], wanted: Sequence[str] | None) -> tuple[str, ...]:
    """The wanted stems in the order of the sources."""
    if wanted is None:
        return sources
    for name in wanted:
        if name not in sources:
            raise ConfigError(f"unknown stem '{name}', this bag gives {', '.join(sources)}")
    if not wanted:
        raise ConfigError(f"no stem is wanted, expected some of {', '.join(sources)}")
    return tuple(name for name in sources if name in wanted)


def _flat(members: Iterable[Member]) -> Iterator[Member]:
    """Bags within the bag as their members: a mean of means is a mean."""
    for member in members:
        if not isinstance(member.separator, Bag):
            yield member
            continue
        for inner in member.separator.members:
            known = member.separator.sources
            weights = tuple(
                inner.weight_of(source) * member.weight_of(source) if source in known else 0.0
                for source in inner.separator.sources
            )
            yield Member(f"{member.name}: {inner.name}", inner.separator, weights)


def _merged(members: Iterable[Member], sources: tuple[str, ...]) -> Iterator[Member]:
    """Every network that counts for one of the sources, once, with its shares of them."""
    rows: dict[int, dict[str, float]] = {}
    networks: dict[int, Member] = {}
    for member in members:
        key = id(member.separator)
        networks.setdefault(key, member)
        row = rows.setdefault(key, dict.fromkeys(sources, 0.0))
        for source in sources:
            row[source] += member.weight_of(source)
    totals = {source: sum(row[source] for row in rows.values()) for source in sources}
    for source, total in totals.items():
        if total <= 0:
            raise ConfigError(
                f"no member of the bag counts for {source}; give at least one a weight above 0"
            )
    for key, member in networks.items():
        shares = {source: rows[key][source] / totals[source] for source in sources}
        if any(shares.values()):
            weights = tuple(shares.get(source, 0.0) for source in member.separator.sources)
            yield Member(member.name, member.separator, weights)
