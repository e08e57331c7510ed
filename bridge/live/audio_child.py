"""The process that plays: the device's callback, a session with the engine, and nothing else.

It is started as `python -m bridge.live.audio_child` with an `AudioTask` on its standard input,
tells what happens on its standard output, and ends when its standard input does. A fresh
interpreter, not a fork: torch would bring 160,000 objects, and a collection that takes longer than
a block. The collector is off, and threads change hands every half a millisecond, so that a callback
waits for no more than that.

When the sound server has died this process ends at once, without closing anything, because closing
would never return.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from bridge.client import LiveStemClient
from bridge.keys import ClientKeys
from bridge.live.control_block import open_control_block
from bridge.live.device_probe import read_devices
from bridge.live.device_stream import DeviceStream
from bridge.live.devices import JACK
from bridge.live.jack_presence import JackPresence
from bridge.live.known_devices import find_devices
from bridge.live.memory_lock import lock_memory
from bridge.live.portaudio import import_portaudio
from bridge.live.priority import raise_priority
from bridge.live.reports import (
    Ended,
    Measured,
    Noted,
    Playing,
    Reason,
    Refused,
    Report,
    Waiting,
    encode,
)
from bridge.live.stem_player import StemPlayer
from bridge.live.task import AudioTask
from bridge.mixing import Mixer
from bridge.processes.lifeline import watch_lifeline
from bridge.recording import Recorder
from streamsep.errors import ConfigError, EngineError, OutputError, StreamSepError

if TYPE_CHECKING:
    from bridge.live.devices import Device

__all__ = ["AudioChild"]

_SWITCH_INTERVAL_S = 5e-4
_LOOK_S = 0.02
"""How often the stream is looked at: a dead server shows within 26 ms."""
_REPORT_S = 0.1
_SILENT_S = 1.0
"""Without a callback for so long, the device is gone."""
_PRESENCE_S = 0.5
"""How often the programs at both ends are looked for, which takes some 30 µs."""
_RETRY_S = 0.25
_QUICK_S = 10.0
_SLOW_RETRY_S = 1.0
"""A device that has been away for a while may stay away: patch bays show every look for it."""
_LISTING_S = 3.0
"""A busy sound server may turn a client away; after so long, there really is no device at all."""
_FIRST_BLOCKS = 4
_CLOSING_S = 4.0
_LEAVING_S = 1.0
"""The same where another child follows: before the supervisor takes this one for dead."""


class AudioChild:
    """One loop, from an open device to the end of this process.

    Args:
        task: what to do.
    """

    def __init__(self, task: AudioTask) -> None:
        self._task = task
        self._stop = threading.Event()
        self._portaudio: Any = None
        self._devices: list[Device] = []
        self._presence: JackPresence | None = None
        self._looked_s = 0.0
        self._recorder: Recorder | None = None
        self._unrecorded = ""
        """Why nothing is recorded although it was asked for; empty otherwise."""

    def run(self) -> NoReturn:
        """Play until told to stop, or until the device is gone; the process ends here."""
        watch_lifeline(self._stop.set)
        try:
            stream = self._open_device()
            client = self._open_session(stream)
            player = self._make_player(stream, client)
        except StreamSepError as error:
            _tell(Refused(text=str(error)))
            os._exit(2)
        lock_memory()
        raise_priority()
        stream.play = player.play
        self._tell_playing(stream, client)
        self._play(stream, client, player)

    def _open_device(self) -> DeviceStream:
        """Open the device and wait for its first block."""
        began_s = time.monotonic()
        while True:
            try:
                stream = self._try_device()
                break
            except (ConfigError, OSError) as error:
                unlisted = self._portaudio is not None and not self._devices
                waited_s = time.monotonic() - began_s
                may_come = unlisted and waited_s < _LISTING_S
                if not (self._task.patient or may_come):
                    raise ConfigError(str(error)) from error
                self._wait(str(error), _RETRY_S if waited_s < _QUICK_S else _SLOW_RETRY_S)
        began_s = time.monotonic()
        # Some systems deliver blocks of many lengths; a few show the longest.
        while stream.counters.blocks < _FIRST_BLOCKS:
            if not stream.active or time.monotonic() - began_s > _SILENT_S:
                self._end(stream, Reason.NO_CALLBACKS, "the device opens and delivers nothing")
            self._stop_if_told()
            time.sleep(_LOOK_S / 4)
        if stream.source.host_api == JACK:
            self._presence = JackPresence([stream.source.name, stream.sink.name])
        return stream

    def _try_device(self) -> DeviceStream:
        task = self._task
        if self._portaudio is None:
            self._portaudio = import_portaudio()
        else:
            # It reads the list of devices when it starts.
            self._portaudio._terminate()
            self._portaudio._initialize()
        self._devices = read_devices(self._portaudio)
        source, sink = find_devices(self._devices, task)
        return DeviceStream(
            self._portaudio,
            source,
            sink,
            inputs=task.inputs,
            outputs=task.outputs,
            sample_rate=task.sample_rate or source.sample_rate,
        )

    def _open_session(self, stream: DeviceStream) -> LiveStemClient:
        while True:
            try:
                return self._try_session(stream)
            except EngineError as error:
                self._stop_if_told()
                if not self._task.patient:
                    raise
                self._wait(str(error), engine=True)
            self._end_if_gone(stream)

    def _try_session(self, stream: DeviceStream) -> LiveStemClient:
        task = self._task
        client = LiveStemClient(
            sample_rate=stream.sample_rate,
            channels=len(task.input_channels),
            block=task.block or max(task.least_block, stream.counters.longest),
            preset=task.preset,
            consistency=task.consistency,
            budget=round(task.budget_s * stream.sample_rate),
            address=task.address,
            keys=ClientKeys.load(Path(task.keys)) if task.keys else None,
            name=task.name,
            connect_timeout_s=1.0,
            wanted=lambda: not self._stop.is_set(),
        )
        if task.stems and client.stems != task.stems:
            client.close()
            raise EngineError(
                f"the engine at {task.address} has come back with the stems "
                f"{', '.join(client.stems)}; this loop has the controls of "
                f"{', '.join(task.stems)}: serve a network with these, or start the loop again"
            )
        return client

    def _make_player(self, stream: DeviceStream, client: LiveStemClient) -> StemPlayer:
        task = self._task
        block = client.latency_terms["block"]
        mixer = Mixer(
            client.stems,
            task.routes,
            channels=len(task.input_channels),
            outputs=task.outputs,
            sample_rate=stream.sample_rate,
            longest_block=block,
        )
        controls = open_control_block(client.stems, task.controls, task.settings)
        # Last, so that what is refused leaves no empty take behind.
        if task.record is not None:
            self._recorder = self._begin_take(Path(task.record), stream, client)
        return StemPlayer(
            client,
            mixer,
            controls,
            input_channels=task.input_channels,
            outputs=task.outputs,
            sample_rate=stream.sample_rate,
            block=block,
            sink=self._recorder,
        )

    def _begin_take(
        self, folder: Path, stream: DeviceStream, client: LiveStemClient
    ) -> Recorder | None:
        """None where it cannot begin again: music that has played goes on without a recording.

        Raises:
            OutputError: it cannot begin, and nothing has played yet.
        """
        try:
            return Recorder(
                folder, client.stems, len(self._task.input_channels), stream.sample_rate
            )
        except OutputError as error:
            if not self._task.patient:
                raise
            self._unrecorded = f"stopped: {error}"
            _tell(Noted(text=f"playing without a recording: {error}"))
            return None

    def _play(self, stream: DeviceStream, client: LiveStemClient, player: StemPlayer) -> NoReturn:
        reported_s = 0.0
        missing = ""
        while not (self._stop.is_set() or missing):
            self._end_if_gone(stream)
            missing = self._missing_program()
            now_s = time.monotonic()
            if now_s - reported_s >= _REPORT_S:
                reported_s = now_s
                self._report(stream, client, player)
            time.sleep(_LOOK_S)
        player.fade_out()
        while not player.silent and stream.active:
            time.sleep(_LOOK_S / 4)
        self._report(stream, client, player)
        closing = threading.Thread(target=self._close, args=(stream, client), daemon=True)
        closing.start()
        closing.join(_LEAVING_S if missing else _CLOSING_S)
        if missing:
            self._end(stream, Reason.PROGRAM_GONE, f"the program '{missing}' has gone")
        self._end(stream, Reason.STOPPED, "stopped")

    def _missing_program(self) -> str:
        """The name of one that has left the JACK server; empty if none has."""
        now_s = time.monotonic()
        if self._presence is None or now_s - self._looked_s < _PRESENCE_S:
            return ""
        self._looked_s = now_s
        return self._presence.missing()

    def _report(self, stream: DeviceStream, client: LiveStemClient, player: StemPlayer) -> None:
        recording = self._unrecorded
        if self._recorder is not None:
            for line in self._recorder.poll():
                _tell(Noted(text=line))
            recording = self._recorder.describe()
        _tell(_measure(stream, client, player, recording))

    def _close(self, stream: DeviceStream, client: LiveStemClient) -> None:
        stream.close()
        if self._presence is not None:
            self._presence.close()
        client.close()
        if self._recorder is not None:
            self._recorder.close()
            for line in self._recorder.poll():
                _tell(Noted(text=line))

    def _end_if_gone(self, stream: DeviceStream) -> None:
        counters = stream.counters
        if not stream.active:
            self._end(stream, Reason.SERVER_GONE, "the device or its sound server has gone")
        if time.monotonic() - counters.called_s > _SILENT_S:
            self._end(stream, Reason.NO_CALLBACKS, "the device has stopped delivering")
        if self._task.block is None and stream.play and counters.longest > self._block:
            text = f"blocks of {counters.longest} samples came, {self._block} were expected"
            self._end(stream, Reason.LONGER_BLOCKS, text)

    def _end(self, stream: DeviceStream, reason: Reason, text: str) -> NoReturn:
        _tell(Ended(reason=reason, text=text, block=stream.counters.longest))
        os._exit(0)

    def _tell_playing(self, stream: DeviceStream, client: LiveStemClient) -> None:
        welcome = client.welcome
        self._block = client.latency_terms["block"]
        _tell(
            Playing(
                input=stream.source.name,
                output=stream.sink.name,
                sample_rate=stream.sample_rate,
                block=self._block,
                latency_terms={**stream.latency_terms(), **client.latency_terms},
                stems=list(client.stems),
                model=welcome.model,
                preset=welcome.preset,
                consistency=welcome.consistency,
                budget=welcome.budget,
            )
        )

    def _wait(self, text: str, pause_s: float = _RETRY_S, *, engine: bool = False) -> None:
        _tell(Waiting(text=text, engine=engine))
        if self._stop.wait(pause_s):
            os._exit(0)

    def _stop_if_told(self) -> None:
        if self._stop.is_set():
            os._exit(0)


def _measure(
    stream: DeviceStream, client: LiveStemClient, player: StemPlayer, recording: str
) -> Measured:
    counters, engine = stream.counters, client.counters
    load, counters.load = counters.load, 0.0
    input_peak, stem_peaks, output_peaks = player.take_peaks()
    return Measured(
        engine=client.state,
        samples=counters.samples,
        load=round(load, 4),
        longest=counters.longest,
        xruns=counters.overflows + counters.underflows,
        lost=counters.lost,
        slow=counters.slow,
        missed=engine.missed,
        gaps=engine.gaps,
        late=engine.late,
        substituted=engine.substituted,
        connections=engine.connections,
        input_peak=input_peak,
        stem_peaks=stem_peaks,
        output_peaks=output_peaks,
        recording=recording,
    )


def _tell(report: Report) -> None:
    try:
        sys.stdout.write(f"{encode(report)}\n")
        sys.stdout.flush()
    except OSError:
        # Nobody listens any more.
        os._exit(0)


def main() -> None:
    """Read the task, and do it."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    task = AudioTask.from_json(sys.stdin.readline())
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    gc.disable()
    AudioChild(task).run()


if __name__ == "__main__":
    main()
