"""One file becomes stem files: which, where, how long, in which format and with what in them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
import soundfile
import torch
from fakes import Gains, SegmentShaped
from networks import demucs_twin
from streams import one_push
from support import require

from offline.material import (
    GAINS,
    STEMS,
    fake_model,
    listing,
    noise,
    read,
    stems_of,
    tiny_model,
    write,
)
from streamsep import StreamConfig, StreamingSeparator
from streamsep.engine import OverlapConfig
from streamsep.errors import ConfigError
from streamsep.files import Encoding
from streamsep.models.checkpoints import save_checkpoint
from streamsep.offline import SeparationOptions, separate_file, separate_track

if TYPE_CHECKING:
    from pathlib import Path

    from streamsep.models import LoadedModel
    from streamsep.offline import SeparatedTrack

FLOAT = Encoding(samples="float32")
LIVE = StreamConfig(context=4096, hop=2048, look_ahead=2048, crossfade=1024)


def separate(song: Path, model: LoadedModel | None = None, **options: object) -> SeparatedTrack:
    """Separate into the song's folder, as float32 unless told otherwise."""
    options.setdefault("encoding", FLOAT)
    return separate_file(
        song, model or fake_model(), song.parent / "out", SeparationOptions(**options)
    )


@pytest.fixture(scope="module")
def tiny() -> LoadedModel:
    return tiny_model()


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write(tmp_path / "song.wav")


# What is written


def test_stems_lie_below_the_model_and_the_track_and_nothing_else_does(song: Path) -> None:
    track = separate(song)
    folder = song.parent / "out" / "fake" / "song"
    assert track.stems == {stem: folder / f"{stem}.wav" for stem in STEMS}
    assert listing(song.parent / "out") == sorted(f"fake/song/{stem}.wav" for stem in STEMS)


def test_stems_keep_rate_channels_and_length_and_are_what_the_network_said(song: Path) -> None:
    track = separate(song, tiling=LIVE)
    assert (track.sample_rate, track.channels, track.frames) == (44_100, 2, 10_000)
    expected = torch.tensor(GAINS)[:, None, None] * read(song)
    assert torch.allclose(stems_of(track), expected, atol=1e-6)


def test_the_defaults_are_sixteen_bit_wavs(song: Path) -> None:
    track = separate_file(song, fake_model(), song.parent / "out")
    assert {soundfile.info(path).subtype for path in track.stems.values()} == {"PCM_16"}


@pytest.mark.parametrize(
    ("encoding", "container", "subtype"),
    [
        (Encoding(), "WAV", "PCM_16"),
        (Encoding(samples="int24"), "WAV", "PCM_24"),
        (FLOAT, "WAV", "FLOAT"),
        (Encoding("flac"), "FLAC", "PCM_16"),
        (Encoding("flac", "int24"), "FLAC", "PCM_24"),
        (Encoding("mp3", bitrate_kbps=128), "MP3", "MPEG_LAYER_III"),
    ],
)
def test_every_encoding_is_written_with_the_networks_name_inside(
    encoding: Encoding, container: str, subtype: str, song: Path
) -> None:
    track = separate(song, encoding=encoding)
    for stem, path in track.stems.items():
        with soundfile.SoundFile(path) as file:
            assert (file.format, file.subtype) == (container, subtype)
            assert file.title == f"song ({stem})"
            assert "streamsep" in file.comment
            assert "fake" in file.comment
        if container != "MP3":
            assert read(path).shape == (2, 10_000)


@pytest.mark.parametrize("channels", [1, 6])
@pytest.mark.parametrize("sample_rate", [8_000, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_any_rate_and_channel_count_comes_back_as_it_was(
    sample_rate: int, channels: int, tmp_path: Path
) -> None:
    time = torch.arange(sample_rate // 4 + 1) / sample_rate
    pitch = torch.linspace(200.0, 900.0, channels)[:, None]
    mix = 0.5 * torch.sin(2 * torch.pi * pitch * time)
    track = separate(write(tmp_path / "song.wav", mix, sample_rate), tiling=LIVE)
    assert (track.sample_rate, track.channels) == (sample_rate, channels)
    stems = stems_of(track)
    assert stems.shape == (4, channels, len(time))
    middle = slice(len(time) // 4, -len(time) // 4)
    assert torch.allclose(stems.sum(0)[:, middle], mix[:, middle], atol=1e-4)


@pytest.mark.parametrize("length", [1, 2, 333, 4_095, 4_096, 4_097, 65_536, 70_001])
def test_any_length_is_kept_exactly(length: int, tmp_path: Path) -> None:
    song = write(tmp_path / "song.wav", noise(2, length))
    for tiling in (None, LIVE):
        track = separate(song, tiling=tiling)
        assert track.frames == length
        assert stems_of(track).shape == (4, 2, length)


def test_two_stems_are_one_and_its_complement(tmp_path: Path) -> None:
    # Gains that do not sum to one tell the complements apart.
    model = fake_model(Gains(gains=(0.1, 0.2, 0.3, 0.1)))
    mix = noise()
    song = write(tmp_path / "song.wav", mix)
    for method, rest in (("add", 0.6), ("minus", 0.9)):
        track = separate(song, model, tiling=LIVE, two_stems="vocals", other_method=method)
        assert list(track.stems) == ["vocals", "no_vocals"]
        expected = torch.stack([0.1 * mix, rest * mix])
        assert torch.allclose(stems_of(track), expected, atol=1e-6)
    (tmp_path / "out" / "fake" / "song" / "no_vocals.wav").unlink()
    track = separate(song, model, tiling=LIVE, two_stems="vocals", other_method="none")
    assert listing(tmp_path / "out") == ["fake/song/vocals.wav"]


def test_an_unknown_stem_is_refused_before_anything_is_made(song: Path) -> None:
    with pytest.raises(ConfigError, match="unknown stem 'voice', this model gives drums, bass"):
        separate(song, two_stems="voice")
    assert not (song.parent / "out").exists()


# What is in it


def test_a_file_is_separated_as_demucs_does(tiny: LoadedModel, tmp_path: Path) -> None:
    require(find_spec("demucs"), "demucs is not installed")
    from demucs.apply import apply_model

    seconds = 0.375
    mix = noise(2, 40_000, level=0.05) + 0.01  # quiet and off centre: the level must not matter
    track = separate(
        write(tmp_path / "song.wav", mix), tiny, tiling=OverlapConfig(segment=int(44_100 * seconds))
    )
    reference = mix.mean(0)
    mean, deviation = reference.mean(), reference.std() + 1e-8
    network = demucs_twin(tiny.separator)
    with torch.inference_mode():
        estimate = apply_model(
            network, ((mix - mean) / deviation)[None], shifts=0, segment=seconds, overlap=0.25
        )[0]
    difference = (stems_of(track) - mean) / deviation - estimate
    assert difference.abs().max() <= 1e-5 * estimate.square().mean().sqrt()


def test_a_live_preset_gives_what_the_live_stream_gives(tmp_path: Path) -> None:
    model = fake_model(SegmentShaped())
    mix = noise(2, 30_000)
    track = separate(write(tmp_path / "song.wav", mix, 48_000), model, tiling=LIVE)
    stream = StreamingSeparator(model, LIVE, sample_rate=48_000)
    assert torch.equal(stems_of(track), one_push(stream, mix))
    assert track.latency == stream.latency


def test_only_live_tilings_have_a_latency(song: Path) -> None:
    assert separate(song).latency is None
    assert separate(song, tiling=OverlapConfig(segment=2_048)).latency is None


@pytest.mark.parametrize("consistency", ["other", "energy"])
@pytest.mark.parametrize("tiling", [None, LIVE])
def test_consistent_stems_sum_to_the_mix(
    consistency: str, tiling: StreamConfig | None, tiny: LoadedModel, tmp_path: Path
) -> None:
    mix = noise(2, 20_000)
    track = separate(
        write(tmp_path / "song.wav", mix), tiny, tiling=tiling, consistency=consistency
    )
    assert (stems_of(track).sum(0) - mix).abs().max() <= 1e-6  # -120 dBFS


@pytest.mark.parametrize("tiling", [None, LIVE])
def test_refined_stems_keep_their_proportions_and_sum_to_the_mix(
    tiling: StreamConfig | None, tmp_path: Path
) -> None:
    # Twice the mixture in all, so that the sum is the refinement's doing.
    model = fake_model(Gains(gains=tuple(2 * gain for gain in GAINS)))
    mix = noise(2, 20_000)
    track = separate(write(tmp_path / "song.wav", mix), model, tiling=tiling, refinement="wiener")
    stems = stems_of(track)
    assert (stems.sum(0) - mix).abs().max() <= 1e-6  # -120 dBFS
    # A file's mean, which its normalisation takes off and adds to every stem, is in no proportion.
    assert torch.allclose(stems, torch.tensor(GAINS)[:, None, None] * mix, atol=0.01)


def test_shifts_change_the_result_and_a_seed_decides_them(tmp_path: Path) -> None:
    model = fake_model(SegmentShaped())
    song = write(tmp_path / "song.wav", noise(2, 30_000))

    def stems(shifts: int, seed: int) -> torch.Tensor:
        return stems_of(separate(song, model, shifts=shifts, seed=seed))

    once = stems(2, 1)
    assert torch.equal(once, stems(2, 1))
    assert not torch.equal(once, stems(2, 2))
    assert not torch.equal(once, stems(0, 1))


def test_blocks_and_segments_of_the_file_do_not_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fake_model(SegmentShaped())
    song = write(tmp_path / "song.wav", noise(2, 20_000))
    in_one_piece = stems_of(separate(song, model, tiling=LIVE))
    monkeypatch.setattr("streamsep.offline.track.BLOCK", 777)
    assert torch.equal(stems_of(separate(song, model, tiling=LIVE)), in_one_piece)


# Too loud


def test_clamping_cuts_each_stem_alone(tmp_path: Path) -> None:
    model = fake_model(Gains(gains=(3.0, 0.5, 0.5, 0.5)))
    mix = noise()
    track = separate(
        write(tmp_path / "song.wav", mix), model, tiling=LIVE, encoding=Encoding(samples="int24")
    )
    drums, bass, *_ = stems_of(track)
    assert torch.allclose(drums, (3.0 * mix).clamp(-1.0, 1.0), atol=1e-6)
    assert torch.allclose(bass, 0.5 * mix, atol=1e-6)
    assert track.overshoots == int((3.0 * mix).abs().gt(1.0).sum())


def test_rescaling_lowers_all_stems_by_one_gain(tmp_path: Path) -> None:
    gains = torch.tensor((3.0, 0.5, -0.25, 0.1))
    mix = noise()
    track = separate(
        write(tmp_path / "song.wav", mix),
        fake_model(Gains(gains=tuple(gains.tolist()))),
        tiling=LIVE,
        clip_mode="rescale",
        encoding=Encoding(samples="int24"),
    )
    common = 1.0 / (1.01 * (3.0 * mix).abs().max())
    assert torch.allclose(stems_of(track), common * gains[:, None, None] * mix, atol=1e-6)
    assert listing(tmp_path / "out") == sorted(f"fake/song/{stem}.wav" for stem in STEMS)


def test_rescaling_leaves_what_is_not_too_loud(song: Path) -> None:
    rescaled = stems_of(separate(song, clip_mode="rescale"))
    assert torch.equal(rescaled, stems_of(separate(song, clip_mode="none")))


def test_floats_keep_what_is_too_loud_unless_told_otherwise(tmp_path: Path) -> None:
    model = fake_model(Gains(gains=(3.0, 0.5, 0.5, 0.5)))
    mix = noise()
    song = write(tmp_path / "song.wav", mix)
    kept = stems_of(separate(song, model, tiling=LIVE))[0]
    assert torch.allclose(kept, 3.0 * mix, atol=1e-6)
    with pytest.raises(ConfigError, match="needs float32"):
        SeparationOptions(clip_mode="none")


@pytest.mark.parametrize(("encoding", "error"), [(FLOAT, 1e-6), (Encoding("mp3"), 0.5)])
def test_clamping_cuts_at_full_scale_whatever_the_file_could_hold(
    encoding: Encoding, error: float, tmp_path: Path
) -> None:
    model = fake_model(Gains(gains=(8.0, 0.5, 0.5, 0.5)))
    mix = noise()
    song = write(tmp_path / "song.wav", mix)
    track = separate(song, model, tiling=LIVE, clip_mode="clamp", encoding=encoding)
    expected = (8.0 * mix).clamp(-1.0, 1.0)
    assert (stems_of(track)[0] - expected).norm() < error * expected.norm()
    assert track.overshoots == int((8.0 * mix).abs().gt(1.0).sum())


# The Python interface


def test_a_model_may_be_a_path_and_the_source_a_string(tiny: LoadedModel, tmp_path: Path) -> None:
    weights = tmp_path / "mine.safetensors"
    save_checkpoint(tiny.separator, weights, licence="CC0", training="none")
    song = write(tmp_path / "song.wav", noise(2, 5_000))
    for model in (weights, str(weights)):
        track = separate_file(str(song), model, str(tmp_path / "out"))
        assert track.stems["bass"] == tmp_path / "out" / "mine" / "song" / "bass.wav"


def test_progress_ends_at_the_total(song: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    separate_file(song, fake_model(), song.parent / "out", None, lambda *step: steps.append(step))
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1] == (10_000, 10_000)


def test_stems_that_would_share_a_file_are_refused(song: Path) -> None:
    with pytest.raises(ConfigError, match="same name"):
        separate_track(song, fake_model(), SeparationOptions(), lambda *_: song.parent / "x.wav")


def test_a_song_is_never_overwritten_by_its_own_stem(tmp_path: Path) -> None:
    song = write(tmp_path / "vocals.wav")
    before = song.read_bytes()
    with pytest.raises(ConfigError, match="overwritten by its own stem"):
        separate_track(
            song, fake_model(), SeparationOptions(), lambda stem, ext: tmp_path / f"{stem}.{ext}"
        )
    assert song.read_bytes() == before
    assert listing(tmp_path) == ["vocals.wav"]
