"""A preset that the machine cannot hold is refused, by name of one that it can; or allowed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch
from fakes import PassThrough
from measured import measurement
from tiny_networks import tiny_network

from bridge.protocol import Hello, Mode
from bridge.server import Engine
from bridge.server.offers import OfferRefusedError
from streamsep.cli.live_engine import OwnEngine, engine_command
from streamsep.cli.serve_refusal import check_preset_holds
from streamsep.config import LatencyPreset
from streamsep.config.live import LiveConfig
from streamsep.errors import ConfigError
from streamsep.measuring import KeptMeasurements, this_machine
from streamsep.models.checkpoints import save_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

RATE = 44_100
# Twenty-four seconds of the past for every 46 ms.
HEAVY = """\
name: heavy
description: what no machine should be asked to do
use: tests
context: 1048576
hop: 2048
look_ahead: 2048
crossfade: 1024
"""
QUICK = LatencyPreset(
    name="quick", description="", use="", context=4096, hop=2048, look_ahead=2048, crossfade=512
)
PATIENT = LatencyPreset(
    name="patient", description="", use="", context=0, hop=90_112, look_ahead=2048, crossfade=512
)
SECONDS_PER_SAMPLE = 0.045 / QUICK.segment
"""A hop of the quick preset then takes as long as it lasts."""


class Sleepy(PassThrough):
    """Takes a while for every sample, at least at first."""

    def __init__(self, calls: float = float("inf")) -> None:
        super().__init__(stride=2048)
        object.__setattr__(self, "calls_left", [calls])

    def __call__(self, mix: Tensor) -> Tensor:
        left: list[float] = getattr(self, "calls_left")  # noqa: B009 - a frozen dataclass
        if left[0] > 0:
            time.sleep(SECONDS_PER_SAMPLE * mix.shape[-1])
        left[0] -= 1
        return super().__call__(mix)


def an_engine(preset: str = "quick", *, calls: float = float("inf"), late: bool = False) -> Engine:
    return Engine(
        Sleepy(calls),
        "sleepy",
        torch.device("cpu"),
        presets={"quick": QUICK, "patient": PATIENT},
        preset=preset,
        allow_late=late,
    )


def hello(mode: Mode, channels: int = 2) -> Hello:
    return Hello(
        client="", mode=mode, sample_rate=RATE, channels=channels, block=512, preset="quick"
    )


def test_a_preset_that_is_too_much_is_refused_by_name_of_one_that_is_not(tmp_path: Path) -> None:
    engine = an_engine()
    with pytest.raises(ConfigError, match=r"'quick' takes \d+% .* take --preset patient, or add"):
        check_preset_holds(engine, tmp_path, exact=False)
    engine.stop()


@pytest.mark.parametrize("has", [True, False])
def test_bfloat16_is_named_where_the_processor_has_instructions_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has: bool
) -> None:
    engine = an_engine()
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has})
    monkeypatch.setattr(Engine, "can_follow", True)
    with pytest.raises(ConfigError) as refused:
        check_preset_holds(engine, tmp_path, exact=False)
    assert ("try --precision bfloat16" in str(refused.value)) is has
    with pytest.raises(ConfigError) as refused:
        check_preset_holds(engine, tmp_path, exact=False, precision="bfloat16")
    assert "--precision" not in str(refused.value)
    engine.stop()


def test_a_busy_moment_at_the_start_is_no_reason_to_refuse(tmp_path: Path) -> None:
    # As many as are computed to begin with.
    engine = an_engine(calls=4)
    assert engine.load_of(engine.presets["quick"]) > engine.MOST_LOAD
    check_preset_holds(engine, tmp_path, exact=False)
    assert engine.load_of(engine.presets["quick"]) <= engine.MOST_LOAD
    engine.stop()


def test_who_insists_is_warned(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = an_engine(late=True)
    check_preset_holds(engine, tmp_path, exact=False)
    assert "live sessions will be late" in caplog.text
    engine.stop()


def test_if_no_preset_holds_the_last_bench_knows_a_network(tmp_path: Path) -> None:
    engine = an_engine()
    del engine.presets["patient"]
    with pytest.raises(ConfigError, match="'streamsep bench' finds what holds"):
        check_preset_holds(engine, tmp_path, exact=False)
    held = measurement(machine=this_machine(), model="dwarf", preset="studio")
    KeptMeasurements(tmp_path / "bench").keep(held)
    with pytest.raises(ConfigError, match=r"--model dwarf --preset studio .* held in the last"):
        check_preset_holds(engine, tmp_path, exact=False)
    engine.stop()


def test_a_live_session_is_refused_alone_and_an_offline_one_never() -> None:
    engine = an_engine("patient")
    with pytest.raises(OfferRefusedError, match=r"'quick' would take .* take preset patient"):
        engine.offer(hello(Mode.LIVE))
    assert engine.offer(hello(Mode.OFFLINE)).demand is None
    engine.stop()


def test_a_session_of_many_channels_is_told_what_holds_for_it() -> None:
    engine = an_engine("patient")
    with pytest.raises(OfferRefusedError, match="none of its presets holds"):
        engine.offer(hello(Mode.LIVE, channels=16))
    engine.stop()


def test_an_engine_that_may_be_late_lets_everybody_in() -> None:
    engine = an_engine(late=True)
    offer = engine.offer(hello(Mode.LIVE))
    assert offer.demand is not None
    assert offer.demand.load > 0.9
    engine.stop()


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a small network, which cannot be followed, and a preset that is too much."""
    home = tmp_path_factory.mktemp("home")
    network = tiny_network("conv_tasnet")
    save_checkpoint(network, home / "small.safetensors", licence="CC0", training="none")
    (home / "heavy.yaml").write_text(HEAVY)
    # Sockets have short names.
    with tempfile.TemporaryDirectory() as run_folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", run_folder)
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("STREAMSEP_CACHE_DIR", str(home / "cache"))
        yield home


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "streamsep", *map(str, arguments)]


def serve(user: Path, *options: object) -> list[str]:
    engine = ("--model", user / "small.safetensors", "--preset", user / "heavy.yaml", "-d", "cpu")
    return command("serve", *engine, *options)


def test_serve_refuses_in_one_line(user: Path) -> None:
    done = subprocess.run(serve(user), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "READY" not in done.stdout
    assert done.stderr.startswith("streamsep: 'small' at preset 'heavy' takes ")
    assert "at most 70% hold; take --preset " in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("allow_late", [True, False])
def test_live_tells_the_engine_that_it_starts(user: Path, allow_late: bool) -> None:
    settings = LiveConfig(preset=str(user / "heavy.yaml"))
    told = engine_command(settings, OwnEngine("cpu", allow_late=allow_late))
    assert ("--allow-late" in told) == allow_late
    assert "--precision" not in told


def test_live_tells_the_engine_how_exactly_to_compute() -> None:
    settings = LiveConfig(precision="bfloat16", exact=True)
    told = engine_command(settings, OwnEngine("cpu"))
    assert "--exact" in told
    assert told[told.index("--precision") + 1] == "bfloat16"


def test_who_insists_is_served_and_files_come_whole(user: Path, tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    soundfile.write(song, 0.1 * np.ones((3_000, 2)), RATE, subtype="FLOAT")
    engine = subprocess.Popen(
        serve(user, "--allow-late"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert engine.stdout is not None
    try:
        assert any(line.startswith("READY") for line in engine.stdout), engine.communicate()[1]
        sent = subprocess.run(
            command("send", song, "-o", tmp_path / "out"),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        engine.terminate()
        _, errors = engine.communicate(timeout=30)
    assert sent.returncode == 0, sent.stderr
    assert "live sessions will be late" in errors
    stems = list((tmp_path / "out" / "song").glob("*.wav"))
    assert stems
    assert all(soundfile.info(stem).frames == 3_000 for stem in stems)
