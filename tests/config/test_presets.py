from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from streamsep.config import LatencyPreset, load_preset, load_presets
from streamsep.errors import ConfigError

FIELDS = {
    "name": "mine",
    "description": "d",
    "use": "u",
    "context": 4096,
    "hop": 2048,
    "look_ahead": 2048,
    "crossfade": 1024,
}


def write(folder, text):
    path = folder / "mine.yaml"
    path.write_text(text if isinstance(text, str) else yaml.safe_dump(text))
    return path


def test_presets_come_shortest_latency_first_and_under_their_file_names():
    presets = load_presets()
    latencies = [preset.latency for preset in presets.values()]
    assert list(presets) == ["shortest", "instant", "stage", "lean", "live", "studio"]
    assert latencies == sorted(latencies)


def test_all_presets_but_lean_use_the_same_segment_of_about_three_seconds():
    presets = load_presets()
    assert presets.pop("lean").segment == 26 * 2048
    assert {preset.segment for preset in presets.values()} == {65 * 2048}


def test_no_preset_calls_itself_low_latency():
    for preset in load_presets().values():
        assert "low latency" not in (preset.description + preset.use).lower()


def test_latency_is_hop_plus_look_ahead():
    live = load_preset("live")
    assert live.latency == live.hop + live.look_ahead == 16_384
    assert live.segment == live.context + live.latency
    assert live.passes == live.segment / live.hop


def test_a_preset_can_be_a_file_of_ones_own(tmp_path):
    path = write(tmp_path, FIELDS)
    assert load_preset(path) == load_preset(str(path)) == LatencyPreset(**FIELDS)


def test_an_unknown_name_lists_the_known_ones_and_the_nearest():
    with pytest.raises(
        ConfigError, match=r"'studo', did you mean 'studio'\? expected shortest, in"
    ):
        load_preset("studo")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hop": 1000}, r"'hop': got 1000, expected a multiple of 2048 samples; .* is 2048"),
        ({"hop": 0}, r"key 'hop': got 0, expected greater than 0"),
        ({"context": 5000}, r"'context': got 5000, .* is 4096"),
        ({"look_ahead": -2048}, r"key 'look_ahead': got -2048, expected greater than or equal"),
        ({"crossfade": 2049}, r"'crossfade': got 2049, expected at most 2048"),
        ({"hop": "2048"}, r"key 'hop': got '2048', expected a valid integer"),
        ({"hop": True}, r"key 'hop': got True, expected a valid integer"),
        ({"hop": 2048.5}, r"key 'hop': got 2048.5, expected"),
        ({"hops": 2}, r"unknown key 'hops', did you mean 'hop'\?"),
        ({"zzz": 2}, r"unknown key 'zzz', expected name, description"),
        ({"name": "Not a name"}, r"key 'name': got 'Not a name'"),
        ({"context": -1, "zzz": 1}, r"'context': got -1, .* \(and 1 more\)$"),
    ],
)
def test_a_wrong_value_is_one_line_with_file_key_and_expectation(tmp_path, change, message):
    path = write(tmp_path, FIELDS | change)
    with pytest.raises(ConfigError, match=message) as caught:
        load_preset(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_missing_key_is_named(tmp_path):
    path = write(tmp_path, {key: value for key, value in FIELDS.items() if key != "use"})
    with pytest.raises(ConfigError, match=r"key 'use' is missing$"):
        load_preset(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hop: [1", r"line 2, column 1: .*expected YAML|line 1"),
        ("hop: 1\nhop: 2\n", r"line 2, column 1: key 'hop' appears twice"),
        ("- a\n- b\n", r"got \['a', 'b'\] at the top level"),
        ("", r"got None at the top level"),
        ("a: !!python/object/apply:os.system [ls]", r"could not determine a constructor"),
        ("[" * 5000, r"expected YAML"),
        ("a: 2020-99-99", r"expected YAML"),
    ],
)
def test_a_file_that_is_not_a_mapping_is_refused(tmp_path, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_preset(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_unreadable_files_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_preset(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_preset(tmp_path / "folder.yaml" / "..")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_preset(binary)


@given(
    context=st.integers(0, 100),
    hop=st.integers(1, 20),
    look_ahead=st.integers(0, 20),
    share=st.floats(0, 1),
)
def test_whatever_fits_the_grid_is_accepted(context, hop, look_ahead, share):
    preset = LatencyPreset(
        name="p",
        description="",
        use="",
        context=2048 * context,
        hop=2048 * hop,
        look_ahead=2048 * look_ahead,
        crossfade=int(share * 2048 * min(hop, look_ahead)),
    )
    assert preset.segment % 2048 == 0
    assert 0 < preset.latency <= preset.segment
