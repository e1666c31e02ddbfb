"""Turn a copy of the project into one that takes CUDA wherever the CPU is asked for, so that its own tests run there."""

import os
import sys
from pathlib import Path

root = Path(sys.argv[1])


def swap(file, old, new):
    path = root / file
    text = path.read_text()
    if old not in text:
        print(f"| cuda_everywhere: {file} lacks {old[:50]!r}")
    path.write_text(text.replace(old, new))


if os.environ.get("REHEARSE"):
    swap(
        "pipeline/nuclei/network/network_runtime.py",
        'runtime == "torch" or (runtime == "auto" and precision != "float32")',
        'runtime in ("torch", "auto")',
    )
else:
    swap("pipeline/devices.py", 'return "cpu"\n    present', 'return "cuda"\n    present')
    for name in ("test_fitting", "test_planted_learning", "test_checkpoint"):
        swap(f"tests/training/fitting/{name}.py", 'CPU = torch.device("cpu")', 'CPU = torch.device("cuda")')
