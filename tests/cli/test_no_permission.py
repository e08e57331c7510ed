"""Commands and a folder that this user may not even search: one line, or life without it."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.commands import typed
from streamsep.cli.checks.cache import check_models
from streamsep.cli.live_setup import LateMidi
from streamsep.errors import ConfigError, InputError
from streamsep.files import find_tracks
from streamsep.models import available_models
from streamsep.models.installed import installed_names

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
)


@pytest.fixture
def closed() -> Iterator[Path]:
    """A folder in one of root's that nobody else may look into, while this process is nobody."""
    folder = Path(tempfile.mkdtemp())
    (folder / "inner").mkdir()
    # What imports modules late does it now: those of Python itself may be root's.
    available_models(folder)
    installed_names()
    os.seteuid(65534)
    try:
        yield folder / "inner"
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("models", "convert", "{}/old.th", "{}/new.safetensors"), "cannot be read"),
        (("models", "info", "{}/some.th"), "cannot read"),
        (("separate", "{}/song.wav"), "cannot be searched: Permission denied"),
    ],
)
def test_what_lies_in_it_cannot_be_read(
    words: tuple[str, ...], said: str, closed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(capsys, *(word.format(closed) for word in words)).check_one_line(2, said)


def test_networks_that_would_lie_in_it_are_not_there(
    closed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(closed / "torch"))
    listed = typed(capsys, "models", "--cache-dir", closed, "--json")
    assert (listed.code, listed.err) == (0, "")
    assert {each["where"] for each in json.loads(listed.out)} >= {"packaged", "download"}


def test_a_doctor_says_that_no_network_can_be_stored_in_it(closed: Path) -> None:
    found = check_models(closed / "cache")
    assert (found.state, found.detail) == ("problem", f"{closed / 'cache'} cannot be written to")


def test_songs_are_not_looked_for_in_it(closed: Path) -> None:
    with pytest.raises(InputError, match="cannot be searched: Permission denied"):
        find_tracks(closed, ("vocals",), 44_100, 2)


def test_no_midi_map_is_learnt_into_it(closed: Path) -> None:
    with pytest.raises(ConfigError, match="choose another file for --midi-learn"):
        LateMidi(None, None, closed / "mine.yaml")
