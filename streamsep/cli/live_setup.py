"""What `streamsep live` finds out before it plays: devices, routes, the engine and its network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bridge.client import ask_engine
from bridge.live.devices import Device, check_same_clock, choose_devices, list_devices
from bridge.live.engine_keeper import EngineKeeper
from bridge.live.task import AudioTask
from bridge.midi import open_midi
from bridge.mixing import Route, parse_route
from streamsep.config import load_preset
from streamsep.config.midi_map import load_midi_map
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from types import TracebackType

    from bridge.keys import ClientKeys
    from bridge.midi import MidiSession
    from bridge.mixing import MixControls
    from bridge.run_folder import Endpoints
    from streamsep.config.live import LiveConfig

__all__ = ["LateMidi", "check_engine", "make_keeper", "make_task"]


def make_task(settings: LiveConfig, endpoints: Endpoints, keys: Path | None) -> AudioTask:
    """The settings as a task for the audio child, with devices by their names.

    Raises:
        ConfigError: devices, channels or routes do not fit.
        MissingToolError: there is no PortAudio.
    """
    routes = tuple(parse_route(text) for text in settings.routes)
    channels = settings.separated_channels()
    source, sink = choose_devices(list_devices(), settings.input, settings.output)
    check_same_clock(source, sink, trusted=settings.same_clock)
    _check_channels(source, sink, channels, routes)
    return AudioTask(
        input=source.name,
        output=sink.name,
        host_api=source.host_api,
        input_channels=channels,
        routes=routes,
        sample_rate=settings.sample_rate,
        block=settings.block,
        preset=load_preset(settings.preset).name if settings.preset else "",
        consistency=settings.consistency or "",
        address=endpoints.audio,
        keys=str(keys) if keys else None,
        settings=_controls(settings),
        record=settings.record,
    )


def make_keeper(
    endpoints: Endpoints,
    keys: ClientKeys | None,
    settings: LiveConfig,
    device: str,
    *,
    may_start: bool,
) -> EngineKeeper:
    """Who looks after the engine; it may start one only where this user's engine belongs."""
    command = _serve_command(settings.model, settings.preset or "live", device)
    return EngineKeeper(endpoints, keys, command if may_start else None)


def check_engine(
    keeper: EngineKeeper,
    settings: LiveConfig,
    device: str,
    endpoints: Endpoints,
    keys: ClientKeys | None,
) -> None:
    """Make sure that the engine has the network that was asked for.

    Should that engine end, one like it takes its place.

    Raises:
        ConfigError: it has another.
    """
    status = ask_engine({"request": "status"}, address=endpoints.control, keys=keys)
    running = status["model"]
    if settings.model == "auto":
        if keeper.command is not None and not keeper.starts:
            keeper.command = _serve_command(running, settings.preset or status["preset"], device)
        return
    if running not in (settings.model, Path(settings.model).stem):
        raise ConfigError(
            f"the engine that runs has the network '{running}', asked for was "
            f"'{settings.model}'; end that engine, or leave --model out"
        )


def _serve_command(model: str, preset: str, device: str) -> list[str]:
    command = [sys.executable, "-m", "streamsep", "serve", "--lifeline"]
    return [*command, "--model", model, "--preset", preset, "--device", device]


class LateMidi:
    """MIDI controls from the moment that there is a mixer to control; a context manager.

    Args:
        map_name: name or file of a map; None for no MIDI.
        port: part of the port's name, in place of the map's.

    Raises:
        ConfigError: there is no such map, or it is wrong.
    """

    def __init__(self, map_name: str | None, port: str | None) -> None:
        self._map = None if map_name is None else load_midi_map(map_name)
        self._port = port
        self._session: MidiSession | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def poll(self, controls: MixControls | None) -> list[str]:
        """What is new; the session begins with the first controls."""
        if self._map is None or controls is None:
            return []
        if self._session is None:
            self._session = open_midi(self._map, controls, port=self._port)
        return self._session.poll()

    def close(self) -> None:
        """Let go of the controller."""
        if self._session is not None:
            self._session.close()
            self._session = None


def _check_channels(
    source: Device, sink: Device, channels: tuple[int, ...], routes: tuple[Route, ...]
) -> None:
    if max(channels) >= source.inputs:
        raise ConfigError(
            f"the input {source} has {source.inputs} channels, expected at least "
            f"{max(channels) + 1}; choose others with --input-channels"
        )
    last = max(output for route in routes for output in route.outputs)
    if last >= sink.outputs:
        raise ConfigError(
            f"the output {sink} has {sink.outputs} channels, the routes need {last + 1}; choose "
            "others with --route"
        )


def _controls(settings: LiveConfig) -> tuple[tuple[str, float], ...]:
    """Settings of the mixer's controls, by name."""
    return (
        *((f"{stem}.gain", gain_db) for stem, gain_db in settings.gains_db.items()),
        *((f"{stem}.mute", 1.0) for stem in settings.mute),
        *((f"{stem}.solo", 1.0) for stem in settings.solo),
        ("wet", settings.wet),
        ("master", settings.master_db),
    )
