"""The way from the engine to everything that plays: protocol, server, client, live loop, MIDI."""
