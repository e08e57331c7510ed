"""Maps: the ones that come with streamsep, mistakes in one's own, and writing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from midi.controller import STEMS, map_of

from bridge.midi import MidiInterpreter
from bridge.mixing import MixControls
from streamsep.config.midi_map import MidiMap, load_midi_map, load_midi_maps, save_midi_map
from streamsep.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", list(load_midi_maps()))
def test_a_map_that_comes_with_streamsep_reaches_the_whole_mixer(name: str) -> None:
    found = load_midi_map(name)
    assert found.name == name
    controls = MixControls(STEMS)
    assert MidiInterpreter(found, controls).absent == ()
    bound = {binding.control for binding in found.bindings()}
    assert set(controls.names()) - bound <= {"wet"}  # Mackie's knobs only tell how far they turned


def test_maps_are_found_by_name_and_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    save_midi_map(load_midi_map("generic"), path)
    assert load_midi_map(path) == load_midi_map("generic")
    with pytest.raises(ConfigError, match="did you mean 'generic'"):
        load_midi_map("generc")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_midi_map(tmp_path / "absent.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("faders: [{control: drums.gain, cc: 128}]", "less than or equal to 127"),
        ("faders: [{control: drums.mute, cc: 1}]", "match pattern"),
        ("faders: [{control: wet}]", "fader of 'wet': expected cc or pitch_bend"),
        ("faders: [{control: wet, cc: 1, fine_cc: 1}]", "fine_cc needs a cc, another one"),
        ("buttons: [{control: panic, cc: 1, note: 2}]", "expected note or cc, one of them"),
        ("buttons: [{control: panic, cc: 1, color: 2}]", "unknown key 'buttons.0.color'"),
        (
            "faders: [{control: wet, cc: 1}]\nbuttons: [{control: panic, cc: 1, channel: 2}]",
            "'wet' and 'panic' both listen to cc 1",
        ),
        ("channel: 0", "greater than or equal to 1"),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(f"name: mine\ndescription: x\n{text}\n")
    with pytest.raises(ConfigError, match=said) as raised:
        load_midi_map(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_one_number_may_mean_two_things_on_two_channels() -> None:
    one, other = {"control": "wet", "cc": 1}, {"control": "master", "cc": 1}
    assert len(map_of({**one, "channel": 1}, {**other, "channel": 2}).faders) == 2


faders = st.fixed_dictionaries(
    {"control": st.sampled_from(["wet", "master", "drums.gain", "a: b#'.gain"])},
    optional={
        "taper": st.sampled_from(["desk", "db"]),
        "highest_db": st.floats(0.5, 12.0),
        "pick_up": st.booleans(),
        "feedback": st.booleans(),
    },
)


@given(st.lists(faders, max_size=4), st.text(max_size=20), st.booleans())
def test_a_written_map_is_read_as_it_was(
    tmp_path_factory: pytest.TempPathFactory,
    listed: list[dict[str, object]],
    description: str,
    pick_up: bool,
) -> None:
    content = [{**fader, "cc": number} for number, fader in enumerate(listed)]
    written = MidiMap.model_validate(
        {"name": "mine", "description": description, "pick_up": pick_up, "faders": content}
    )
    path = tmp_path_factory.mktemp("maps") / "mine.yaml"
    save_midi_map(written, path)
    assert load_midi_map(path) == written
    assert [each.name for each in path.parent.iterdir()] == ["mine.yaml"]


def test_a_map_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        save_midi_map(map_of(), tmp_path / "file" / "map.yaml")
    taken = tmp_path / "taken.yaml"
    taken.mkdir()
    with pytest.raises(OutputError, match="choose another file"):
        save_midi_map(map_of(), taken)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "taken.yaml"]
