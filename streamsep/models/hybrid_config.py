"""The options of Hybrid Demucs, and the widths and lengths that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from streamsep.errors import ConfigError
from streamsep.models.network import NetworkConfig, check_least

__all__ = ["HybridDemucsConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HybridDemucsConfig(NetworkConfig):
    """Everything that decides the shape of a `HybridDemucs`. The defaults are the paper's.

    Attributes:
        hidden: channels of the outermost layer.
        time_hidden: the same for the time branch; None for as many.
        growth: factor by which channels grow from layer to layer.
        depth: number of layers.
        n_fft: window of the STFT in samples, a multiple of 8; its hop is a quarter.
        hybrid: False for the spectrogram's branch alone.
        old_padding: pad the spectrogram as some networks of the MDX challenge do, see
            `OldAlignedSpectrogram`.
        complex_as_channels: False for magnitudes, see `Magnitudes`.
        wiener_iterations: rounds of the Wiener filter that finds phases for magnitudes; 0 takes
            the mixture's phase, a negative number masks with it.
        training_wiener_iterations: the same in training. With a time branch it has to be as many:
            what that branch adds has been learnt to fit.
        wiener_residual: filter with one stem more for what belongs to none.
        band_edges: shares of the frequency axis, growing, where bands with weights of their own
            meet; none for one set of weights.
        band_layers: how many of the outermost layers have such bands.
        kernel_size: kernel of the layers before the branches meet.
        stride: stride of those layers.
        time_stride: stride of the layers after the branches have met, an even number.
        rewrite: give each layer the convolution that ends in a GLU.
        context: neighbours on each side seen by that convolution in the decoder.
        encoder_context: the same in the encoder.
        norm_starts: index of the first layer with GroupNorm.
        norm_groups: groups of those norms.
        encoder_branches: put residual branches into the encoder's layers.
        decoder_branches: put residual branches into the decoder's layers.
        branch_depth: residual branches per layer; a negative number for as many without dilation.
        branch_compress: how much a residual branch squeezes the channels.
        branch_lstm_starts: index of the first layer whose branches hold an LSTM.
        branch_attention_starts: index of the first layer whose branches hold attention.
        layer_scale: initial gain of a residual branch.
        freq_embedding: weight of the frequency embedding after the first layer; 0 for none.
        embedding_scale: the embedding is stored divided by this, so that it learns faster.
        embedding_smooth: start the embedding as a smooth function of frequency.
        rescale: reference for the initial scale of the convolutions; 0 to leave them alone.

    Raises:
        ConfigError: options that contradict each other.
    """

    hidden: int = 48
    time_hidden: int | None = None
    growth: float = 2
    depth: int = 6
    n_fft: int = 4096
    hybrid: bool = True
    old_padding: bool = False
    complex_as_channels: bool = True
    wiener_iterations: int = 0
    training_wiener_iterations: int = 0
    wiener_residual: bool = False
    band_edges: tuple[float, ...] = ()
    band_layers: int = 2
    kernel_size: int = 8
    stride: int = 4
    time_stride: int = 2
    rewrite: bool = True
    context: int = 1
    encoder_context: int = 0
    norm_starts: int = 4
    norm_groups: int = 4
    encoder_branches: bool = True
    decoder_branches: bool = False
    branch_depth: int = 2
    branch_compress: float = 4
    branch_lstm_starts: int = 4
    branch_attention_starts: int = 4
    layer_scale: float = 1e-3
    freq_embedding: float = 0.2
    embedding_scale: float = 10
    embedding_smooth: bool = True
    rescale: float = 0.1

    def __post_init__(self) -> None:
        NetworkConfig.__post_init__(self)
        least = {"hidden": 1, "growth": 1, "depth": 1, "stride": 2, "norm_groups": 1}
        check_least(self, {**least, "context": 0, "encoder_context": 0, "rescale": 0})
        if self.time_hidden is not None:
            check_least(self, {"time_hidden": 1})
        self._check_lengths()
        self._check_merge()
        self._check_bands()
        if self.old_padding and not self.hybrid:
            raise ConfigError("old_padding is about the time branch, expected hybrid=True with it")
        if self.hybrid and self.wiener_iterations != self.training_wiener_iterations:
            raise ConfigError(
                f"wiener_iterations={self.wiener_iterations} and training_wiener_iterations="
                f"{self.training_wiener_iterations}: with a time branch they must be the same"
            )

    @property
    def merge_layer(self) -> int:
        """Index of the layer that removes the frequency axis and takes in the time branch."""
        index, bins = 0, self.n_fft // 2
        while bins > self.kernel_size:
            index, bins = index + 1, bins // self.stride
        return index

    @property
    def bins(self) -> tuple[int, ...]:
        """Frequency bins before the first layer and after each; 1 where there is no such axis."""
        return tuple(
            self.n_fft // 2 // self.stride**index if index <= self.merge_layer else 1
            for index in range(self.depth + 1)
        )

    @property
    def widths(self) -> tuple[tuple[int, int], ...]:
        """Channels after each layer in the frequency and in the time branch.

        From the layer where the branches meet they are the same.
        """
        freq, time = self.hidden, self.time_hidden or self.hidden
        widths = []
        for index in range(self.depth):
            if index == self.merge_layer:
                freq = time = max(freq, time)
            widths.append((freq, time))
            freq, time = int(self.growth * freq), int(self.growth * time)
        return tuple(widths)

    @property
    def shared_layers(self) -> int:
        """Layers after the one where the branches meet."""
        return max(0, self.depth - 1 - self.merge_layer)

    def _check_lengths(self) -> None:
        """Each layer must shorten its axis by exactly its stride."""
        # A quarter of the kernel is padding on each side: K − 2⌊K/4⌋ = S, and K = 2S where the
        # branches have met.
        if self.kernel_size - 2 * (self.kernel_size // 4) != self.stride:
            raise ConfigError(
                f"kernel_size={self.kernel_size} does not go with stride={self.stride}: without "
                "a quarter on each side, which is padding, it must be the stride; 8 and 4 fit"
            )
        if self.time_stride < 2 or self.time_stride % 2:
            raise ConfigError(f"time_stride is {self.time_stride}, expected an even number above 0")
        if self.n_fft < 8 or self.n_fft % 8:
            raise ConfigError(f"n_fft is {self.n_fft}, expected a multiple of 8")

    def _check_merge(self) -> None:
        merge = self.merge_layer
        # The time branch has then been shortened stride^(merge+1) times, the spectrogram by its
        # hop: where these differ the branches cannot be added.
        if self.hybrid and (self.stride ** (merge + 1) != self.n_fft // 4 or merge >= self.depth):
            raise ConfigError(
                f"the branches cannot meet: n_fft={self.n_fft}, kernel_size={self.kernel_size}, "
                f"stride={self.stride}, depth={self.depth}; the defaults 4096, 8, 4, 6 fit, "
                "as does n_fft 1024 with depth 5"
            )
        if self.n_fft // 2 % self.stride ** min(merge, self.depth):
            raise ConfigError(
                f"{self.n_fft // 2} frequency bins cannot be divided by stride={self.stride} in "
                f"{min(merge, self.depth)} layers; change n_fft or depth"
            )

    def _check_bands(self) -> None:
        if not self.band_edges:
            return
        marks = (0.0, *self.band_edges, 1.0)
        if not all(low < high for low, high in pairwise(marks)):
            raise ConfigError(
                f"band_edges are {self.band_edges}, expected growing shares between 0 and 1"
            )
        most = min(self.merge_layer, self.norm_starts, self.depth)
        if not 0 <= self.band_layers <= most or self.kernel_size != 2 * self.stride:
            raise ConfigError(
                f"band_layers={self.band_layers} with norm_starts={self.norm_starts}, "
                f"kernel_size={self.kernel_size} and stride={self.stride}: bands need layers that "
                f"halve their kernel, come before the branches meet (layer {self.merge_layer}) "
                "and have no norm"
            )
