"""Every error that streamsep raises on purpose.

    StreamSepError
    ├── ConfigError            a preset, a configuration file or an option that cannot be used
    ├── InputError             audio that cannot be read or separated
    ├── OutputError            a file or folder that cannot be written
    ├── ModelError
    │   ├── UnknownModelError  a name that is not in the registry
    │   ├── CheckpointError    weights that are damaged, foreign or unsafe to load
    │   └── DownloadError      weights that could not be fetched whole
    ├── TrainingError          a training run that cannot go on, its checkpoint kept
    ├── MissingToolError       a program or an optional package that is not installed
    ├── EngineError            an engine that is not there, or that refused or ended a session
    └── ProtocolError          see docs/protocol.md
        ├── LocalProtocolError     our side was about to break the protocol: a bug of the caller
        └── RemoteProtocolError    the peer broke it, or sent what is no message at all

A message is one line that says what was got, what was expected and what to do. The command line
prints it and exits with code 2; a traceback means a bug in streamsep.
"""

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DownloadError",
    "EngineError",
    "InputError",
    "LocalProtocolError",
    "MissingToolError",
    "ModelError",
    "OutputError",
    "ProtocolError",
    "RemoteProtocolError",
    "StreamSepError",
    "TrainingError",
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


class TrainingError(StreamSepError):
    """A training run that cannot go on; what it has saved is kept."""


class MissingToolError(StreamSepError):
    """A program or an optional package that is needed and not installed."""


class EngineError(StreamSepError):
    """An engine that cannot be reached, or that refused or ended a session."""


class ProtocolError(StreamSepError):
    """Something that the protocol between engine and clients does not allow."""


class LocalProtocolError(ProtocolError):
    """Our side was about to break the protocol."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol.

    Args:
        message: what was got and what was expected.
        code: what to answer in an ERROR message, see `bridge.protocol.ErrorCode`; by default 2, a
            message that is none.
    """

    def __init__(self, message: str, *, code: int = 2) -> None:
        super().__init__(message)
        self.code = code
