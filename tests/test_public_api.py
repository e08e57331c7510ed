"""What `import streamsep` offers: these names are a promise."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
import torch

import streamsep

NAMES = [
    "Encoding",
    "FixedLatencySeparator",
    "OverlapConfig",
    "SeparationOptions",
    "Separator",
    "StreamConfig",
    "StreamSepError",
    "StreamingSeparator",
    "__version__",
    "load_preset",
    "load_presets",
    "load_separator",
    "separate_file",
]


def test_the_exported_names_are_exactly_these() -> None:
    assert sorted(streamsep.__all__) == NAMES
    assert dir(streamsep) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there_and_documented(name: str) -> None:
    assert getattr(streamsep, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'frobnicate'"):
        streamsep.frobnicate  # noqa: B018, looking at it is the test


def test_importing_is_quick_because_it_imports_nothing_slow() -> None:
    program = (
        "import sys, streamsep\n"
        "assert dir(streamsep) and streamsep.__version__\n"
        "slow = {'torch', 'numpy', 'scipy', 'soundfile', 'pydantic', 'yaml', 'rich', 'typer'}\n"
        "print(sorted(slow & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_every_error_is_a_streamsep_error() -> None:
    errors = importlib.import_module("streamsep.errors")
    assert all(issubclass(getattr(errors, name), errors.StreamSepError) for name in errors.__all__)


def test_five_lines_separate_a_stream() -> None:
    class Halves:
        sample_rate, channels, sources, stride = 44_100, 2, ("left", "right"), 1

        def __call__(self, mix: torch.Tensor) -> torch.Tensor:
            return torch.stack([mix / 2, mix / 2], dim=1)

    halves = Halves()
    assert isinstance(halves, streamsep.Separator)
    config = streamsep.StreamConfig(context=100, hop=50, look_ahead=50, crossfade=25)
    stream = streamsep.StreamingSeparator(halves, config)
    mix = torch.rand(2, 1_000)
    stems = torch.cat([stream.push(mix), stream.flush()], dim=-1)
    assert torch.allclose(stems.sum(0), mix)
