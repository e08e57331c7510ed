"""A bar on the terminal while something is downloaded."""

from __future__ import annotations

from typing import Self

__all__ = ["DownloadBar"]


class DownloadBar:
    """Appears with the first byte; nothing where there is no terminal. A context manager.

    Args:
        name: what is being downloaded.
    """

    def __init__(self, name: str = "downloading the network") -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(name, start=False, visible=False)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, done: int, total: int | None) -> None:
        """Show how many bytes have arrived."""
        self._progress.start_task(self._task)
        self._progress.update(self._task, completed=done, total=total, visible=True)
