"""Network descriptions: what has to be known of a network that streamsep did not build.

An exported program maps numbers to numbers. That they are audio, at which rate, in which order the
stems come out and how far a segment may move stands in a small YAML file beside it::

    file: my_network.onnx
    sources: [drums, bass, other, vocals]
    sample_rate: 44100
    channels: 2
    stride: 1024
    licence: MIT
    training: 100 songs of my own
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, field_validator, model_validator

from streamsep.config.yaml_file import Document, load_yaml, top_level_keys
from streamsep.errors import ConfigError
from streamsep.whole_file import whole_file

__all__ = [
    "MOST_SOURCES",
    "NetworkDescription",
    "ProgramFormat",
    "StemName",
    "describes_network",
    "find_description",
    "load_network_description",
    "save_network_description",
]

ProgramFormat = Literal["torch_export", "torchscript", "onnx"]
"""What kinds of programs there are."""

_FORMATS: dict[str, ProgramFormat] = {
    ".pt2": "torch_export",
    ".ts": "torchscript",
    ".pt": "torchscript",
    ".onnx": "onnx",
}
_PROGRAMS = frozenset({".pt2", ".ts", ".onnx"})
"""Names that files of weights never have; a .pt may be either."""

_DESCRIPTIONS = (".yaml", ".yml")
_Length = Annotated[int, Field(gt=0, le=2**31)]
StemName = Annotated[
    str, Field(pattern=r"^[^\W.](?: |[^\\/:*?\"<>|,\p{Separator}\p{Other}]){0,59}$")
]
"""Stems are files, rows of tables and words on the wire, where commas are between them."""

MOST_SOURCES = 32
"""Stems of a network; the protocol between engine and clients has a limit of its own."""


class NetworkDescription(Document):
    """A network in a file of its own, as its maker describes it.

    Attributes:
        file: the program, relative to the description.
        format: what kind of program it is; None to go by the file's extension.
        description: one line.
        sources: names of the S stems, in the order of the output.
        sample_rate: samples per second the network expects.
        channels: audio channels C the network expects.
        stride: samples by which a segment may move without changing how the network sees it.
            Segments are completed with zeros to a multiple of it.
        minimum_segment: shorter segments are completed with zeros; None for one stride.
        fixed_segment: the one length that the program takes, at least the stride; None if it takes
            every multiple of the stride. Shorter segments are completed with zeros, longer ones
            are separated in pieces that overlap.
        segment: samples to give it at once when files are separated; None for about 10 s, or for
            what fits into `fixed_segment`.
        longest_context: samples of context that it makes use of in a live stream; a preset that
            offers more is cut to it. None if nobody has measured that.
        batches: whether the program takes several examples at once. Otherwise it gets them one by
            one.
        input: order of the program's input, letters B, C and T. B may be missing, and C for mono.
        output: order of its output, letters B, S, C and T. What the input lacks is missing here
            too; S may be missing if there is one source.
        licence: terms of the weights.
        training: what the network was trained on.
        sha256: checksum of the file, all 64 characters; None to take the file as it is.
    """

    file: str = Field(min_length=1)
    format: ProgramFormat | None = None
    description: str = ""
    sources: Annotated[
        tuple[StemName, ...], Field(strict=False, min_length=1, max_length=MOST_SOURCES)
    ]
    sample_rate: int = Field(ge=1_000, le=1_000_000)
    channels: int = Field(ge=1, le=64)
    stride: _Length
    minimum_segment: _Length | None = None
    fixed_segment: _Length | None = None
    segment: _Length | None = None
    longest_context: Annotated[int, Field(ge=0, le=2**31)] | None = None
    batches: bool = False
    input: str = "BCT"
    output: str = "BSCT"
    licence: str
    training: str
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")

    @field_validator("sources")
    @classmethod
    def _names_differ(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(sources)) != len(sources):
            raise ValueError("expected every stem once")
        return sources

    @model_validator(mode="after")
    def _lengths_fit(self) -> NetworkDescription:
        if self.fixed_segment is None:
            return self
        if self.minimum_segment is not None:
            raise ValueError(
                "got both 'minimum_segment' and 'fixed_segment', expected one of them: a program "
                "that takes one length has no other minimum"
            )
        if self.fixed_segment < self.stride:
            raise ValueError(
                f"key 'fixed_segment': got {self.fixed_segment}, expected at least the stride, "
                f"{self.stride}"
            )
        return self

    @model_validator(mode="after")
    def _layouts_fit(self) -> NetworkDescription:
        optional = "B" if self.channels > 1 else "BC"
        _check_layout("input", self.input, "BCT", optional)
        absent = "".join(letter for letter in "BC" if letter not in self.input)
        _check_layout("output", self.output, "BSCT", absent + "S" * (len(self.sources) == 1))
        if any(letter in self.output for letter in absent):
            raise ValueError(
                f"key 'output': got '{self.output}', expected no {' or '.join(absent)}, as "
                f"'input' ({self.input}) has none"
            )
        if self.batches and "B" not in self.input:
            raise ValueError(
                f"key 'batches': got true, but 'input' ({self.input}) has no B for examples"
            )
        return self

    @property
    def kind(self) -> ProgramFormat | None:
        """What kind of program it is; None if neither the description nor the extension says it."""
        return self.format or _FORMATS.get(Path(self.file).suffix.lower())


def load_network_description(path: Path) -> NetworkDescription:
    """Read a description.

    Raises:
        ConfigError: the file cannot be read or is no description.
    """
    return load_yaml(path, NetworkDescription)


def save_network_description(description: NetworkDescription, path: Path) -> None:
    """Write a description, whole or not at all; keys with their default are left out.

    Raises:
        OSError: it cannot be written.
    """
    content = description.model_dump(mode="json", exclude_defaults=True)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    with whole_file(path) as part:
        part.write_text(text, encoding="utf-8")


def describes_network(path: Path) -> bool:
    """Whether a YAML file names a program, as a description does.

    Raises:
        ConfigError: the file cannot be read or is not YAML.
    """
    return "file" in top_level_keys(path)


def find_description(path: Path) -> Path | None:
    """The description that belongs to a file.

    Args:
        path: any file.

    Returns:
        The file itself if it is a YAML file; for a program, going by its name, the YAML file of the
        same name beside it; None for others.

    Raises:
        ConfigError: the file is a program and has no description.
    """
    if path.suffix in _DESCRIPTIONS:
        return path
    if path.suffix.lower() not in _PROGRAMS:
        return None
    for extension in _DESCRIPTIONS:
        if path.with_suffix(extension).is_file():
            return path.with_suffix(extension)
    raise ConfigError(
        f"'{path}' is an exported program, expected its description beside it, "
        f"{path.with_suffix('.yaml').name}; docs/your_network.md says what is in it"
    )


def _check_layout(key: str, layout: str, letters: str, optional: str) -> None:
    needed = set(letters) - set(optional)
    once = all(count == 1 for count in Counter(layout).values())
    if once and needed <= set(layout) <= set(letters):
        return
    spare = f" ({' and '.join(dict.fromkeys(optional))} may be missing)" if optional else ""
    raise ValueError(
        f"key '{key}': got '{layout:.20}', expected each of the letters {', '.join(letters)} "
        f"once{spare}"
    )
