"""The streaming core: blocks in, stems out. See `streamsep.engine.streaming_separator`."""

from streamsep.engine.consistency import CONSISTENCY_NAMES, ConsistencyName
from streamsep.engine.device_separator import DeviceSeparator
from streamsep.engine.fixed_latency import FixedLatencySeparator
from streamsep.engine.refinement import REFINEMENT_NAMES, RefinementName
from streamsep.engine.streaming_separator import Latency, StreamingSeparator
from streamsep.engine.tiling import OverlapConfig, StreamConfig
from streamsep.engine.wrapping import NormalisedSeparator
from streamsep.separator import Separator, SurroundedSeparator

__all__ = [
    "CONSISTENCY_NAMES",
    "REFINEMENT_NAMES",
    "ConsistencyName",
    "DeviceSeparator",
    "FixedLatencySeparator",
    "Latency",
    "NormalisedSeparator",
    "OverlapConfig",
    "RefinementName",
    "Separator",
    "StreamConfig",
    "StreamingSeparator",
    "SurroundedSeparator",
]
