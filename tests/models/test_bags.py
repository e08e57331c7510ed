"""A bag is the weighted mean of its members, runs as few of them as it can, and is a Separator."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from importlib.util import find_spec

import pytest
import torch
from fakes import FakeSeparator, Gains
from hypothesis import given
from hypothesis import strategies as st
from streaming_suite import StreamingSuite
from streams import noise
from support import require
from tiny_networks import tiny_network
from torch import Tensor

from streamsep.config import load_bag_cards, load_model_cards
from streamsep.engine import Separator
from streamsep.errors import ConfigError
from streamsep.models.bag import Bag, Member

STEMS = ("drums", "bass", "other", "vocals")


@dataclass(frozen=True, kw_only=True)
class Counted(FakeSeparator):
    """Every stem is the mixture times a gain, and every call is counted."""

    gain: float = 1.0
    calls: list[int] = field(default_factory=list)

    def __call__(self, mix: Tensor) -> Tensor:
        self.calls.append(mix.shape[-1])
        steps = torch.arange(1.0, len(self.sources) + 1)[:, None, None]
        return self.gain * steps * mix[:, None]


@pytest.fixture(scope="module")
def separator():
    members = [
        Member("hybrid", tiny_network("hybrid_demucs"), (1, 0, 1, 0.5)),
        Member("masks", tiny_network("conv_tasnet"), (1, 1, 0, 0.5)),
    ]
    return Bag(members)


class TestABagStreams(StreamingSuite):
    """All tests of the suite, on a bag of networks of different strides."""


weights_of_members = st.integers(1, 4).flatmap(
    lambda stems: st.lists(
        st.lists(st.sampled_from([0.0, 0.25, 1.0, 3.0]), min_size=stems, max_size=stems),
        min_size=1,
        max_size=4,
    ).filter(lambda rows: all(any(column) for column in zip(*rows, strict=True)))
)


@given(rows=weights_of_members, data=st.data())
def test_every_stem_is_the_weighted_mean_of_its_members(rows, data):
    sources = STEMS[: len(rows[0])]
    networks = [Counted(sources=sources, gain=2.0**k) for k in range(len(rows))]
    bag = Bag([Member("", net, tuple(row)) for net, row in zip(networks, rows, strict=True)])
    wanted = data.draw(st.sets(st.sampled_from(sources), min_size=1))
    mix = noise(2, 50)[None]
    for separator, names in ((bag, sources), (bag.restrict(sorted(wanted)), wanted)):
        stems = separator(mix)
        assert separator.sources == tuple(name for name in sources if name in names)
        assert stems.shape == (1, len(names), 2, 50)
        for row, name in enumerate(separator.sources):
            column = sources.index(name)
            total = sum(weights[column] for weights in rows)
            gain = sum(w[column] * n.gain for w, n in zip(rows, networks, strict=True)) / total
            torch.testing.assert_close(stems[:, row], gain * (column + 1) * mix)


@given(rows=weights_of_members, data=st.data())
def test_exactly_those_members_are_run_that_count(rows, data):
    sources = STEMS[: len(rows[0])]
    networks = [Counted(sources=sources) for _ in rows]
    bag = Bag([Member("", net, tuple(row)) for net, row in zip(networks, rows, strict=True)])
    wanted = data.draw(st.sets(st.sampled_from(sources), min_size=1))
    bag.restrict(sorted(wanted))(noise(2, 20)[None])
    for network, row in zip(networks, rows, strict=True):
        counts = any(weight for weight, name in zip(row, sources, strict=True) if name in wanted)
        assert len(network.calls) == counts


def test_a_network_that_is_there_twice_counts_twice_and_runs_once():
    twice, once = Counted(gain=1.0), Counted(gain=4.0)
    bag = Bag([Member("a", twice), Member("b", once), Member("a", twice)])
    mix = noise(2, 10)[None]
    torch.testing.assert_close(bag(mix)[:, 0], 2.0 * mix)
    assert (len(twice.calls), len(once.calls)) == (1, 1)


def test_a_bag_within_a_bag_keeps_its_own_proportions():
    inner = Bag(
        [Member("a", Counted(gain=1.0), (3, 1, 0, 1)), Member("b", Counted(gain=9.0), (1, 1, 1, 1))]
    )
    outer = Bag([Member("c", Counted(gain=7.0)), Member("inner", inner, (1, 2, 1, 0))])
    mix = noise(1, 10)[None]
    expected = torch.tensor([(7 + 3) / 2, (7 + 2 * 5) / 3, (7 + 9) / 2, 7])
    torch.testing.assert_close(
        outer(mix)[0, :, 0], (expected * torch.arange(1, 5))[:, None] * mix[0]
    )
    assert [member.name for member in outer.members] == ["c", "inner: a", "inner: b"]


def test_the_members_agree_on_the_grid_and_on_a_smaller_one_when_fewer_run():
    bag = Bag(
        [
            Member("a", Counted(stride=6), (1, 1, 0, 0)),
            Member("b", Counted(stride=4), (1, 0, 1, 1)),
        ]
    )
    assert bag.stride == math.lcm(4, 6)
    assert bag.restrict(["bass"]).stride == 6
    assert (bag.sample_rate, bag.channels, bag.sources) == (44_100, 2, STEMS)
    assert isinstance(bag, Separator)


def test_all_members_see_the_same_segment():
    seen = []

    class Looking(Gains):
        def __call__(self, mix: Tensor) -> Tensor:
            seen.append(mix)
            return super().__call__(mix)

    mix = noise(2, 10)[None]
    Bag([Member("a", Looking()), Member("b", Looking())])(mix)
    assert all(each.data_ptr() == mix.data_ptr() and each.shape == mix.shape for each in seen)
    assert len(seen) == 2


def test_the_mixture_and_the_estimates_are_left_alone():
    estimate = torch.ones(1, 4, 2, 10)

    class Fixed(FakeSeparator):
        def __call__(self, mix: Tensor) -> Tensor:
            return estimate

    mix = noise(2, 10)[None]
    before = mix.clone()
    Bag([Member("a", Fixed(), (2, 2, 2, 2)), Member("b", Gains())])(mix)
    assert torch.equal(mix, before)
    assert torch.equal(estimate, torch.ones_like(estimate))


def test_a_member_that_counts_for_nothing_cannot_spoil_a_stem_with_nan():
    class Mad(FakeSeparator):
        def __call__(self, mix: Tensor) -> Tensor:
            stems = torch.zeros(*mix.shape[:1], 4, *mix.shape[1:])
            stems[:, 1:] = math.nan
            return stems

    bag = Bag([Member("a", Mad(), (1, 0, 0, 0)), Member("b", Gains())])
    assert torch.isfinite(bag(noise(2, 10)[None])).all()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([], "at least one member, got none"),
        (
            [Member("a", Gains()), Member("b", Gains(sample_rate=22_050))],
            "'b' has sample rate 22050 and 'a' 44100, but the members of a bag must agree",
        ),
        ([Member("a", Gains()), Member("b", Gains(channels=1))], "'b' has channels 1 and 'a' 2"),
        (
            [Member("a", Gains()), Member("b", Gains(sources=("vocals", "rest")))],
            "'b' has sources vocals, rest and 'a' drums, bass, other, vocals",
        ),
        (
            [Member("a", Gains(), (1, 1, 1))],
            "'a' has 3 weights, expected one for each of drums, bass, other, vocals",
        ),
        ([Member("a", Gains(), (1, 1, 1, -1))], "'a' has weights 1, 1, 1, -1, expected numbers"),
        ([Member("a", Gains(), (1, 1, 1, math.nan))], "weights 1, 1, 1, nan, expected numbers"),
        (
            [Member("a", Gains(), (1, 1, 0, 1)), Member("b", Gains(), (1, 1, 0, 1))],
            "no member of the bag counts for other; give at least one a weight above 0",
        ),
    ],
)
def test_members_that_do_not_fit_are_one_clear_line(members, message):
    with pytest.raises(ConfigError, match=message) as caught:
        Bag(members)
    assert "\n" not in str(caught.value)


def test_an_unknown_stem_names_the_known_ones():
    bag = Bag([Member("a", Gains())])
    with pytest.raises(ConfigError, match=r"unknown stem 'voice', this bag gives drums, bass, o"):
        bag.restrict(["drums", "voice"])
    with pytest.raises(ConfigError, match="unknown stem 'bass', this bag gives drums"):
        bag.restrict(["drums"]).restrict(["bass"])
    with pytest.raises(ConfigError, match="no stem is wanted"):
        bag.restrict([])


@pytest.mark.parametrize("name", load_bag_cards())
def test_the_bags_of_demucs_are_as_published(name):
    require(find_spec("demucs"), "demucs is not installed")
    import yaml
    from demucs.pretrained import REMOTE_ROOT

    published = yaml.safe_load((REMOTE_ROOT / f"{name}.yaml").read_text())
    card, cards = load_bag_cards()[name], load_model_cards()
    ours = [cards[member].filename.partition("-")[0] for member in card.members]

    def shares(members: list[str], rows: list[list[float]]) -> dict[str, list[float]]:
        totals = [sum(column) for column in zip(*rows, strict=True)]
        summed: dict[str, list[float]] = {member: [0.0] * 4 for member in members}
        for member, row in zip(members, rows, strict=True):
            for column, weight in enumerate(row):
                summed[member][column] += weight / totals[column]
        return summed

    equal = [[1.0] * 4]
    theirs = published["models"]
    assert shares(ours, [list(row) for row in card.weights or equal * len(ours)]) == shares(
        theirs, published.get("weights", equal * len(theirs))
    )
