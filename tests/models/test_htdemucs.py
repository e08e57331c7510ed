"""HTDemucs, from demucs' packages and in demucs' own words."""

from __future__ import annotations

import json
import sys
from fractions import Fraction

import pytest
import torch
from safetensors.torch import save_file
from streams import noise
from tiny_networks import shaken

from streamsep.config import load_bag_cards, load_model_cards
from streamsep.errors import CheckpointError, ConfigError, DownloadError, MissingToolError
from streamsep.models import load_model
from streamsep.models.architectures import build_network
from streamsep.models.htdemucs import HTDemucsConfig

htdemucs = pytest.importorskip("demucs.htdemucs", reason="demucs is not installed")

SIX = ["drums", "bass", "other", "vocals", "guitar", "piano"]
SEGMENT = Fraction(39, 400)  # 4299 samples
ARGUMENTS = {
    "channels": 8,
    "nfft": 256,
    "depth": 2,
    "norm_starts": 1,
    "bottom_channels": 16,
    "t_layers": 3,
    "t_heads": 2,
    "dconv_mode": 3,
    "segment": SEGMENT,
}


def theirs(sources=SIX, **arguments):
    """A small HTDemucs of demucs, with weights that matter."""
    torch.manual_seed(0)
    return shaken(htdemucs.HTDemucs(sources, **{**ARGUMENTS, **arguments}))


def packed(network, path, **changes):
    """Save a network as demucs does."""
    _, kwargs = network._init_args_kwargs
    package = {
        "klass": htdemucs.HTDemucs,
        "args": (network.sources,),
        "kwargs": kwargs,
        "state": network.state_dict(),
        "training_args": {},
    }
    torch.save({**package, **changes}, path)
    return path


def packed_as_safetensors(network, path):
    """Save a network as demucs 4.1 offers them."""
    _, kwargs = network._init_args_kwargs
    fraction = {"_type": "fraction", "numerator": 39, "denominator": 400}
    metadata = {
        "klass": "demucs.htdemucs.HTDemucs",
        "args": json.dumps([network.sources]),
        "kwargs": json.dumps({**kwargs, "segment": fraction}),
    }
    save_file({name: x.contiguous() for name, x in network.state_dict().items()}, path, metadata)
    return path


@pytest.mark.parametrize("sources", [SIX, SIX[:4]], ids=["six stems", "four stems"])
@pytest.mark.parametrize("save", [packed, packed_as_safetensors])
def test_it_separates_as_demucs_does(tmp_path, sources, save):
    network = theirs(sources)
    loaded = load_model(save(network, tmp_path / "ht.th"))
    assert loaded.sources == tuple(sources)
    assert loaded.separator.config.segment == 4299
    for length in (1, 1000, 4299):
        mix = noise(2, 2 * length).reshape(2, 2, length)
        with torch.inference_mode():
            stems, expected = loaded(mix), network(mix)
        torch.testing.assert_close(stems, expected, rtol=0, atol=float(1e-5 * expected.std()))


def test_longer_segments_are_pieces_of_the_length_it_was_trained_on(tmp_path):
    network = theirs()
    loaded = load_model(packed(network, tmp_path / "ht.th"))
    stride = loaded.stride
    assert stride == 64
    assert loaded.segment == 4299 // (4 * stride) * 4 * stride
    mix = noise(2, 9000)[None]
    with torch.inference_mode():
        stems = loaded(mix)
        first = network(mix[..., :4299])
    hop = 4299 * 3 // 4 // stride * stride
    torch.testing.assert_close(stems[..., :hop], first[..., :hop], rtol=0, atol=1e-6)
    assert (stems[..., hop : hop + 500] - first[..., hop : hop + 500]).abs().max() > 1e-4


def test_published_sizes_have_the_published_stride():
    published = {"dconv_mode": 3, "bottom_channels": 512}
    network = build_network("htdemucs", {"arguments": published})
    assert (network.stride, network.minimum_segment) == (1024, 336 * 1024)
    assert sum(weight.numel() for weight in network.parameters()) == 41_984_456


@pytest.mark.parametrize("name", ["htdemucs", "htdemucs_6s"])
def test_the_published_networks_are_in_the_registry(name):
    card = load_model_cards()[name]
    assert card.architecture == "htdemucs"
    assert card.sources == tuple(SIX if name.endswith("6s") else SIX[:4])
    assert card.segment <= 343_980 < card.segment + 8192


def test_without_the_demucs_package_the_message_says_what_to_install(tmp_path, monkeypatch):
    path = packed(theirs(), tmp_path / "ht.th")
    for module in ("demucs", "demucs.htdemucs"):
        monkeypatch.setitem(sys.modules, module, None)
    # The second one before anything is downloaded for it.
    for name, where in ((path, r"ht.th: "), ("htdemucs", "")):
        with pytest.raises(MissingToolError, match=rf"{where}.*uv sync .*--extra demucs") as caught:
            load_model(name, cache_dir=tmp_path / "cache", hub_dir=tmp_path / "hub")
        assert "\n" not in str(caught.value)


def test_offline_the_message_says_which_file_to_put_where(tmp_path):
    for name, file in (("htdemucs", "955717e8-8726e21a.th"), ("htdemucs_ft", "f7e0c4bc")):
        with pytest.raises(DownloadError, match=rf"downloads are off; .*{file}") as caught:
            load_model(name, cache_dir=tmp_path, hub_dir=tmp_path, download=False)
        assert "\n" not in str(caught.value)


def test_the_fine_tuned_bag_takes_each_stem_from_its_own_network(tmp_path):
    bag = load_bag_cards()["htdemucs_ft"]
    cards = load_model_cards()
    networks = {}
    for number, member in enumerate(bag.members):
        torch.manual_seed(number)
        network = shaken(htdemucs.HTDemucs(SIX[:4], **ARGUMENTS), seed=number)
        path = packed(network, tmp_path / cards[member].filename)
        networks[SIX[number]] = network
        assert path.name.startswith(member.removeprefix("htdemucs_ft_"))
    loaded = load_model("htdemucs_ft", cache_dir=tmp_path, hub_dir=tmp_path)
    mix = noise(2, 4299)[None]
    with torch.inference_mode():
        stems = loaded(mix)
        for row, source in enumerate(loaded.sources):
            expected = networks[source](mix)[:, row]
            torch.testing.assert_close(
                stems[:, row], expected, rtol=0, atol=float(1e-5 * expected.std())
            )


@pytest.mark.parametrize(
    ("kwargs", "said"),
    [
        ({"segment": Fraction(999)}, "segment is Fraction"),
        ({"segment": "long"}, "segment is 'long'"),
        ({"channels": 10**7}, "more weights than the file can hold"),
        ({"t_layers": 10**6, "bottom_channels": 512}, "more weights than the file can hold"),
        ({"channels": 12}, "has shape"),
        ({"use_train_segment": False}, "expected a network of one segment length"),
        ({"sources": ["../up"] * 6}, "a source is called '../up'"),
        ({"stride": "four"}, "no network has this configuration"),
    ],
)
def test_a_hostile_package_is_one_line(tmp_path, kwargs, said):
    network = theirs()
    arguments = {"sources": SIX, **network._init_args_kwargs[1], **kwargs}
    with pytest.raises(CheckpointError, match=said) as caught:
        load_model(packed(network, tmp_path / "ht.th", args=(), kwargs=arguments))
    assert "\n" not in str(caught.value)


def test_an_option_that_demucs_does_not_know_is_ignored_and_said(tmp_path, caplog):
    network = theirs()
    kwargs = {**network._init_args_kwargs[1], "t_unheard_of": 3}
    loaded = load_model(packed(network, tmp_path / "ht.th", kwargs=kwargs))
    assert "t_unheard_of" in caplog.text
    assert "t_unheard_of" not in loaded.separator.config.arguments


def test_segments_that_are_too_short_for_the_network_are_refused():
    with pytest.raises(ConfigError, match="segment must be at least"):
        HTDemucsConfig(segment=10)
