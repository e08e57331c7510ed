"""What `streamsep live` finds out before it plays: devices, routes and MIDI controls."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bridge.live.devices import Device, check_same_clock, choose_devices, list_devices
from bridge.live.known_devices import turn_of
from bridge.live.task import AudioTask
from bridge.midi import LearnRequest, open_midi
from bridge.midi.dialogue import map_name
from bridge.mixing import Control, Route, parse_route
from streamsep.cli.destinations import is_there, takes_files
from streamsep.cli.typed_lines import TypedLines, unseen_typing
from streamsep.closing import Closing
from streamsep.config import load_preset
from streamsep.config.midi_map import MidiMap, load_midi_map
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.midi import MidiSession
    from bridge.mixing import MixControls
    from bridge.run_folder import Endpoints
    from streamsep.config.live import LiveConfig

__all__ = ["LateMidi", "make_task"]


def make_task(settings: LiveConfig, endpoints: Endpoints, keys: Path | None) -> AudioTask:
    """The settings as a task for the audio child, with devices by their names.

    Raises:
        ConfigError: devices, channels or routes do not fit.
        MissingToolError: there is no PortAudio.
    """
    routes = tuple(parse_route(text) for text in settings.routes)
    channels = settings.separated_channels()
    devices = list_devices()
    source, sink = choose_devices(devices, settings.input, settings.output)
    check_same_clock(source, sink, trusted=settings.same_clock)
    _check_channels(source, sink, channels, routes)
    if settings.record is not None and not takes_files(Path(settings.record)):
        raise ConfigError(f"cannot record in '{settings.record}'; choose another folder")
    return AudioTask(
        input=source.name,
        output=sink.name,
        input_turn=turn_of(source, devices, "input"),
        output_turn=turn_of(sink, devices, "output"),
        input_typed=_name_in(settings.input),
        # Without an output of its own the input's device is meant, if it has outputs.
        output_typed=_name_in(settings.input if sink is source else settings.output),
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


def _name_in(typed: str | int | None) -> str:
    """What of a device's name was typed; a number means another device tomorrow."""
    return "" if typed is None or str(typed).isdigit() else str(typed)


class LateMidi(Closing):
    """MIDI controls from the moment that there is a mixer to control; a context manager.

    Args:
        map_name: name or file of a map; None for no MIDI.
        port: part of the port's name, in place of the map's.
        learn_to: the file of a map that grows while it plays; None to learn nothing.
        learn: names of the controls to learn; empty for all that the map leaves out.

    Raises:
        ConfigError: there is no such map or control, or something is wrong with it.
    """

    def __init__(
        self,
        map_name: str | None,
        port: str | None,
        learn_to: Path | None = None,
        learn: Sequence[str] = (),
    ) -> None:
        self._map = None if map_name is None else load_midi_map(map_name)
        self._request: LearnRequest | None = None
        if learn_to is not None:
            self._map = self._map or _map_to_begin_with(learn_to)
            self._request = _learn_request(learn_to, learn)
        elif learn:
            raise ConfigError("--learn says what, expected --midi-learn FILE to say where it goes")
        if port is not None and self._map is None:
            raise ConfigError("--midi-port says where, expected --midi MAP to say what is turned")
        self._port = port
        self._session: MidiSession | None = None
        self._lines: TypedLines | None = None
        self._terminal = ExitStack()

    def __enter__(self) -> Self:
        if self._request is not None:
            self._terminal.enter_context(unseen_typing())
            self._lines = TypedLines()
        return self

    def poll(self, controls: MixControls | None) -> list[str]:
        """What is new; the session begins with the first controls."""
        if self._map is None or controls is None:
            return []
        if self._session is None:
            self._session = open_midi(self._map, controls, port=self._port, learn=self._request)
        while self._lines is not None and (line := self._lines.next()) is not None:
            self._session.answer(line)
        return self._session.poll()

    def close(self) -> None:
        """Let go of the controller and the terminal."""
        self._terminal.close()
        if self._session is not None:
            self._session.close()
            self._session = None


def _map_to_begin_with(path: Path) -> MidiMap:
    """The map in a file, or an empty one for it."""
    if is_there(path):
        return load_midi_map(path)
    return MidiMap(name=map_name(path), description="learnt while playing")


def _learn_request(path: Path, names: Sequence[str]) -> LearnRequest:
    """What to learn, once it is sure that the file can be written.

    Raises:
        ConfigError: it cannot, or a control has no such name.
    """
    map_name(path)
    for name in names:
        Control.parse(name)
    if not takes_files(path.absolute().parent) or path.is_dir():
        raise ConfigError(f"cannot write '{path}'; choose another file for --midi-learn")
    return LearnRequest(path, tuple(names))


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
