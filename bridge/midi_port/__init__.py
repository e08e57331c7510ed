"""MIDI ports that come and go, in a process of their own; what messages mean is not known here.

Nothing is imported here: the process with the ports shall start in no time and load nothing big.
"""
