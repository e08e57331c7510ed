"""Programs that streamsep starts if they are there, and what training songs are made with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from streamsep.cli.checks.asking import ProbeError, ask_probe, first_line_of
from streamsep.cli.checks.finding import Finding
from streamsep.errors import MissingToolError

if TYPE_CHECKING:
    from streamsep.cli.checks.finding import State

__all__ = [
    "check_compiler",
    "check_espeak",
    "check_ffmpeg",
    "check_fluidsynth",
    "check_pyworld",
    "check_soundfonts",
]

_FOR_SONGS = "only for rendering training songs with sampled instruments"


def check_ffmpeg() -> Finding:
    """The programs that read what libsndfile cannot: m4a, video and the rest."""
    advice = "install it to read m4a, wma and video files (Debian: apt install ffmpeg)"
    try:
        lines = {name: first_line_of(name, "-version") for name in ("ffmpeg", "ffprobe")}
    except ProbeError as error:
        return Finding("ffmpeg", "problem", str(error), "reinstall ffmpeg")
    missing = [name for name, line in lines.items() if line is None]
    if missing:
        return Finding("ffmpeg", "missing", f"no {' and no '.join(missing)}", advice)
    return Finding("ffmpeg", "ok", _short_version(lines["ffmpeg"] or ""))


def check_compiler() -> Finding:
    """The first C++ compiler of the usual ones."""
    candidates = [os.environ.get("CXX", ""), "c++", "g++", "clang++"]
    for program in filter(None, candidates):
        try:
            line = first_line_of(program, "--version")
        except ProbeError as error:
            return Finding("C++ compiler", "problem", f"{program}: {error}", "reinstall it")
        if line is not None:
            return Finding("C++ compiler", "ok", f"{program}: {line}")
    advice = "install one to build the plugin (Debian: apt install g++)"
    return Finding("C++ compiler", "missing", "no c++, g++ or clang++", advice)


def check_fluidsynth() -> Finding:
    """The sampler."""
    return _for_songs("fluidsynth")


def check_espeak() -> Finding:
    """The voice."""
    return _for_songs("espeak-ng")


def check_soundfonts() -> Finding:
    """The recordings that the sampler plays."""
    from streamsep.synthesis.sampled.tools import find_soundfonts

    try:
        paths = find_soundfonts()
    except MissingToolError as error:
        return Finding("soundfont", "missing", str(error), _FOR_SONGS)
    return Finding("soundfont", "ok", ", ".join(map(str, paths)))


def check_pyworld() -> Finding:
    """The vocoder that makes the voice sing."""
    try:
        facts = ask_probe("pyworld")
    except ProbeError as error:
        state: State = "missing" if "No module named 'pyworld'" in str(error) else "problem"
        advice = f"{_FOR_SONGS}: uv sync --inexact --extra sampled"
        return Finding("pyworld", state, str(error), advice)
    return Finding("pyworld", "ok", facts["version"])


def _for_songs(program: str) -> Finding:
    try:
        line = first_line_of(program, "--version")
    except ProbeError as error:
        return Finding(program, "problem", str(error), f"reinstall it; {_FOR_SONGS}")
    if line is None:
        advice = f"{_FOR_SONGS} (Debian: apt install {program})"
        return Finding(program, "missing", "not on the path", advice)
    return Finding(program, "ok", _short_version(line))


def _short_version(line: str) -> str:
    """Without the copyright or data folder that some programs put on the same line."""
    return line.partition(" Copyright")[0].partition("  Data at")[0]
