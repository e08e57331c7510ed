"""Bands of frequencies have weights of their own and no edges between them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streamsep.errors import ConfigError
from streamsep.models.hybrid_layers import DecoderLayer, EncoderLayer, LayerShape
from streamsep.models.multi_frequency import BandedDecoder, BandedEncoder
from streamsep.models.residual import ResidualBranches

SHAPE = LayerShape(kernel=8, stride=4, padding=2, along_frequency=True, norm_groups=0)
BINS = 96
shares = st.lists(st.floats(0.02, 0.98), min_size=1, max_size=4, unique=True).map(sorted)


def encoder(shape):
    branches = ResidualBranches(
        4, depth=1, compress=1, layer_scale=0.5, lstm=False, attention=False
    )
    return EncoderLayer(2, 4, shape, branches=branches)


def decoder(shape, last=True):
    return DecoderLayer(4, 2, shape, context_in_time_only=True, last=last)


def copy_into_all_bands(banded, layer):
    for band in banded.layers:
        band.load_state_dict(layer.state_dict())


def bands_or_nothing(make):
    try:
        return make()
    except ConfigError:  # a band without a bin, which the test below is about
        assume(False)


@given(edges=shares)
@settings(max_examples=25)
def test_an_encoder_of_equal_bands_is_one_layer(edges):
    torch.manual_seed(0)
    whole = encoder(SHAPE)
    banded = bands_or_nothing(lambda: BandedEncoder(encoder, SHAPE, BINS, edges))
    copy_into_all_bands(banded, whole)
    x = torch.randn(2, 2, BINS, 5)
    with torch.inference_mode():
        torch.testing.assert_close(banded(x), whole(x))


@pytest.mark.parametrize("last", [False, True])
@given(edges=shares)
@settings(max_examples=25)
def test_a_decoder_of_equal_bands_is_one_layer(last, edges):
    torch.manual_seed(0)
    whole = decoder(SHAPE, last)
    banded = bands_or_nothing(lambda: BandedDecoder(decoder, SHAPE, BINS // 4, edges, last=last))
    copy_into_all_bands(banded, whole)
    x, skip = torch.randn(2, 2, 4, BINS // 4, 5)
    with torch.inference_mode():
        torch.testing.assert_close(banded(x, skip, 5)[0], whole(x, skip, 5)[0])


def test_a_band_answers_for_its_own_frequencies_alone():
    banded = BandedEncoder(encoder, SHAPE, BINS, [0.5])
    x = torch.randn(1, 2, BINS, 5)
    before = banded(x)
    with torch.no_grad():
        for weight in banded.layers[1].parameters():
            weight.add_(1.0)
    differs = (banded(x) != before).any(dim=3).any(dim=1)[0]
    boundary = banded.marks[1]
    assert not differs[:boundary].any()
    assert differs[boundary:].all()


@pytest.mark.parametrize("edges", [[0.001], [0.5, 0.501], [0.999]])
def test_empty_bands_are_refused(edges):
    with pytest.raises(ConfigError, match="a band of frequencies would be empty"):
        BandedEncoder(encoder, SHAPE, BINS, edges)
    with pytest.raises(ConfigError, match="a band of frequencies would be empty"):
        BandedDecoder(decoder, SHAPE, BINS // 4, edges, last=False)
