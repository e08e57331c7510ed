"""What tests may need that is not always there: optional components, and the reference material.

`streamsep` passes its tests on a bare machine: what is missing skips, with a reason. Where
everything is supposed to be installed, ``STREAMSEP_REQUIRE_ALL=1`` turns these skips into failures.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

__all__ = ["REPOSITORY", "WORKER", "require", "shared"]

REPOSITORY = Path(__file__).resolve().parent.parent
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
"""Which of several processes of tests this is: for names of what there is one of per machine."""


def require(condition: object, reason: str) -> None:
    """Skip the test unless a component is there; fail it where all components must be there."""
    if condition:
        return
    if os.environ.get("STREAMSEP_REQUIRE_ALL") == "1":
        pytest.fail(f"STREAMSEP_REQUIRE_ALL is set, but {reason}")
    pytest.skip(reason)


def shared(path: str) -> Path:
    """A file or folder of the reference material beside the repository.

    It is no part of the project and cannot be installed, so its absence is always a skip.
    """
    found = REPOSITORY.parent / "shared" / path
    if not found.exists():
        pytest.skip(f"the reference material ../shared/{path} is not there")
    return found
