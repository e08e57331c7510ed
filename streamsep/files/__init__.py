"""Audio files: finding, reading and writing them in blocks, so that memory does not grow."""

from __future__ import annotations

from streamsep.files.encoding import Encoding
from streamsep.files.finding import BadArgument, FoundAudio, expand, find_audio
from streamsep.files.leftovers import remove_leftovers
from streamsep.files.reader import AudioReader
from streamsep.files.reading import open_audio
from streamsep.files.stem_folders import TrackFolder, find_tracks
from streamsep.files.writing import StemWriter

__all__ = [
    "AudioReader",
    "BadArgument",
    "Encoding",
    "FoundAudio",
    "StemWriter",
    "TrackFolder",
    "expand",
    "find_audio",
    "find_tracks",
    "open_audio",
    "remove_leftovers",
]
