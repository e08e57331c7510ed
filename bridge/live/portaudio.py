"""Loading PortAudio, and what its errors mean in words."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib
from typing import Any

from streamsep.errors import ConfigError

__all__ = ["CLIENT_NAME", "explain", "import_portaudio"]

CLIENT_NAME = "streamsep"
"""What this program is called among the clients of a JACK server."""

_INVALID_SAMPLE_RATE = -9997
_INVALID_CHANNELS = -9998


def import_portaudio() -> Any:
    """The module `sounddevice`; loading it reads the list of devices.

    Raises:
        OSError: the library is not installed, or does not start.
    """
    _name_jack_client()
    try:
        return importlib.import_module("sounddevice")
    except Exception as error:
        # Its own class of error exists only once the module has been loaded.
        if type(error).__name__ != "PortAudioError":
            raise
        raise OSError(f"PortAudio does not start: {error}") from error


def explain(error: Exception, *, device: str, sample_rate: int, channels: str) -> ConfigError:
    """A PortAudioError as a line that says what to do.

    Args:
        error: what PortAudio raised.
        device: for people.
        sample_rate: that was asked for.
        channels: that were asked for, in words.
    """
    text = " ".join(str(each) for each in error.args[:1])
    code = error.args[1] if len(error.args) > 1 else 0
    if code == _INVALID_SAMPLE_RATE:
        return ConfigError(
            f"{device} does not run at {sample_rate} Hz; leave --sample-rate out to take its own"
        )
    if code == _INVALID_CHANNELS:
        return ConfigError(
            f"{device} does not have {channels}; 'streamsep devices' shows what it has"
        )
    return ConfigError(f"{device} cannot be opened: {text}")


def _name_jack_client() -> None:
    """Tell PortAudio the client's name, if it was built with JACK; it must be before it starts."""
    library = ctypes.util.find_library("portaudio")
    if library is None:
        return
    try:
        set_name = ctypes.CDLL(library).PaJack_SetClientName
    except (OSError, AttributeError):
        return
    set_name.argtypes = [ctypes.c_char_p]
    # PortAudio keeps the pointer, so the bytes must outlive this function.
    set_name(_CLIENT_NAME_BYTES)


_CLIENT_NAME_BYTES = ctypes.c_char_p(CLIENT_NAME.encode())
