"""The native VST3 plugin: building and installing it, and using it from Python.

The plugin itself is C++ in `vst_wrapper/native/`. `building` makes a bundle of it with one call of
g++, `bundle` knows what lies where, `loading` hands it to pedalboard, `status` reads what it says
about itself from its saved state, and `rendering` refuses what an engine left unfinished.

Importing this is quick: pedalboard, which is licensed under the GPL, is loaded when it is used.
"""

from __future__ import annotations

from vst_wrapper.shim.building import build_shim
from vst_wrapper.shim.bundle import ShimBundle, default_bundle, install_shim
from vst_wrapper.shim.loading import load_shim
from vst_wrapper.shim.rendering import render_with_shim
from vst_wrapper.shim.status import ShimStatus, shim_status

__all__ = [
    "ShimBundle",
    "ShimStatus",
    "build_shim",
    "default_bundle",
    "install_shim",
    "load_shim",
    "render_with_shim",
    "shim_status",
]
