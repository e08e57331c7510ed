"""`streamsep vst`: the plugin for DAWs, built here and put where hosts look for it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from streamsep.cli.screen import show_json
from streamsep.cli.shared_options import AsJson

__all__ = ["vst"]

vst = typer.Typer(
    help="The VST3 plugin for DAWs: build it, install it, see how it is.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@vst.command("build")
def build(
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="DIR", help="Where to put streamsep.vst3."),
    ] = Path(),
    sanitize: Annotated[
        bool,
        typer.Option(
            "--sanitize", help="With AddressSanitizer and UndefinedBehaviorSanitizer, for tests."
        ),
    ] = False,
) -> None:
    """Build the plugin from its C++ sources. Needs g++ and Debian's package dpf-source."""
    from vst_wrapper.shim import build_shim

    typer.echo(f"wrote {build_shim(out, sanitize=sanitize)}")


@vst.command("install")
def install(
    bundle: Annotated[
        Path | None,
        typer.Argument(
            metavar="BUNDLE", help="A built streamsep.vst3.", show_default="one that is built now"
        ),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", metavar="DIR", help="A host's folder.", show_default="~/.vst3"),
    ] = None,
) -> None:
    """Put the plugin where hosts look for it. An older one stays until the new one is whole."""
    from vst_wrapper.shim import build_shim, install_shim

    if bundle is not None:
        typer.echo(f"installed {install_shim(bundle, folder)}")
        return
    with tempfile.TemporaryDirectory() as built:
        typer.echo(f"installed {install_shim(build_shim(Path(built)), folder)}")


@vst.command("status")
def status(as_json: AsJson = False) -> None:
    """Say whether the plugin is installed and of these sources, and whether an engine is there."""
    from bridge.client import ask_engine
    from streamsep.errors import EngineError
    from vst_wrapper.shim import ShimBundle, default_bundle

    bundle = ShimBundle(default_bundle())
    try:
        engine = ask_engine({"request": "status"}, timeout_s=1.0)
    except EngineError as error:
        engine, problem = {}, str(error)
    else:
        problem = ""
    if as_json:
        found: dict[str, object] = {
            "bundle": str(bundle.path),
            "installed": bundle.exists,
            "current": bundle.is_current,
            "engine": engine.get("engine"),
            "model": engine.get("model"),
            "plugins": _plugins(engine),
            "problem": problem,
        }
        show_json(found)
        return
    if not bundle.exists:
        typer.echo(f"plugin  not at {bundle.path}; 'streamsep vst install' builds and installs it")
    elif not bundle.is_current:
        typer.echo(f"plugin  {bundle.path}, of other sources; 'streamsep vst install' renews it")
    else:
        typer.echo(f"plugin  {bundle.path}")
    if problem:
        typer.echo(f"engine  {problem}")
    else:
        typer.echo(
            f"engine  {engine['engine']}, {engine['model']}, {_plugins(engine)} plugins connected"
        )


def _plugins(engine: dict[str, object]) -> int:
    sessions = engine.get("sessions", [])
    if not isinstance(sessions, list):
        return 0
    return sum(str(each.get("client", "")).startswith("plugin ") for each in sessions)
