"""Looks through a file of `torch.export` before torch may load it.

Such a file is a zip archive: a graph as JSON, weights as plain numbers. But torch's loader also
unpickles what the archive says is a pickle, loads shared libraries from it, calls any function of
Python's that the graph names below `torch`, and evaluates the text of expressions and guards. Files
that networks are exported to need none of this, so whatever asks for it is refused here:

    NAME/models/model.json                the graph: operators of aten, expressions, guards
    NAME/data/weights/weight_0 ...        numbers, and a JSON of their shapes
    NAME/data/constants/tensor_0 ...      the same
    NAME/data/sample_inputs/model.pt      torch.save; only tensors in containers
    NAME/extra/...                        text

It is a fence around what is known to be dangerous and no proof that nothing else is.
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from typing import TYPE_CHECKING, Any

import torch

from streamsep.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["check_archive"]

_MOST_JSON_BYTES = 256 * 2**20

# What an archive may hold, after the name of its folder.
_RECORD = re.compile(
    r"""models/[^/]+\.json
    | data/(weights|constants)/((weight|tensor)_\d+ | [^/]+_config\.json)
    | data/sample_inputs/[^/]+\.pt
    | extra/.*
    | \.data/(version|serialization_id)
    | archive_format | archive_version | byteorder | version""",
    re.VERBOSE,
)
_OPERATOR = re.compile(
    r"""torch\.ops\.(aten|prim|prims|higher_order)\.(?!from_file\b)\w+(\.\w+)?
    | torch\.(sym_\w+|_check)
    | torch\._C\._set_grad_enabled
    | _operator\.(add|sub|mul|truediv|floordiv|mod|neg|pow|getitem|eq|ne|lt|le|gt|ge|and_|or_|not_)
    | math\.(ceil|floor|trunc|sqrt)""",
    re.VERBOSE,
)
_FUNCTIONS = frozenset((
    "Symbol", "Integer", "Float", "Rational", "Add", "Mul", "Pow", "Max", "Min", "Mod",
    "PythonMod", "FloorDiv", "CleanDiv", "CeilDiv", "ModularIndexing", "Where", "FloorToInt",
    "CeilToInt", "TruncToInt", "RoundToInt", "TruncToFloat", "ToFloat", "IntTrueDiv",
    "FloatTrueDiv", "PowByNatural", "FloatPow", "LShift", "RShift", "Identity", "Equality",
    "Unequality", "StrictLessThan", "LessThan", "StrictGreaterThan", "GreaterThan", "Eq", "Ne",
    "Lt", "Le", "Gt", "Ge", "And", "Or", "Not",
))  # fmt: skip
_METHODS = frozenset({"size", "stride", "storage_offset"})
_SYMBOL = re.compile(r"[suz]\w{0,20}|L|int_oo|oo|true|false|True|False")
_NODES = (
    ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Call, ast.keyword, ast.Attribute,
    ast.Subscript, ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare, ast.Tuple,
    ast.USub, ast.Not, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.And, ast.Or,
    ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE,
)  # fmt: skip
_CONTAINERS = frozenset({None, "builtins.tuple", "builtins.list", "builtins.dict"})


def check_archive(path: Path) -> None:
    """Refuse a file that torch's loader would run something of.

    Args:
        path: a file of `torch.export.save`.

    Raises:
        CheckpointError: it is damaged, no such file, or holds what a network has no need for.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_records(archive)
    except CheckpointError as error:
        raise CheckpointError(
            f"{path}: {error}; nothing of it was run. Load programs only from people you trust"
        ) from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:
        # Archives and JSON that are damaged raise nearly everything there is.
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise CheckpointError(
            f"{path}: damaged, or no file of torch.export.save ({reason:.120}); export it again"
        ) from error


def _check_records(archive: zipfile.ZipFile) -> None:
    graphs = 0
    for info in archive.infolist():
        name = info.filename.partition("/")[2]
        if not _RECORD.fullmatch(name):
            raise CheckpointError(
                f"the archive holds {info.filename!r:.80}, which no network needs"
            )
        if name.endswith(".json") and info.file_size > _MOST_JSON_BYTES:
            raise CheckpointError(f"{info.filename!r:.80} is larger than any network's graph")
        if name.startswith("models/"):
            graphs += 1
            _check_graph(json.loads(archive.read(info)))
        elif name.endswith("_config.json"):
            _check_weights(json.loads(archive.read(info)))
        elif name.startswith("data/sample_inputs/"):
            _check_sample_inputs(archive.read(info))
    if graphs != 1:
        raise CheckpointError(f"the archive holds {graphs} programs, expected one")


def _check_weights(config: Any) -> None:
    for name, payload in config["config"].items():
        if payload["use_pickle"] or not re.fullmatch(r"(weight|tensor)_\d+", payload["path_name"]):
            raise CheckpointError(f"{name!r:.80} is no tensor of plain numbers but an object")


def _check_sample_inputs(content: bytes) -> None:
    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:
        # Here torch's loader would try again, and run whatever is in there.
        raise CheckpointError("its sample inputs hold other things than tensors") from error


def _check_graph(program: Any) -> None:
    for guard in program["guards_code"]:
        _check_expression(guard)
    for range_of in program["range_constraints"]:
        _check_expression(range_of)
    for key, value in _entries(program["graph_module"]):
        if key in ("target", "as_operator") and not _OPERATOR.fullmatch(value):
            raise CheckpointError(f"the graph calls {value!r:.80}, expected an operator of torch")
        if key == "expr_str":
            _check_expression(value)
        if key in ("in_spec", "out_spec"):
            for inner, kind in _entries(json.loads(value)):
                if inner == "type" and kind not in _CONTAINERS:
                    raise CheckpointError(f"its arguments or results are of the type {kind!r:.80}")


def _check_expression(text: str) -> None:
    """Check a text that torch will evaluate: arithmetic on lengths, and nothing else."""
    if not all(map(_is_harmless, ast.walk(ast.parse(text, mode="eval")))):
        raise CheckpointError(f"the graph holds the expression {text!r:.80}, expected arithmetic")


def _is_harmless(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id in _FUNCTIONS or bool(_SYMBOL.fullmatch(node.id))
    if isinstance(node, ast.Attribute):
        return node.attr in _METHODS
    if isinstance(node, ast.Constant):
        # Numbers, and names of symbols and arguments.
        return not isinstance(node.value, str) or node.value.isidentifier()
    return isinstance(node, _NODES)


def _entries(tree: Any) -> Iterator[tuple[str, Any]]:
    """Every key and value of nested JSON."""
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield from part.items()
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
