"""Strange songs are separated; what is no song, or has no room, is one clear error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import soundfile
import torch

from offline.material import fake_model, listing, noise, stems_of, tiny_model, write
from streamsep import StreamConfig
from streamsep.errors import ConfigError, InputError, OutputError, StreamSepError
from streamsep.files import Encoding
from streamsep.offline import SeparationOptions, separate_file

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from streamsep.models import LoadedModel

LIVE = StreamConfig(context=4096, hop=2048, look_ahead=2048, crossfade=1024)
FLOAT = SeparationOptions(encoding=Encoding(samples="float32"))


@pytest.fixture(scope="module")
def tiny() -> LoadedModel:
    return tiny_model()


def with_bad_samples(value: float) -> torch.Tensor:
    mix = noise(2, 6_000)
    mix[0, 100:200] = value
    mix[1, 5_999] = value
    return mix


STRANGE = {
    "silence": torch.zeros(2, 6_000),
    "one sample": torch.full((2, 1), 0.5),
    "two samples": torch.tensor([[0.5, -0.5]]),
    "shorter than a stride": noise(2, 500),
    "constant": torch.full((2, 6_000), 0.25),
    "one channel silent": torch.stack([noise(1, 6_000)[0], torch.zeros(6_000)]),
    "barely audible": noise(2, 6_000, level=1e-7),
    "full-scale noise": noise(2, 6_000, level=1.0).sign(),
    "far too loud": noise(2, 6_000, level=1e30),
    "not a number": with_bad_samples(float("nan")),
    "infinite": with_bad_samples(float("-inf")),
    "nothing finite": torch.full((2, 6_000), float("nan")),
}


@pytest.mark.parametrize("kind", STRANGE)
@pytest.mark.parametrize("tiling", [None, LIVE], ids=["file", "live"])
def test_strange_songs_give_finite_stems_of_their_length(
    kind: str, tiling: StreamConfig | None, tiny: LoadedModel, tmp_path: Path
) -> None:
    mix = STRANGE[kind]
    song = write(tmp_path / "song.wav", mix)
    options = SeparationOptions(tiling=tiling, encoding=Encoding(samples="float32"))
    track = separate_file(song, tiny, tmp_path / "out", options)
    stems = stems_of(track)
    assert stems.shape == (4, *mix.shape)
    assert stems.isfinite().all()
    assert track.replaced_samples == int((~mix.isfinite()).sum())


def test_silence_gives_silence(tiny: LoadedModel, tmp_path: Path) -> None:
    song = write(tmp_path / "song.wav", STRANGE["silence"])
    assert stems_of(separate_file(song, tiny, tmp_path / "out", FLOAT)).abs().max() < 1e-6


def test_a_constant_song_is_not_amplified(tiny: LoadedModel, tmp_path: Path) -> None:
    song = write(tmp_path / "song.wav", STRANGE["constant"])
    assert stems_of(separate_file(song, tiny, tmp_path / "out", FLOAT)).abs().max() < 1.0


@pytest.mark.parametrize("clip_mode", ["none", "rescale", "clamp"])
def test_bad_samples_do_not_come_back_in_the_complement(clip_mode: str, tmp_path: Path) -> None:
    song = write(tmp_path / "song.wav", STRANGE["infinite"])
    options = SeparationOptions(
        two_stems="bass",
        other_method="minus",
        clip_mode=clip_mode,
        encoding=Encoding(samples="float32"),
    )
    stems = stems_of(separate_file(song, fake_model(), tmp_path / "out", options))
    assert stems.abs().max() < 1.0


def make_text(path: Path) -> None:
    path.write_text("not audio at all\n" * 500)


def make_empty(path: Path) -> None:
    path.touch()


def make_without_samples(path: Path) -> None:
    write(path, torch.zeros(2, 0))


def make_truncated(path: Path) -> None:
    write(path, noise(2, 30_000))
    path.write_bytes(path.read_bytes()[:-100_000])


def make_damaged(path: Path) -> None:
    soundfile.write(path, noise(2, 200_000).numpy().T, 44_100, "PCM_16", format="FLAC")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    path.write_bytes(data)


def make_folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    "make",
    [make_text, make_empty, make_without_samples, make_truncated, make_damaged, make_folder],
)
def test_what_is_no_song_is_one_line_and_leaves_nothing(make: object, tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    make(song)
    for tiling in (None, LIVE):
        options = SeparationOptions(tiling=tiling)
        with pytest.raises(InputError, match=r"song\.wav") as raised:
            separate_file(song, fake_model(), tmp_path / "out", options)
        assert len(str(raised.value).splitlines()) == 1
        assert listing(tmp_path / "out") == []


def test_a_missing_song_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        separate_file(tmp_path / "none.wav", fake_model(), tmp_path / "out")


@pytest.mark.parametrize(
    ("encoding", "channels", "sample_rate"),
    [(Encoding("mp3"), 6, 44_100), (Encoding("mp3"), 2, 96_000), (Encoding("flac"), 9, 44_100)],
)
def test_what_the_format_cannot_hold_is_refused_before_anything_is_made(
    encoding: Encoding, channels: int, sample_rate: int, tmp_path: Path
) -> None:
    song = write(tmp_path / "song.wav", noise(channels), sample_rate)
    with pytest.raises(ConfigError, match="choose wav"):
        separate_file(song, fake_model(), tmp_path / "out", SeparationOptions(encoding=encoding))
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    song = write(tmp_path / "song.wav")
    (tmp_path / "out").touch()
    with pytest.raises(OutputError, match="choose another output folder"):
        separate_file(song, fake_model(), tmp_path / "out")


def test_a_name_that_is_no_text_is_kept(tmp_path: Path) -> None:
    try:
        song = write(tmp_path / "song.wav").rename(tmp_path / "s\udcffng.wav")
    except OSError:
        pytest.skip("this file system wants names to be text")
    track = separate_file(song, fake_model(), tmp_path / "out")
    assert track.stems["bass"] == tmp_path / "out" / "fake" / "s\udcffng" / "bass.wav"
    assert track.stems["bass"].is_file()


@pytest.fixture
def full_at_100_kilobytes() -> Iterator[None]:
    """Let the system refuse to let any file of this process grow past 100 kB."""
    if sys.platform == "win32":
        pytest.skip("Windows cannot limit the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("clip_mode", ["clamp", "rescale"])
@pytest.mark.parametrize("length", [25_001, 200_000], ids=["at the very end", "on the way"])
def test_a_full_disk_is_one_line_and_leaves_no_stem(
    clip_mode: str, length: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    song = write(tmp_path / "song.wav", noise(2, length))
    request.getfixturevalue("full_at_100_kilobytes")
    with pytest.raises(OutputError, match="free some space") as raised:
        separate_file(song, fake_model(), tmp_path / "out", SeparationOptions(clip_mode=clip_mode))
    assert len(str(raised.value).splitlines()) == 1
    assert listing(tmp_path / "out") == []


@pytest.mark.usefixtures("full_at_100_kilobytes")
def test_a_disk_that_takes_only_some_stems_gets_none(tmp_path: Path) -> None:
    # Quiet stems make smaller files: drums and bass fit, other and vocals meet the end of the disk
    # when what is buffered of them is written, at the very end.
    song = write(tmp_path / "song.wav", noise(2, 32_000), subtype="PCM_U8")
    flac = SeparationOptions(encoding=Encoding("flac"))
    older = tmp_path / "out" / "fake" / "song" / "drums.flac"
    older.parent.mkdir(parents=True)
    older.write_bytes(b"older")
    with pytest.raises(OutputError, match="free some space"):
        separate_file(song, fake_model(), tmp_path / "out", flac)
    assert listing(tmp_path / "out") == ["fake/song/drums.flac"]
    assert older.read_bytes() == b"older"


def test_an_interrupted_track_leaves_nothing_and_older_stems_as_they_were(tmp_path: Path) -> None:
    song = write(tmp_path / "song.wav", noise(2, 200_000))
    older = tmp_path / "out" / "fake" / "song" / "bass.wav"
    older.parent.mkdir(parents=True)
    older.write_bytes(b"older")

    def interrupt(done: int, total: int | None) -> None:
        if done == total:  # everything has been written and nothing been named
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        separate_file(song, fake_model(), tmp_path / "out", None, interrupt)
    assert older.read_bytes() == b"older"
    assert listing(tmp_path / "out") == ["fake/song/bass.wav"]


def test_a_gpu_without_memory_is_the_users_to_solve(tmp_path: Path) -> None:
    class Full:
        sample_rate, channels, sources, stride = 44_100, 2, ("drums", "bass"), 1

        def __call__(self, mix: torch.Tensor) -> torch.Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate\nmany bytes")

    song = write(tmp_path / "song.wav")
    with pytest.raises(StreamSepError, match="memory ran out even with segments of"):
        separate_file(song, fake_model(Full()), tmp_path / "out")
    assert listing(tmp_path / "out") == []
