from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from streamsep.audio import ChannelLayout
from streamsep.errors import ConfigError, InputError

layouts = st.builds(ChannelLayout, st.integers(1, 9), st.sampled_from([1, 2]))


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@given(layouts, st.integers(0, 5))
def test_the_way_there_and_back_is_exact(layout: ChannelLayout, length: int) -> None:
    block = noise(layout.channels, length)
    stems = layout.to_network(block).unsqueeze(1)
    assert torch.equal(layout.from_network(stems), block.unsqueeze(0))


@pytest.mark.parametrize("value", [3.4e38, 1e-45, -0.1])
def test_the_way_there_and_back_is_exact_at_the_limits_of_float32(value: float) -> None:
    block = torch.full((1, 3), value)
    layout = ChannelLayout(1)
    assert torch.equal(layout.from_network(layout.to_network(block).unsqueeze(1))[0], block)


@given(layouts, st.integers(1, 4))
def test_stems_that_sum_to_the_groups_sum_to_the_audio(layout: ChannelLayout, stems: int) -> None:
    block = noise(layout.channels, 16)
    groups = layout.to_network(block)
    parts = noise(layout.groups, stems, layout.network_channels, 16)
    parts[:, -1] += groups - parts.sum(1)
    torch.testing.assert_close(layout.from_network(parts).sum(0), block, atol=1e-5, rtol=0)


def test_stereo_is_one_group_as_it_is() -> None:
    block = noise(2, 4)
    assert torch.equal(ChannelLayout(2).to_network(block), block.unsqueeze(0))


def test_mono_is_heard_twice_and_its_stem_is_the_mean() -> None:
    layout = ChannelLayout(1)
    assert torch.equal(layout.to_network(torch.ones(1, 3)), torch.ones(1, 2, 3))
    stems = torch.tensor([[[[1.0], [3.0]]]])
    assert layout.from_network(stems).tolist() == [[[2.0]]]


def test_six_channels_are_three_pairs_in_order() -> None:
    block = torch.arange(6.0).unsqueeze(1)
    assert ChannelLayout(6).to_network(block)[..., 0].tolist() == [[0, 1], [2, 3], [4, 5]]


def test_a_fifth_channel_is_a_group_of_its_own() -> None:
    block = torch.arange(5.0).unsqueeze(1)
    assert ChannelLayout(5).to_network(block)[..., 0].tolist() == [[0, 1], [2, 3], [4, 4]]


def test_a_mono_network_takes_every_channel_alone() -> None:
    assert ChannelLayout(3, 1).to_network(noise(3, 8)).shape == (3, 1, 8)


def test_stems_keep_their_places() -> None:
    layout = ChannelLayout(3)
    stems = torch.arange(2 * 4 * 2).reshape(2, 4, 2, 1).float()
    back = layout.from_network(stems)
    assert back.shape == (4, 3, 1)
    assert back[1, :, 0].tolist() == [2.0, 3.0, 10.5]


@pytest.mark.parametrize(("channels", "network"), [(0, 2), (-1, 2), (2, 0), (2, 3)])
def test_impossible_layouts_are_refused(channels: int, network: int) -> None:
    with pytest.raises(ConfigError, match="channels"):
        ChannelLayout(channels, network)


def test_blocks_and_stems_of_another_shape_are_refused() -> None:
    layout = ChannelLayout(2)
    with pytest.raises(InputError, match=r"expected \[2, samples\]"):
        layout.to_network(torch.zeros(3, 4))
    with pytest.raises(InputError, match=r"expected \[1, stems, 2, samples\]"):
        layout.from_network(torch.zeros(2, 4, 2, 8))
