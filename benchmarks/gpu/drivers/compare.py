"""What the command made on CUDA against what it made on the CPU, and the CUDA model's predictions on either."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

work = Path(sys.argv[1])


def table(path):
    return pd.read_csv(path).sort_values("slide_id").reset_index(drop=True)


def gap(a, b):
    columns = [c for c in a.columns if c.startswith("p") and a[c].dtype.kind == "f" and c in b]
    return float(np.abs(a[columns].to_numpy() - b[columns].to_numpy()).max()), columns


try:
    cuda, cpu = (table(work / f"cli_{name}" / "fold_0" / "predictions.csv") for name in ("cuda", "cpu"))
    print(
        f"| compare: test predictions of a training on CUDA and on the CPU: largest gap {gap(cuda, cpu)}, {len(cuda)} images"
    )
except Exception as error:
    print(f"| compare: {type(error).__name__}: {error}"[:300])
try:
    command = [sys.executable, "-c", "from pipeline.cli import main; main()", "predict", "--model", str(work / "cli_cuda/fold_0/model.pt"),
               "--sheet", str(work / "planted/slides.csv"), "--out", str(work / "p_cpu.csv"), "--device", "cpu"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, text=True)
    a, b = table(work / "p_cuda.csv"), table(work / "p_cpu.csv")
    print(f"| compare: the CUDA model's predictions on CUDA and on the CPU: largest gap {gap(a, b)}, {len(a)} images")
except Exception as error:
    print(f"| compare: {type(error).__name__}: {error} {getattr(error, 'stderr', '')}"[:600])
