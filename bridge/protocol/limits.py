"""How large anything on the wire may be. What is larger is refused unread."""

from __future__ import annotations

__all__ = [
    "HIGHEST_POSITION",
    "LARGEST_BODY",
    "LARGEST_FIELDS",
    "LARGEST_STEM_LIST",
    "LONGEST_BLOCK",
    "MOST_CHANNELS",
    "MOST_STEMS",
]

LONGEST_BLOCK = 65_536
"""Samples in one AUDIO or STEMS message."""

MOST_CHANNELS = 32
"""Channels of a session."""

MOST_STEMS = 16
"""Stems of a network that sessions can have; files may be separated into more."""

LARGEST_STEM_LIST = 2_048
"""Bytes that the names of the stems may take, so that the rest of WELCOME fits beside them."""

LARGEST_FIELDS = 4_096
"""Bytes of a body that is text."""

LARGEST_BODY = 4 * 1024 * 1024
"""Bytes of any body: 65,536 samples of 16 channels, or 8,192 of 4 stems of 32."""

HIGHEST_POSITION = (1 << 62) - 1
"""Index of a sample; far beyond any stream, and sums of two still fit 64 bits with a sign."""
