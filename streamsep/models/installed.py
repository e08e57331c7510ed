"""Networks that other installed packages bring along, found by their entry points.

A package offers a network by a line in its metadata::

    [project.entry-points."streamsep.models"]
    my_network = "my_package.networks:my_network"

The object is called without arguments and returns a `Separator`, or the path of a YAML file that
describes an exported program. It may have an attribute `card`, a mapping with what lists say about
the network (`InstalledCard`). Whatever goes wrong in such a package is reported with its name, and
is no trouble for any other.
"""

from __future__ import annotations

import inspect
import logging
import sys
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from streamsep.config.network_description import StemName
from streamsep.errors import ModelError, StreamSepError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import torch

    from streamsep.models.loaded_model import LoadedModel
    from streamsep.models.segment_lengths import SegmentLengths

__all__ = [
    "GROUP",
    "InstalledCard",
    "InstalledNetwork",
    "installed_names",
    "installed_networks",
    "load_installed",
]

logger = logging.getLogger(__name__)

ModelT = TypeVar("ModelT", bound=BaseModel)

GROUP = "streamsep.models"
"""The group of entry points that are networks."""


class InstalledCard(BaseModel):
    """What a package may say about a network without making it.

    Attributes:
        description: one line.
        sources: names of the stems.
        sample_rate: samples per second; None if it does not say.
        channels: audio channels; None if it does not say.
        licence: terms of the weights.
        training: what the network was trained on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    description: str = ""
    sources: Annotated[tuple[StemName, ...], Field(strict=False)] = ()
    sample_rate: int | None = Field(default=None, gt=0)
    channels: int | None = Field(default=None, gt=0)
    licence: str = "unknown"
    training: str = "unknown"


class _Facts(BaseModel):
    """What every `Separator` states, and the two lengths that networks may state."""

    model_config = ConfigDict(strict=True)

    sample_rate: int = Field(gt=0)
    channels: int = Field(gt=0)
    sources: tuple[StemName, ...] = Field(min_length=1)
    stride: int = Field(gt=0)
    minimum_segment: int | None = Field(default=None, gt=0)
    longest_segment: int | None = Field(default=None, gt=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledNetwork:
    """A network that a package brings along.

    Attributes:
        name: what it is called on the command line.
        distribution: the package and its version.
        card: what the package says about the network.
        problem: one line that says why it cannot be used, as far as can be told without making
            it; None if nothing is known to be wrong.
    """

    name: str
    distribution: str
    card: InstalledCard
    problem: str | None = None


def installed_networks(taken: Collection[str] = ()) -> list[InstalledNetwork]:
    """List the networks of all installed packages by name. Their modules are imported for it.

    Args:
        taken: names that stand for something else.
    """
    return [_listed(entry, taken) for entry in _entries()]


def installed_names() -> list[str]:
    """The names of these networks. Nothing is imported for it."""
    return [entry.name for entry in _entries()]


def load_installed(name: str, device: str | torch.device) -> LoadedModel | None:
    """Load a network of an installed package.

    Args:
        name: its name.
        device: where it shall run.

    Returns:
        The network, after it has separated a little silence; None if no package has the name.

    Raises:
        ModelError: two packages have the name, or what the package offers is no network.
        StreamSepError: the package offers a described program that cannot be loaded.
    """
    entries = [entry for entry in _entries() if entry.name == name]
    if not entries:
        return None
    if len(entries) > 1:
        owners = " and ".join(_distribution(entry) for entry in entries)
        raise ModelError(f"several packages bring a network '{name}': {owners}; remove one")
    (entry,) = entries
    try:
        make = _imported(entry)
        made = _guarded(entry, make)
        if isinstance(made, str | Path):
            return _described(entry, Path(made), device)
        return _ready(entry, make, made, device)
    except ModelError as error:
        raise ModelError(f"network '{name}' of {_distribution(entry)}: {error}") from error


def _entries() -> list[metadata.EntryPoint]:
    # A package that is installed twice on the path counts once, as it does for imports.
    found = {
        (entry.name, _distribution(entry)): entry for entry in metadata.entry_points(group=GROUP)
    }
    return [found[key] for key in sorted(found)]


def _distribution(entry: metadata.EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


def _listed(entry: metadata.EntryPoint, taken: Collection[str]) -> InstalledNetwork:
    card, problem = InstalledCard(), None
    if entry.name in taken:
        problem = f"streamsep has a network '{entry.name}' of its own; the package must rename it"
    else:
        try:
            card = _card(_imported(entry))
        except ModelError as error:
            problem = str(error)
    return InstalledNetwork(
        name=entry.name, distribution=_distribution(entry), card=card, problem=problem
    )


def _imported(entry: metadata.EntryPoint) -> Callable[[], object]:
    make = _guarded(entry, entry.load)
    if not callable(make):
        raise ModelError(
            f"{entry.value} is a {type(make).__name__}, expected a class or function that returns "
            "a network"
        )
    return make


def _guarded(entry: metadata.EntryPoint, work: Callable[[], Any]) -> Any:
    """Run a stranger's code; whatever it raises becomes one line."""
    try:
        return work()
    except ModelError:
        raise
    except (Exception, SystemExit) as error:
        from streamsep.devices.out_of_memory import is_out_of_memory

        if is_out_of_memory(error):
            raise ModelError(
                "there is not enough memory for it; make room, or take a smaller network"
            ) from error
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ModelError(
            f"{entry.value} fails ({reason:.160}); repair the package or remove it"
        ) from error


def _card(make: object) -> InstalledCard:
    return _checked(InstalledCard, getattr(make, "card", {}), "its card")


def _checked(kind: type[ModelT], values: object, what: str) -> ModelT:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        expected = first["msg"].replace("Input should be", "expected")
        raise ModelError(f"{what}: {key} is {first['input']!r:.60}, {expected}") from None


def _described(entry: metadata.EntryPoint, path: Path, device: str | torch.device) -> LoadedModel:
    from streamsep.models.exported import load_described

    try:
        return replace(load_described(path, device), name=entry.name)
    except StreamSepError as error:
        raise ModelError(str(error)) from error


def _ready(
    entry: metadata.EntryPoint, make: Any, separator: Any, device: str | torch.device
) -> LoadedModel:
    """A separator that a package made, on its device and tried out."""
    from streamsep.devices.availability import torch_device
    from streamsep.models.file_segments import segment_of_program
    from streamsep.models.loaded_model import LoadedModel
    from streamsep.models.trial import try_silence

    card = _card(make)
    kind = f"the {type(separator).__name__} it made"
    facts = _facts(entry, separator)
    separator, place = _placed(entry, separator, torch_device(device))
    lengths = _lengths(facts, kind)
    _guarded(entry, lambda: try_silence(separator, lengths.shortest, place, name=kind))
    return LoadedModel(
        separator=separator,
        name=entry.name,
        path=_source_file(entry, make),
        licence=card.licence,
        segment=segment_of_program(lengths, facts.sample_rate),
        device=place,
    )


def _facts(entry: metadata.EntryPoint, separator: Any) -> _Facts:
    kind = type(separator).__name__
    if not callable(separator):
        raise ModelError(f"it made a {kind}, expected a network that can be called")
    stated = _guarded(
        entry, lambda: {name: getattr(separator, name, None) for name in _Facts.model_fields}
    )
    return _checked(_Facts, stated, f"the {kind} it made")


def _placed(
    entry: metadata.EntryPoint, separator: Any, place: torch.device
) -> tuple[Any, torch.device]:
    """The separator where it shall run, if it can go there, and where it then is."""
    import torch

    if isinstance(separator, torch.nn.Module):
        return _guarded(entry, lambda: separator.eval().requires_grad_(False).to(place)), place
    if place.type != "cpu":
        logger.warning("'%s' computes where its package put it, not on %s", entry.name, place)
    return separator, torch.device("cpu")


def _lengths(facts: _Facts, kind: str) -> SegmentLengths:
    from streamsep.models.segment_lengths import SegmentLengths

    longest = facts.longest_segment
    if longest is not None and longest < facts.stride:
        raise ModelError(
            f"{kind}: longest_segment is {longest}, expected at least its stride of {facts.stride}"
        )
    return SegmentLengths(
        stride=facts.stride, minimum=facts.minimum_segment or facts.stride, fixed=longest
    )


def _source_file(entry: metadata.EntryPoint, make: object) -> Path:
    """The file that makes the network, or that at least names what makes it."""
    try:
        return Path(inspect.getfile(inspect.unwrap(make)))  # type: ignore[arg-type]
    except (TypeError, ValueError, OSError):
        # Neither a function nor a class: an object that can be called.
        module = sys.modules[entry.module]
        return Path(getattr(module, "__file__", None) or entry.module)
