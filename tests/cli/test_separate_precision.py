"""`streamsep separate --precision`: other arithmetic, the same stems."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
from offline.material import STEMS

from cli.conftest import stem_files, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.conftest import Ended


def read_stems(folder: Path) -> np.ndarray:
    paths = [folder / "separated/tiny/song" / f"{stem}.wav" for stem in STEMS]
    return np.stack([soundfile.read(path)[0] for path in paths])


def agreement_db(stems: np.ndarray, reference: np.ndarray) -> float:
    difference = np.square(stems - reference).sum()
    return float(10 * np.log10(np.square(reference).sum() / difference))


def test_bfloat16_writes_nearly_the_stems_of_float32(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    stems = {}
    for precision in ("float32", "bfloat16"):
        assert separate(song, "--float32", "--precision", precision).code == 0
        assert written(folder) == stem_files()
        stems[precision] = read_stems(folder)
    agreement = agreement_db(stems["bfloat16"], stems["float32"])
    assert 30 <= agreement <= 80, "rounded, but not by much"


def test_an_unknown_precision_is_refused_before_anything_is_done(
    separate: Callable[..., Ended], song: Path, folder: Path
) -> None:
    ended = separate(song, "--precision", "fp8")
    assert ended.code == 2
    assert "fp8" in ended.err
    assert "bfloat16" in ended.err
    assert not written(folder)


@pytest.mark.parametrize("how", ["--incremental", "--exact"])
def test_a_preset_computes_in_bfloat16_too(
    separate: Callable[..., Ended], song: Path, folder: Path, how: str
) -> None:
    stems = {}
    for precision in ("float32", "bfloat16"):
        flags = ("--float32", "--latency-preset", "studio", how)
        assert separate(song, *flags, "--precision", precision).code == 0
        stems[precision] = read_stems(folder)
    assert 30 <= agreement_db(stems["bfloat16"], stems["float32"]) <= 80
