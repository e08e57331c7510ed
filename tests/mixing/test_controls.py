"""Controls: their names, ranges and defaults, and one block that two processes see."""

from __future__ import annotations

import math
import multiprocessing
from multiprocessing import shared_memory

import pytest

from bridge.mixing import HIGHEST_GAIN_DB, Control, MixControls, Parameter
from streamsep.errors import ConfigError

STEMS = ("drums", "vocals")


def test_new_controls_change_nothing() -> None:
    amplitudes = MixControls(STEMS).amplitudes()
    assert (amplitudes.stems, amplitudes.wet, amplitudes.master) == ([1.0, 1.0], 1.0, 1.0)


def test_every_control_keeps_a_value_of_its_own() -> None:
    controls = MixControls(STEMS)
    given = {
        name: 1.0 if Control.parse(name).parameter.is_switch else (index + 1) / 100
        for index, name in enumerate(controls.names())
    }
    assert len(given) == 10
    for name, value in given.items():
        controls.set(name, value)
    assert {name: controls.get(name) for name in given} == given


def test_names_and_controls_are_the_same_thing() -> None:
    for name in MixControls(("a.b", "vocals")).names():
        assert str(Control.parse(name)) == name
    assert Control.parse("a.b.gain") == Control(Parameter.GAIN, "a.b")


@pytest.mark.parametrize("name", ["", "gain", "vocals", "vocals.wet", "vocals.volume", ".gain"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="is no control; expected STEM"):
        Control.parse(name)


def test_a_stem_that_is_not_there_is_named_with_its_neighbour() -> None:
    with pytest.raises(ConfigError, match="did you mean 'vocals'"):
        MixControls(STEMS).set("vocal.gain", 0.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vocals.gain", HIGHEST_GAIN_DB + 0.1),
        ("master", math.nan),
        ("wet", 1.01),
        ("wet", -0.01),
        ("vocals.mute", 0.5),
        ("panic", math.nan),
    ],
)
def test_values_out_of_range_change_nothing(name: str, value: float) -> None:
    controls = MixControls(STEMS)
    before = controls.values()
    with pytest.raises(ConfigError, match="expected"):
        controls.set(name, value)
    assert controls.values() == before


def test_solo_silences_the_others_and_mute_counts_more() -> None:
    controls = MixControls(("a", "b", "c"))
    controls.set("a.solo", 1)
    controls.set("b.solo", 1)
    controls.set("b.mute", 1)
    assert controls.amplitudes().stems == [1.0, 0.0, 0.0]


def test_silence_is_minus_infinity() -> None:
    controls = MixControls(STEMS)
    controls.set("drums.gain", -math.inf)
    controls.set("master", -20.0)
    assert controls.amplitudes().stems == [0.0, 1.0]
    assert controls.amplitudes().master == pytest.approx(0.1)


def _turn(name: str) -> None:
    memory = shared_memory.SharedMemory(name)
    controls = MixControls(STEMS, memory.buf)
    assert controls.get("drums.gain") == -6.0
    controls.set("vocals.gain", -3.0)
    controls.release()
    memory.close()


def test_another_process_turns_them_and_joins_them_as_they_are() -> None:
    memory = shared_memory.SharedMemory(create=True, size=MixControls.nbytes_for(STEMS))
    controls = MixControls(STEMS, memory.buf)
    controls.set("drums.gain", -6.0)
    child = multiprocessing.get_context("spawn").Process(target=_turn, args=(memory.name,))
    child.start()
    child.join()
    assert child.exitcode == 0
    assert controls.get("vocals.gain") == -3.0
    controls.release()
    memory.close()
    memory.unlink()


def test_a_foreign_or_small_buffer_is_refused() -> None:
    memory = bytearray(MixControls.nbytes_for(("a", "b", "c")))
    MixControls(("a", "b", "c"), memory)
    with pytest.raises(ConfigError, match="those of 3 stems, expected 2"):
        MixControls(STEMS, memory)
    with pytest.raises(ConfigError, match="take 96 bytes, got 95"):
        MixControls(STEMS, bytearray(95))
