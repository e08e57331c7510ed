"""The segments that files are separated in: how long, how much shared, how many at a time.

Segments overlap by a quarter unless something else was measured to be better, and their starts lie
on the grid of the network's stride: so a quarter of a segment has to. Longer segments waste less
and let a network see more; beyond ten seconds little is gained, and memory is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamsep.models.architectures import Network
    from streamsep.models.segment_lengths import SegmentLengths
    from streamsep.models.tuned.hybrid import TunedHybridDemucs
    from streamsep.separator import Separator

__all__ = [
    "USUAL_OVERLAP",
    "grid_for_files",
    "nearest_on_grid",
    "overlap_of_network",
    "segment_of_network",
    "segment_of_program",
    "segments_at_once",
]

USUAL_OVERLAP = 0.25
"""Share of a segment that the next one covers too."""

_SEGMENT = 216 * 2048  # 10 s at 44.1 kHz
_PROGRAM_SEGMENT_S = 10
# Hybrid Demucs was measured, see docs/performance.md: 6 s at 44.1 kHz, of which 0.2 s are shared.
_HYBRID_SEGMENT = 128 * 2048
_HYBRID_OVERLAP = 1 / 32


def grid_for_files(stride: int) -> int:
    """Samples of which segments are multiples, so that a quarter of them is one of the stride."""
    return 4 * stride


def nearest_on_grid(segment: float, stride: int) -> int:
    """The nearest length to some samples that is on the grid, at least one step of it."""
    grid = grid_for_files(stride)
    return grid * max(1, round(segment / grid))


def segment_of_network(network: Network | TunedHybridDemucs) -> int:
    """What a network is given at once, no more than it can see, samples."""
    if _is_hybrid(network):
        return nearest_on_grid(_HYBRID_SEGMENT, network.stride)
    longest = getattr(network, "longest_segment", None)  # only transformers have a limit
    if longest is None:
        return nearest_on_grid(_SEGMENT, network.stride)
    grid = grid_for_files(network.stride)
    return max(1, longest // grid) * grid


def overlap_of_network(network: Network | TunedHybridDemucs) -> float:
    """The share of such a segment that the next one covers too."""
    return _HYBRID_OVERLAP if _is_hybrid(network) else USUAL_OVERLAP


def segment_of_program(lengths: SegmentLengths, sample_rate: int) -> int:
    """What a program is given at once, samples, which it takes without completing them.

    A program of one length gets no more than that; one too short for the grid gets whole strides.
    """
    grid = grid_for_files(lengths.stride)
    if lengths.fixed is not None:
        return lengths.fixed // grid * grid or lengths.fixed // lengths.stride * lengths.stride
    least = -(-lengths.shortest // grid) * grid
    return max(least, _PROGRAM_SEGMENT_S * sample_rate // grid * grid)


def segments_at_once(separator: Separator, segment: int) -> int:
    """How many segments of so many samples are best computed at the same time.

    Where each has threads of its own, less is waited for: with one thread each, a file takes a
    fifth less time than when both compute one segment after the other, and beside a program that
    keeps a processor busy, a fifth of the time. For large networks a second takes too much memory.
    """
    import torch

    from streamsep.models.tuned import TunedHybridDemucs

    if not isinstance(separator, TunedHybridDemucs) or separator.device.type != "cpu":
        return 1
    even = torch.get_num_threads() % 2 == 0
    return 2 if even and separator.skips(segment) <= _SKIPS else 1


_SKIPS = 9_000_000
"""Values that a segment holds until the decoder takes them, at most: two segments are then no more
than one of six seconds through 83.6 million parameters. The starter's has 6 million."""


def _is_hybrid(network: Network | TunedHybridDemucs) -> bool:
    from streamsep.models.hybrid_config import HybridDemucsConfig

    return isinstance(network.config, HybridDemucsConfig)
