"""What a person asks for: the name of one that comes with streamsep, or a file of their own."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from streamsep.config.locate import configs_folder
from streamsep.config.yaml_file import Document, load_yaml
from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["load_named", "load_named_file"]

LoadedT = TypeVar("LoadedT")
DocumentT = TypeVar("DocumentT", bound=Document)


def load_named(
    name_or_path: str | Path,
    kind: str,
    ours: Callable[[], Mapping[str, LoadedT]],
    read: Callable[[Path], LoadedT],
) -> LoadedT:
    """Find one of ours by its name, or read one from a file.

    Args:
        name_or_path: a name, or the path of a YAML file.
        kind: what it is called when there is none, such as "board".
        ours: those that come with streamsep, by name.
        read: reads a file.

    Raises:
        ConfigError: there is no such name or file, or the file is wrong.
    """
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml") or path.name != str(name_or_path):
        return read(path)
    named = ours()
    if path.name in named:
        return named[path.name]
    near = get_close_matches(path.name, named, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    raise ConfigError(
        f"unknown {kind} '{name_or_path}', {hint}expected {', '.join(named)} "
        "or the path of a .yaml file"
    )


def load_named_file(
    name_or_path: str | Path, kind: str, folder: str, document: type[DocumentT]
) -> DocumentT:
    """The same where ours are called like their files.

    Args:
        name_or_path: a name, or the path of a YAML file.
        kind: what it is called when there is none.
        folder: where ours are, such as "training".
        document: what a file holds.

    Raises:
        ConfigError: there is no such name or file, or the file is wrong.
    """

    def read(path: Path) -> DocumentT:
        return load_yaml(path, document)

    def ours() -> dict[str, Path]:
        return {file.stem: file for file in sorted(configs_folder(folder).glob("*.yaml"))}

    return read(load_named(name_or_path, kind, ours, Path))
