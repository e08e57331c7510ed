"""Many tasks at a time, in processes that end with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from workshop_tasks import die, double, process_id

from streamsep.errors import ConfigError, InputError
from streamsep.training.workshop import Workshop


def test_one_job_is_done_here_and_in_order():
    with Workshop(1) as workshop:
        assert workshop.do(double, range(5), title="doubling") == [0, 2, 4, 6, 8]
        assert workshop.do(process_id, [0], title="here") == [os.getpid()]


def test_several_jobs_are_done_elsewhere_and_their_results_are_in_order():
    with Workshop(2) as workshop:
        assert workshop.do(double, range(5), title="doubling") == [0, 2, 4, 6, 8]
        workers = workshop.do(process_id, range(4), title="elsewhere")
        assert os.getpid() not in workers
        with pytest.raises(InputError, match="-1 is below 0"):
            workshop.do(double, [1, -1, 2], title="doubling")
    assert not any(psutil.pid_exists(worker) for worker in workers)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_process_is_one_clear_line():
    with pytest.raises(ConfigError, match=r"was killed.*use fewer jobs"), Workshop(2) as workshop:
        workshop.do(die, [0], title="dying")


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
@pytest.mark.parametrize(
    ("sent", "said"), [(signal.SIGKILL, b""), (signal.SIGINT, b"KeyboardInterrupt")]
)
def test_no_process_outlives_the_run(tmp_path, sent, said):
    here = Path(__file__).parent
    run = subprocess.Popen(
        [sys.executable, here / "workshop_tasks.py", tmp_path],
        env={**os.environ, "PYTHONPATH": str(here.parent.parent)},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    while len(workers := [int(path.name) for path in tmp_path.iterdir()]) < 2:
        assert run.poll() is None, run.communicate()
        time.sleep(0.05)
    if sent == signal.SIGKILL:
        run.kill()
    else:  # as a terminal does: to all of them
        os.killpg(run.pid, sent)
    _, errors = run.communicate()
    assert run.returncode == -sent
    # Only the process that was started says something, and once.
    assert errors.count(b"Traceback") == (1 if said else 0)
    assert said in errors
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in workers if exists(pid)], 30)
    assert not alive


def exists(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
