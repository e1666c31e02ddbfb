import os
import subprocess
import sys

from pipeline.worker_processes import worker_processes

SCRIPT = """
from pipeline.worker_processes import worker_processes

with worker_processes(2) as pool:
    numbers = list(pool.map(abs, [-1, 2, -3]))
print(*numbers, given, __file__)
"""


def test_the_script_of_a_rule_is_not_run_again_in_its_workers(tmp_path):
    (tmp_path / "rule.py").write_text(SCRIPT)
    # As Snakemake runs a script: with names that the file itself does not define.
    code = f"__file__ = {str(tmp_path / 'rule.py')!r}\ngiven = 7\n{SCRIPT}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["1", "2", "3", "7", str(tmp_path / "rule.py")], done.stderr


def test_workers_share_the_threads_of_their_job(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    with worker_processes(1) as pool:
        assert pool.submit(os.getenv, "OMP_NUM_THREADS").result() == "1"
    assert os.environ["OMP_NUM_THREADS"] == "4"
