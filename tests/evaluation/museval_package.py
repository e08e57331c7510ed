"""museval's reference implementation of BSS Eval, without the rest of the package."""

from __future__ import annotations

from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from support import require

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["museval_scores"]


def museval_scores(
    references: NDArray[Any], estimates: NDArray[Any], **options: Any
) -> NDArray[np.float64]:
    """SDR, ISR, SIR and SAR [4, S, N] of sounds [S, C, T] by museval's `bss_eval`.

    Importing museval itself needs ffmpeg, for formats that nobody reads here.
    """
    package = find_spec("museval")
    require(package, "museval is not installed; it is in the dev group")
    assert package is not None
    assert package.origin is not None
    spec = spec_from_file_location("museval_metrics", Path(package.origin).with_name("metrics.py"))
    assert spec is not None
    assert spec.loader is not None
    metrics = module_from_spec(spec)
    spec.loader.exec_module(metrics)
    scores = metrics.bss_eval(references.swapaxes(1, 2), estimates.swapaxes(1, 2), **options)
    return np.array(scores[:4])
