"""Write a stem block by block, so that it appears under its name only when it is whole."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Self

import numpy as np
import soundfile

from streamsep.errors import ConfigError, OutputError
from streamsep.files.folders import keep_folders, open_in_new_folders, remove_empty_folders
from streamsep.files.leftovers import mark_unfinished, unfinished_path

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from torch import Tensor

    from streamsep.files.encoding import Encoding

__all__ = ["METADATA_KEYS", "StemWriter"]

# Of these, wav, flac and mp3 all keep title, comment and artist; mp3 drops software.
METADATA_KEYS = frozenset(
    {"title", "artist", "album", "tracknumber", "genre", "date", "comment"}
    | {"copyright", "license", "software"}
)
_RF64_AUTO_DOWNGRADE = 0x1210  # SFC_RF64_AUTO_DOWNGRADE of sndfile.h


class StemWriter:
    """A file that is written under a temporary name and renamed when whole.

    As a context manager it commits at the end, or aborts if an exception passes through.

    Args:
        path: Where the finished file goes; its folder is made if need be, and is gone again if
            nothing comes to lie in it. A file that is already there is replaced by `commit`.
        sample_rate: Hz.
        channels: C.
        encoding: The format; the name's extension is not looked at.
        frames: How many samples per channel are expected, where that is known. A wav that would
            pass 4 GiB is then written as RF64; one of unknown length becomes one if it does.
        metadata: Texts by `METADATA_KEYS` to embed. Name the model in `comment`, which every
            container keeps.

    Raises:
        ConfigError: If the encoding cannot hold this rate or channel count, or a metadata key is
            unknown.
        OutputError: If the file cannot be created.
    """

    def __init__(
        self,
        path: Path,
        sample_rate: int,
        channels: int,
        encoding: Encoding,
        *,
        frames: int | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        encoding.check(sample_rate, channels)
        if unknown := set(metadata or {}) - METADATA_KEYS:
            raise ConfigError(
                f"metadata '{min(unknown)}': expected one of {', '.join(sorted(METADATA_KEYS))}"
            )
        self.path = path
        self.channels = channels
        self.encoding = encoding
        self.frames_written = 0
        grows = frames is None and encoding.container == "wav"
        self._huge = grows or not encoding.holds(frames or 0, channels)
        self._temporary = unfinished_path(path)
        self._complete = False
        self._finished = False
        self._sink = _Sink(self._create())
        try:
            options = encoding.soundfile_options(sample_rate, huge=self._huge)
            self._file = soundfile.SoundFile(self._sink, "w", sample_rate, channels, **options)
            if grows:
                _shrink_when_closed(self._file)
            for key, text in (metadata or {}).items():
                setattr(self._file, key, text)
        except soundfile.LibsndfileError as error:
            self._discard()
            raise OutputError(f"cannot write '{path}': {error.error_string}") from error
        self._check_sink()

    def write(self, block: Tensor) -> None:
        """Append a block.

        Args:
            block: [C, t] float32, t >= 0. Beyond ±1, integers are clamped and floats kept.

        Raises:
            OutputError: If the disk is full or gone, or a wav passes 4 GiB that was to be shorter;
                the temporary file is removed.
        """
        assert not self._complete, "written to after complete or commit"
        assert not self._finished, "written to after abort"
        assert block.ndim == 2, block.shape
        assert block.shape[0] == self.channels, block.shape
        if not self._huge and not self.encoding.holds(
            self.frames_written + block.shape[1], self.channels
        ):
            self.abort()
            raise OutputError(
                f"cannot write '{self.path}': it passes the 4 GiB of a wav, and was said to be "
                "shorter; choose flac"
            )
        frames = np.ascontiguousarray(block.detach().cpu().numpy().T)
        self._file.write(self.encoding.to_file(frames))
        self.frames_written += len(frames)
        self._check_sink()

    def complete(self) -> None:
        """Bring all of the file onto the disk, still under its temporary name.

        After this a `commit` only renames. Files that belong together are all completed before
        the first of them is committed, so that a full disk leaves none of them.

        Raises:
            OutputError: If the disk is full or gone; the temporary file is removed.
        """
        if self._finished or self._complete:
            return
        self._file.close()
        self._sink.sync()
        self._check_sink()
        self._complete = True

    def commit(self) -> None:
        """Finish the file: all of it on the disk, then under its own name.

        Raises:
            OutputError: If that fails; the temporary file is removed and an older file of this
                name is as it was.
        """
        if self._finished:
            return
        self.complete()
        # Until it has its name nobody may take it for a leftover; but Windows renames no open file.
        if sys.platform == "win32":
            self._sink.close()
        try:
            self._temporary.replace(self.path)
        except OSError as error:
            self._discard()
            raise OutputError(f"cannot write '{self.path}': {error.strerror}") from error
        self._sink.close()
        self._finished = True
        keep_folders(self.path)
        _sync_folder(self.path.parent)

    def abort(self) -> None:
        """Remove what was written. Does nothing after a commit."""
        if not self._finished:
            self._file.close()
            self._discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.abort()

    def _create(self) -> IO[bytes]:
        try:
            if self.path.is_dir():
                raise OutputError(f"cannot write '{self.path}': there is a directory of this name")
            while not mark_unfinished((file := open_in_new_folders(self._temporary)).fileno()):
                file.close()
        except OSError as error:
            raise OutputError(
                f"cannot write into '{self.path.parent}': {error.strerror}; "
                "choose another output folder"
            ) from error
        return file

    def _check_sink(self) -> None:
        if (error := self._sink.error) is not None:
            self.abort()
            raise OutputError(
                f"cannot write '{self.path}': {error.strerror}; free some space or choose another "
                "output folder"
            ) from error

    def _discard(self) -> None:
        self._finished = True
        self._sink.close()
        self._temporary.unlink(missing_ok=True)
        remove_empty_folders(self.path)


class _Sink:
    """The file under libsndfile, which remembers the first error of the operating system.

    libsndfile reports a full disk as "System error" while it writes, and not at all while it
    finishes a flac or mp3. So here nothing ever fails in its eyes: after an error the bytes are
    dropped, and the writer looks at `error` after every step.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.error: OSError | None = None
        self._file = file

    def write(self, data: bytes) -> int:
        if self.error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self.error = error
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if self.error is None:
            try:
                return self._file.seek(offset, whence)  # writes the buffer, so it may fail too
            except OSError as error:
                self.error = error
        return 0

    def tell(self) -> int:
        return self._file.tell() if self.error is None else 0

    def sync(self) -> None:
        """Bring every byte onto the disk."""
        if self.error is None:
            try:
                self._file.flush()
                os.fsync(self._file.fileno())
            except OSError as error:
                self.error = error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self.error = self.error or error


def _shrink_when_closed(file: soundfile.SoundFile) -> None:
    """Let an RF64 become a plain wav if it is closed below 4 GiB.

    libsndfile keeps the place for what only an RF64 has; soundfile has no name for that.
    """
    soundfile._snd.sf_command(file._file, _RF64_AUTO_DOWNGRADE, soundfile._ffi.NULL, 1)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the system can."""
    if sys.platform == "win32":
        return
    # The file is whole and in its place: a file system that cannot do this is no failure.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
