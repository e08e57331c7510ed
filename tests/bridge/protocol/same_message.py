"""Equality of messages, samples included, bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bridge.protocol import Message


def same(left: Message, right: Message) -> bool:
    """Whether two messages have one type and all values in common."""
    if type(left) is not type(right):
        return False
    for name in type(left).__dataclass_fields__:
        one, other = getattr(left, name), getattr(right, name)
        if isinstance(one, np.ndarray):
            if one.shape != other.shape or one.tobytes() != other.tobytes():
                return False
        elif one != other:
            return False
    return True
