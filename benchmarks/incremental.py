"""Following a stream against separating every window anew: operations, time, agreement.

    uv run python benchmarks/incremental.py                       # the starter, songs of the band
    uv run python benchmarks/incremental.py song.wav other.flac
    uv run python benchmarks/incremental.py --model hdemucs_high_musdb --preset live
    uv run python benchmarks/incremental.py --context 129024      # more than the starter gets

Both see the same windows, one after the other, in one process. Agreement is the energy of the
network's estimates over that of the difference, for the samples that a stream would emit.
"""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import replace
from pathlib import Path  # noqa: TC003 - typer reads it
from typing import TYPE_CHECKING, Annotated

import soundfile
import torch
import typer
from common import write_results
from torch.utils.flop_counter import FlopCounterMode

from streamsep import StreamConfig, load_preset, load_separator
from streamsep.models.hybrid_demucs import HybridDemucs
from streamsep.models.incremental import HybridFollower
from streamsep.synthesis import synthesise_song

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def songs(files: list[Path], seconds: float) -> dict[str, Tensor]:
    """The mixtures to try, float32 [2, T]."""
    if not files:
        return {
            f"song {seed}": torch.from_numpy(synthesise_song(seed, seconds).mixture)
            for seed in (900_000, 900_001, 900_002)
        }
    loaded = {}
    for file in files:
        samples, _ = soundfile.read(file, dtype="float32", always_2d=True)
        mix = torch.from_numpy(samples.T[:2].copy())
        loaded[file.name] = mix.expand(2, -1)[:, : int(seconds * 44_100)]
    return loaded


def packed_operations(x: list[int], weight: list[int], *_: object, out_shape: list[int]) -> int:
    """Those of a convolution or product with packed weights [out, in, ...], which torch lacks."""
    return 2 * math.prod(out_shape) * math.prod(weight[1:])


def operations(separate: Callable[[Tensor], Tensor], mix: Tensor) -> int:
    """Floating-point operations of matrix products and convolutions."""
    packed = torch.ops.mkldnn._convolution_pointwise, torch.ops.mkldnn._linear_pointwise
    known = dict.fromkeys(packed, packed_operations)
    with FlopCounterMode(display=False, custom_mapping=known) as counter:
        separate(mix)
    return counter.get_total_flops()


def measure(network: HybridDemucs, config: StreamConfig, mix: Tensor) -> dict[str, float]:
    """Follow one mixture; every few hops compare with the network."""
    wanted = config.tiling(network.stride).weighted
    segment, hop = config.segment, config.hop
    following = HybridFollower(network, segment=segment, hop=hop, wanted=wanted)
    error = energy = 0.0
    hop_s, window_s = [], []
    ratio = 0.0
    for number, start in enumerate(range(0, mix.shape[-1] - segment + 1, hop)):
        window = mix[None, :, start : start + segment]
        if number == 1:
            # Each window is followed once: the next one lies a hop after it.
            ratio = operations(network, window) / operations(following, window)
            continue
        started = time.perf_counter()
        got = following(window)
        hop_s.append(time.perf_counter() - started)
        if number % 5 == 4:
            started = time.perf_counter()
            expected = network(window)[..., wanted]
            window_s.append(time.perf_counter() - started)
            error += float((got - expected).square().sum())
            energy += float(expected.square().sum())
    agreement_db = float(10 * torch.log10(torch.tensor(energy / error)))
    return {
        "agreement_db": agreement_db,
        "operations_ratio": ratio,
        "hop_ms": 1000 * statistics.median(hop_s[1:]),
        "window_ms": 1000 * statistics.median(window_s),
    }


def main(
    files: Annotated[list[Path] | None, typer.Argument(help="Songs at 44.1 kHz.")] = None,
    model: str = "starter",
    preset: str = "instant",
    context: Annotated[
        int | None, typer.Option(help="Samples; what the network gets at the preset if left out.")
    ] = None,
    seconds: float = 16.0,
) -> None:
    """Print a line a song and write all figures as JSON."""
    loaded = load_separator(model)
    network = loaded.separator
    if not isinstance(network, HybridDemucs) or not HybridFollower.fits(network.config):
        raise typer.BadParameter(f"'{model}' is no network that can be followed")
    config = StreamConfig.from_preset(load_preset(preset)).fitted_to(loaded)
    if context is not None:
        config = replace(config, context=context)
    results = {}
    with torch.inference_mode():
        for name, mix in songs(files or [], seconds).items():
            results[name] = each = measure(network, config, mix)
            print(
                f"{name}: agreement {each['agreement_db']:.1f} dB, "
                f"{each['operations_ratio']:.2f} × fewer operations, a hop takes "
                f"{each['hop_ms']:.0f} ms, a window {each['window_ms']:.0f} ms: "
                f"{each['window_ms'] / each['hop_ms']:.2f} × faster"
            )
    chosen = {"model": model, "preset": preset, "context": config.context}
    write_results("incremental", {**chosen, "songs": results})


if __name__ == "__main__":
    typer.run(main)
