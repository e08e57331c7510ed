"""Requests to an engine: its status, other gains, another preset; see docs/protocol.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import zmq

from bridge.client.sockets import connect
from bridge.run_folder import users_endpoints
from streamsep.errors import EngineError

if TYPE_CHECKING:
    from bridge.keys import ClientKeys

__all__ = ["ask_engine"]


def ask_engine(
    request: dict[str, Any],
    *,
    address: str | None = None,
    keys: ClientKeys | None = None,
    timeout_s: float = 2.0,
) -> dict[str, Any]:
    """Ask an engine and wait for its answer.

    Args:
        request: for example `{"request": "status"}`.
        address: of the engine's control socket; None for the engine of this user.
        keys: for an engine that is reached over a network.
        timeout_s: seconds to wait.

    Returns:
        What it answered, without `ok`.

    Raises:
        ConfigError: there can be no such address, or others could serve at that of this user.
        EngineError: no engine answers, or it refuses.
    """
    address = address or users_endpoints().control
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    try:
        socket.setsockopt(zmq.LINGER, 0)
        if keys is not None:
            keys.guard(socket)
        connect(socket, address)
        socket.send(json.dumps(request).encode())
        if not socket.poll(int(1000 * timeout_s)):
            raise EngineError(f"no engine answers at {address}; start one with 'streamsep serve'")
        answer = json.loads(socket.recv())
    finally:
        socket.close()
    if not isinstance(answer, dict) or not answer.pop("ok", False):
        raise EngineError(f"the engine says: {answer.get('error', answer)}")
    return answer
