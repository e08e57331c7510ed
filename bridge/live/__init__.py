"""The live loop: an audio interface in, stems out, for hours.

    command line ──► LiveLoop (supervisor) ──► audio child ──► sound server
                         │                        ▲ │
                         └──► streamsep serve ◄───┴─┘ ZeroMQ

Audio lives in a process of its own, because a PortAudio stream whose JACK server has died can
neither be closed nor used again: the child ends without ceremony and the supervisor starts another.
What computes lives in the engine's process, so that nothing holds up the device's callback.

Nothing is imported here: the audio child shall not load what only the supervisor needs.
"""
