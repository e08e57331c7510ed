"""`streamsep live`: audio interface in, stems out, until it is interrupted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import typer

from streamsep.cli import live_options as options
from streamsep.cli.ending_signals import EndingSignals
from streamsep.cli.engine_address import EngineAddress, KeysFolder, find_engine
from streamsep.cli.serve_refusal import AllowLate
from streamsep.cli.shared_options import CacheDir
from streamsep.cli.shared_options import Device as ComputeDevice

if TYPE_CHECKING:
    from bridge.live.engine_keeper import EngineKeeper
    from bridge.live.task import AudioTask
    from streamsep.cli.live_screen import LiveScreen
    from streamsep.cli.live_setup import LateMidi
    from streamsep.config.live import LiveConfig

__all__ = ["live"]

_POLL_S = 0.05


def live(
    source: options.Input = None,
    sink: options.Output = None,
    input_channels: options.InputChannels = None,
    route: options.Routes = None,
    gain: options.Gains = None,
    mute: options.Mute = None,
    solo: options.Solo = None,
    wet: options.Wet = None,
    master: options.Master = None,
    preset: options.LivePreset = None,
    model: options.LiveModel = None,
    device: ComputeDevice = "auto",
    exact: options.Exact = None,
    precision: options.EnginePrecision = None,
    consistency: options.ConsistencyChoice = None,
    sample_rate: options.SampleRate = None,
    block: options.Block = None,
    same_clock: options.SameClock = False,
    config: options.ConfigFile = None,
    midi: options.MidiMapName = None,
    midi_port: options.MidiPortName = None,
    midi_learn: options.MidiLearn = None,
    learn: options.MidiLearnControls = None,
    record: options.Record = None,
    duration: options.Duration = None,
    engine: EngineAddress = None,
    keys: KeysFolder = None,
    allow_late: AllowLate = False,
    cache_dir: CacheDir = None,
    quiet: options.Quiet = False,
    as_json: options.JsonLines = False,
) -> None:
    """Separate what an audio interface hears, and play the stems, for as long as you like.

    It uses the engine that runs, or starts one. When the engine is late or gone, the input plays as
    late as the stems would; when the device is gone, it waits for it. Ctrl-C ends it.
    """
    settings = _settings(
        config,
        input=source,
        output=sink,
        same_clock=same_clock or None,
        input_channels=input_channels,
        routes=route,
        gains_db=_gains(gain) if gain else None,
        mute=mute,
        solo=solo,
        wet=wet,
        master_db=master,
        preset=preset,
        model=model,
        exact=exact,
        precision=precision.value if precision else None,
        consistency=consistency.value if consistency else None,
        sample_rate=sample_rate,
        block=block,
        midi=midi,
        record=str(record) if record else None,
    )
    from bridge.live.engine_keeper import EngineKeeper
    from streamsep.cli.live_engine import OwnEngine, check_engine, engine_command
    from streamsep.cli.live_screen import make_screen
    from streamsep.cli.live_setup import LateMidi, make_task
    from streamsep.cli.loading import obtain_with_progress

    endpoints, guard = find_engine(engine, keys)
    controller = LateMidi(settings.midi, midi_port, midi_learn, learn or [])
    task = make_task(settings, endpoints, keys)
    own = OwnEngine(device, cache_dir, allow_late)
    command = engine_command(settings, own)
    keeper = EngineKeeper(endpoints, guard, command if engine is None else None)
    stop = _Stop(duration)

    def when_starting() -> None:
        nonlocal settings
        if not (quiet or as_json):
            typer.echo(
                f"no engine runs; starting one with the network '{settings.model}'", err=True
            )
        # Here, because an engine that takes minutes to be ready counts as one that hangs.
        with stop.at_once():
            obtained = obtain_with_progress(settings.model, cache_dir)
            settings = settings.changed(model=obtained)
            keeper.command = engine_command(settings, own)

    try:
        keeper.ensure(stop.not_yet, when_starting)
        if stop.not_yet():
            check_engine(keeper, settings, own, endpoints, guard)
            screen = make_screen(task.routes, quiet=quiet, as_json=as_json)
            _play(task, keeper, controller, screen, stop)
    finally:
        keeper.close()


class _Stop:
    """Whether it is time to end: a signal has come, or enough was played."""

    def __init__(self, duration_s: float | None) -> None:
        self._signals = EndingSignals()
        self.at_once = self._signals.at_once
        """Within it, a signal ends what is being done, which does not ask whether to go on."""
        self._duration_s = duration_s
        self._end_s: float | None = None

    def playing(self) -> None:
        """It plays: the time counts from the first call on."""
        if self._end_s is None and self._duration_s is not None:
            self._end_s = time.monotonic() + self._duration_s

    def not_yet(self) -> bool:
        """Whether to go on."""
        late = self._end_s is not None and time.monotonic() >= self._end_s
        return not (self._signals.came or late)


def _settings(name_or_path: str | None, **given: object) -> LiveConfig:
    """The file's settings, and in their place what was typed.

    Raises:
        ConfigError: one of them is wrong.
    """
    from streamsep.config.live import LiveConfig, load_live_config

    base = load_live_config(name_or_path) if name_or_path else LiveConfig()
    return base.changed(**{key: value for key, value in given.items() if value is not None})


def _gains(texts: list[str]) -> dict[str, float]:
    """`vocals=-6` as stem and dB.

    Raises:
        ConfigError: it is not written like that.
    """
    from streamsep.errors import ConfigError

    gains = {}
    for text in texts:
        stem, _, level = text.partition("=")
        try:
            gains[stem.strip()] = float(level.lower().removesuffix("db"))
        except ValueError:
            raise ConfigError(f"'{text}' is no gain, expected STEM=DB such as vocals=-6") from None
    return gains


def _play(
    task: AudioTask,
    keeper: EngineKeeper,
    controller: LateMidi,
    screen: LiveScreen,
    stop: _Stop,
) -> None:
    """Play until it is time to stop."""
    from bridge.live.status import LivePhase
    from bridge.live.supervisor import LiveLoop

    with LiveLoop(task, keeper) as loop, controller:
        with screen:
            while stop.not_yet():
                news = loop.poll(_POLL_S)
                if loop.status.phase is LivePhase.PLAYING:
                    stop.playing()
                news += controller.poll(loop.controls)
                screen.show(loop.status, loop.controls, news)
        controller.close()
        loop.close()
        screen.finish(loop.status)
