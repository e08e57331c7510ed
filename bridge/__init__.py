"""The way from the engine to everything that plays: protocol, server, client, live loop, MIDI.

Nothing is here yet; the place is kept so that the layers hold from the start.
"""
