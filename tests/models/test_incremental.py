"""A network that follows a stream keeps to what it would say of every segment by itself."""

from __future__ import annotations

import platform
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from streamsep import StreamConfig, StreamingSeparator, load_separator
from streamsep.models.hybrid_demucs import HybridDemucs, HybridDemucsConfig
from streamsep.models.incremental import HybridFollower
from streamsep.models.tuned.hybrid import TunedHybridDemucs
from streamsep.synthesis import synthesise_song

SMALL = HybridDemucsConfig(hidden=4, n_fft=1024, depth=5)
SEGMENT, HOP = 32 * 512, 512
WANTED = slice(SEGMENT - 2 * HOP, SEGMENT - HOP + 256)


@pytest.fixture(scope="module")
def network() -> HybridDemucs:
    torch.manual_seed(0)
    return HybridDemucs(SMALL).eval().requires_grad_(False)


def follower(network: HybridDemucs, hop: int = HOP) -> HybridFollower:
    return HybridFollower(network, segment=SEGMENT, hop=hop, wanted=WANTED)


def noise(hops: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(2, 2, SEGMENT + hops * HOP, generator=generator)


def agreement_db(got: Tensor, expected: Tensor) -> float:
    error = (got - expected).square().sum()
    return float(10 * torch.log10(expected.square().sum() / error))


def test_the_first_segment_is_as_the_network_separates_it(network: HybridDemucs) -> None:
    segment = noise(0)
    got = follower(network)(segment)
    expected = network(segment)
    assert agreement_db(got, expected[..., WANTED]) > 100
    assert got.shape[-1] == WANTED.stop - WANTED.start


def test_a_segment_far_from_the_last_is_as_the_network_separates_it(network: HybridDemucs) -> None:
    following = follower(network)
    following(noise(0))
    segment = noise(0, seed=1)
    got = following(segment, hops=SEGMENT // HOP)
    assert agreement_db(got, network(segment)[..., WANTED]) > 100


@pytest.mark.parametrize("hidden", [4, 32], ids=["narrow", "wide"])
@pytest.mark.parametrize("threads", [2, 3, 4])
def test_on_more_threads_it_says_the_same_and_leaves_as_many(hidden: int, threads: int) -> None:
    torch.manual_seed(0)
    network = HybridDemucs(replace(SMALL, hidden=hidden)).eval().requires_grad_(False)
    stream, before = noise(3), torch.get_num_threads()
    alone, together = follower(network), follower(network)
    try:
        for k in range(4):
            segment = stream[..., k * HOP : k * HOP + SEGMENT]
            torch.set_num_threads(1)
            expected = alone(segment)
            torch.set_num_threads(threads)
            got = together(segment)
            assert torch.get_num_threads() == threads
            assert agreement_db(got, expected) > 100
    finally:
        torch.set_num_threads(before)


def test_after_a_reset_it_is_as_new(network: HybridDemucs) -> None:
    following, stream = follower(network), noise(3)
    first = [following(stream[..., k * HOP : k * HOP + SEGMENT]) for k in range(3)]
    following.reset()
    again = [following(stream[..., k * HOP : k * HOP + SEGMENT]) for k in range(3)]
    assert torch.equal(torch.stack(first), torch.stack(again))


def test_signals_of_a_batch_do_not_mix(network: HybridDemucs) -> None:
    stream = noise(3)
    together, alone = follower(network), follower(network)
    for k in range(3):
        segment = stream[..., k * HOP : k * HOP + SEGMENT]
        assert agreement_db(together(segment)[1:], alone(segment[1:])) > 100


def test_one_signal_can_go_on_as_a_batch(network: HybridDemucs) -> None:
    stream = noise(4)[:1]
    alone, many = follower(network), follower(network)
    alone(stream[..., :SEGMENT])
    many.begin_as(alone)
    # A first segment holds the sound of a hop and of the look-ahead, which is another hop here.
    segment = stream[..., 2 * HOP : 2 * HOP + SEGMENT]
    got = many(segment.expand(3, -1, -1))
    assert agreement_db(got, alone(segment, hops=2).expand_as(got)) > 100


def test_weights_that_change_are_heard(network: HybridDemucs) -> None:
    segment = noise(0)
    other = HybridDemucs(SMALL).eval().requires_grad_(False)
    follower(other)(segment)
    other.load_state_dict(network.state_dict())
    expected = network(segment)[..., WANTED]
    assert agreement_db(follower(other)(segment), expected) > 100


def test_without_onednn_it_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = HybridDemucs(SMALL).eval().requires_grad_(False)
    stream, packed = noise(2), TunedHybridDemucs(network, torch.float32)
    monkeypatch.setattr("streamsep.models.tuned.packed.has_onednn", lambda: False)
    with_it, without = (
        each.follow(segment=SEGMENT, hop=HOP, wanted=WANTED) for each in (packed, network)
    )
    assert with_it is not None
    assert without is not None
    for k in range(3):
        segment = stream[..., k * HOP : k * HOP + SEGMENT]
        assert agreement_db(without(segment), with_it(segment)) > 100


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
def test_in_bfloat16_it_keeps_to_the_network(network: HybridDemucs) -> None:
    tuned = TunedHybridDemucs(network, torch.bfloat16)
    following = tuned.follow(segment=SEGMENT, hop=HOP, wanted=WANTED)
    assert following is not None
    stream = noise(9)
    for k in range(10):
        segment = stream[..., k * HOP : k * HOP + SEGMENT]
        got = following(segment)
    assert got.dtype == torch.float32
    assert 30 < agreement_db(got, network(segment)[..., WANTED]) < 80


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_its_memory_does_not_come_from_the_system_anew_with_every_hop() -> None:
    """A process of its own: what the C library is told holds for all of it."""
    script = """
        import resource
        import torch
        from streamsep.models import load_model

        follow = load_model("starter", precision="float32").follow
        following = follow(segment=131_072, hop=2048, wanted=slice(126_976, 131_072))
        stream = torch.randn(1, 2, 131_072 + 16 * 2048)
        for k in range(16):
            if k == 8:
                before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            following(stream[..., 2048 * k : 2048 * k + 131_072])
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(ran.stdout) / 8 < 1000, "pages in a hop; some 7,000 if nothing is kept"


@pytest.mark.parametrize("hops", [1, 2, 4])
def test_a_steady_sound_is_separated_as_by_the_network(network: HybridDemucs, hops: int) -> None:
    """Long enough for every kept frame to leave the window, and for its memory to come round."""
    following, stream = follower(network, hops * HOP), noise(40)
    for k in range(0, 41, hops):
        segment = stream[..., k * HOP : k * HOP + SEGMENT]
        got = following(segment)
    assert agreement_db(got, network(segment)[..., WANTED]) > 30


def test_what_repeats_with_every_hop_is_separated_as_by_the_network() -> None:
    """Nothing but the ends of the window moves then: they must be as the network sees them."""
    torch.manual_seed(0)
    network = HybridDemucs(replace(SMALL, layer_scale=1.0)).eval().requires_grad_(False)
    stream = noise(0)[..., :HOP].repeat(1, 1, SEGMENT // HOP + 6)
    following = follower(network)
    for k in range(7):
        segment = stream[..., k * HOP : k * HOP + SEGMENT]
        got = following(segment)
    assert agreement_db(got, network(segment)[..., WANTED]) > 80


def test_hops_left_out_cost_no_more_than_going_on(network: HybridDemucs) -> None:
    following, stream = follower(network), noise(20)
    following(stream[..., :SEGMENT])
    got = following(stream[..., 5 * HOP : 5 * HOP + SEGMENT], hops=5)
    expected = network(stream[..., 5 * HOP : 5 * HOP + SEGMENT])
    assert agreement_db(got, expected[..., WANTED]) > 30


def starter_agreements(mix: Tensor) -> list[float]:
    """Of every fourth hop; the starter's frames are four times as long as the small network's."""
    separator = load_separator("starter").separator
    assert isinstance(separator, HybridDemucs)
    segment, hop = 4 * SEGMENT, 4 * HOP
    wanted = slice(4 * WANTED.start, 4 * WANTED.stop)
    following = HybridFollower(separator, segment=segment, hop=hop, wanted=wanted)
    agreements = []
    for k in range((mix.shape[-1] - segment) // hop + 1):
        window = mix[None, :, k * hop : k * hop + segment]
        got = following(window)
        if k % 4 == 3:
            agreements.append(agreement_db(got, separator(window)[..., wanted]))
    return agreements


def test_music_is_separated_as_by_the_network() -> None:
    mix = synthesise_song(7, 4.0).mixture
    assert min(starter_agreements(torch.from_numpy(mix))) > 15


def test_after_a_jump_of_level_it_finds_back() -> None:
    length, before = 4 * (SEGMENT + 30 * HOP), 4 * (SEGMENT + 2 * HOP)
    mix = 0.1 * torch.randn(2, length, generator=torch.Generator().manual_seed(0))
    mix[:, :before] *= 0.01
    assert starter_agreements(mix)[-1] > 20


CONFIG = StreamConfig(context=SEGMENT - 2 * HOP, hop=HOP, look_ahead=HOP, crossfade=256)


@settings(max_examples=5, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 3 * HOP), min_size=1, max_size=9), length=st.integers(1, 10_000)
)
def test_a_stream_does_not_depend_on_how_it_is_cut(sizes: list[int], length: int) -> None:
    torch.manual_seed(0)
    network = HybridDemucs(SMALL).eval().requires_grad_(False)
    stream = StreamingSeparator(network, CONFIG, incremental=True, refinement="wiener")
    mix = noise(40)[0, :, :length]
    whole = torch.cat([stream.push(mix), stream.flush()], dim=-1)
    assert whole.shape == (4, 2, length)
    parts, position = [], 0
    while position < length:
        size = sizes[len(parts) % len(sizes)]
        parts.append(stream.push(mix[:, position : position + size]))
        position += size
    assert torch.equal(torch.cat([*parts, stream.flush()], dim=-1), whole)


@pytest.mark.parametrize("refinement", ["off", "wiener"])
def test_a_stream_is_separated_as_without_a_memory(network: HybridDemucs, refinement: str) -> None:
    mix = noise(30)[0]
    exact, incremental = (
        StreamingSeparator(network, CONFIG, incremental=keeps, refinement=refinement)  # type: ignore[arg-type]
        for keeps in (False, True)
    )
    expected = torch.cat([exact.push(mix), exact.flush()], dim=-1)
    got = torch.cat([incremental.push(mix), incremental.flush()], dim=-1)
    assert incremental.latency == exact.latency
    assert not torch.equal(got, expected)
    assert agreement_db(got, expected) > 15


@pytest.mark.parametrize(
    ("options", "fits"),
    [
        ({}, True),
        ({"hybrid": False}, False),
        ({"complex_as_channels": False}, False),
        ({"norm_starts": 2}, False),
        ({"old_padding": True}, False),
    ],
)
def test_networks_that_cannot_be_followed_are_known(options: dict[str, object], fits: bool) -> None:
    assert HybridFollower.fits(HybridDemucsConfig(**options)) == fits  # type: ignore[arg-type]
