"""Networks in files of their own: programs of torch.export, TorchScript and ONNX."""

from __future__ import annotations

import hashlib
import sys
from importlib.util import find_spec

import pytest
import torch
from exported_programs import FORMATS, STRIDE, describe, export, plain_network, trace
from hypothesis import example, given, settings
from hypothesis import strategies as st
from streaming_suite import StreamingSuite
from streams import noise, one_push
from support import require
from torch import Tensor, nn

from streamsep.devices.out_of_memory import is_out_of_memory
from streamsep.engine import StreamConfig, StreamingSeparator
from streamsep.errors import CheckpointError, ConfigError, MissingToolError, ModelError
from streamsep.models import load_model
from streamsep.models.file_segments import segment_of_program
from streamsep.models.segment_lengths import SegmentLengths

FIXED = 6 * STRIDE


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Programs that take any length, and some that take one, described."""
    for package in ("onnxruntime", "onnxscript"):
        require(find_spec(package), f"{package} is not installed")
    folder = tmp_path_factory.mktemp("programs")
    for extension in FORMATS.values():
        path = export(plain_network(), folder / f"any.{extension}")
        describe(path).rename(folder / f"any_{extension}.yaml")
    for extension in ("pt2", "ts"):
        path = export(plain_network(), folder / f"fixed.{extension}", fixed=FIXED)
        described = describe(path, minimum_segment=None, fixed_segment=FIXED)
        described.rename(folder / f"fixed_{extension}.yaml")
    return folder


def test_who_asks_for_bfloat16_is_told_that_a_program_computes_in_float32(folder, caplog):
    load_model(folder / "any_ts.yaml", precision="auto")
    assert not caplog.records
    load_model(folder / "any_ts.yaml", precision="bfloat16")
    assert "any_ts.yaml computes in float32" in caplog.text


@pytest.fixture
def program(folder, tmp_path):
    """A copy of the program of torch.export, to be described or damaged."""
    path = tmp_path / "net.pt2"
    path.write_bytes((folder / "any.pt2").read_bytes())
    return path


@pytest.fixture(params=["any_pt2", "any_ts", "any_onnx", "fixed_pt2", "fixed_ts"])
def separator(folder, request):
    return load_model(folder / f"{request.param}.yaml")


class TestExportedNetworksStream(StreamingSuite):
    """All tests of the suite, on programs of every format."""


@pytest.mark.parametrize("extension", FORMATS.values())
@pytest.mark.parametrize("batch", [1, 3])
def test_a_program_separates_as_the_network_that_it_was(folder, extension, batch):
    mix = noise(2, batch * 10 * STRIDE).unflatten(1, (batch, -1)).transpose(0, 1)
    stems = load_model(folder / f"any_{extension}.yaml")(mix)
    torch.testing.assert_close(stems, plain_network()(mix), rtol=0, atol=1e-6)


@pytest.mark.parametrize("extension", FORMATS.values())
def test_a_program_streams_as_the_network_that_it_was(folder, extension):
    network = load_model(folder / f"any_{extension}.yaml")
    live = StreamConfig(context=8 * STRIDE, hop=STRIDE, look_ahead=STRIDE, crossfade=8)
    signal = noise(2, 20 * STRIDE + 3)

    class Original:
        sample_rate, channels, sources, stride = 44_100, 2, network.sources, STRIDE

        def __call__(self, mix: Tensor) -> Tensor:
            return plain_network()(mix)

    expected = one_push(StreamingSeparator(Original(), live), signal)
    stems = one_push(StreamingSeparator(network, live), signal)
    torch.testing.assert_close(stems, expected, rtol=0, atol=1e-6)


def test_what_the_description_says_is_what_the_network_states(program):
    network = load_model(describe(program, licence="MIT", sample_rate=22_050))
    assert (network.name, network.licence, network.sample_rate) == ("net", "MIT", 22_050)
    assert (network.channels, network.stride) == (2, STRIDE)
    assert network.sources == ("voice", "band", "noise")
    assert network.segment % (4 * STRIDE) == 0
    assert network.segment == pytest.approx(10 * 22_050, rel=0.01)
    assert network.files == (program.with_suffix(".yaml"), program)


def test_the_program_itself_may_be_named(program):
    description = describe(program)
    assert load_model(program).path == description
    description.unlink()
    with pytest.raises(ConfigError, match=r"net.pt2' is an exported program, .* net.yaml; docs/"):
        load_model(program)


def test_gradients_are_not_kept(folder):
    for extension in FORMATS.values():
        stems = load_model(folder / f"any_{extension}.yaml")(noise(2, 4 * STRIDE)[None])
        assert not stems.requires_grad


class Rearranged(nn.Module):
    """The network with another order of dimensions, in and out."""

    def __init__(self, given: str, made: str) -> None:
        super().__init__()
        self.network = plain_network()
        self.given, self.made = given, made

    def forward(self, mix: Tensor) -> Tensor:
        if "B" not in self.given:
            stems = self.network(mix[None])[0]
            return stems.permute(["SCT".index(letter) for letter in self.made])
        stems = self.network(mix.permute([self.given.index(letter) for letter in "BCT"]))
        return stems.permute(["BSCT".index(letter) for letter in self.made])


@pytest.mark.parametrize(("given", "made"), [("TBC", "SBTC"), ("CT", "SCT"), ("CT", "TCS")])
def test_dimensions_may_come_in_any_order(tmp_path, given, made):
    sizes = {"B": 1, "C": 2, "T": 8 * STRIDE}
    example = torch.randn([sizes[letter] for letter in given])
    path = trace(Rearranged(given, made), example, tmp_path / "net.ts")
    mix = noise(2, 3 * 8 * STRIDE).unflatten(1, (3, -1)).transpose(0, 1)
    stems = load_model(describe(path, input=given, output=made))(mix)
    torch.testing.assert_close(stems, plain_network()(mix), rtol=0, atol=1e-6)


def test_mono_needs_no_dimension_for_its_channel(tmp_path):
    class Mono(nn.Module):
        def forward(self, mix: Tensor) -> Tensor:
            return torch.stack([0.25 * mix, 0.5 * mix, mix], dim=1)

    path = trace(Mono(), torch.randn(1, 64), tmp_path / "net.ts")
    mix = noise(1, 70)[None]
    stems = load_model(describe(path, channels=1, input="BT", output="BST"))(mix)
    expected = torch.tensor([0.25, 0.5, 1.0]).view(1, 3, 1, 1) * mix[:, None]
    torch.testing.assert_close(stems, expected, rtol=0, atol=0)


@pytest.mark.parametrize("extension", FORMATS.values())
def test_examples_may_go_together(folder, tmp_path, extension):
    path = tmp_path / f"net.{extension}"
    path.write_bytes((folder / f"any.{extension}").read_bytes())
    mix = noise(2, 4 * 8 * STRIDE).unflatten(1, (4, -1)).transpose(0, 1)
    together = load_model(describe(path, batches=True))(mix)
    torch.testing.assert_close(together, plain_network()(mix), rtol=0, atol=1e-6)


def test_a_program_of_one_example_is_told_from_one_of_several(folder):
    description = describe(
        folder / "fixed.pt2", minimum_segment=None, fixed_segment=FIXED, batches=True
    )
    with pytest.raises(ModelError, match="takes 1 examples and no other number; leave 'batches'"):
        load_model(description)


@settings(max_examples=60)
@given(
    stride=st.integers(1, 9),
    strides=st.integers(1, 20),
    odd=st.integers(0, 8),
    length=st.integers(1, 300),
)
def test_pieces_of_one_length_join_to_the_whole(stride, strides, odd, length):
    fixed = stride * strides + odd % stride
    lengths = SegmentLengths(stride=stride, fixed=fixed)
    mix = noise(2, length)[None]
    starts = []

    def program(piece: Tensor) -> Tensor:
        assert piece.shape == (1, 2, fixed)
        place = (mix[0, 0] == piece[0, 0, 0]).nonzero()
        starts.append(int(place[0]))
        return torch.stack([piece, -piece], dim=1)

    stems = lengths.apply(program, mix)
    torch.testing.assert_close(stems, torch.stack([mix, -mix], dim=1), rtol=1e-5, atol=1e-6)
    assert all(start % stride == 0 for start in starts)
    assert len(starts) == 1 or starts[-1] + fixed - length < fixed


@given(stride=st.integers(1, 5000), minimum=st.integers(1, 10**6), rate=st.integers(1000, 10**5))
@example(stride=1024, minimum=500_000, rate=44_100)
def test_what_files_are_cut_into_is_not_shorter_than_a_program_takes(stride, minimum, rate):
    lengths = SegmentLengths(stride=stride, minimum=minimum)
    segment = segment_of_program(lengths, rate)
    assert segment >= lengths.shortest
    assert segment % (4 * stride) == 0
    assert segment <= max(10 * rate, lengths.shortest + 4 * stride)


@given(stride=st.integers(1, 5000), fixed=st.integers(5000, 10**6))
def test_what_files_are_cut_into_is_not_longer_than_the_one_length(stride, fixed):
    segment = segment_of_program(SegmentLengths(stride=stride, fixed=fixed), 44_100)
    assert 0 < segment <= fixed
    assert segment % stride == 0


@given(stride=st.integers(1, 5000), minimum=st.integers(1, 100_000), length=st.integers(1, 50_000))
def test_a_program_sees_whole_strides(stride, minimum, length):
    lengths = SegmentLengths(stride=stride, minimum=minimum)

    def program(piece: Tensor) -> Tensor:
        assert piece.shape[-1] % stride == 0
        assert max(minimum, length) <= piece.shape[-1] < max(minimum, length) + stride
        return piece[:, None]

    mix = torch.ones(1, 1, length)
    assert torch.equal(lengths.apply(program, mix)[:, 0], mix)


MISTAKES = {
    "a stem too many": (
        {"sources": ["a", "b", "c", "d"]},
        r"got float32 1×3×2×32 .* expected float32 BSCT of 1×4×2×32; correct sources",
    ),
    "another channel count": ({"channels": 1}, "fails on an input BCT of 1×1×32"),
    "dimensions in another order": ({"output": "BCST"}, "got float32 1×3×2×32 .* of 1×2×3×32"),
    "no batch": ({"input": "CT", "output": "SCT"}, "takes 3 dimensions, expected the 2 of 'input'"),
    "too short a minimum": ({"minimum_segment": STRIDE}, "fails on an input BCT of 1×2×16"),
    "another stride": ({"stride": 12}, r"got float32 1×3×2×\d+ .* correct sources, channels, stri"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_program_that_is_not_as_described_is_one_line(program, mistake):
    keys, said = MISTAKES[mistake]
    with pytest.raises(ModelError, match=said) as caught:
        load_model(describe(program, **keys))
    assert "\n" not in str(caught.value)
    assert "net.yaml" in str(caught.value)


def test_the_one_length_that_a_program_takes_is_told(folder):
    description = describe(folder / "fixed.pt2")
    with pytest.raises(ModelError, match=f"takes {FIXED} samples .* 'fixed_segment: {FIXED}'"):
        load_model(description)


def test_estimates_of_silence_must_be_finite(tmp_path):
    class Divides(nn.Module):
        def forward(self, mix: Tensor) -> Tensor:
            return torch.stack([mix / mix.std()] * 3, dim=1)

    path = trace(Divides(), torch.randn(1, 2, 64), tmp_path / "net.ts")
    with pytest.raises(ModelError, match="of 32 samples of silence are not finite"):
        load_model(describe(path))


class EverySampleWithEveryOther(nn.Module):
    """Takes memory with the square of the length, and soon more than there can be."""

    TOO_LONG = 2**23

    def forward(self, mix: Tensor) -> Tensor:
        products = mix[..., None] * mix[..., None, :]
        return torch.stack([products.mean(-1)] * 3, dim=1)


@pytest.mark.parametrize("extension", ["ts", "onnx"])
def test_a_lack_of_memory_in_a_program_is_no_fault_of_the_program(tmp_path, extension):
    for package in ("onnxruntime", "onnxscript"):
        require(find_spec(package), f"{package} is not installed")
    network = EverySampleWithEveryOther()
    separator = load_model(describe(export(network, tmp_path / f"net.{extension}")))
    # What everybody catches who can go on with less.
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        separator(torch.zeros(1, 2, network.TOO_LONG))
    assert is_out_of_memory(caught.value)
    assert separator(torch.zeros(1, 2, 64)).shape == (1, 3, 2, 64)


def test_a_program_that_has_no_memory_for_its_shortest_segment_is_one_line(tmp_path):
    network = EverySampleWithEveryOther()
    path = describe(export(network, tmp_path / "net.ts"), minimum_segment=network.TOO_LONG)
    with pytest.raises(ModelError, match="not enough memory to try it on 8388608 samples") as told:
        load_model(path)
    assert "\n" not in str(told.value)


def test_another_element_type_is_told(tmp_path):
    class Half(nn.Module):
        def forward(self, mix: Tensor) -> Tensor:
            return torch.stack([mix] * 3, dim=1).half()

    path = trace(Half(), torch.randn(1, 2, 64), tmp_path / "net.ts")
    with pytest.raises(ModelError, match="got float16 1×3×2×32 from the program, expected float32"):
        load_model(describe(path))


DESCRIPTIONS = {
    "an unknown key": ({"strides": 5}, "unknown key 'strides', did you mean 'stride'"),
    "a missing key": ({"sample_rate": None}, "key 'sample_rate' is missing"),
    "the same stem twice": ({"sources": ["a", "a"]}, "expected every stem once"),
    "two rules for lengths": ({"fixed_segment": 64}, "both 'minimum_segment' and 'fixed_segment'"),
    "a strange layout": ({"input": "BTF"}, "got 'BTF', expected each of the letters B, C, T once"),
    "a batch that comes of nothing": ({"input": "CT"}, "got 'BSCT', expected no B, as 'input'"),
    "an unknown format": ({"format": "keras"}, "expected 'torch_export', 'torchscript' or 'onnx'"),
    "an unknown extension": ({"file": "net.bin"}, "what kind of program is 'net.bin'"),
    "no stride": ({"stride": 0}, "greater than 0"),
}


@pytest.mark.parametrize("mistake", DESCRIPTIONS)
def test_a_wrong_description_is_one_line(program, mistake):
    keys, said = DESCRIPTIONS[mistake]
    with pytest.raises(ConfigError, match=said) as caught:
        load_model(describe(program, **keys))
    assert "\n" not in str(caught.value)


def test_a_program_that_is_missing_is_one_line(program):
    with pytest.raises(CheckpointError, match=r"gone.pt2: no such file; correct .* 'file'"):
        load_model(describe(program, file="gone.pt2"))


def test_a_checksum_guards_the_program(program):
    right = hashlib.sha256(program.read_bytes()).hexdigest()
    assert load_model(describe(program, sha256=right)).name == "net"
    with pytest.raises(CheckpointError, match=f"SHA-256 is {right}, the description expects 0000"):
        load_model(describe(program, sha256="0" * 64))


@pytest.mark.parametrize("extension", FORMATS.values())
@pytest.mark.parametrize("damage", ["empty", "text", "truncated", "zeros"])
def test_a_damaged_program_is_one_line(folder, tmp_path, extension, damage):
    whole = (folder / f"any.{extension}").read_bytes()
    path = tmp_path / f"net.{extension}"
    half = len(whole) // 2
    path.write_bytes(
        {
            "empty": b"",
            "text": b"no program at all",
            "truncated": whole[:half],
            "zeros": whole[: half // 2] + bytes(half) + whole[half + half // 2 :],
        }[damage]
    )
    with pytest.raises(CheckpointError) as caught:
        load_model(describe(path))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(("pretended", "real"), [("pt2", "ts"), ("ts", "pt2"), ("onnx", "ts")])
def test_a_program_of_another_format_is_one_line(folder, tmp_path, pretended, real):
    path = tmp_path / f"net.{pretended}"
    path.write_bytes((folder / f"any.{real}").read_bytes())
    with pytest.raises(CheckpointError) as caught:
        load_model(describe(path))
    assert "\n" not in str(caught.value)


def test_without_onnxruntime_the_message_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingToolError, match=r"onnxruntime is not .*uv sync .*--extra onnx"):
        load_model(folder / "any_onnx.yaml")


def test_a_device_that_is_not_there_is_one_line(program):
    with pytest.raises(ConfigError, match="device 'toaster' cannot be used here"):
        load_model(describe(program), device="toaster")


def test_a_program_may_be_a_member_of_a_bag(program):
    describe(program)
    bag = program.with_name("both.yaml")
    bag.write_text("members: [net.yaml, net.pt2]\n", encoding="utf-8")
    mix = noise(2, 8 * STRIDE)[None]
    torch.testing.assert_close(load_model(bag)(mix), plain_network()(mix), rtol=0, atol=1e-6)
