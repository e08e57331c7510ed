"""Separates a folder in a process whose memory is really limited; see test_limited_memory.py.

Usage: limited_memory.py FOLDER OUT LIMIT_MIB
"""

from __future__ import annotations

import logging
import resource
import sys
from pathlib import Path

import torch
from fakes import SegmentShaped

from offline.material import fake_model
from streamsep.files import expand
from streamsep.offline import OutputLayout, SeparationOptions, separate_batch

HUNGER = 10_000
"""Bytes that the separator takes for every sample of a segment."""


class Hungry(SegmentShaped):
    """A separator that needs memory in proportion to the segment, as networks do."""

    def __call__(self, mix: torch.Tensor) -> torch.Tensor:
        # Nothing is written there: the limit counts what is asked for, not what is used.
        activations = torch.empty(len(mix), mix.shape[-1], HUNGER, dtype=torch.uint8)
        assert activations.numel() == mix.shape[-1] * HUNGER
        return super().__call__(mix)


def main() -> None:
    """Print one line per track: its number of samples, or what went wrong."""
    folder, out, limit_mib = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    logging.basicConfig(format="%(message)s", stream=sys.stdout)
    found, _ = expand([folder])
    layout = OutputLayout(out, "hungry")
    model = fake_model(Hungry(), segment=441_000)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = used + limit_mib * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for outcome in separate_batch(found, model, SeparationOptions(), layout):
        sys.stdout.write(f"{outcome.error or outcome.result.frames}\n")


if __name__ == "__main__":
    main()
