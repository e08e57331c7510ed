"""Importing `vst_wrapper` is quick, and what needs neither pedalboard nor torch loads neither."""

from __future__ import annotations

import subprocess
import sys

import pytest

import vst_wrapper

PROGRAM = """
import sys
import vst_wrapper
assert set(dir(vst_wrapper)) >= {"StemBoard", "StemPlugin"}
print(sorted({"torch", "pedalboard", "numpy"} & set(sys.modules)))
vst_wrapper.StemPlugin.through_engine
print(sorted({"torch", "pedalboard"} & set(sys.modules)))
"""


def test_slow_and_licensed_packages_are_loaded_when_they_are_used() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert (done.stdout.splitlines(), done.stderr) == (["[]", "[]"], "")


@pytest.mark.parametrize("name", vst_wrapper.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    assert getattr(vst_wrapper, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'frobnicate'"):
        vst_wrapper.frobnicate  # noqa: B018, looking at it is the test
