"""Sees to it that there is an engine: the one that runs, or else one of our own."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import psutil

from bridge.client import ask_engine
from bridge.live.zygote import ENDED, how_it_ended
from bridge.processes.child_process import ChildProcess
from streamsep.errors import ConfigError, EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.keys import ClientKeys
    from bridge.run_folder import Endpoints

__all__ = ["EngineKeeper"]

_ANSWER_S = 0.5
_LOADING_S = 180.0
"""A network of 80 million parameters is loaded and tried out within that, on a slow disk too."""
_STOPPING_S = 5.0
_BACKOFF_S = (0.1, 10.0)
_READY = "READY"
_ANOTHER = "an engine is running already"
"""What an engine says that finds its place taken."""
_ASKING_S = 1.0
_HUNG_S = 3.0
"""An engine of our own that gives no stems and no answer for so long is ended."""
_STEADY_S = 30.0
"""An engine that lived that long did not fail to start."""


class EngineKeeper:
    """Uses the engine that runs; starts one if there is none, and again when that one dies.

    An engine of our own may come with a zygote, which replaces it by itself and says so.

    Args:
        endpoints: where it is or shall be.
        keys: for an engine that is reached over a network.
        command: starts an engine there, which prints READY and ends with its standard input; None
            if that is not ours to do.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        keys: ClientKeys | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        self._endpoints = endpoints
        self._keys = keys
        self.command = command
        """What starts an engine; whoever knows better which one is wanted may change it."""
        self.remark = ""
        """Told when an engine of somebody else is replaced."""
        self._child: ChildProcess | None = None
        self._started_s = 0.0
        self._start_at_s = 0.0
        self._pause_s = _BACKOFF_S[0]
        self._bereft = False
        self._serves = False
        self._mute_since_s: float | None = None
        self._ask_at_s = 0.0
        self.starts = 0
        """How many engines of our own there were."""

    @property
    def pid(self) -> int | None:
        """Of our own engine, or of its zygote; None if it is not ours, or not there."""
        return self._child.pid if self._child else None

    def ensure(
        self,
        keep_waiting: Callable[[], bool] = lambda: True,
        when_starting: Callable[[], None] = lambda: None,
    ) -> None:
        """Wait until an engine answers; start one if none does.

        Args:
            keep_waiting: False gives up.
            when_starting: called before an engine of our own is started; it may change `command`.

        Raises:
            EngineError: none answers, and none can be started.
        """
        if self._answers():
            return
        if self.command is None:
            raise EngineError(f"no engine answers at {self._endpoints.audio}; is it running?")
        if self._child is None:
            when_starting()
            if not keep_waiting():
                return
            self._start()
        deadline_s = time.monotonic() + _LOADING_S
        while keep_waiting():
            assert self._child is not None
            line = self._child.next_line(0.1)
            if line is not None and line.startswith(_READY):
                self._serves = True
                return
            if self._child.drained:
                reason = self._bury()
                if _ANOTHER not in reason:
                    raise ConfigError(reason)
                self._await_other(keep_waiting, deadline_s)
                return
            if time.monotonic() > deadline_s:
                self.close()
                raise EngineError(f"the engine was not ready after {_LOADING_S:.0f} s")

    def poll(self, *, missed: bool) -> str | None:
        """Look after the engine.

        Args:
            missed: whether the session has been without an engine for some time.

        Returns:
            A line of news, or None.
        """
        child = self._child
        if child is None:
            wanted = self._bereft or missed
            if not wanted or self.command is None or time.monotonic() < self._start_at_s:
                return None
            if not self._bereft and self._is_there():
                return None
            self._start()
            return None if self._bereft else self._replaced()
        while (line := child.next_line(0.0)) is not None:
            if line.startswith(_READY):
                self._serves = True
            elif line.startswith(ENDED):
                self.starts += 1
                self._serves = False
                return f"the engine has ended ({line.removeprefix(ENDED)}); another takes its place"
        if not child.drained:
            return self._end_if_hung(child) if missed else None
        lived_s = time.monotonic() - self._started_s
        self._pause_s = (
            _BACKOFF_S[0] if lived_s > _STEADY_S else min(2 * self._pause_s, _BACKOFF_S[1])
        )
        reason = self._bury()
        # Another one has come meanwhile: then ours is not needed, unless that one goes.
        self._bereft = _ANOTHER not in reason
        self._start_at_s = time.monotonic() + self._pause_s
        return f"the engine has ended ({reason}); starting it again" if self._bereft else None

    def _replaced(self) -> str:
        news = "the engine has gone; starting one"
        return f"{news} ({self.remark})" if self.remark else news

    def close(self) -> None:
        """End the engine if it is ours."""
        if self._child is not None:
            self._child.close(_STOPPING_S)
            self._child = None

    def _answers(self) -> bool:
        try:
            ask_engine(
                {"request": "status"},
                address=self._endpoints.control,
                keys=self._keys,
                timeout_s=_ANSWER_S if self.command else 5.0,
            )
        except EngineError:
            return False
        return True

    def _is_there(self) -> bool:
        """Whether an engine that is not ours answers, or did when it was last asked.

        One that refuses our session is there, and another one would only end at once.
        """
        now_s = time.monotonic()
        if now_s < self._ask_at_s:
            return True
        self._ask_at_s = now_s + _ASKING_S
        return self._answers()

    def _end_if_hung(self, child: ChildProcess) -> str | None:
        """End an engine that serves and answers nothing; it will be replaced as one that died."""
        now_s = time.monotonic()
        if now_s < self._ask_at_s:
            return None
        self._ask_at_s = now_s + _ASKING_S
        if not self._serves or self._answers():
            self._mute_since_s = None
        elif self._mute_since_s is None:
            self._mute_since_s = now_s
        elif now_s - self._mute_since_s > _HUNG_S:
            self._mute_since_s, self._serves = None, False
            with contextlib.suppress(psutil.NoSuchProcess):
                started = psutil.Process(child.pid)
                for engine in started.children() or [started]:
                    engine.kill()
            return "the engine hangs; ending it"
        return None

    def _start(self) -> None:
        assert self.command is not None
        self._child = ChildProcess(self.command)
        self._started_s = time.monotonic()
        self._serves = False
        self.starts += 1

    def _await_other(self, keep_waiting: Callable[[], bool], deadline_s: float) -> None:
        """Somebody else has just started an engine: wait until it answers."""
        while keep_waiting() and not self._answers():
            if time.monotonic() > deadline_s:
                raise EngineError(
                    f"an engine was started elsewhere and has not answered for {_LOADING_S:.0f} s"
                )

    def _bury(self) -> str:
        """Let go of an engine that has ended; the reason."""
        assert self._child is not None
        reason = _reason(self._child)
        self._child.close(0.0)
        self._child = None
        return reason


def _reason(child: ChildProcess) -> str:
    """Its last words, without the name of the program in front of them; or what killed it."""
    code = child.exit_code or 0
    if code < 0 or not child.errors:
        return how_it_ended(code)
    return child.errors[-1].removeprefix("streamsep: ")
