"""Read through an ffmpeg process what libsndfile cannot: m4a, video, wma and the rest."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import tempfile
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from streamsep.errors import InputError
from streamsep.files.reader import AudioReader

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["FfmpegReader", "ffmpeg_is_installed"]

_log = logging.getLogger(__name__)

_PROBE_TIMEOUT_S = 60
# Containers round durations and codecs pad: only a clear shortfall is a truncated file.
_SHORTFALL = 0.02
_SHORTFALL_S = 0.5
# Encoded sound without a container, which tells its length nowhere: what ffprobe calls the duration
# is the file's size over the bit rate of its beginning. (Of joined mp3s, it is that of the first.)
_BARE = {"aac", "ac3", "ac4", "amr", "amrnb", "amrwb", "dts", "dtshd", "eac3", "loas"}
_BARE |= {"mlp", "mp3", "truehd"}

# A playlist is a text file that may name any address: let it name files only.
_ONLY_FILES = ("-protocol_whitelist", "file,pipe")


def ffmpeg_is_installed() -> bool:
    """Whether both programs that are needed, ffmpeg and ffprobe, are on the path."""
    return shutil.which("ffmpeg") is not None and shutil.which("ffprobe") is not None


class FfmpegReader(AudioReader):
    """The first audio stream of a file that ffmpeg decodes; each pass is one process.

    Raises:
        InputError: If ffmpeg finds no audio in the file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        stream, container = self._probe()
        self.sample_rate = int(stream.get("sample_rate", 0))
        self.channels = int(stream.get("channels", 0))
        self.frames = None
        self.container = container
        self.subtype = str(stream.get("codec_name", "unknown"))
        if self.sample_rate < 1 or self.channels < 1:
            raise InputError(f"'{path}' holds no samples: give a file with sound in it")
        seconds = 0.0 if container in _BARE else _seconds(stream)
        self._announced = round(seconds * self.sample_rate)
        self._complaint = ""

    def _probe(self) -> tuple[dict[str, Any], str]:
        """Ask ffprobe for the first audio stream and the container's name."""
        wanted = "stream=codec_name,sample_rate,channels,duration:format=format_name"
        command = ["ffprobe", "-v", "error", *_ONLY_FILES, "-select_streams", "a:0"]
        command += ["-show_entries", wanted, "-of", "json", f"file:{self.path}"]
        try:
            answer = subprocess.run(
                command, capture_output=True, timeout=_PROBE_TIMEOUT_S, stdin=subprocess.DEVNULL
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InputError(f"ffprobe could not examine '{self.path}': {error}") from error
        if answer.returncode != 0:
            raise self._unreadable(_last_line(answer.stderr))
        found = json.loads(answer.stdout)
        if not found.get("streams"):
            raise InputError(f"'{self.path}' has no audio in it: give a file with sound in it")
        return found["streams"][0], str(found.get("format", {}).get("format_name", "unknown"))

    def _decode(self, size: int) -> Generator[NDArray[np.float32], None, None]:
        block_bytes = size * self.channels * 4
        # Errors go to a file: a pipe nobody reads would fill up and stop ffmpeg.
        with tempfile.TemporaryFile() as errors, self._start(errors) as process:
            assert process.stdout is not None
            try:
                while data := process.stdout.read(block_bytes):
                    whole = len(data) - len(data) % (self.channels * 4)
                    frames = np.frombuffer(data[:whole], dtype="<f4").astype(np.float32)
                    yield frames.reshape(-1, self.channels)
                status = process.wait()
            finally:
                process.kill()  # does nothing to a process that has ended
            errors.seek(0)
            self._complaint = _last_line(errors.read())
        if status != 0:
            raise self._unreadable(self._complaint)

    def _start(self, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        command = ["ffmpeg", "-nostdin", "-v", "error", *_ONLY_FILES, "-i", f"file:{self.path}"]
        command += ["-map", "0:a:0", "-ac", str(self.channels), "-ar", str(self.sample_rate)]
        command += ["-c:a", "pcm_f32le", "-f", "f32le", "pipe:1"]
        try:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            )
        except OSError as error:
            raise InputError(f"ffmpeg could not be started for '{self.path}': {error}") from error

    def _check_complete(self, total: int) -> None:
        allowed = _SHORTFALL * self._announced + _SHORTFALL_S * self.sample_rate
        if total < self._announced - allowed:
            raise self._truncated(total, self._announced, self._complaint)
        if self._complaint:
            _log.warning("ffmpeg on '%s': %s", self.path, self._complaint)

    def _unreadable(self, reason: str) -> InputError:
        return InputError(
            f"'{self.path}' cannot be read as audio (ffmpeg: {reason or 'no reason given'}): "
            "give a wav, flac, mp3, m4a or another audio file"
        )


def _seconds(stream: dict[str, Any]) -> float:
    """The stream's own duration, or 0 where it has none (a container's may be the video's)."""
    try:
        return float(stream.get("duration", 0))
    except ValueError:
        return 0.0


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
