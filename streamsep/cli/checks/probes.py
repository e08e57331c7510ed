"""What `streamsep doctor` runs in separate processes: load one library, report in JSON, end.

Run as a script, by its path, with the name of a probe. The last line it writes to standard output
is a JSON object; C libraries may write whatever they like before it. An exception ends the process
with its traceback on standard error, whose last line then is the reason.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib
import json
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["jack", "midi", "portaudio", "pyworld", "soundfile", "torch"]

_JACK_NO_START_SERVER = 0x01


def torch() -> dict[str, Any]:
    """The version of torch, its CPU threads, and the names of its accelerators."""
    torch: Any = importlib.import_module("torch")
    torch.ones(8).add(1.0).sum().item()
    devices = []
    if torch.cuda.is_available():
        devices += [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("Apple GPU (mps)")
    return {
        "version": torch.__version__,
        "threads": torch.get_num_threads(),
        "built_for": torch.version.cuda,
        "devices": devices,
    }


def soundfile() -> dict[str, Any]:
    """The versions of soundfile and of the libsndfile under it."""
    soundfile: Any = importlib.import_module("soundfile")
    return {"version": soundfile.__version__, "library": soundfile.__libsndfile_version__}


def portaudio() -> dict[str, Any]:
    """PortAudio's version and devices; without the library, `problem` says why."""
    try:
        sounddevice: Any = importlib.import_module("sounddevice")
    except OSError as error:
        return {"problem": str(error)}
    devices = sounddevice.query_devices()
    chosen = [device if device >= 0 else None for device in sounddevice.default.device]
    return {
        "version": sounddevice.get_portaudio_version()[1],
        "devices": [device["name"] for device in devices],
        "input": None if chosen[0] is None else devices[chosen[0]]["name"],
        "output": None if chosen[1] is None else devices[chosen[1]]["name"],
    }


def jack() -> dict[str, Any]:
    """Whether libjack can be loaded and a server answers it."""
    name = ctypes.util.find_library("jack")
    if name is None:
        return {"library": None}
    library = ctypes.CDLL(name)
    library.jack_client_open.restype = ctypes.c_void_p
    library.jack_get_sample_rate.argtypes = library.jack_get_buffer_size.argtypes = [
        ctypes.c_void_p
    ]
    library.jack_client_close.argtypes = [ctypes.c_void_p]
    status = ctypes.c_int()
    client = library.jack_client_open(
        b"streamsep-doctor", ctypes.c_int(_JACK_NO_START_SERVER), ctypes.byref(status)
    )
    if not client:
        return {"library": name, "running": False}
    facts = {
        "library": name,
        "running": True,
        "sample_rate": library.jack_get_sample_rate(client),
        "buffer_size": library.jack_get_buffer_size(client),
    }
    library.jack_client_close(client)
    return facts


def midi() -> dict[str, Any]:
    """The MIDI systems that python-rtmidi was built for, and the ports of those that answer."""
    rtmidi: Any = importlib.import_module("rtmidi")
    ports = {}
    silent = []
    for api in rtmidi.get_compiled_api():
        name = rtmidi.get_api_display_name(api)
        try:
            ports[name] = [*rtmidi.MidiIn(api).get_ports(), *rtmidi.MidiOut(api).get_ports()]
        except rtmidi.RtMidiError:
            silent.append(name)
    return {"ports": ports, "silent": silent}


def pyworld() -> dict[str, Any]:
    """The version of the vocoder package."""
    # It asks pkg_resources for its own version, which warns that it will go away.
    warnings.simplefilter("ignore")
    return {"version": str(importlib.import_module("pyworld").__version__)}


def _run(name: str) -> None:
    probes: dict[str, Callable[[], dict[str, Any]]] = {
        probe.__name__: probe for probe in (torch, soundfile, portaudio, jack, midi, pyworld)
    }
    answer = json.dumps(probes[name]())
    sys.stdout.write(f"\n{answer}\n")
    sys.stdout.flush()
    # Not the ordinary way out: exit handlers of audio libraries are known to hang.
    os._exit(0)


if __name__ == "__main__":
    _run(sys.argv[1])
