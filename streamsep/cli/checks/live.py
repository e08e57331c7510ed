"""Live audio and MIDI: PortAudio, JACK, rtmidi. Servers and devices come and go; so do answers."""

from __future__ import annotations

import shutil

from streamsep.cli.checks.asking import ProbeError, ask_probe
from streamsep.cli.checks.finding import Finding

__all__ = ["check_jack", "check_midi", "check_portaudio"]

_TIMEOUT_S = 20.0


def check_portaudio() -> Finding:
    """Whether there is a way to sound cards, and a card at its end."""
    try:
        facts = ask_probe("portaudio", _TIMEOUT_S)
    except ProbeError as error:
        advice = "restart the sound server, or unplug the device that hangs"
        return Finding("PortAudio", "problem", str(error), advice)
    if "problem" in facts:
        advice = "install it for live audio (Debian: apt install libportaudio2)"
        return Finding("PortAudio", "missing", facts["problem"], advice)
    devices = len(facts["devices"])
    detail = f"{facts['version'].partition(',')[0]}, {devices} devices"
    if not devices:
        return Finding("PortAudio", "problem", detail, "connect a sound card or start JACK")
    chosen = f"input: {facts['input'] or 'none'}; output: {facts['output'] or 'none'}"
    return Finding("PortAudio", "ok", f"{detail}; {chosen}")


def check_jack() -> Finding:
    """Whether JACK is installed, and whether a server runs (PipeWire's counts)."""
    program = shutil.which("jackd")
    try:
        facts = ask_probe("jack", _TIMEOUT_S)
    except ProbeError as error:
        return Finding("JACK", "problem", str(error), "restart the JACK server")
    if facts["library"] is None:
        advice = "install it to connect programs with each other (Debian: apt install jackd2)"
        return Finding("JACK", "missing", f"no libjack, jackd: {program or 'none'}", advice)
    detail = f"{facts['library']}, jackd: {program or 'none'}"
    if not facts["running"]:
        return Finding("JACK", "ok", f"{detail}, no server running", "start one where it is wanted")
    server = f"server at {facts['sample_rate']} Hz in blocks of {facts['buffer_size']}"
    return Finding("JACK", "ok", f"{detail}, {server}")


def check_midi() -> Finding:
    """Whether any of the MIDI systems that python-rtmidi was built for answers."""
    try:
        facts = ask_probe("midi", _TIMEOUT_S)
    except ProbeError as error:
        advice = "reinstall it: pip install --force-reinstall python-rtmidi"
        return Finding("MIDI", "problem", str(error), advice)
    silent = " and ".join(facts["silent"])
    if not facts["ports"]:
        advice = "load the kernel's sequencer (Linux: modprobe snd-seq) or start JACK"
        return Finding("MIDI", "problem", f"built for {silent or 'nothing'}; none answers", advice)
    systems = "; ".join(
        f"{system}: {', '.join(ports) or 'no ports'}" for system, ports in facts["ports"].items()
    )
    return Finding("MIDI", "ok", systems + (f"; {silent} does not answer" if silent else ""))
