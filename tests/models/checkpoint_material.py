"""Files of weights as other programs write them, and what the tests of reading them share."""

from __future__ import annotations

import sys
import types
import zipfile
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch

from streamsep.models.hybrid_demucs import HybridDemucs, HybridDemucsConfig

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

__all__ = [
    "NOTES",
    "SMALL",
    "STEMS",
    "demucs_package",
    "old_class",
    "same_output",
    "small",
    "sound",
    "zip_of",
]

STEMS = ["drums", "bass", "other", "vocals"]
SMALL = HybridDemucsConfig(hidden=4, n_fft=1024, depth=5)
NOTES = {"licence": "MIT", "training": "none at all"}


def sound(channels: int = 2, length: int = 9000) -> torch.Tensor:
    """Noise [1, channels, length]."""
    return torch.randn(1, channels, length, generator=torch.Generator().manual_seed(3))


def same_output(first: Any, second: Any, mix: torch.Tensor | None = None) -> bool:
    """Whether two networks say the same, bit for bit."""
    mix = sound() if mix is None else mix
    with torch.inference_mode():
        return torch.equal(first(mix), second(mix))


def small(**options: Any) -> HybridDemucs:
    """A small Hybrid Demucs with random weights."""
    torch.manual_seed(0)
    return HybridDemucs(replace(SMALL, **options)).eval()


def demucs_package(klass: Any, *args: Any, half: bool = True, **kwargs: Any) -> tuple[Any, Any]:
    """What demucs' serialize_model writes, and the network rounded as the file is."""
    torch.manual_seed(1)
    theirs = klass(*args, **kwargs).eval()
    state = {k: v.half() if half else v.clone() for k, v in theirs.state_dict().items()}
    theirs.load_state_dict({key: value.float() for key, value in state.items()})
    package = {
        "klass": klass,
        "args": args,
        "kwargs": kwargs,
        "state": state,
        "training_args": {"lr": 3e-4, "dset": {"sources": STEMS}, "continue_from": None},
    }
    return theirs, package


def old_class(monkeypatch: pytest.MonkeyPatch, name: str) -> type:
    """A class that pickles under the name of one that demucs has no longer.

    Args:
        monkeypatch: undoes it.
        name: with its module, such as "demucs.model.Demucs".
    """
    module, _, short = name.rpartition(".")
    klass = type(short, (), {"__module__": module})
    if (package := module.partition(".")[0]) not in sys.modules and find_spec(package) is None:
        monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
    stand_in = types.ModuleType(module)
    setattr(stand_in, short, klass)
    monkeypatch.setitem(sys.modules, module, stand_in)
    return klass


def zip_of(path: Path, program: bytes, **records: bytes) -> None:
    """Write a file of torch.save with a pickle of one's own, and numbers by their names."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("evil/data.pkl", program)
        for name, content in records.items():
            archive.writestr(f"evil/data/{name}", content)
