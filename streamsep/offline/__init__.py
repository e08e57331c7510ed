"""Separating files: one by one with `separate_file`, or many with `separate_batch`."""

from streamsep.offline.batch import (
    BatchObserver,
    TrackOutcome,
    separate_batch,
    tracks_under_way,
)
from streamsep.offline.layout import DEFAULT_TEMPLATE, OutputLayout
from streamsep.offline.options import ClipMode, OtherMethod, SeparationOptions
from streamsep.offline.rendering import Renderer, Rendering
from streamsep.offline.separate import SeparatedTrack, separate_file, separate_track

__all__ = [
    "DEFAULT_TEMPLATE",
    "BatchObserver",
    "ClipMode",
    "OtherMethod",
    "OutputLayout",
    "Renderer",
    "Rendering",
    "SeparatedTrack",
    "SeparationOptions",
    "TrackOutcome",
    "separate_batch",
    "separate_file",
    "separate_track",
    "tracks_under_way",
]
