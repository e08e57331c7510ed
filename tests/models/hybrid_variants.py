"""Variants of Hybrid Demucs as demucs names them, and pairs of networks with the same weights."""

from __future__ import annotations

import json
from copy import deepcopy
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from networks import STEMS, unsettle
from safetensors.torch import save_file
from support import require
from torch import Tensor, nn

from streamsep.models.checkpoints import load_checkpoint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamsep.models.hybrid_demucs import HybridDemucs

__all__ = ["OFFICIAL", "VARIANTS", "load_with_options", "pair", "precise_pair"]

SMALL = {"channels": 4, "nfft": 1024, "depth": 5}
NO_NORM = {"norm_starts": 999}
MAGNITUDES = {"cac": False}
ONE_ROUND = {"cac": False, "wiener_iters": 1, "end_iters": 1}

OFFICIAL: dict[str, dict[str, Any]] = {
    "a1d90b5c": {"hybrid_old": True, "cac": False, **NO_NORM},
    "c511e2ab": {"hybrid_old": True, "cac": False, **NO_NORM},
    "5d2d6c55": {"cac": False, "wiener_iters": 0, "end_iters": 0},
    "7d865c68": {"cac": True, "multi_freqs": [0.1, 0.3], "multi_freqs_depth": 2, **NO_NORM},
}
"""The networks of the MDX bags that are not the default, as far as their options are known."""

VARIANTS: dict[str, dict[str, Any]] = {
    "the paper's": {},
    "no time branch": {"hybrid": False},
    "no time branch and never one bin": {"hybrid": False, "depth": 3},
    "old padding": {"hybrid_old": True},
    "phase of the mixture": MAGNITUDES,
    "mask": {**MAGNITUDES, "wiener_iters": -1, "end_iters": -1},
    "Wiener filter": ONE_ROUND,
    "Wiener filter, three rounds": {**MAGNITUDES, "wiener_iters": 3, "end_iters": 3},
    "Wiener filter with a residual": {**ONE_ROUND, "wiener_residual": True},
    "residual without a filter": {**MAGNITUDES, "wiener_residual": True},
    "mono Wiener filter": {**ONE_ROUND, "audio_channels": 1},
    "fewer rounds in training": {**ONE_ROUND, "hybrid": False, "wiener_iters": 2},
    "bands": {"multi_freqs": [0.1, 0.3], **NO_NORM},
    "bands in one layer": {"multi_freqs": [0.5], "multi_freqs_depth": 1, "norm_starts": 3},
    "bands with context": {"multi_freqs": [0.2, 0.7], "context": 2, "context_enc": 1, **NO_NORM},
    "bands without rewrite": {"multi_freqs": [0.4], "rewrite": False, **NO_NORM},
    "bands with branches on both sides": {"multi_freqs": [0.2], "dconv_mode": 3, **NO_NORM},
    "norm everywhere": {"norm_starts": 0},
    "norm in two groups": {"norm_starts": 2, "norm_groups": 2},
    "no norm": NO_NORM,
    "no branches": {"dconv_mode": 0},
    "branches of depth 0": {"dconv_depth": 0},
    "three branches": {"dconv_depth": 3},
    "branches without dilation": {"dconv_depth": -2},
    "wide branches": {"dconv_comp": 2, "dconv_attn": 1, "dconv_lstm": 2},
    "branches in the decoder": {"dconv_mode": 2},
    "branches on both sides": {"dconv_mode": 3},
    "no context": {"context": 0},
    "more context": {"context": 2, "context_enc": 1},
    "longer time stride": {"time_stride": 4},
    "two shared layers": {"depth": 6},
    "no rewrite": {"rewrite": False},
    "no embedding": {"freq_emb": None, "rescale": None, "samplerate": 22_050},
    "another embedding": {"freq_emb": 0.5, "emb_scale": 3, "emb_smooth": False},
    "narrow time branch": {"channels_time": 3, "dconv_comp": 1},
    "wide time branch": {"channels_time": 8},
    "slow growth": {"channels": 16, "growth": 1.5, "norm_groups": 1},
    "small kernels": {
        "channels": 8,
        "growth": 1.5,
        "kernel_size": 4,
        "stride": 2,
        "nfft": 256,
        "depth": 7,
        "norm_groups": 1,
        "dconv_attn": 9,
    },
}


@cache
def pair(name: str) -> tuple[HybridDemucs, nn.Module]:
    """Our network and demucs' of a variant, with the same random weights, in evaluation mode."""
    require(find_spec("demucs"), "demucs is not installed")
    from demucs.hdemucs import HDemucs

    options = {"sources": STEMS, **SMALL, **VARIANTS[name]}
    torch.manual_seed(0)
    theirs = HDemucs(**options).eval()
    unsettle(theirs)
    return load_with_options(theirs.state_dict(), options), theirs


@cache
def precise_pair(name: str) -> tuple[HybridDemucs, nn.Module]:
    """Copies of a pair in double precision."""
    ours, theirs = pair(name)
    return deepcopy(ours).double(), deepcopy(theirs).double()


def load_with_options(weights: Mapping[str, Tensor], options: Mapping[str, Any]) -> HybridDemucs:
    """Our network from demucs' weights and options, by way of a file."""
    metadata = {"klass": "demucs.hdemucs.HDemucs", "args": "[]", "kwargs": json.dumps(options)}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        save_file({name: weight.contiguous() for name, weight in weights.items()}, path, metadata)
        return load_checkpoint(path)
