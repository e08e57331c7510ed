"""Networks tuned to the processor compute what the plain ones do, only sooner."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import noise
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from streamsep.errors import ConfigError
from streamsep.models.checkpoints import save_checkpoint
from streamsep.models.conv_tasnet import ConvTasNet, ConvTasNetConfig
from streamsep.models.hybrid_demucs import HybridDemucs, HybridDemucsConfig
from streamsep.models.registry import load_model
from streamsep.models.tuned import tune, tuned_precision
from streamsep.models.tuned.branches import TunedBranches
from streamsep.models.tuned.hybrid import TunedHybridDemucs

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN"
)

TINY = {"hidden": 8, "n_fft": 1024, "depth": 5, "layer_scale": 0.1, "sources": ("a", "b", "c")}
VARIANTS = {
    "small": TINY,
    "the paper's depth": {**TINY, "n_fft": 4096, "depth": 6},
    "mono": {**TINY, "audio_channels": 1},
    "another width along time": {**TINY, "time_hidden": 16},
    "old padding": {**TINY, "old_padding": True},
    "no embedding": {**TINY, "freq_embedding": 0},
    "no dilation": {**TINY, "branch_depth": -2},
    "two inner layers": {**TINY, "depth": 6},
    "wide rewrite": {**TINY, "context": 2},
    "one stem": {**TINY, "sources": ("a",)},
}


def network(**options):
    torch.manual_seed(1)
    return HybridDemucs(HybridDemucsConfig(**options)).eval().requires_grad_(False)


def agreement_db(expected, got):
    """How far the difference lies below what is expected."""
    difference = (expected - got).square().mean()
    return float(10 * torch.log10(expected.square().mean() / difference.clamp(min=1e-30)))


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
@pytest.mark.parametrize("length", [1, 2, 700, 8_192, 30_001])
def test_stems_are_those_of_the_plain_network(options, length):
    plain = network(**options)
    mix = torch.stack([noise(plain.channels, length, seed=seed) for seed in (1, 2)])
    tuned = TunedHybridDemucs(plain, torch.float32)
    with torch.inference_mode():
        expected = plain(mix)
        got = tuned(mix)
    assert got.shape == expected.shape
    # One sample alone is all mean: what is left after it are roundings.
    assert agreement_db(expected, got) >= (80 if length > 1 else 60)


@given(
    length=st.integers(1, 20_000),
    level_db=st.floats(-120, 20),
    seed=st.integers(0, 5),
)
@settings(max_examples=25, deadline=None)
def test_stems_are_those_of_the_plain_network_at_any_level(small_pair, length, level_db, seed):
    plain, tuned = small_pair
    mix = noise(2, length, seed=seed)[None] * 10 ** (level_db / 20)
    with torch.inference_mode():
        expected = plain(mix)
    got = tuned(mix)
    assert agreement_db(expected, got) >= (80 if length > 1 else 60)


@pytest.fixture(scope="module")
def small_pair():
    plain = network(**TINY)
    return plain, TunedHybridDemucs(plain, torch.float32)


def test_silence_and_what_follows_it_stay_finite(small_pair):
    plain, tuned = small_pair
    silence = torch.zeros(1, 2, 16_384)
    onset = silence.clone()
    onset[..., 12_000:] = noise(2, 4_384)
    for mix in (silence, onset):
        with torch.inference_mode():
            expected = plain(mix)
        assert torch.allclose(tuned(mix), expected, atol=1e-4 * float(expected.abs().max()))


def test_a_batch_is_separated_as_its_items_are(small_pair):
    _, tuned = small_pair
    mixes = torch.stack([noise(2, 8_192, seed=seed) for seed in range(3)])
    together = tuned(mixes)
    for index in range(3):
        assert agreement_db(tuned(mixes[index : index + 1])[0], together[index]) >= 100


def test_bfloat16_agrees_with_float32(small_pair):
    plain, _ = small_pair
    tuned = TunedHybridDemucs(plain, torch.bfloat16)
    mix = noise(2, 65_536)[None]
    with torch.inference_mode():
        expected = plain(mix)
    got = tuned(mix)
    assert got.dtype == torch.float32
    assert 40 <= agreement_db(expected, got) <= 80, "float32 would be better, and slower"


def test_rows_in_blocks_are_rows_at_once(small_pair, monkeypatch):
    _, tuned = small_pair
    mix = noise(2, 20_000)[None]
    at_once = tuned(mix)
    monkeypatch.setattr("streamsep.models.tuned.layers._BLOCK_BYTES", 3_000)
    assert agreement_db(at_once, tuned(mix)) >= 100


def test_segments_of_other_lengths_leave_nothing_behind(small_pair):
    _, tuned = small_pair
    mixes = [noise(2, length, seed=length)[None] for length in (20_000, 3_000, 30_000)]
    fresh = [TunedHybridDemucs(small_pair[0], torch.float32)(mix) for mix in mixes]
    for mix, expected in zip(mixes * 2, fresh * 2, strict=True):
        assert agreement_db(expected, tuned(mix)) >= 100


def test_threads_do_not_share_what_lies_between_the_layers(small_pair):
    _, tuned = small_pair
    mixes = [noise(2, 20_000, seed=seed)[None] for seed in range(4)]
    alone = [tuned(mix) for mix in mixes]
    with ThreadPoolExecutor(len(mixes)) as pool:
        for expected, got in zip(alone * 4, pool.map(tuned, mixes * 4), strict=True):
            assert torch.equal(expected, got)


def test_freed_memory_is_kept_from_the_first_segment_on():
    told = []
    tuned = TunedHybridDemucs(network(**TINY), torch.float32, settled=lambda: told.append(True))
    assert not told
    for _ in range(2):
        tuned(noise(2, 8_192)[None])
    assert told == [True]


def test_variants_that_cannot_be_tuned_stay_as_they_are():
    for options in (
        {"hybrid": False},
        {"complex_as_channels": False},
        {"decoder_branches": True},
        {"encoder_context": 1},
        {"rewrite": False},
        {"norm_starts": 0, "norm_groups": 2},
    ):
        plain = network(**TINY | options)
        assert tune(plain, "float32") is plain


def test_other_networks_say_that_they_compute_in_float32(caplog):
    other = ConvTasNet(ConvTasNetConfig()).eval()
    with caplog.at_level(logging.WARNING):
        assert tune(other, "bfloat16") is other
    assert "ConvTasNet computes in float32" in caplog.text


def test_a_network_from_a_file_is_tuned_on_request(tmp_path):
    plain = network(**TINY)
    path = tmp_path / "tiny.safetensors"
    save_checkpoint(plain, path, licence="CC0", training="none")
    tuned = load_model(path, precision="float32")
    assert isinstance(tuned.separator, TunedHybridDemucs)
    assert (tuned.stride, tuned.segment) == (plain.stride, load_model(path).segment)
    mix = noise(2, 10_000)[None]
    with torch.inference_mode():
        assert agreement_db(plain(mix), tuned(mix)) >= 80


def test_an_unknown_precision_is_one_line():
    with pytest.raises(ConfigError, match=r"unknown precision 'fp8', expected float32, bfloat16"):
        tuned_precision("fp8")


class WithoutFloat64(TorchDispatchMode):
    """A GPU that has no float64, as Apple's."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for each in made if isinstance(made, list | tuple) else [made]:
            if isinstance(each, torch.Tensor) and each.device.type != "cpu":
                assert each.dtype != torch.float64, f"{func} makes float64 on the device"
        return made


def test_no_float64_is_asked_of_the_device():
    branches = network(**TINY).freq_encoder[0].dconv
    # torch follows what would be computed on a GPU that is not there.
    with FakeTensorMode(), torch.inference_mode(), WithoutFloat64():
        for module in branches.modules():
            for name, weight in module._parameters.items():
                there = torch.empty(weight.shape, device="cuda")
                module._parameters[name] = torch.nn.Parameter(there, requires_grad=False)
        onto = TunedBranches(branches, torch.float32)(torch.empty(3, 8, 1, 100, device="cuda"))
    assert onto.device.type == "cuda"


def test_who_asks_for_bfloat16_reads_that_the_processor_has_no_instructions_for_it(
    monkeypatch, caplog
):
    for has in (True, False):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: {"avx512_bf16": has})
        caplog.clear()
        tune(network(**TINY), "bfloat16")
        assert ("no instructions for bfloat16" in caplog.text) is not has


def test_auto_is_what_the_processor_has_instructions_for(monkeypatch):
    for has, expected in ((True, "bfloat16"), (False, "float32")):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: {"avx512_bf16": has})
        assert tuned_precision("auto") == expected
