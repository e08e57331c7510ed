"""One YAML file into one frozen object, or one line that says what is wrong where.

Every mistake a person can make in such a file ends as a `ConfigError` of the same form: the file,
the path of the key, what was found, what was expected. Unknown keys are mistakes: a misspelt option
that is silently ignored costs more time than any other.
"""

from __future__ import annotations

import reprlib
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from streamsep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

    from pydantic_core import ErrorDetails

__all__ = ["Document", "load_yaml", "top_level_keys"]


class Document(BaseModel):
    """Base of everything read from YAML: frozen, unknown keys rejected, no silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


DocumentT = TypeVar("DocumentT", bound=Document)


def load_yaml(path: Path, kind: type[DocumentT]) -> DocumentT:
    """Read one file as one object.

    Args:
        path: a YAML file whose top level is a mapping.
        kind: what it should hold.

    Returns:
        The validated object.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or does not hold a `kind`.
    """
    content = _parse(path)
    if not isinstance(content, dict):
        raise ConfigError(
            f"{path}: got {_short(content)} at the top level, expected keys and values "
            f"({_choices(kind)})"
        )
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first_problem(error, kind)}") from None


def top_level_keys(path: Path) -> frozenset[str]:
    """The keys of a file that may be of one kind or another; none if it is no mapping.

    Raises:
        ConfigError: the file cannot be read or is not YAML.
    """
    content = _parse(path)
    return frozenset(map(str, content)) if isinstance(content, dict) else frozenset()


class _Loader(yaml.SafeLoader):
    """YAML's safe subset, in which a key may appear only once per mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is not None and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key '{key}' appears twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _parse(path: Path) -> object:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError(f"{path}: cannot be read ({reason}), expected a YAML file") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text, expected a YAML file") from None
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {_where(error)}, expected YAML") from None
    except (RecursionError, ValueError) as error:
        # Deep nesting, and dates or numbers that look right and cannot exist.
        raise ConfigError(f"{path}: {_short(error)}, expected YAML") from None


def _where(error: yaml.YAMLError) -> str:
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return str(problem)
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


def _first_problem(error: ValidationError, kind: type[Document]) -> str:
    problems = error.errors(include_url=False)
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return _describe(problems[0], kind) + more


def _describe(problem: ErrorDetails, kind: type[Document]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        near = get_close_matches(key, kind.model_fields, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"expected {_choices(kind)}"
        return f"unknown key '{key}', {hint}"
    if problem["type"] == "missing":
        return f"key '{key}' is missing"
    # Our own checks raise ValueError with a whole sentence; pydantic's start with "Input".
    cause = problem.get("ctx", {}).get("error")
    expected = str(cause) if cause else problem["msg"].replace("Input should be", "expected")
    if not key:
        return expected
    return f"key '{key}': got {_short(problem['input'])}, {expected}"


def _choices(kind: type[Document]) -> str:
    return ", ".join(kind.model_fields)


def _short(value: object) -> str:
    """At most about 60 characters of a value on one line."""
    shortener = reprlib.Repr()
    shortener.maxstring = shortener.maxother = 60
    return shortener.repr(value).replace("\n", " ")
