"""Stems inside plugin hosts: pedalboard boards, StemPlugin, the native VST3 shim.

Nothing is here yet; the place is kept so that the layers hold from the start.
"""
