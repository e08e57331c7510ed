"""What the tests of `streamsep separate` share: a tiny network, a song, and the typed command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from offline.material import STEMS, listing, noise, tiny_model, write

from cli.commands import Ended, typed
from streamsep.models.checkpoints import save_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Ended", "stem_files", "written"]


def stem_files(extension: str = "wav", track: str = "song") -> list[str]:
    """The files that a track becomes, as `written` lists them."""
    return sorted(f"separated/tiny/{track}/{stem}.{extension}" for stem in STEMS)


def written(folder: Path) -> list[str]:
    """Every file below `separated`, hidden ones too."""
    return [name for name in listing(folder) if name.startswith("separated/")]


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a network called tiny."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(tiny_model().separator, path, licence="CC0", training="none")
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def song(folder: Path) -> Path:
    """A fifth of a second of noise in the working directory."""
    return write(folder / "song.wav", noise(2, 8_000))


@pytest.fixture
def separate(
    weights: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Ended]:
    """Types `streamsep separate -n tiny ...`, inside this process."""

    def run(*arguments: object) -> Ended:
        return typed(capsys, "separate", "-n", weights, *arguments)

    return run
