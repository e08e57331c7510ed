"""`streamsep separate --precision`: other arithmetic, the same stems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import soundfile
from offline.material import STEMS

from cli.conftest import stem_files, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Ended


def test_bfloat16_writes_nearly_the_stems_of_float32(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    stems = {}
    for precision in ("float32", "bfloat16"):
        assert separate(song, "--float32", "--precision", precision).code == 0
        assert written(folder) == stem_files()
        paths = [folder / "separated/tiny/song" / f"{stem}.wav" for stem in STEMS]
        stems[precision] = np.stack([soundfile.read(path)[0] for path in paths])
    difference = np.square(stems["float32"] - stems["bfloat16"]).sum()
    agreement_db = 10 * np.log10(np.square(stems["float32"]).sum() / difference)
    assert 30 <= agreement_db <= 80, "rounded, but not by much"


def test_an_unknown_precision_is_refused_before_anything_is_done(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    ended = separate(song, "--precision", "fp8")
    assert ended.code == 2
    assert "fp8" in ended.err
    assert "bfloat16" in ended.err
    assert not written(folder)


def test_a_latency_preset_computes_as_the_live_engine_does(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    ended = separate(song, "--precision", "bfloat16", "--latency-preset", "studio")
    assert ended.code == 2
    assert "leave out --precision" in ended.err
    assert not written(folder)
