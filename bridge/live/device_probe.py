"""Asks PortAudio for its devices, prints them as one line of JSON, and ends.

A process of its own, because PortAudio reads the list of devices only once, and because its exit
handler hangs when a JACK server has died meanwhile.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from bridge.live.devices import Device
from bridge.live.portaudio import import_portaudio

__all__ = ["read_devices"]


def read_devices(portaudio: Any) -> list[Device]:
    """The devices of a process that has loaded PortAudio."""
    apis = portaudio.query_hostapis()
    default_input, default_output = portaudio.default.device
    return [
        Device(
            number=each["index"],
            name=each["name"],
            host_api=apis[each["hostapi"]]["name"],
            inputs=each["max_input_channels"],
            outputs=each["max_output_channels"],
            sample_rate=round(each["default_samplerate"]),
            input_latency_ms=round(1000 * each["default_low_input_latency"], 3),
            output_latency_ms=round(1000 * each["default_low_output_latency"], 3),
            default_input=each["index"] == default_input,
            default_output=each["index"] == default_output,
        )
        for each in portaudio.query_devices()
    ]


def main() -> None:
    """Print them, or why there are none."""
    try:
        devices = [each.as_dict() for each in read_devices(import_portaudio())]
        answer: dict[str, Any] = {"devices": devices}
    except OSError as error:
        answer = {"problem": str(error)}
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
