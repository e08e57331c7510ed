"""What hops cost, on disk: an engine that starts again need not measure again.

A file's name holds a key over all that a cost is true of, so that with anything else nothing is
found: the machine, the versions, the device, threads and precision, the network's files, the
tiling. What is too old, or damaged, is as good as nothing too.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from streamsep.measuring.hop_cost import HopCost, Setup, Workload
from streamsep.measuring.shelf import Shelf

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["KeptHopCosts"]


class _Kept(BaseModel):
    """A cost, and what it is true of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    setup: Setup
    cost: HopCost


class KeptHopCosts:
    """What hops have cost before, in one setup.

    Args:
        folder: where it lies; it need not be there.
        setup: what computes, and how.
        anew: what was kept before this moment is not believed.
    """

    def __init__(self, folder: Path, setup: Setup, *, anew: bool = False) -> None:
        self._shelf = Shelf(folder, _Kept)
        self._setup = setup
        self._not_before = datetime.now(UTC) if anew else datetime.min.replace(tzinfo=UTC)

    def keep(self, cost: HopCost) -> None:
        """Write one down; an older one of the same is replaced.

        Raises:
            OutputError: it cannot be written.
        """
        self._shelf.put(_Kept(setup=self._setup, cost=cost), self._facts(cost.workload))

    def find(self, workload: Workload, now: datetime | None = None) -> HopCost | None:
        """What a hop costs; None if that is not known, or not to be believed.

        Args:
            workload: what is computed for it.
            now: with a time zone; None for this moment.
        """
        kept = self._shelf.find(self._facts(workload))
        if kept is None or (kept.setup, kept.cost.workload) != (self._setup, workload):
            return None
        cost = kept.cost
        believed = cost.measured >= self._not_before and cost.is_fresh(now or datetime.now(UTC))
        return cost if believed else None

    def forget(self, workload: Workload) -> None:
        """It is not true any more."""
        self._shelf.remove(self._facts(workload))

    def _facts(self, workload: Workload) -> dict[str, Any]:
        return {"setup": self._setup.model_dump(), "workload": workload.model_dump()}
