"""With a real network: what is heard is what the core separates, as late as was declared."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch
from hall import playing_hall
from jack_server import running_server
from loop_rig import noise, run_until, run_until_playing

from bridge.live.engine_keeper import EngineKeeper
from bridge.live.supervisor import LiveLoop
from bridge.live.task import AudioTask
from bridge.mixing import Route
from bridge.run_folder import ipc_endpoints
from streamsep import StreamConfig, StreamingSeparator, load_preset
from streamsep.models import load_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.run_folder import Endpoints

PRESET = """\
name: slow
description: a quarter of the work of the shortest
use: tests
context: 8192
hop: 45056
look_ahead: 8192
crossfade: 2048
"""
STEMS = ("drums", "vocals")
COMMAND = (sys.executable, "-m", "streamsep")


@contextmanager
def starter_engine(preset: Path) -> Iterator[Endpoints]:
    """`streamsep serve` with the starter."""
    with tempfile.TemporaryDirectory() as folder:
        engine = subprocess.Popen(
            [*COMMAND, "serve", "--exact", "--model", "starter", "--preset", preset],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={
                **os.environ,
                "XDG_RUNTIME_DIR": folder,
                "STREAMSEP_CACHE_DIR": str(Path(folder) / "cache"),
            },
        )
        assert engine.stdout is not None
        try:
            if not any(line.startswith("READY") for line in engine.stdout):
                pytest.fail("the engine does not start")
            yield ipc_endpoints(Path(folder) / "streamsep")
        finally:
            engine.terminate()
            engine.communicate(timeout=30)


def first_sound(take: Path) -> int:
    """Position in a take of the first sample that is not silent."""
    samples, _ = soundfile.read(take / "input.flac", dtype="float32")
    return int(np.flatnonzero(samples[:, 0])[0])


def test_the_stems_heard_are_those_of_the_offline_stream(tmp_path: Path) -> None:
    preset = tmp_path / "slow.yaml"
    preset.write_text(PRESET)
    signal = 0.6 * noise(3.0)
    signal[:, 0] = 0.1
    with (
        running_server(512),
        starter_engine(preset) as endpoints,
        playing_hall(tmp_path / "hall", signal, heard_channels=4) as hall,
    ):
        task = AudioTask(
            input="player",
            output="recorder",
            routes=tuple(Route(stem, (2 * k, 2 * k + 1)) for k, stem in enumerate(STEMS)),
            address=endpoints.audio,
            record=str(tmp_path / "takes"),
        )
        with LiveLoop(task, EngineKeeper(endpoints)) as loop:
            run_until_playing(loop)
            hall.play()
            # A server that waits for its clients plays more slowly where there is much else to do.
            enough = loop.status.counts["samples"] + loop.status.latency + 3 * 44_100
            run_until(loop, lambda: loop.status.counts["samples"] >= enough, "three seconds")
            heard = hall.hear()
        latency, counts = loop.status.latency, loop.status.counts
    assert heard.holes == 0
    assert (counts["missed"], loop.status.restarts) == (0, 0)
    # The session may be older than the signal, and segments are counted from its beginning.
    (take,) = (tmp_path / "takes").iterdir()
    before = first_sound(take) - latency
    length = heard.samples.shape[-1] - latency
    assert before >= 0
    assert length > 2 * 44_100
    played = signal.take(range(length + latency), axis=1, mode="wrap")
    network = load_model("starter", precision="float32")
    config = StreamConfig.from_preset(load_preset(preset)).fitted_to(network)
    stream = StreamingSeparator(network, config)
    mix = torch.from_numpy(np.pad(played, ((0, 0), (before, 0))))
    stems = torch.cat([stream.push(mix), stream.flush()], -1).numpy()[..., before:]
    for place, stem in enumerate(STEMS):
        got = heard.samples[2 * place : 2 * place + 2, latency:]
        assert np.abs(got).max() > 0.01
        assert np.array_equal(got, stems[network.sources.index(stem), :, :length])
