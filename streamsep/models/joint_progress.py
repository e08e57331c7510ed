"""How far several downloads are, as if they were one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streamsep.config import ModelCard

    Progress = Callable[[int, int | None], None]

__all__ = ["JointProgress"]


class JointProgress:
    """Adds up what one download after the other reports.

    Args:
        report: is told the bytes so far and in all, the latter None where nobody knows.
    """

    def __init__(self, report: Progress | None) -> None:
        self._report = report
        self._done = 0
        self._ahead: dict[str, int | None] = {}

    def expect(self, cards: Iterable[ModelCard]) -> None:
        """These files will be downloaded too."""
        for card in cards:
            self._ahead.setdefault(card.filename, card.size_bytes)

    def of(self, card: ModelCard) -> Progress | None:
        """The progress of the next download, which begins where the last one ended."""
        if self._report is None:
            return None
        report, before = self._report, self._done
        self._ahead.pop(card.filename, None)
        after = list(self._ahead.values())

        def advance(done: int, total: int | None) -> None:
            self._done = before + done
            sizes = [total, *after]
            known = [size for size in sizes if size is not None]
            report(before + done, before + sum(known) if len(known) == len(sizes) else None)

        return advance
