"""Stems inside plugin hosts: pedalboard boards, StemPlugin, the native VST3 shim.

Importing the package is quick: pedalboard, which is licensed under the GPL, and the rest are loaded
when one of these names is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vst_wrapper.boards import Automated, Send, StemBoard, build_board
    from vst_wrapper.shim import load_shim, render_with_shim, shim_status
    from vst_wrapper.stem_plugin import StemPlugin

__all__ = [
    "Automated",
    "Send",
    "StemBoard",
    "StemPlugin",
    "build_board",
    "load_shim",
    "render_with_shim",
    "shim_status",
]

_HOMES = {
    "Automated": "vst_wrapper.boards",
    "Send": "vst_wrapper.boards",
    "StemBoard": "vst_wrapper.boards",
    "StemPlugin": "vst_wrapper.stem_plugin",
    "build_board": "vst_wrapper.boards",
    "load_shim": "vst_wrapper.shim",
    "render_with_shim": "vst_wrapper.shim",
    "shim_status": "vst_wrapper.shim",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vst_wrapper' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
