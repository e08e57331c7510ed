"""The plugin in pedalboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamsep.errors import ConfigError, InputError, MissingToolError
from vst_wrapper.shim.bundle import ShimBundle, default_bundle
from vst_wrapper.shim.status import change_state

if TYPE_CHECKING:
    from pathlib import Path

    import pedalboard

__all__ = ["load_shim"]


def load_shim(
    bundle: Path | None = None, *, endpoint: str = "", preset: str = ""
) -> pedalboard.VST3Plugin:
    """Load the plugin into pedalboard. Call it in the main thread; process where you like.

    Args:
        bundle: a built `streamsep.vst3`; None for the one that is installed.
        endpoint: of the engine's audio socket, ``ipc://PATH`` or ``tcp://127.0.0.1:PORT``; empty
            for this user's engine.
        preset: name of a latency preset; empty for the plugin's default, ``studio``.

    Raises:
        MissingToolError: it is not there.
        InputError: it is there, but cannot be loaded.
        ConfigError: the preset is unknown.
    """
    import pedalboard

    path = bundle or default_bundle()
    if not ShimBundle(path).exists:
        raise MissingToolError(
            f"there is no plugin at {path}; 'streamsep vst install' builds and installs it"
        )
    try:
        # Parameters are attributes that pedalboard makes up at run time.
        plugin: Any = pedalboard.VST3Plugin(str(path))
    except (ImportError, ValueError, RuntimeError) as error:
        raise InputError(f"{path} cannot be loaded: {error}") from error
    if endpoint:
        change_state(plugin, endpoint=endpoint)
    if preset:
        known = [str(name) for name in plugin.parameters["latency"].valid_values]
        if preset.capitalize() not in known:
            names = ", ".join(name.lower() for name in known)
            raise ConfigError(f"unknown preset '{preset}', expected {names}")
        plugin.latency = preset.capitalize()
    plugin.reset()
    loaded: pedalboard.VST3Plugin = plugin
    return loaded
