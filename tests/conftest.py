"""Fixtures and settings for all tests."""

from __future__ import annotations

import torch
from hypothesis import settings

# One thread: tests run side by side with other work, and bit-exact comparisons need a fixed order
# of additions.
torch.set_num_threads(1)

# No deadlines: a shared machine may stall any example, and no test asserts a wall-clock time.
settings.register_profile("streamsep", deadline=None, derandomize=True)
settings.load_profile("streamsep")
