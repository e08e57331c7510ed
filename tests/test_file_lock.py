"""A lock leaves nothing behind where it could not be taken."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from streamsep.file_lock import FileLock

if TYPE_CHECKING:
    from pathlib import Path


def test_a_lock_whose_place_cannot_be_looked_at_is_free_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    path = tmp_path / "lock"
    with monkeypatch.context() as patch:
        patch.setattr(type(path), "stat", fail)
        with pytest.raises(PermissionError):
            FileLock(path).acquire(0)
    other = FileLock(path)
    assert other.acquire(0)
    assert not FileLock(path).acquire(0)
    other.release()


def test_what_is_not_to_be_created_is_not(tmp_path: Path) -> None:
    assert not FileLock(tmp_path / "gone", creates=False).acquire(0)
    assert not list(tmp_path.iterdir())
