"""A loaded model can go to another device, with all its members."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from fakes import SegmentShaped
from streams import noise
from tiny_networks import tiny_network

from streamsep.devices.fallback import Movable
from streamsep.errors import ConfigError
from streamsep.models import LoadedModel
from streamsep.models.bag import Bag, Member

META = torch.device("meta")


def loaded(separator) -> LoadedModel:
    return LoadedModel(
        separator=separator, name="it", path=Path("it.safetensors"), licence="MIT", segment=4096
    )


def places(network: torch.nn.Module) -> set[str]:
    return {weight.device.type for weight in network.parameters()}


def test_a_network_moves_with_its_weights() -> None:
    network = tiny_network("hybrid_demucs").requires_grad_(False)
    model = loaded(network)
    assert isinstance(model, Movable)
    moved = model.moved_to(META)
    assert moved.device == META
    assert places(network) == {"meta"}
    assert (moved.name, moved.sources, moved.stride) == (model.name, model.sources, model.stride)


def test_a_bag_that_has_moved_separates_as_before() -> None:
    first, second = (tiny_network("hybrid_demucs", hidden=width) for width in (8, 12))
    bag = Bag([Member("a", first, (1, 2, 0, 1)), Member("b", second, (1, 1, 3, 0))])
    bag = bag.restrict(["vocals", "drums", "other"])
    model = loaded(bag)
    mix = noise(2, 3000)[None]
    with torch.inference_mode():
        expected = model(mix)
        again = model.moved_to("cpu")(mix)
    assert torch.allclose(again, expected, atol=1e-6)
    model.moved_to(META)
    assert places(first) | places(second) == {"meta"}


def test_an_exported_program_stays_where_it_is() -> None:
    with pytest.raises(ConfigError, match=r"cannot be moved to 'meta' .* with --device meta"):
        loaded(SegmentShaped()).moved_to(META)
