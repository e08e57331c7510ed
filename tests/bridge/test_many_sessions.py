"""Sixteen sessions at once, for seconds; `benchmarks/engine_soak.py` does it for half an hour."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import fakes
import numpy as np
import psutil
import torch
from engine_process import running_engine

from bridge.client import LiveStemClient, ask_engine
from streamsep import StreamConfig, StreamingSeparator

if TYPE_CHECKING:
    from pathlib import Path

RATE = 44_100
BLOCK = 512
SESSIONS = 16
SECONDS = 6
CONFIG = StreamConfig(context=4096, hop=16384, look_ahead=2048, crossfade=512)


def new_client(address: str) -> LiveStemClient:
    return LiveStemClient(sample_rate=RATE, block=BLOCK, address=address, connect_timeout_s=20.0)


def test_sixteen_sessions_hear_nothing_but_their_stems_and_memory_stays(tmp_path: Path) -> None:
    mix = np.random.default_rng(0).uniform(-0.5, 0.5, (2, SECONDS * RATE)).astype(np.float32)
    mix = mix[:, : mix.shape[-1] // BLOCK * BLOCK]
    resident = []
    # The machine that runs the tests may have other things to do: a second is allowed.
    with running_engine(tmp_path / "run", "--hop", "16384", "--budget-ms", "1000") as engine:
        # All at once: who has a session and is silent for a second and a half loses it.
        with ThreadPoolExecutor(SESSIONS) as pool:
            clients = list(pool.map(lambda _: new_client(engine.address), range(SESSIONS)))
        heard = np.empty((SESSIONS, 4, *mix.shape), np.float32)
        started_s = time.monotonic()
        for start in range(0, mix.shape[-1], BLOCK):
            time.sleep(max(0.0, started_s + start / RATE - time.monotonic()))
            now = slice(start, start + BLOCK)
            for client, output in zip(clients, heard, strict=True):
                output[..., now] = client.process(mix[:, now])
            if start // RATE != (start - BLOCK) // RATE:
                resident.append(psutil.Process(engine.pid).memory_info().rss)
        state = ask_engine({"request": "status"}, address=f"ipc://{engine.folder}/control.ipc")
        missed = [client.counters.missed for client in clients]
        latency = clients[0].latency
        for client in clients:
            client.close()
    assert len(state["sessions"]) == SESSIONS
    assert sum(each["late_segments"] for each in state["sessions"]) == 0
    assert missed == [0] * SESSIONS
    stream = StreamingSeparator(fakes.SegmentShaped(stride=2048), CONFIG)
    stems = torch.cat([stream.push(torch.from_numpy(mix)), stream.flush()], -1).numpy()
    for output in heard:
        assert np.array_equal(output[..., latency:], stems[..., : -latency or None])
    # The first seconds fill what is filled once. Stems that stayed would be 22 MB in a second.
    assert resident[-1] - resident[SECONDS // 2] < 16 * 2**20
