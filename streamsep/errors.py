"""Every error that streamsep raises on purpose.

    StreamSepError
    ├── ConfigError            a preset, a configuration file or an option that cannot be used
    ├── InputError             audio that cannot be read or separated
    ├── OutputError            a file or folder that cannot be written
    ├── ModelError
    │   ├── UnknownModelError  a name that is not in the registry
    │   ├── CheckpointError    weights that are damaged, foreign or unsafe to load
    │   └── DownloadError      weights that could not be fetched whole
    └── MissingToolError       a program or an optional package that is not installed

A message is one line that says what was got, what was expected and what to do. The command line
prints it and exits with code 2; a traceback means a bug in streamsep.
"""

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DownloadError",
    "InputError",
    "MissingToolError",
    "ModelError",
    "OutputError",
    "StreamSepError",
    "UnknownModelError",
]


class StreamSepError(Exception):
    """Root of the tree: catch it to catch whatever streamsep can foresee."""


class ConfigError(StreamSepError):
    """A preset, a configuration file or an option that cannot be used."""


class InputError(StreamSepError):
    """Audio that cannot be read or separated."""


class OutputError(StreamSepError):
    """A file or folder that cannot be written."""


class ModelError(StreamSepError):
    """A network that cannot be found, fetched or loaded."""


class UnknownModelError(ModelError):
    """A model name that the registry does not hold."""


class CheckpointError(ModelError):
    """Weights that are damaged, foreign or unsafe to load."""


class DownloadError(ModelError):
    """Weights that could not be fetched whole."""


class MissingToolError(StreamSepError):
    """A program or an optional package that is needed and not installed."""
