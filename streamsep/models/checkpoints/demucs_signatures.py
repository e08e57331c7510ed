"""The signatures of demucs' classes: every argument in order, each with our option.

None stands for an argument that says nothing about the network, or is checked elsewhere.
"""

from __future__ import annotations

__all__ = [
    "CONV_TASNET_FIXED",
    "CONV_TASNET_V1",
    "CONV_TASNET_V2",
    "DEMUCS_V1",
    "DEMUCS_V2",
    "HYBRID_DEMUCS",
    "TIME_DEMUCS",
]

HYBRID_DEMUCS: dict[str, str | None] = {
    "sources": "sources",
    "audio_channels": "audio_channels",
    "channels": "hidden",
    "channels_time": "time_hidden",
    "growth": "growth",
    "nfft": "n_fft",
    "wiener_iters": "wiener_iterations",
    "end_iters": "training_wiener_iterations",
    "wiener_residual": "wiener_residual",
    "cac": "complex_as_channels",
    "depth": "depth",
    "rewrite": "rewrite",
    "hybrid": "hybrid",
    "hybrid_old": "old_padding",
    "multi_freqs": "band_edges",
    "multi_freqs_depth": "band_layers",
    "freq_emb": "freq_embedding",
    "emb_scale": "embedding_scale",
    "emb_smooth": "embedding_smooth",
    "kernel_size": "kernel_size",
    "time_stride": "time_stride",
    "stride": "stride",
    "context": "context",
    "context_enc": "encoder_context",
    "norm_starts": "norm_starts",
    "norm_groups": "norm_groups",
    "dconv_mode": "branches",
    "dconv_depth": "branch_depth",
    "dconv_comp": "branch_compress",
    "dconv_attn": "branch_attention_starts",
    "dconv_lstm": "branch_lstm_starts",
    "dconv_init": "layer_scale",
    "rescale": "rescale",
    "samplerate": "sample_rate",
    "segment": None,
}
"""`demucs.hdemucs.HDemucs`, v3 and later."""

TIME_DEMUCS: dict[str, str | None] = {
    "sources": "sources",
    "audio_channels": "audio_channels",
    "channels": "hidden",
    "growth": "growth",
    "depth": "depth",
    "rewrite": "rewrite",
    "lstm_layers": "lstm_layers",
    "kernel_size": "kernel_size",
    "stride": "stride",
    "context": "context",
    "gelu": "gelu",
    "glu": "glu",
    "norm_starts": "norm_starts",
    "norm_groups": "norm_groups",
    "dconv_mode": "branches",
    "dconv_depth": "branch_depth",
    "dconv_comp": "branch_compress",
    "dconv_attn": "branch_attention_starts",
    "dconv_lstm": "branch_lstm_starts",
    "dconv_init": "layer_scale",
    "normalize": "normalize",
    "resample": "resample",
    "rescale": "rescale",
    "samplerate": "sample_rate",
    "segment": None,
}
"""`demucs.demucs.Demucs`, v3 and later."""

DEMUCS_V1: dict[str, str | None] = {
    "sources": "sources",
    "audio_channels": "audio_channels",
    "channels": "hidden",
    "depth": "depth",
    "rewrite": "rewrite",
    "glu": "glu",
    "upsample": "upsample",
    "rescale": "rescale",
    "kernel_size": "kernel_size",
    "stride": "stride",
    "growth": "growth",
    "lstm_layers": "lstm_layers",
    "context": "context",
    "samplerate": "sample_rate",
}
"""`demucs.model.Demucs` of v1."""

DEMUCS_V2: dict[str, str | None] = {
    "sources": "sources",
    "audio_channels": "audio_channels",
    "channels": "hidden",
    "depth": "depth",
    "rewrite": "rewrite",
    "glu": "glu",
    "rescale": "rescale",
    "resample": "resample",
    "kernel_size": "kernel_size",
    "stride": "stride",
    "growth": "growth",
    "lstm_layers": "lstm_layers",
    "context": "context",
    "normalize": None,
    "samplerate": "sample_rate",
    "segment_length": None,
}
"""`demucs.model.Demucs` of v2."""

CONV_TASNET_FIXED: dict[str, object] = {
    "norm_type": "gLN",
    "causal": False,
    "mask_nonlinear": "relu",
}
"""Arguments of Conv-TasNet for which streamsep has no option, with the values it has."""

_LUO = {
    "N": "filters",
    "L": "filter_length",
    "B": "bottleneck",
    "H": "hidden",
    "P": "kernel_size",
    "X": "blocks",
    "R": "repeats",
}
CONV_TASNET_V1: dict[str, str | None] = {
    **_LUO,
    "C": "sources",
    "audio_channels": "audio_channels",
    **dict.fromkeys(CONV_TASNET_FIXED),
}
"""`demucs.tasnet.ConvTasNet` of v1."""

CONV_TASNET_V2: dict[str, str | None] = {
    "sources": "sources",
    **_LUO,
    "audio_channels": "audio_channels",
    **dict.fromkeys(CONV_TASNET_FIXED),
    "samplerate": "sample_rate",
    "segment_length": None,
}
"""`demucs.tasnet.ConvTasNet` of v2."""
