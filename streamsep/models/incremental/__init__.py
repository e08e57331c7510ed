"""Hybrid Demucs for streams: every hop costs a hop, not a window."""

from streamsep.models.incremental.follower import HybridFollower

__all__ = ["HybridFollower"]
