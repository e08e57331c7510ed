from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from support import require

from streamsep.errors import InputError
from streamsep.files import AudioReader, open_audio, reading

RATE = 44_100
LENGTH = 30_000

needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)


@pytest.fixture
def ffmpeg_installed() -> None:
    require(reading.ffmpeg_is_installed(), "ffmpeg and ffprobe are not installed")


def noise(channels: int = 2, length: int = LENGTH) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, (length, channels)).astype(np.float32)


def write(path: Path, frames: np.ndarray, **options: str) -> Path:
    soundfile.write(path, frames, RATE, **options)
    return path


def ffmpeg(source: Path, target: Path, *options: str) -> Path:
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(source), *options, str(target)]
    subprocess.run(command, check=True)
    return target


def halve(path: Path) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def whole(reader: AudioReader, size: int = 4_096) -> torch.Tensor:
    return torch.cat(list(reader.blocks(size)), dim=1)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_a_wav_is_read_exactly(tmp_path: Path, subtype: str, channels: int) -> None:
    path = write(tmp_path / "song.wav", noise(channels), subtype=subtype)
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
    with open_audio(path) as reader:
        assert (reader.sample_rate, reader.channels, reader.frames) == (RATE, channels, LENGTH)
        assert (reader.container, reader.subtype) == ("WAV", subtype)
        audio = whole(reader)
    assert audio.dtype == torch.float32
    assert torch.equal(audio, torch.from_numpy(expected.T))


@pytest.mark.parametrize("extension", ["flac", "ogg", "mp3", "aiff"])
def test_other_formats_are_read_in_blocks_and_twice(tmp_path: Path, extension: str) -> None:
    path = write(tmp_path / f"song.{extension}", noise())
    with open_audio(path) as reader:
        blocks = list(reader.blocks(1_000))
        again = whole(reader, 777)
        assert reader.frames == LENGTH
    assert all(block.shape == (2, 1_000) for block in blocks[:-1])
    assert torch.equal(torch.cat(blocks, dim=1), again)
    assert again.shape == (2, LENGTH)


def test_one_sample_is_a_song(tmp_path: Path) -> None:
    with open_audio(write(tmp_path / "click.wav", noise(1, 1))) as reader:
        assert whole(reader).shape == (1, 1)


def test_floats_beyond_full_scale_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "loud.wav", 8 * noise(), subtype="FLOAT")
    with open_audio(path) as reader:
        assert float(whole(reader).abs().max()) > 3


@pytest.mark.usefixtures("ffmpeg_installed")
@pytest.mark.parametrize("rate_control", [["-q:a", "5"], ["-b:a", "128k"]])
def test_an_mp3_that_does_not_tell_its_length_is_read_to_its_end(
    tmp_path: Path, rate_control: list[str]
) -> None:
    # Quiet, then loud: an estimate from the first frame's bit rate would be far off.
    frames = noise(length=4 * RATE)
    frames[:RATE] *= 0.001
    source = write(tmp_path / "song.wav", frames)
    path = ffmpeg(source, tmp_path / "song.mp3", *rate_control, "-write_xing", "0")
    with open_audio(path) as reader:
        assert reader.frames is None
        length = whole(reader).shape[1]
        assert reader.frames == length
    assert 0 <= length - 4 * RATE < 3 * 1152


def join(target: Path, *parts: bytes) -> Path:
    target.write_bytes(b"".join(parts))
    return target


def vbri(mp3: bytes) -> bytes:
    """The same mp3 with a tag of the other kind, as Fraunhofer's encoder writes it."""
    tag = mp3.index(b"Xing")
    fields = b"VBRI\0\1\0\0\0\0" + mp3[tag + 12 : tag + 16] + mp3[tag + 8 : tag + 12]
    return mp3[:36] + fields.ljust(200, b"\0") + mp3[236:]


ID3 = b"ID3\4\0\0\0\0\x10\0" + bytes(2048)


@pytest.mark.parametrize("between", [b"", b"TAG" + bytes(125), b"TAG" + bytes(125) + ID3])
def test_joined_mp3s_are_read_to_the_end_of_the_last(tmp_path: Path, between: bytes) -> None:
    first = write(tmp_path / "first.mp3", noise())
    second = write(tmp_path / "second.mp3", noise(length=2 * LENGTH))
    path = join(tmp_path / "joined.mp3", ID3, first.read_bytes(), between, second.read_bytes())
    with open_audio(path) as reader:
        assert reader.frames is None
        joined = whole(reader)
        assert torch.equal(joined, whole(reader, 1_001))
    with open_audio(first) as reader:
        assert torch.equal(joined[:, :LENGTH], whole(reader))
    assert 0 <= joined.shape[1] - 3 * LENGTH < 5 * 1152


def test_joined_mp3s_of_another_encoder_are_read_to_the_end_of_the_last(tmp_path: Path) -> None:
    part = vbri(write(tmp_path / "song.mp3", noise()).read_bytes())
    with open_audio(join(tmp_path / "joined.mp3", part, part)) as reader:
        assert 0 <= whole(reader).shape[1] - 2 * LENGTH < 6 * 1152


def test_joined_mp3s_of_different_rates_are_refused_rather_than_cut(tmp_path: Path) -> None:
    first = write(tmp_path / "first.mp3", noise())
    soundfile.write(tmp_path / "second.mp3", noise(), 48_000)
    second = tmp_path / "second.mp3"
    joined = join(tmp_path / "joined.mp3", first.read_bytes(), second.read_bytes())
    assert_refused(joined, "changes its sample rate or channels")


def test_what_is_no_sound_behind_an_mp3_does_not_make_its_length_unknown(tmp_path: Path) -> None:
    mp3 = write(tmp_path / "song.mp3", noise()).read_bytes()
    picture = np.random.default_rng(0).bytes(300_000)
    path = join(tmp_path / "tagged.mp3", ID3, mp3, b"APETAGEX", picture, b"TAG" + bytes(125))
    with open_audio(path) as reader:
        assert reader.frames == LENGTH
        assert whole(reader).shape == (2, LENGTH)


@pytest.mark.usefixtures("ffmpeg_installed")
@pytest.mark.parametrize(
    ("name", "options", "codec"),
    [("song.m4a", ["-c:a", "aac"], "aac"), ("song.mkv", ["-c:a", "alac"], "alac")],
)
def test_what_libsndfile_cannot_read_comes_through_ffmpeg(
    tmp_path: Path, name: str, options: list[str], codec: str
) -> None:
    source = write(tmp_path / "song.wav", noise())
    with open_audio(ffmpeg(source, tmp_path / name, *options)) as reader:
        assert (reader.sample_rate, reader.channels, reader.subtype) == (RATE, 2, codec)
        assert reader.frames is None
        first, second = whole(reader), whole(reader, 1_001)
        assert reader.frames == first.shape[1]
    assert torch.equal(first, second)
    assert 0 <= first.shape[1] - LENGTH < 2_048
    if codec == "alac":
        expected, _ = soundfile.read(source, dtype="float32")
        assert torch.equal(first, torch.from_numpy(expected.T))


@pytest.mark.usefixtures("ffmpeg_installed")
def test_the_length_of_bare_aac_is_not_guessed(tmp_path: Path) -> None:
    # Silence, then noise: from the bit rate of its beginning the file seems far longer than it is.
    frames = noise(length=8 * RATE)
    frames[: 4 * RATE] = 0.0
    path = ffmpeg(write(tmp_path / "song.wav", frames), tmp_path / "song.aac")
    with open_audio(path) as reader:
        assert reader.frames is None
        assert 0 <= whole(reader).shape[1] - 8 * RATE < 3 * 1024


@pytest.mark.usefixtures("ffmpeg_installed")
def test_leaving_the_reader_ends_its_process(tmp_path: Path) -> None:
    source = write(tmp_path / "song.wav", noise(length=20 * RATE))
    with open_audio(ffmpeg(source, tmp_path / "song.m4a")) as reader:
        blocks = reader.blocks(100)
        next(blocks)
    with pytest.raises(StopIteration):
        next(blocks)
    # The pass is over, its process reaped: warnings are errors, so a leak would fail here.


@pytest.mark.usefixtures("ffmpeg_installed")
def test_a_file_named_like_an_option_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "song.wav", noise())
    ffmpeg(source, tmp_path / "song.m4a").rename(tmp_path / "-i.m4a")
    monkeypatch.chdir(tmp_path)
    with open_audio("-i.m4a") as reader:
        assert whole(reader).shape[1] >= LENGTH


@pytest.mark.usefixtures("ffmpeg_installed")
def test_a_playlist_cannot_reach_the_network(tmp_path: Path) -> None:
    path = tmp_path / "song.m3u8"
    path.write_text("#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(InputError), open_audio(path) as reader:
        whole(reader)


def assert_refused(path: Path, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught, open_audio(path) as reader:
        whole(reader)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    assert_refused(tmp_path / "song.wav", "does not exist")
    assert_refused(tmp_path, "is a directory")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "song.wav").touch()
    assert_refused(tmp_path / "song.wav", "is empty")


@pytest.mark.parametrize("extension", ["wav", "aiff"])
def test_a_file_without_samples_is_refused(tmp_path: Path, extension: str) -> None:
    path = write(tmp_path / f"song.{extension}", noise(length=0))
    assert_refused(path, "holds no samples")


@pytest.mark.parametrize("content", [b"words\n" * 1_000, bytes(range(256)) * 50])
def test_what_is_not_audio_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "song.wav"
    path.write_bytes(content)
    assert_refused(path, "cannot be read as audio|has no audio")


def test_without_ffmpeg_the_message_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ffmpeg_is_installed", lambda: False)
    path = tmp_path / "song.m4a"
    path.write_bytes(b"\0\0\0 ftypM4A " * 100)
    assert_refused(path, "install ffmpeg")


@pytest.mark.parametrize("name", ["take.raw", "take.RAW"])
def test_samples_without_a_header_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(bytes(4_000))
    assert_refused(path, "samples without a header")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert_refused(tmp_path / "pipe", "not a regular file")


@needs_root
def test_an_unreadable_file_is_refused() -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        path = write(folder / "song.wav", noise())
        path.chmod(0o600)
        folder.chmod(0o755)
        os.seteuid(65534)
        try:
            assert_refused(path, "permission denied")
        finally:
            os.seteuid(0)
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("extension", ["wav", "aiff", "mp3"])
def test_a_truncated_file_is_refused(tmp_path: Path, extension: str) -> None:
    assert_refused(halve(write(tmp_path / f"song.{extension}", noise())), "is truncated")


@pytest.mark.usefixtures("ffmpeg_installed")
def test_a_truncated_flac_or_video_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "song.wav", noise(length=3 * RATE))
    assert_refused(halve(write(tmp_path / "song.flac", noise(length=3 * RATE))), "truncated")
    video = ffmpeg(source, tmp_path / "song.m4a", "-movflags", "+faststart")
    assert_refused(halve(video), "truncated")
    assert_refused(halve(ffmpeg(source, tmp_path / "late.m4a")), "ffmpeg: ")


def test_a_wav_that_was_written_into_a_pipe_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "song.wav", noise(), subtype="PCM_16")
    data = bytearray(path.read_bytes())
    place = data.index(b"data")
    data[place + 4 : place + 8] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    with open_audio(path) as reader:
        assert whole(reader).shape == (2, LENGTH)


def test_a_flac_that_was_written_into_a_pipe_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "song.flac", noise())
    expected, _ = soundfile.read(path, dtype="float32")
    data = bytearray(path.read_bytes())
    # 36 bits of STREAMINFO, behind the file's mark, the block's header and 13 bytes and a half.
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    with open_audio(path) as reader:
        assert reader.frames is None
        assert torch.equal(whole(reader, 1_001), torch.from_numpy(expected.T))
        assert reader.frames == LENGTH
        assert whole(reader).shape == (2, LENGTH)
    halve(path)
    assert_refused(path, "damaged|truncated")
