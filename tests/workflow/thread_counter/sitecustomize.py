"""Python imports this module at its start where the folder is on its path: it counts the threads of a rule's script.

Every 10 ms it asks the kernel which threads of the process run or wait for a core.  At the end one line of JSON goes to
the file that ``THREADS_SEEN`` names: the rule, the threads it may use and the mean number of those that did.
"""

import atexit
import json
import os
import sys
import threading
import time
from pathlib import Path

PERIOD_S = 0.01


def watch(counts: list[int]) -> None:
    own = str(threading.get_native_id())
    while True:
        counts.append(sum(is_busy(task) for task in Path("/proc/self/task").iterdir() if task.name != own))
        time.sleep(PERIOD_S)


def is_busy(task: Path) -> bool:
    try:
        return (task / "stat").read_text().rpartition(") ")[2].startswith("R")
    except OSError:  # it has ended
        return False


def tell(rule: str, counts: list[int]) -> None:
    busy = [n for n in counts if n] or [0]
    seen = {"rule": rule, "threads": int(os.environ["OMP_NUM_THREADS"]), "samples": len(busy)}
    with Path(os.environ["THREADS_SEEN"]).open("a") as file:
        file.write(json.dumps({**seen, "mean": sum(busy) / len(busy)}) + "\n")


script = Path(sys.orig_argv[-1])
if "THREADS_SEEN" in os.environ and script.parent.name == "scripts":
    counts: list[int] = []
    threading.Thread(target=watch, args=(counts,), daemon=True).start()
    atexit.register(tell, script.name.split(".")[-2], counts)
