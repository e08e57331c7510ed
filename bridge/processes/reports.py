"""What a child tells its parent: one line of JSON for each report, on its standard output."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Generic, TypeVar

__all__ = ["ReportCodec"]

ReportT = TypeVar("ReportT")


class ReportCodec(Generic[ReportT]):
    """Lines of the reports that one kind of child sends.

    Args:
        kinds: dataclasses, whose fields JSON can hold.
    """

    def __init__(self, *kinds: type[ReportT]) -> None:
        self._kinds: dict[str, Any] = {kind.__name__.lower(): kind for kind in kinds}

    def encode(self, report: ReportT) -> str:
        """One line, without its end."""
        values = dataclasses.asdict(report)  # type: ignore[call-overload]
        return json.dumps({"kind": type(report).__name__.lower(), **values})

    def decode(self, line: str) -> ReportT | None:
        """What `encode` made; None for a line that is something else: libraries print, too."""
        try:
            values = json.loads(line)
            report: ReportT = self._kinds[values.pop("kind")](**values)
        except (ValueError, LookupError, AttributeError, TypeError):
            return None
        return report
