"""The messages in tests/data/protocol, by file name; a file is a header and then a body."""

from __future__ import annotations

import numpy as np

from bridge.protocol import (
    Audio,
    Bye,
    Error,
    ErrorCode,
    Flush,
    Hello,
    Message,
    Mode,
    Ping,
    Pong,
    Reset,
    Stems,
    Welcome,
)

GOLDEN: dict[str, Message] = {
    "hello": Hello(
        client="a plugin",
        mode=Mode.LIVE,
        sample_rate=48_000,
        channels=2,
        block=512,
        preset="live",
        consistency="other",
        budget=2_400,
    ),
    "hello-offline": Hello(
        client="", mode=Mode.OFFLINE, sample_rate=44_100, channels=1, block=65_536
    ),
    "welcome": Welcome(
        stream=0x01020304,
        engine="streamsep 0.1.0",
        model="starter",
        stems=("drums", "bass", "other", "vocals"),
        sample_rate=48_000,
        channels=2,
        preset="live",
        consistency="other",
        network_latency=17_833,
        resampling_latency=1_803,
        budget=2_400,
        window=480_000,
        heartbeat_ms=300,
        timeout_ms=1_500,
    ),
    "audio": Audio(
        stream=0x01020304,
        epoch=1,
        sequence=2,
        position=1 << 40,
        samples=np.array([[0.0, 0.5, -1.0], [1e-20, -0.0, 1.5]], np.float32),
    ),
    "stems": Stems(
        stream=0x01020304,
        epoch=1,
        sequence=3,
        position=(1 << 40) - 17,
        samples=np.arange(16, dtype=np.float32).reshape(4, 2, 2) / 8,
    ),
    "stems-substituted": Stems(
        stream=7,
        epoch=0,
        sequence=0,
        position=0,
        samples=np.ones((4, 1, 1), np.float32),
        substituted=True,
    ),
    "stems-end": Stems(
        stream=7, epoch=0, sequence=1, position=1, samples=np.zeros((4, 1, 0), np.float32), end=True
    ),
    "flush": Flush(stream=7, epoch=0),
    "reset": Reset(stream=7, epoch=1, position=123_456_789_012),
    "ping": Ping(stream=7, sequence=41),
    "pong": Pong(stream=7, sequence=41, busy=True),
    "error": Error(stream=7, code=ErrorCode.REFUSED, text="no room: 120 % of the time is taken"),
    "bye": Bye(stream=7, reason="the engine stops"),
}
