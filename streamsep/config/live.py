"""What a live loop is told: configs/live/*.yaml, or a file of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt, ValidationError, model_validator

from streamsep.config.named import load_named_file
from streamsep.config.yaml_file import Document
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LiveConfig", "load_live_config"]

Decibels = Annotated[float, Field(le=12.0)]


class LiveConfig(Document):
    """A live loop. Every key may be left out; options of the command line take precedence.

    Attributes:
        input: device by name, part of a name, or number; the default one if left out.
        output: the same; the input's device if left out and it has outputs.
        same_clock: input and output are two ends of one interface, whatever their names.
        input_channels: which channels are separated, counted from 1, such as "3-4" or "1".
        routes: what plays where, such as "vocals:1-2" or "mix:3-4:-6".
        gains_db: of stems, -inf to 12.
        mute: stems that are silent at first.
        solo: stems that are alone at first.
        wet: from 0, the delayed input, to 1, the stems, in every mix.
        master_db: gain of all mixes and stems, -inf to 12.
        model: name or file of the network, if an engine has to be started.
        preset: name or file of a latency preset.
        exact: whether an engine that has to be started computes every window anew, instead of
            keeping from hop to hop what it can; left out, it decides by its device.
        precision: how exactly such an engine computes; as the network was made to if left out.
        consistency: whether and how stems are made to sum to the input.
        sample_rate: of the device; its own if left out.
        block: samples of the longest block that the device may deliver, part of the latency; what
            it delivers at first if left out.
        midi: name or file of a map of MIDI controls.
        record: folder for recordings.
    """

    input: str | int | None = None
    output: str | int | None = None
    same_clock: bool = False
    input_channels: str = "1-2"
    routes: list[str] = Field(default=["mix:1-2"], min_length=1)
    gains_db: dict[str, Decibels] = Field(default={})
    mute: list[str] = Field(default=[])
    solo: list[str] = Field(default=[])
    wet: float = Field(default=1.0, ge=0.0, le=1.0)
    master_db: Decibels = 0.0
    model: str = "auto"
    preset: str | None = None
    exact: bool | None = None
    precision: Literal["float32", "tf32", "bfloat16"] | None = None
    consistency: Literal["off", "other", "energy"] | None = None
    sample_rate: PositiveInt | None = None
    block: int | None = Field(default=None, ge=1, le=65536)
    midi: str | None = None
    record: str | None = None

    @model_validator(mode="after")
    def _are_channels(self) -> LiveConfig:
        self.separated_channels()
        return self

    def changed(self, **given: object) -> LiveConfig:
        """The same with other values for some keys, checked like those of a file.

        Raises:
            ConfigError: a value is wrong.
        """
        try:
            return LiveConfig.model_validate({**self.model_dump(), **given})
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            key = ".".join(str(part) for part in problem["loc"])
            cause = problem.get("ctx", {}).get("error")
            raise ConfigError(str(cause) if cause else f"{key}: {problem['msg']}") from None

    def separated_channels(self) -> tuple[int, ...]:
        """The channels of the input that are separated, counted from 0.

        Raises:
            ValueError: they are not written as channels are.
        """
        channels: list[int] = []
        for part in self.input_channels.split(","):
            first, dash, last = part.strip().partition("-")
            numbers = [first, last] if dash else [first, first]
            if not all(each.isdigit() for each in numbers):
                break
            begin, end = map(int, numbers)
            if not 1 <= begin <= end <= 4096:
                break
            channels += range(begin - 1, end)
        else:
            if len(set(channels)) == len(channels) <= 32:
                return tuple(channels)
        raise ValueError(
            f"key 'input_channels': got '{self.input_channels}', expected up to 32 channels "
            "counted from 1, such as 3-4, 1 or 1,3"
        )


def load_live_config(name_or_path: str | Path) -> LiveConfig:
    """Read a live loop's configuration.

    Args:
        name_or_path: the name of one that comes with streamsep, or the path of a YAML file.

    Raises:
        ConfigError: there is no such file, or it is wrong.
    """
    return load_named_file(name_or_path, "live configuration", "live", LiveConfig)
