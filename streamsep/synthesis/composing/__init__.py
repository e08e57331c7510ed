"""The people who write a score: each module is one musician with a pencil.

The composer (`streamsep.synthesis.composer`) chooses a style and a form, then asks them in turn.
"""
