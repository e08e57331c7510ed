"""An engine measures what it is asked for, and what one has measured the next one remembers."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import fakes
import pytest
import torch
from measured import MACHINE
from torch import Tensor

from bridge.protocol import Hello, Mode
from bridge.server import Engine
from bridge.server.measurements import read_legacy
from bridge.server.offers import OfferRefusedError
from streamsep.config import LatencyPreset
from streamsep.measuring import KeptHopCosts, Setup, Workload

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRESETS = {
    name: LatencyPreset(
        name=name, description="", use="", context=4096, hop=hop, look_ahead=2048, crossfade=512
    )
    for name, hop in (("short", 2048), ("long", 8192), ("longest", 16_384))
}
SETUP = Setup(
    machine=MACHINE, device="cpu", threads=1, precision=None, network="fake", files="none"
)
PRESET_HOPS = 4
"""So many are computed to measure a preset."""
SLEEP_S = 0.05
"""Long enough for a busy machine to need hardly longer."""


class Counting(fakes.PassThrough):
    """Counts what it is asked for, and takes its time for it."""

    def __init__(self, sleep_s: float = 0.0) -> None:
        super().__init__(stride=2048)
        self.segments: list[int] = []
        self.sleep_s = sleep_s

    def __call__(self, mix: Tensor) -> Tensor:
        self.segments.append(mix.shape[-1])
        time.sleep(self.sleep_s)
        return super().__call__(mix)


def hello(preset: str = "", mode: Mode = Mode.LIVE, channels: int = 2) -> Hello:
    return Hello(
        client="x", mode=mode, sample_rate=44_100, channels=channels, block=256, preset=preset
    )


@contextmanager
def an_engine(
    separator: Counting, folder: Path | None = None, **options: object
) -> Iterator[Engine]:
    kept = None if folder is None else KeptHopCosts(folder, SETUP)
    engine = Engine(
        separator,
        "it",
        torch.device("cpu"),
        presets=PRESETS,
        kept=kept,
        **{"preset": "short", **options},
    )
    try:
        yield engine
    finally:
        engine.stop()


def test_only_the_preset_of_the_engine_is_measured_before_it_serves() -> None:
    separator = Counting()
    with an_engine(separator) as engine:
        assert separator.segments == PRESET_HOPS * [engine.presets["short"].segment]


def test_another_preset_is_measured_when_a_session_asks_for_it() -> None:
    separator = Counting()
    with an_engine(separator) as engine:
        separator.segments.clear()
        assert engine.is_ready_for(hello())
        assert not engine.is_ready_for(hello("long"))
        engine.get_ready_for(hello("long"))
        assert separator.segments == PRESET_HOPS * [engine.presets["long"].segment]
        assert engine.is_ready_for(hello("long"))
        assert engine.offer(hello("long")).preset == "long"
        assert len(separator.segments) == PRESET_HOPS


def test_who_does_not_need_a_figure_does_not_wait_for_one() -> None:
    with an_engine(Counting()) as engine:
        assert engine.is_ready_for(hello("long", Mode.OFFLINE))
        assert engine.is_ready_for(hello("there is none"))
        with pytest.raises(OfferRefusedError, match="unknown preset"):
            engine.offer(hello("there is none"))


@pytest.mark.parametrize("mode", list(Mode))
def test_another_rate_is_measured_when_a_session_asks_for_it(mode: Mode) -> None:
    with an_engine(Counting()) as engine:
        at_48_khz = replace(hello(mode=mode), sample_rate=48_000)
        assert not engine.is_ready_for(at_48_khz)
        engine.get_ready_for(at_48_khz)
        assert engine.is_ready_for(at_48_khz)


@pytest.mark.parametrize("sample_rate", [1, 3_999, 384_001, 768_000])
def test_a_rate_of_no_audio_is_refused_unmeasured(sample_rate: int) -> None:
    with an_engine(Counting()) as engine:
        strange = replace(hello(), sample_rate=sample_rate)
        assert engine.is_ready_for(strange)
        with pytest.raises(OfferRefusedError, match="expected 4000 to 384000"):
            engine.offer(strange)


def test_a_refusal_names_presets_that_were_measured_for_it() -> None:
    separator = Counting(0.04)
    with an_engine(separator, preset="longest") as engine:
        engine.get_ready_for(hello("short"))
        # All of them: those that hold are named, and those that do not are not.
        assert set(separator.segments) == {each.segment for each in engine.presets.values()}
        with pytest.raises(OfferRefusedError, match="take preset long or longest"):
            engine.offer(hello("short"))
        count = len(separator.segments)
        engine.get_ready_for(hello("short"))
        assert len(separator.segments) == count


def test_what_can_never_be_named_is_not_measured_while_others_wait() -> None:
    separator = Counting(0.04)
    presets = {**PRESETS, "bare": PRESETS["short"].model_copy(update={"name": "bare"})}
    presets["bare"] = presets["bare"].model_copy(update={"crossfade": 0, "context": 12_288})
    engine = Engine(separator, "it", torch.device("cpu"), presets=presets, preset="longest")
    engine.get_ready_for(hello("short"))
    with pytest.raises(OfferRefusedError, match="take preset long or longest"):
        engine.offer(hello("short"))
    assert presets["bare"].segment not in separator.segments
    engine.stop()


def test_an_engine_remembers_what_one_before_it_has_measured(tmp_path: Path) -> None:
    with an_engine(Counting(SLEEP_S), tmp_path, preset="long") as first:
        first.get_ready_for(hello("longest"))
        longest = first.offer(hello("longest"))
        known_s = first.compute_s(first.presets["long"])
        assert "measured now" in first.measurements.describe(first.presets["long"])
    separator = Counting(SLEEP_S)
    with an_engine(separator, tmp_path, preset="long") as second:
        assert len(separator.segments) < PRESET_HOPS
        assert second.is_ready_for(hello("longest"))
        assert not second.is_ready_for(hello("short"))
        assert second.offer(hello("longest")) == longest
        # Its own hops were no reason to doubt that, and may have been slower.
        assert known_s <= second.compute_s(second.presets["long"]) <= 2 * known_s
        assert "remembered from 20" in second.measurements.describe(second.presets["long"])


def test_presets_that_compute_the_same_share_a_figure() -> None:
    same = {name: PRESETS["short"].model_copy(update={"name": name}) for name in ("one", "two")}
    engine = Engine(Counting(), "it", torch.device("cpu"), presets=same, preset="one")
    assert engine.is_ready_for(hello("two"))
    engine.stop()


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\x00", b'{"cost": {"compute_s": 1.0}}'])
def test_a_damaged_figure_is_measured_anew(tmp_path: Path, damage: bytes) -> None:
    with an_engine(Counting(), tmp_path):
        pass
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage)
    separator = Counting()
    with an_engine(separator, tmp_path) as engine:
        assert len(separator.segments) == PRESET_HOPS
        assert "measured now" in engine.measurements.describe(engine.presets["short"])
    (path,) = tmp_path.iterdir()
    assert KeptHopCosts(tmp_path, SETUP).find(Workload(segment=8192)) is not None


@pytest.mark.parametrize(("then_s", "now_s"), [(0.1, 0.005), (0.005, 0.1)])
def test_a_figure_that_cannot_be_true_any_more_is_measured_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, then_s: float, now_s: float
) -> None:
    with an_engine(Counting(then_s), tmp_path):
        pass
    with (
        caplog.at_level(logging.INFO, "bridge"),
        an_engine(Counting(now_s), tmp_path, allow_late=True) as engine,
    ):
        config = engine.presets["short"]
        assert engine.compute_s(config) >= now_s
        assert "measured now" in engine.measurements.describe(config)
    assert "measured anew" in caplog.text


def test_a_session_that_took_much_longer_makes_the_next_one_measure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    separator = Counting(0.005)
    with an_engine(separator, tmp_path) as engine, caplog.at_level(logging.INFO, "bridge"):
        separator.sleep_s = 0.05
        offer = engine.offer(hello())
        stream = engine.open_stream(offer, hello(), lambda _: None)
        block = torch.zeros(2, 2048).numpy()
        for _ in range(25):
            stream.push(block, time.monotonic() + 60)
        deadline_s = time.monotonic() + 30
        while stream.busy:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        engine.close_stream(stream)
        assert "measured anew" in caplog.text
        assert not engine.is_ready_for(hello())
        assert not list(tmp_path.iterdir())
        engine.get_ready_for(hello())
        assert engine.compute_s(engine.presets["short"]) >= 0.05


def test_nobody_is_refused_for_what_other_work_had_made_slow() -> None:
    separator = Counting(0.027)
    with an_engine(separator) as engine:
        config = engine.presets["short"]
        assert engine.measurements.load_of(config) < Engine.MOST_LOAD
        separator.sleep_s = 0.04  # the machine has something else to do for a while
        stream = engine.open_stream(engine.offer(hello()), hello(), lambda _: None)
        for _ in range(25):
            stream.push(torch.zeros(2, 2048).numpy(), time.monotonic() + 60)
        deadline_s = time.monotonic() + 30
        while stream.busy:
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        engine.close_stream(stream)
        assert engine.measurements.load_of(config) > Engine.MOST_LOAD
        separator.sleep_s = 0.027
        assert not engine.is_ready_for(hello())
        engine.get_ready_for(hello())
        assert engine.offer(hello()).preset == "short"


def test_nobody_is_refused_for_a_measurement_of_a_moment_that_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    separator = Counting(0.06)  # the machine has something else to do while the engine starts
    with an_engine(separator, preset="longest") as engine:
        engine.get_ready_for(hello("short"))
        with pytest.raises(OfferRefusedError, match="take preset long or longest"):
            engine.offer(hello("short"))
        assert engine.is_ready_for(hello("short"))
        separator.sleep_s = 0.0
        count = len(separator.segments)
        monkeypatch.setattr("bridge.server.measurements._FRESH_S", 0.0)
        assert not engine.is_ready_for(hello("short"))
        engine.get_ready_for(hello("short"))
        assert engine.offer(hello("short")).preset == "short"
        # Those that held need not be measured for it again.
        assert len(separator.segments) == count + PRESET_HOPS


def test_a_figure_that_cannot_be_kept_is_used_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    with an_engine(Counting(), tmp_path / "file") as engine:
        engine.get_ready_for(hello("long"))
        assert engine.is_ready_for(hello("long"))
    assert caplog.text.count("cannot keep the measurement") == 1


def test_an_heir_computes_once_and_offers_the_same() -> None:
    with an_engine(Counting()) as engine:
        legacy, offer = engine.measurements.to_json(), engine.offer(hello())
    assert "\n" not in legacy
    separator = Counting()
    with an_engine(separator, legacy=read_legacy(legacy)) as heir:
        assert len(separator.segments) == 1
        assert heir.offer(hello()) == offer
