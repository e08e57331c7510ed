"""Keeps a live loop playing: starts the audio child, listens to it, and starts another.

The child ends whenever the sound server does; that is not an error but the way things are, and the
next child waits for the server. Its latency stays what it was, because it asks the engine for the
same budget, and so do its stems, because the controls are theirs. What cannot get better by waiting
(no such device, no such stem) ends the loop, but only before it has ever played: afterwards the
device may come back.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import TYPE_CHECKING

from bridge.live.control_block import make_control_file, open_control_block, remove_control_file
from bridge.live.reports import Ended, Measured, Noted, Playing, Reason, Refused, Waiting, decode
from bridge.live.status import LivePhase, LiveStatus
from bridge.processes.child_process import ChildProcess
from streamsep.closing import Closing
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from bridge.live.engine_keeper import EngineKeeper
    from bridge.live.reports import Report
    from bridge.live.task import AudioTask
    from bridge.mixing import MixControls

__all__ = ["LiveLoop"]

logger = logging.getLogger(__name__)

_CHILD = "bridge.live.audio_child"
_FIRST_WORD_S = 30.0
"""A child that has said nothing at all by then hangs in the sound system."""
_OPENING_S = 20.0
"""An engine may need most of that to get ready for a session, and its client waits."""
_SILENCE_S = 3.0
"""What plays tells so ten times a second."""
_STOOD_STILL_S = 1.0
_CATCH_UP_S = 0.1
"""For the threads that read what children have said while this process stood still."""
_CLOSING_S = 6.0
"""A child fades out and closes what it has in less; one that hangs gets no more."""
_BACKOFF_S = (0.0, 0.25, 2.0)
"""First pause, second pause, longest pause between children that never played."""
_MISSED_S = 3.0
"""Without an engine for so long, another one is started, if that is ours to do."""


class LiveLoop(Closing):
    """A live loop. It plays as long as somebody calls `poll`, and ends with `close`.

    Args:
        task: what to play. Its `controls` and `patient` are set here.
        engine: looks after the engine.
    """

    def __init__(self, task: AudioTask, engine: EngineKeeper) -> None:
        self.status = LiveStatus()
        self.controls: MixControls | None = None
        """Of the mixer; None until it plays for the first time."""
        self._engine = engine
        self._control_file = make_control_file()
        self._task = dataclasses.replace(task, controls=str(self._control_file))
        self._child: ChildProcess | None = None
        self._child_played = False
        self._waits_for_engine = False
        self._first_word = False
        self._pause_s = _BACKOFF_S[0]
        self._start_at_s = 0.0
        self._streamed_s = time.monotonic()
        self._missed = False
        self._polled_s = self._streamed_s

    @property
    def child_pid(self) -> int | None:
        """Of the process that plays."""
        return self._child.pid if self._child else None

    def poll(self, timeout_s: float) -> list[str]:
        """Let things happen for a while.

        Args:
            timeout_s: seconds.

        Returns:
            What is new, in lines for people.

        Raises:
            ConfigError: it cannot be played like that.
        """
        news: list[str] = []
        end_s = time.monotonic() + timeout_s
        if time.monotonic() - self._polled_s > _STOOD_STILL_S:
            time.sleep(_CATCH_UP_S)
        while True:
            # All that has been said, before anybody is judged by it.
            while self._hear(0.0, news):
                pass
            self._polled_s = time.monotonic()
            self._look_after_engine(news)
            self._look_after_child(news)
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                return news
            if self._child is None:
                time.sleep(min(left_s, 0.02))
                continue
            self._hear(min(left_s, 0.1), news)

    def close(self) -> None:
        """End the child, which fades out; then what it shared with us."""
        if self._child is not None:
            deadline_s = time.monotonic() + _CLOSING_S
            self._child.cut()
            self._drain(self._child, deadline_s)
            self._child.close(max(0.0, deadline_s - time.monotonic()))
            self._child = None
        self.status.child_ended()
        self.status.phase = LivePhase.CLOSED
        remove_control_file(self._control_file)

    def _hear(self, wait_s: float, news: list[str]) -> bool:
        """Take the child's next line; False if it says nothing for so long."""
        line = None if self._child is None else self._child.next_line(wait_s)
        if line is None:
            return False
        report = decode(line)
        if report is not None:
            self._first_word = True
            self._take(report, news)
        return True

    def _take(self, report: Report, news: list[str]) -> None:
        status = self.status
        match report:
            case Waiting(text=text, engine=engine):
                status.phase = LivePhase.WAITING
                if engine and not self._waits_for_engine:
                    self._streamed_s = time.monotonic()
                self._waits_for_engine = engine
                if text != status.text:
                    news.append(f"waiting: {text}")
                status.text = text
            case Playing():
                self._started(report, news)
            case Measured():
                status.measured = report
                if report.engine == "streaming":
                    self._streamed_s = time.monotonic()
                    if self._missed:
                        self._missed = False
                        news.append("stems again")
            case Refused(text=text):
                if not self._task.patient:
                    raise ConfigError(text)
                status.phase, status.text = LivePhase.WAITING, text
                news.append(f"cannot play: {text}")
            case Noted(text=text):
                news.append(text)
            case Ended(reason=Reason.STOPPED):
                pass
            case Ended(reason=reason, text=text, block=block):
                if reason is Reason.LONGER_BLOCKS:
                    self._task = dataclasses.replace(self._task, least_block=block)
                status.phase, status.text = LivePhase.WAITING, text
                news.append(f"{text}; starting again")

    def _started(self, playing: Playing, news: list[str]) -> None:
        status = self.status
        before = status.latency if status.playing else None
        status.playing, status.text = playing, ""
        status.phase = LivePhase.PLAYING
        if before is None:
            self.controls = open_control_block(playing.stems, self._control_file)
        else:
            status.restarts += 1
            change = "" if before == status.latency else f", was {before}"
            news.append(f"playing again, latency {status.latency} samples{change}")
        self._task = dataclasses.replace(
            self._task,
            patient=True,
            # Not in samples: the device may come back at another rate.
            budget_s=playing.budget / playing.sample_rate,
            stems=tuple(playing.stems),
        )
        self._child_played, self._waits_for_engine = True, False
        self._pause_s = _BACKOFF_S[0]
        self._streamed_s = time.monotonic()

    def _look_after_engine(self, news: list[str]) -> None:
        needed = self._child_played or self._waits_for_engine
        missed = needed and time.monotonic() - self._streamed_s > _MISSED_S
        if missed and self._child_played and self._child is not None and not self._missed:
            self._missed = True
            why = f" ({self._child.errors[-1]})" if self._child.errors else ""
            news.append(f"no stems{why}; the delayed input plays")
        line = self._engine.poll(missed=missed)
        self.status.engine_starts = self._engine.starts
        if line is not None:
            news.append(line)

    def _look_after_child(self, news: list[str]) -> None:
        now_s = time.monotonic()
        child = self._child
        if child is None:
            if now_s >= self._start_at_s:
                self._start_child()
            return
        silent_s = now_s - child.heard_s
        if silent_s > self._longest_silence_s():
            news.append(f"the audio process has said nothing for {silent_s:.0f} s; ending it")
            child.kill()
            child.heard_s = now_s
        if child.drained:
            self._child_ended(child, news)

    def _longest_silence_s(self) -> float:
        if self._child_played:
            return _SILENCE_S
        return _OPENING_S if self._first_word else _FIRST_WORD_S

    def _start_child(self) -> None:
        self._child = ChildProcess.of_module(_CHILD, f"{self._task.to_json()}\n")
        self._first_word = self._child_played = self._waits_for_engine = False

    def _child_ended(self, child: ChildProcess, news: list[str]) -> None:
        if child.exit_code not in (0, 2):
            reason = child.errors[-1] if child.errors else f"exit code {child.exit_code}"
            if not self._task.patient:
                raise ConfigError(f"the audio process ended: {reason}")
            news.append(f"the audio process ended ({reason}); starting again")
        for line in child.errors:
            logger.debug("audio process: %s", line)
        child.close(0.0)
        self._child = None
        self.status.child_ended()
        self.status.phase = LivePhase.WAITING
        self._start_at_s = time.monotonic() + self._pause_s
        self._pause_s = min(max(2 * self._pause_s, _BACKOFF_S[1]), _BACKOFF_S[2])

    def _drain(self, child: ChildProcess, deadline_s: float) -> None:
        """Take the last counts of a child that is ending, and say what it still has to tell."""
        while not child.drained and time.monotonic() < deadline_s:
            line = child.next_line(0.05)
            report = decode(line) if line is not None else None
            if isinstance(report, Measured):
                self.status.measured = report
            elif isinstance(report, Noted):
                logger.warning("%s", report.text)
