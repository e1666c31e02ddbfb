"""A package to compare with, in an interpreter of its own that answers one request at a time.

The interpreter needs that package and numpy, not abignet: ``python -m venv PEERS``, then
``PEERS/bin/pip install squidpy`` and ``PEERS/bin/pip install --no-deps histomicstk``.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


class Peer:
    """A script that runs in another interpreter and answers requests; see ``answer_requests``."""

    def __init__(self, interpreter: Path, script: Path, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [str(interpreter), "-W", "ignore", str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **ONE_THREAD},
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """Answer to a request; ends the program when the peer failed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            # What the package itself prints is no answer.
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                return answer
        sys.exit(f"the peer ended without an answer (exit code {self._process.wait()})")

    def close(self) -> None:
        """Let the peer end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def answer_requests(answer: Callable[..., dict[str, Any]]) -> None:
    """Call ``answer`` with each request on standard input and print what it returns as one line."""
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), flush=True)


def timed(function: Callable[[], Any]) -> dict[str, float]:
    """CPU and wall seconds of one call; CPU time counts where other work shares the machine."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
