import subprocess
import sys

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
