"""What lists and tables look like, whatever things are called and wherever they are shown."""

from __future__ import annotations

import pytest

from bridge.live import devices as audio_devices
from cli.commands import run, streamsep
from streamsep.cli.devices import devices

NAME = "synth [left] :drum:"


def test_what_a_device_is_called_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    device = audio_devices.Device(
        number=0,
        name=NAME,
        host_api="ALSA",
        inputs=2,
        outputs=2,
        sample_rate=48_000,
        default_input=True,
        default_output=True,
    )
    monkeypatch.setattr(audio_devices, "list_devices", lambda: [device])
    assert NAME in run(devices).output


@pytest.mark.parametrize("command", ["doctor", "models"])
def test_what_a_pipe_has_no_characters_for_is_escaped(command: str) -> None:
    shown = streamsep(command, PYTHONIOENCODING="ascii")
    assert "Traceback" not in shown.stderr
    assert "\\u2190 auto" in shown.stdout or "\\u2192" in shown.stdout
