from __future__ import annotations

import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import soundfile
import torch

from streamsep.errors import ConfigError, OutputError
from streamsep.files import Encoding, StemWriter, encoding

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from collections.abc import Iterator

RATE = 44_100
ALL = [
    Encoding("wav", "int16"),
    Encoding("wav", "int24"),
    Encoding("wav", "float32"),
    Encoding("flac", "int16"),
    Encoding("flac", "int24"),
    Encoding("mp3", bitrate_kbps=192),
]
LOSSLESS = ALL[:-1]
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)


def identify(value: object) -> str:
    return f"{value.container}-{value.samples}" if isinstance(value, Encoding) else str(value)


def noise(channels: int = 2, length: int = 10_000) -> torch.Tensor:
    return torch.rand(channels, length, generator=torch.Generator().manual_seed(0)) - 0.5


def write(
    path: Path, audio: torch.Tensor, kind: Encoding, cut: int = 1_000, **options: int
) -> Path:
    with StemWriter(path, RATE, audio.shape[0], kind, **options) as writer:
        for block in audio.split(cut, dim=1):
            writer.write(block)
    return path


def read(path: Path) -> torch.Tensor:
    return torch.from_numpy(soundfile.read(path, dtype="float32", always_2d=True)[0].T)


@pytest.mark.parametrize("kind", LOSSLESS, ids=identify)
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_what_was_written_is_read(tmp_path: Path, kind: Encoding, channels: int) -> None:
    audio = noise(channels)
    half_step = {"int16": 2**-16, "int24": 2**-24, "float32": 0}[kind.samples]
    path = write(tmp_path / "stem", audio, kind, frames=audio.shape[-1])
    assert float((read(path) - audio).abs().max()) <= half_step
    info = soundfile.info(path)
    expected = {"int16": "PCM_16", "int24": "PCM_24", "float32": "FLOAT"}[kind.samples]
    assert (info.format, info.subtype) == (kind.container.upper(), expected)
    assert info.samplerate == RATE


@pytest.mark.parametrize("kind", ALL, ids=identify)
def test_the_cut_of_the_blocks_does_not_matter(tmp_path: Path, kind: Encoding) -> None:
    audio = noise()
    one = write(tmp_path / "one", audio, kind, cut=10_000)
    many = write(tmp_path / "many", audio, kind, cut=37)
    assert torch.equal(read(one), read(many))


def test_sixteen_bits_read_and_written_are_the_same_samples(tmp_path: Path) -> None:
    first = write(tmp_path / "first.wav", noise(), Encoding())
    second = write(tmp_path / "second.wav", read(first), Encoding())
    assert torch.equal(read(first), read(second))


@pytest.mark.parametrize("kind", LOSSLESS, ids=identify)
def test_integers_clamp_and_floats_keep_what_is_too_loud(tmp_path: Path, kind: Encoding) -> None:
    written = read(write(tmp_path / "stem", torch.tensor([[3.0, -3.0, 0.5]]), kind))[0].tolist()
    if kind.samples == "float32":
        assert written == [3.0, -3.0, 0.5]
    else:
        assert written == pytest.approx([1.0, -1.0, 0.5], abs=1e-4)


@pytest.mark.parametrize("sample_rate", [8_000, 22_050, 44_100])
@pytest.mark.parametrize("kbps", [32, 64, 128, 320])
def test_an_mp3_has_its_bit_rate_and_length(tmp_path: Path, sample_rate: int, kbps: int) -> None:
    audio = noise(2, 4 * sample_rate)
    path = tmp_path / "stem.mp3"
    with StemWriter(path, sample_rate, 2, Encoding("mp3", bitrate_kbps=kbps)) as writer:
        writer.write(audio)
    allowed = min(kbps, {8_000: 64, 22_050: 160, 44_100: 320}[sample_rate])
    assert path.stat().st_size * 8 / 4 / 1_000 == pytest.approx(allowed, rel=0.1)
    assert 0 <= soundfile.info(path).frames - audio.shape[1] < 3 * 1_152


@pytest.mark.parametrize("kind", ALL, ids=identify)
def test_metadata_is_embedded(tmp_path: Path, kind: Encoding) -> None:
    metadata = {"title": "Größe – 歌", "comment": "vocals by hdemucs"}
    path = tmp_path / "stem"
    with StemWriter(path, RATE, 2, kind, metadata=metadata) as writer:
        writer.write(noise())
    with soundfile.SoundFile(path) as sound:
        assert {key: getattr(sound, key) for key in metadata} == metadata


def test_unknown_metadata_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="metadata 'mood'"):
        StemWriter(tmp_path / "stem.wav", RATE, 2, Encoding(), metadata={"mood": "happy"})
    assert list(tmp_path.iterdir()) == []


def test_the_name_appears_only_with_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "vocals.wav"
    writer = StemWriter(path, RATE, 2, Encoding())
    writer.write(noise())
    assert not path.exists()
    writer.commit()
    assert [entry.name for entry in path.parent.iterdir()] == ["vocals.wav"]
    writer.commit()
    writer.abort()
    assert soundfile.info(path).frames == 10_000


def test_an_aborted_file_leaves_nothing_and_an_older_one_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "vocals.wav"
    path.write_bytes(b"older")

    def interrupted() -> None:
        with StemWriter(path, RATE, 2, Encoding("flac")) as writer:
            writer.write(noise())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


def test_folders_that_were_made_in_vain_go_again(tmp_path: Path) -> None:
    (tmp_path / "older").mkdir()
    names = ["drums", "bass"]
    tracks = [tmp_path / "older" / "new" / "model" / track for track in "ab"]
    with pytest.raises(OutputError):
        StemWriter(tracks[0] / ("x" * 300) / "stem", RATE, 2, Encoding())
    assert list(tmp_path.rglob("*")) == [tmp_path / "older"]

    writers = [
        [StemWriter(track / name, RATE, 2, Encoding()) for name in names] for track in tracks
    ]
    for writer in writers[0]:
        writer.abort()
    assert not tracks[0].exists()
    assert tracks[1].exists()
    writers[1][0].commit()
    writers[1][1].abort()
    assert list(tracks[1].iterdir()) == [tracks[1] / names[0]]

    # Once a file lay in it, a folder is the user's.
    (tracks[1] / names[0]).unlink()
    StemWriter(tracks[1] / names[0], RATE, 2, Encoding()).abort()
    assert tracks[1].exists()


def test_writers_that_give_up_side_by_side_leave_no_folder_and_disturb_nobody(
    tmp_path: Path,
) -> None:
    def give_up(number: int) -> None:
        for each in range(40):
            StemWriter(tmp_path / "new" / f"{number}-{each}" / "stem", RATE, 1, Encoding()).abort()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(give_up, range(4)))
    assert list(tmp_path.iterdir()) == []


def test_an_announced_length_beyond_four_gibibytes_makes_an_rf64(tmp_path: Path) -> None:
    path = write(tmp_path / "stem.wav", noise(), Encoding(), frames=2**31)
    assert soundfile.info(path).format == "RF64"
    assert soundfile.info(path).frames == 10_000


def test_a_wav_that_outgrows_its_sizes_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "_WAV_BYTES", 30_000)
    with pytest.raises(OutputError, match="4 GiB"):
        write(tmp_path / "stem.wav", noise(length=14_000), Encoding(), frames=100)
    assert list(tmp_path.iterdir()) == []


def test_a_wav_of_unknown_length_may_become_as_long_as_it_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding, "_WAV_BYTES", 30_000)
    path = write(tmp_path / "stem.wav", noise(length=14_000), Encoding())
    assert soundfile.info(path).frames == 14_000
    # A form that everybody reads, as long as it can be.
    assert path.read_bytes()[:4] == b"RIFF"


def test_what_the_container_cannot_hold_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choose wav"):
        StemWriter(tmp_path / "new" / "stem.mp3", 96_000, 2, Encoding("mp3"))
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot write into"):
        StemWriter(tmp_path / "file" / "vocals.wav", RATE, 2, Encoding())
    with pytest.raises(OutputError, match="there is a directory"):
        StemWriter(tmp_path, RATE, 2, Encoding())
    with pytest.raises(OutputError, match="cannot write into"):
        StemWriter(tmp_path / ("x" * 300) / "vocals.wav", RATE, 2, Encoding())


@needs_root
def test_a_folder_without_permission_is_refused() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        folder.chmod(0o755)
        os.seteuid(65534)
        try:
            with pytest.raises(OutputError, match="Permission denied"):
                StemWriter(folder / "vocals.wav", RATE, 2, Encoding())
        finally:
            os.seteuid(0)
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def full_at_100_kilobytes() -> Iterator[None]:
    """Let the system refuse to let any file of this process grow past 100 kB."""
    if sys.platform == "win32":
        pytest.skip("Windows cannot limit the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def fill(path: Path, kind: Encoding, length: int) -> None:
    with StemWriter(path, RATE, 2, kind) as writer:
        for block in noise(2, length).split(5_000, dim=1):
            writer.write(block)


@pytest.mark.usefixtures("full_at_100_kilobytes")
@pytest.mark.parametrize("kind", ALL, ids=identify)
def test_a_full_disk_is_one_clear_error(tmp_path: Path, kind: Encoding) -> None:
    with pytest.raises(OutputError, match=r"cannot write .* File too large; free some space"):
        fill(tmp_path / "vocals", kind, 500_000)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("full_at_100_kilobytes")
@pytest.mark.parametrize(
    ("kind", "length"),
    # Just too much: what is buffered meets the limit only when the file is finished.
    [(Encoding("wav"), 25_001), (Encoding("flac"), 28_000), (Encoding("mp3"), 2 * RATE + 25_000)],
    ids=identify,
)
def test_a_disk_that_fills_up_at_the_very_end_is_noticed(
    tmp_path: Path, kind: Encoding, length: int
) -> None:
    writer = StemWriter(tmp_path / "vocals", RATE, 2, kind)
    writer.write(noise(2, length))
    with pytest.raises(OutputError, match="File too large"):
        writer.commit()
    assert list(tmp_path.iterdir()) == []


def test_a_real_file_system_without_room_is_one_clear_error(tmp_path: Path) -> None:
    mount, unmount = shutil.which("mount"), shutil.which("umount")
    if (
        mount is None
        or unmount is None
        or os.system(f"{mount} -t tmpfs -o size=256k tmpfs '{tmp_path}' 2>/dev/null")
    ):
        pytest.skip("a small file system cannot be mounted here")
    try:
        with pytest.raises(OutputError, match="No space left on device"):
            fill(tmp_path / "vocals.flac", Encoding("flac"), 300_000)
        assert list(tmp_path.iterdir()) == []
    finally:
        os.system(f"{unmount} '{tmp_path}'")
