"""Boards: stems through chains of pedalboard plugins, back into a mix.

Importing this imports pedalboard, which is licensed under the GPL; see docs/boards.md.
"""

from __future__ import annotations

from vst_wrapper.boards.automation import Automated
from vst_wrapper.boards.build import build_board, check_board
from vst_wrapper.boards.effects import effect_names
from vst_wrapper.boards.renderer import BoardRenderer
from vst_wrapper.boards.stem_board import DEMUCS_STEMS, Send, StemBoard

__all__ = ["DEMUCS_STEMS", "Automated", "BoardRenderer", "Send", "StemBoard", "build_board"]
__all__ += ["check_board", "effect_names"]
