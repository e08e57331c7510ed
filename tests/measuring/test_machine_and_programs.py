"""What a measurement is true of, and what happened beside it."""

from __future__ import annotations

import mmap
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from streamsep.measuring import this_machine
from streamsep.measuring.device import device_name, device_peak_bytes
from streamsep.measuring.other_programs import OtherPrograms
from streamsep.measuring.peak_memory import forget_peak, peak_memory_bytes

LARGE = 100 * 2**20


def _fill_and_give_back() -> None:
    # Not from the heap: it may hold as much already, and may keep it.
    with mmap.mmap(-1, LARGE) as block:
        np.frombuffer(block, np.uint8)[:] = 1


def test_a_machine_is_the_same_for_another_process() -> None:
    program = "from streamsep.measuring import this_machine as m; print(m().model_dump_json())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == this_machine().model_dump_json()
    assert torch.__version__.startswith(this_machine().torch)


def test_what_is_known_of_a_machine_needs_no_torch() -> None:
    program = "import sys; from streamsep.measuring import this_machine as m; m()"
    program += "; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_peak_is_that_of_memory_given_back_since() -> None:
    forget_peak()
    before = peak_memory_bytes()
    _fill_and_give_back()
    assert peak_memory_bytes() - before > LARGE / 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets a peak")
def test_a_peak_can_be_forgotten() -> None:
    _fill_and_give_back()
    before = peak_memory_bytes()
    forget_peak()
    assert before - peak_memory_bytes() > LARGE / 2


def test_others_that_compute_are_noticed() -> None:
    others = OtherPrograms()
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.5)
        share = others.share
    finally:
        busy.kill()
        busy.wait()
    if share is None:
        pytest.skip("this system does not tell how busy our cores are")
    assert 0 < share <= 1


def test_the_processor_has_no_memory_of_its_own() -> None:
    assert device_name("cpu") == "cpu"
    assert device_peak_bytes("cpu") is None
