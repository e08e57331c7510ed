"""What comes back over a real socket is what the core gives in one process, bit for bit."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import fakes
import numpy as np
import pytest
import torch
from engine_process import EngineProcess, running_engine
from engine_thread import engine_thread

from bridge.client import StemClient
from bridge.client.connection import Connection
from streamsep import StreamConfig, StreamingSeparator
from streamsep.errors import EngineError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.protocol import Hello, Welcome

CONFIG = StreamConfig(context=4096, hop=2048, look_ahead=2048, crossfade=512)


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    with tempfile.TemporaryDirectory() as folder, running_engine(Path(folder) / "run") as running:
        yield running


def noise(channels: int, length: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-0.5, 0.5, (channels, length)).astype(np.float32)


def in_process(
    mix: np.ndarray, sample_rate: int, consistency: str = "off", refinement: str = "off"
) -> np.ndarray:
    stream = StreamingSeparator(
        fakes.SegmentShaped(stride=2048),
        CONFIG,
        sample_rate=sample_rate,
        channels=len(mix),
        consistency=consistency,  # type: ignore[arg-type]
        refinement=refinement,  # type: ignore[arg-type]
    )
    return torch.cat([stream.push(torch.from_numpy(mix)), stream.flush()], -1).numpy()


@pytest.mark.parametrize("sample_rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_signal_comes_back_as_separated_in_one_process(
    engine: EngineProcess, sample_rate: int, channels: int
) -> None:
    mix = noise(channels, 50_001)
    with StemClient(sample_rate=sample_rate, channels=channels, address=engine.address) as client:
        got = client.separate(mix)
    assert np.array_equal(got, in_process(mix, sample_rate))


@pytest.mark.parametrize("block", [32, 441, 1024, 8192])
def test_blocks_come_back_late_by_the_declared_latency(engine: EngineProcess, block: int) -> None:
    mix = noise(2, 30_000)
    with StemClient(sample_rate=48_000, address=engine.address) as client:
        got = [client.process(mix[:, k : k + block]) for k in range(0, 30_000, block)]
        assert [part.shape[-1] for part in got[:-1]] == [block] * (len(got) - 1)
        stems = np.concatenate([*got, client.flush()], axis=-1)
        latency = client.latency
    assert stems.shape == (4, 2, 30_000 + latency)
    assert not stems[..., :latency].any()
    assert np.array_equal(stems[..., latency:], in_process(mix, 48_000))


def test_to_close_it_twice_does_no_harm(engine: EngineProcess) -> None:
    with StemClient(sample_rate=44_100, address=engine.address) as client:
        client.close()


def test_after_a_flush_and_after_a_reset_the_stream_is_as_new(engine: EngineProcess) -> None:
    mix = noise(2, 20_000)
    with StemClient(sample_rate=44_100, address=engine.address) as client:
        first = client.separate(mix)
        client.process(noise(2, 7_777))
        client.reset()
        again = np.concatenate([client.process(mix), client.flush()], -1)[..., client.latency :]
    assert np.array_equal(first, again)


def test_the_consistency_is_the_sessions_own(engine: EngineProcess) -> None:
    mix = noise(2, 20_000)
    with StemClient(sample_rate=44_100, consistency="other", address=engine.address) as client:
        stems = client.separate(mix)
    assert np.array_equal(stems, in_process(mix, 44_100, "other"))


def test_the_refinement_is_the_engines(tmp_path: Path) -> None:
    mix = noise(2, 20_000)
    with (
        running_engine(tmp_path / "run", "--refine", "wiener") as refining,
        StemClient(sample_rate=44_100, address=refining.address) as client,
    ):
        stems = client.separate(mix)
    expected = in_process(mix, 44_100, refinement="wiener")
    assert np.abs(stems - expected).max() < 1e-6 < np.abs(stems - in_process(mix, 44_100)).max()


def test_clients_at_the_same_time_do_not_mix(engine: EngineProcess) -> None:
    mixes = [noise(2, 20_000 + 1_000 * k) * (k + 1) / 4 for k in range(4)]
    got: dict[int, np.ndarray] = {}

    def separate(k: int) -> None:
        with StemClient(sample_rate=44_100, address=engine.address) as client:
            got[k] = client.separate(mixes[k])

    threads = [threading.Thread(target=separate, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, mix in enumerate(mixes):
        assert np.array_equal(got[k], in_process(mix, 44_100))


def test_a_script_may_think_for_longer_than_a_live_client(engine: EngineProcess) -> None:
    mix = noise(2, 9_000)
    with StemClient(sample_rate=44_100, address=engine.address) as client:
        head = client.process(mix)
        time.sleep(2.5)
        stems = np.concatenate([head, client.flush()], -1)[..., client.latency :]
    assert np.array_equal(stems, in_process(mix, 44_100))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"preset": "fast"}, "unknown preset 'fast', expected test", id="preset"),
        pytest.param({"consistency": "yes"}, "unknown consistency 'yes'", id="consistency"),
    ],
)
def test_what_the_engine_does_not_have_is_refused(
    engine: EngineProcess, options: dict[str, str], reason: str
) -> None:
    with pytest.raises(EngineError, match=reason):
        StemClient(sample_rate=44_100, address=engine.address, **options)


def test_samples_of_another_shape_are_refused(engine: EngineProcess) -> None:
    with (
        StemClient(sample_rate=44_100, address=engine.address) as client,
        pytest.raises(InputError, match=r"\[2, t\], got \[1, 5\]"),
    ):
        client.process(np.zeros((1, 5), np.float32))


def test_no_engine_is_an_error_that_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="streamsep serve"):
        StemClient(sample_rate=44_100, address=f"ipc://{tmp_path}/audio.ipc", connect_timeout_s=0.2)


def test_an_engine_that_is_killed_is_an_error_and_not_a_dry_result(tmp_path: Path) -> None:
    with running_engine(tmp_path / "run", "--compute-ms", "50") as mortal:
        client = StemClient(sample_rate=44_100, address=mortal.address)
        killer = threading.Timer(0.5, lambda: mortal.send(signal.SIGKILL))
        killer.start()
        with pytest.raises(EngineError, match="has not answered"):
            client.separate(noise(2, 500_000))
        client.close()


def test_a_client_is_served_by_the_engine_that_takes_the_place_of_a_killed_one(
    tmp_path: Path,
) -> None:
    mix = noise(2, 9_000)
    with running_engine(tmp_path / "run") as mortal:
        client = StemClient(sample_rate=44_100, address=mortal.address)
        mortal.kill()
        mortal.start()
        with contextlib.suppress(EngineError):
            client.separate(mix)
        assert np.array_equal(client.separate(mix), in_process(mix, 44_100))
        client.close()


def test_an_engine_that_said_good_bye_and_is_back_is_no_error(tmp_path: Path) -> None:
    mix = noise(2, 9_000)
    with engine_thread(tmp_path / "run"):
        client = StemClient(sample_rate=44_100, address=f"ipc://{tmp_path}/run/audio.ipc")
    with engine_thread(tmp_path / "run"):
        assert np.array_equal(client.separate(mix), in_process(mix, 44_100))
    with engine_thread(tmp_path / "run"):
        client.reset()
        stems = np.concatenate([client.process(mix), client.flush()], -1)[..., client.latency :]
        assert np.array_equal(stems, in_process(mix, 44_100))
    client.close()


def test_a_stream_that_is_lost_is_an_error_until_another_begins(tmp_path: Path) -> None:
    mix = noise(2, 9_000)
    with engine_thread(tmp_path / "run"):
        client = StemClient(sample_rate=44_100, address=f"ipc://{tmp_path}/run/audio.ipc")
        client.process(mix)
    with engine_thread(tmp_path / "run"):
        with pytest.raises(EngineError, match="the engine stops"):
            client.process(mix)
        for call in (client.flush, lambda: client.process(mix)):
            with pytest.raises(EngineError, match="call reset to begin another"):
                call()
        assert np.array_equal(client.separate(mix), in_process(mix, 44_100))
    client.close()


def test_no_engine_in_the_place_of_another_is_an_error_and_a_later_one_is_found(
    tmp_path: Path,
) -> None:
    mix = noise(2, 9_000)
    with engine_thread(tmp_path / "run"):
        client = StemClient(
            sample_rate=44_100, address=f"ipc://{tmp_path}/run/audio.ipc", connect_timeout_s=2.0
        )
    for call in (client.flush, client.reset, lambda: client.separate(mix)):
        with pytest.raises(EngineError, match="no engine answers"):
            call()
    with engine_thread(tmp_path / "run"):
        assert np.array_equal(client.separate(mix), in_process(mix, 44_100))
    client.close()


def test_another_latency_in_its_place_is_refused(tmp_path: Path) -> None:
    with engine_thread(tmp_path / "run"):
        client = StemClient(sample_rate=44_100, address=f"ipc://{tmp_path}/run/audio.ipc")
    with (
        engine_thread(tmp_path / "run", hop=4096),
        pytest.raises(EngineError, match=r"has come back with .* a latency of 6144"),
    ):
        client.separate(noise(2, 100))
    client.close()


def test_who_has_closed_it_is_told(tmp_path: Path) -> None:
    with engine_thread(tmp_path / "run"):
        client = StemClient(sample_rate=44_100, address=f"ipc://{tmp_path}/run/audio.ipc")
        client.close()
        for call in (client.reset, client.flush, lambda: client.process(noise(2, 10))):
            with pytest.raises(EngineError, match="is closed"):
                call()


def test_a_stream_after_a_long_pause_has_a_new_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mix = noise(2, 9_000)
    open_session = Connection.open

    def open_impatient(self: Connection, hello: Hello, timeout_s: float) -> Welcome:
        self.session.welcome = replace(open_session(self, hello, timeout_s), timeout_ms=2_000)
        return self.session.welcome

    monkeypatch.setattr(Connection, "open", open_impatient)
    with (
        engine_thread(tmp_path / "run") as server,
        StemClient(sample_rate=44_100, address=f"ipc://{tmp_path}/run/audio.ipc") as client,
    ):
        client.separate(mix)
        client.separate(mix)
        assert server.sessions.opened == 1
        time.sleep(1.2)
        assert np.array_equal(client.separate(mix), in_process(mix, 44_100))
        assert server.sessions.opened == 2
        time.sleep(1.2)
        client.reset()
        assert server.sessions.opened == 3


def test_a_client_that_is_killed_leaves_nothing_behind(engine: EngineProcess) -> None:
    code = (
        "import sys, time; from bridge.client import StemClient\n"
        "client = StemClient(sample_rate=44100, address=sys.argv[1])\n"
        "print('open', flush=True); time.sleep(60)"
    )
    threads_before = thread_count(engine.pid)
    with subprocess.Popen(
        [sys.executable, "-c", code, engine.address], stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "open\n"
        assert thread_count(engine.pid) == threads_before + 1
        client.kill()
    end_s = time.monotonic() + 20.0
    while thread_count(engine.pid) > threads_before and time.monotonic() < end_s:
        time.sleep(0.05)
    assert thread_count(engine.pid) == threads_before


def thread_count(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))
