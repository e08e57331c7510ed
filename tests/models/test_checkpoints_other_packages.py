"""Weights of torchaudio and openunmix become networks that sound the same."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
from checkpoint_material import STEMS, same_output, small, sound
from parity import TOLERANCE, distance
from support import require
from tiny_networks import tiny_network

from streamsep.errors import CheckpointError
from streamsep.models.checkpoints import load_checkpoint, read_checkpoint, read_stem_files
from streamsep.models.hybrid_demucs import HybridDemucsConfig

STEM_FILES = ["vocals-b62c91ce.pth", "drums-9619578f.pth", "bass.pth", "other_new.pth"]


@pytest.mark.parametrize("legacy", [False, True])
def test_torchaudio_bundles_load_and_sound_the_same(tmp_path, legacy):
    models = pytest.importorskip("torchaudio.models")
    torch.manual_seed(2)
    theirs = models.HDemucs(sources=STEMS, channels=4).eval()
    path = tmp_path / "bundle.pt"
    torch.save(theirs.state_dict(), path, _use_new_zipfile_serialization=not legacy)
    read = read_checkpoint(path)
    assert read.network.config == HybridDemucsConfig(hidden=4)
    assert (read.file_format, read.stored_as) == ("torchaudio bundle", "float32")
    with torch.inference_mode():
        assert distance(read.network(sound()), theirs(sound())) <= TOLERANCE


def test_other_dictionaries_of_tensors_are_refused(tmp_path):
    path = tmp_path / "other.pt"
    torch.save({"layer.weight": torch.ones(3)}, path)
    with pytest.raises(CheckpointError, match="something else in it, expected a network"):
        load_checkpoint(path)
    torch.save({"freq_encoder.0.conv.weight": torch.ones(3)}, path)
    with pytest.raises(CheckpointError, match="not those of torchaudio's Hybrid Demucs"):
        load_checkpoint(path)
    torch.save({"encoder.0.0.weight": torch.ones(3)}, path)
    with pytest.raises(CheckpointError, match="not those of a network of demucs v2"):
        load_checkpoint(path)
    torch.save({"fc1.weight": torch.ones(3), "input_mean": torch.ones(3)}, path)
    with pytest.raises(CheckpointError, match="not those of an Open-Unmix"):
        load_checkpoint(path)


def test_tensors_that_share_or_skip_memory_are_read_right(tmp_path):
    network = small()
    weights = dict(network.state_dict())
    name = "freq_encoder.4.rewrite.weight"
    wide = torch.randn(2 * weights[name].numel())
    weights[name] = wide[::2].view_as(weights[name])
    path = tmp_path / "bundle.pt"
    torch.save(weights, path)
    assert torch.equal(load_checkpoint(path).state_dict()[name], weights[name])


@pytest.fixture(scope="module")
def theirs():
    """openunmix' separator with random weights."""
    require(find_spec("openunmix"), "openunmix is not installed")
    from openunmix.model import OpenUnmix, Separator

    torch.manual_seed(5)
    targets = {
        name.split("-")[0].split("_")[0].removesuffix(".pth"): OpenUnmix(
            nb_bins=2049, nb_channels=2, hidden_size=16, max_bin=1487
        )
        for name in STEM_FILES
    }
    with torch.no_grad():
        for model in targets.values():
            for buffer in (model.bn1.running_mean, model.bn2.running_var, model.bn3.running_mean):
                buffer.add_(torch.rand_like(buffer))
    return Separator(targets, niter=1, sample_rate=44_100.0, n_fft=4096, n_hop=1024).eval()


def test_files_of_one_stem_each_are_joined(tmp_path, theirs):
    paths = [tmp_path / name for name in STEM_FILES]
    for path, model in zip(paths, theirs.target_models.values(), strict=True):
        torch.save(model.state_dict(), path)
    read = read_stem_files(paths)
    assert (read.file_format, read.stored_as) == ("openunmix", "float32")
    assert read.network.sources == ("vocals", "drums", "bass", "other")
    mix = sound(length=20_000)
    with torch.inference_mode():
        assert distance(read.network(mix), theirs(mix)) <= TOLERANCE


def test_a_whole_separator_in_one_file_is_read_too(tmp_path, theirs):
    torch.save(theirs.state_dict(), tmp_path / "umx.pth")
    mix = sound(length=20_000)
    with torch.inference_mode():
        assert distance(load_checkpoint(tmp_path / "umx.pth")(mix), theirs(mix)) <= TOLERANCE


def test_a_file_of_one_stem_separates_it_from_everything_else(tmp_path, theirs):
    torch.save(theirs.target_models["vocals"].state_dict(), tmp_path / STEM_FILES[0])
    network = load_checkpoint(tmp_path / STEM_FILES[0])
    assert network.sources == ("vocals",)
    assert network.config.wiener_residual
    mix = sound(length=20_000)
    with torch.inference_mode():
        assert (network(mix)[:, 0] - mix).abs().max() > 0.1


def test_files_that_cannot_be_joined_are_named(tmp_path, theirs):
    first, second = tmp_path / STEM_FILES[0], tmp_path / "vocals-2.pth"
    torch.save(theirs.target_models["vocals"].state_dict(), first)
    torch.save(theirs.target_models["drums"].state_dict(), second)
    with pytest.raises(CheckpointError, match=r"vocals-2\.pth: the stem 'vocals' comes twice"):
        read_stem_files([first, second])
    torch.save(tiny_network("demucs_v2").state_dict(), second)
    with pytest.raises(CheckpointError, match="only files of openunmix, one for each stem"):
        read_stem_files([first, second])
    with pytest.raises(CheckpointError, match=r"none\.pth: no such file"):
        read_stem_files([first, tmp_path / "none.pth"])


def test_a_file_of_a_stem_that_torch_refuses_as_a_name_loads(tmp_path):
    network = tiny_network("open_unmix", n_fft=4096, hop=1024, sources=("keys", "bass"))
    paths = [tmp_path / "keys-0123.pth", tmp_path / "bass-0123.pth"]
    for path, stem in zip(paths, network.target_models.values(), strict=True):
        torch.save(stem.state_dict(), path)
    assert same_output(read_stem_files(paths).network, network)


def test_windows_of_unknown_hop_are_refused(tmp_path):
    network = tiny_network("open_unmix")
    torch.save(network.target_models["vocals"].state_dict(), tmp_path / "vocals.pth")
    with pytest.raises(CheckpointError, match="windows of 128 samples, whose rate and hop"):
        load_checkpoint(tmp_path / "vocals.pth")


def test_a_link_to_a_file_is_followed(tmp_path):
    network = small()
    torch.save(network.state_dict(), tmp_path / "bundle.pt")
    (tmp_path / "link.pt").symlink_to("bundle.pt")
    assert same_output(network, load_checkpoint(tmp_path / "link.pt"))
