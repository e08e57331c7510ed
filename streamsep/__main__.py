"""`python -m streamsep` is the command `streamsep`."""

from streamsep.cli import main

# Rendering spawns processes, which import this module again and must not start another command.
if __name__ == "__main__":
    main()
