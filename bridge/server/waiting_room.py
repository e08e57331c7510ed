"""Where peers wait whose session the engine has to get ready for.

::

    HELLO ──► ready? ──yes──────────────────────► let in, or refused
                └─no──► waiting room ──HELLO──►───┘
                          │ ▲
                          ▼ │ a thread of its own: one HELLO after the other
                        engine

Those who wait hear a PONG now and then, so that they know that somebody is there.
"""

from __future__ import annotations

import logging
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from bridge.server.offers import OfferRefusedError
from streamsep.errors import EngineError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from bridge.protocol import Hello

__all__ = ["Waiting", "WaitingRoom"]

logger = logging.getLogger(__name__)

_PATIENCE_S = 10.0
"""An engine that is not ready by then has no time beside the sessions that play."""

Name = TypeVar("Name")


@dataclass(slots=True, eq=False)
class Waiting(Generic[Name]):
    """Somebody who waits.

    Attributes:
        peer: who.
        hello: what for.
        since_s: since when.
        work: what the engine does for it.
        told_s: when it was last told that it is being done.
    """

    peer: Name
    hello: Hello
    since_s: float
    work: Future[None]
    told_s: float = -math.inf

    def outcome(self) -> StreamSepError | None:
        """Why it waited in vain; None if the engine is ready."""
        if self.work.cancelled() or not self.work.done():
            return OfferRefusedError(
                f"no room: a preset could not be tried out within {_PATIENCE_S:.0f} s beside the "
                "sessions that play; try again when one of them is over",
                for_lack_of_room=True,
            )
        try:
            self.work.result()
        except StreamSepError as error:
            return error
        except Exception as error:  # noqa: BLE001 - it costs this peer's session and no other
            logger.warning("cannot get ready for '%s': %s", self.hello.client, error)
            return EngineError(f"the engine cannot get ready for this session: {error}")
        return None


class WaitingRoom(Generic[Name]):
    """Has an engine get ready, and remembers for whom. Used from one thread.

    Args:
        get_ready: does all that a session needs; called in another thread.
        wake: called in that thread when somebody has waited long enough.
    """

    def __init__(self, get_ready: Callable[[Hello], None], wake: Callable[[], None]) -> None:
        self._get_ready = get_ready
        self._wake = wake
        self._waiting: dict[Name, Waiting[Name]] = {}
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prepare")

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, peer: object) -> bool:
        return peer in self._waiting

    def add(self, peer: Name, hello: Hello, now_s: float) -> None:
        """Let somebody wait."""
        work = self._worker.submit(self._get_ready, hello)
        work.add_done_callback(lambda _: self._wake())
        self._waiting[peer] = Waiting(peer, hello, now_s, work)

    def drop(self, peer: Name) -> None:
        """It has gone; nothing happens if it was not there."""
        waiting = self._waiting.pop(peer, None)
        if waiting is not None:
            waiting.work.cancel()

    def take_out(self, now_s: float) -> list[Waiting[Name]]:
        """Those who need not, or shall not, wait any more; they are let go."""
        leaving = [
            each
            for each in self._waiting.values()
            if each.work.done() or now_s - each.since_s > _PATIENCE_S
        ]
        for each in leaving:
            self.drop(each.peer)
        return leaving

    def take_untold(self, now_s: float, interval_s: float) -> list[Name]:
        """Those who have not been told for so long that they are waited upon; they will be now."""
        untold = [each for each in self._waiting.values() if now_s - each.told_s > interval_s]
        for each in untold:
            each.told_s = now_s
        return [each.peer for each in untold]

    def close(self) -> None:
        """Send everybody away."""
        self._waiting.clear()
        self._worker.shutdown(wait=False, cancel_futures=True)
