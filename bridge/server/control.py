"""Requests about the engine and its sessions, as JSON on a socket of their own.

One frame of JSON in, one out. A socket of its own, because a request for another gain must not wait
behind half a second of somebody's audio. See docs/protocol.md, "Control".
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from bridge.server.engine import Engine
    from bridge.server.sessions import SessionTable
    from bridge.server.telemetry import Telemetry

__all__ = ["Control"]


class _Request(BaseModel):
    # Later versions may add to a request; what is not known is skipped, as in the rest.
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Status(_Request):
    request: Literal["status"]


class _SetSession(_Request):
    request: Literal["set"]
    stream: str
    gains_db: dict[str, Annotated[float, Field(le=24.0)]] | None = None
    bypass: bool | None = None
    consistency: Literal["off", "other", "energy"] | None = None


class _SetEngine(_Request):
    request: Literal["engine"]
    preset: str


_REQUESTS: TypeAdapter[_Status | _SetSession | _SetEngine] = TypeAdapter(
    Annotated[_Status | _SetSession | _SetEngine, Field(discriminator="request")]
)


class Control:
    """Answers requests.

    Args:
        engine: the engine.
        sessions: its sessions.
        telemetry: what it can tell.
    """

    def __init__(self, engine: Engine, sessions: SessionTable, telemetry: Telemetry) -> None:
        self._engine = engine
        self._sessions = sessions
        self._telemetry = telemetry

    def answer(self, request: bytes) -> bytes:
        """The answer to a request: `{"ok": true, ...}` or `{"ok": false, "error": "..."}`."""
        try:
            reply = self._answer(_REQUESTS.validate_json(request))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the request"
            reply = {"ok": False, "error": f"{place}: {first['msg']}"}
        return json.dumps(reply).encode()

    def _answer(self, request: _Status | _SetSession | _SetEngine) -> dict[str, Any]:
        if isinstance(request, _Status):
            return {"ok": True, **self._telemetry.snapshot()}
        if isinstance(request, _SetEngine):
            return self._set_engine(request)
        return self._set_session(request)

    def _set_engine(self, request: _SetEngine) -> dict[str, Any]:
        if request.preset not in self._engine.presets:
            expected = ", ".join(self._engine.presets)
            return _refuse(f"unknown preset '{request.preset}', expected {expected}")
        self._engine.preset = request.preset
        return {"ok": True}

    def _set_session(self, request: _SetSession) -> dict[str, Any]:
        session = next(
            (each for each in self._sessions if f"{each.welcome.stream:08x}" == request.stream),
            None,
        )
        if session is None:
            return _refuse(f"no session has the number {request.stream}")
        worker = session.worker
        gains = request.gains_db or {}
        unknown = set(gains) - set(session.welcome.stems)
        if unknown or any(math.isnan(gain) for gain in gains.values()):
            return _refuse(f"gains are numbers for {', '.join(session.welcome.stems)}")
        if request.consistency is not None:
            try:
                worker.change_consistency(request.consistency)
            except ConfigError as error:
                return _refuse(str(error))
        worker.gains.change(gains)
        if request.bypass is not None:
            worker.bypass = request.bypass
        return {"ok": True}


def _refuse(text: str) -> dict[str, Any]:
    return {"ok": False, "error": text}
