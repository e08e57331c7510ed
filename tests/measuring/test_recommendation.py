"""Of what holds, the least latency."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from measured import measurement

from streamsep.measuring import MOST_RTF, Measurement, recommended, recommended_of_each

HOP_MS = measurement().hop_ms


@pytest.mark.parametrize(
    ("changed", "holds"),
    [
        ({}, True),
        ({"rtf": MOST_RTF}, True),
        ({"rtf": MOST_RTF + 0.001}, False),
        ({"p99_ms": HOP_MS - 0.1}, True),
        ({"p99_ms": HOP_MS}, False),
        ({"max_ms": 10 * HOP_MS}, True),
        ({"playable": False}, False),
    ],
)
def test_what_holds(changed: dict[str, object], holds: bool) -> None:
    assert measurement(**changed).holds == holds


def test_declared_latency_is_the_sum_of_its_terms() -> None:
    measured = measurement(latency_terms={"block": 256, "network": 4096, "budget": 2048})
    assert measured.latency == 6400
    assert measured.latency_ms == pytest.approx(6400 / 44.1)


@st.composite
def measurements(draw: st.DrawFn) -> list[Measurement]:
    return [
        measurement(
            model=draw(st.sampled_from(["small", "large"])),
            rtf=draw(st.floats(0.1, 1.5)),
            p99_ms=draw(st.floats(1.0, 2 * HOP_MS)),
            playable=draw(st.booleans()),
            latency_terms={"network": draw(st.integers(4096, 4100))},
        )
        for _ in range(draw(st.integers(0, 8)))
    ]


@given(measurements())
def test_nothing_that_holds_has_less_latency(several: list[Measurement]) -> None:
    best = recommended(several)
    able = [each for each in several if each.holds]
    if best is None:
        assert not able
    else:
        assert best in able
        assert all((best.latency, best.rtf) <= (each.latency, each.rtf) for each in able)


@given(measurements())
def test_every_network_has_its_own(several: list[Measurement]) -> None:
    of_each = recommended_of_each(several)
    assert set(of_each) == {each.model for each in several}
    for model, best in of_each.items():
        assert best == recommended(each for each in several if each.model == model)
