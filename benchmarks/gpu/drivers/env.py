"""Versions, devices, imports."""

import importlib
import pkgutil
import platform
import sys
from importlib import metadata

import numpy as np
import torch
from common import Report, arguments

options = arguments()
report = Report(options, "env")
NAMES = ("numpy", "pandas", "numba", "scipy", "scikit-image", "scikit-learn", "pyarrow", "torch", "torch-geometric", "zarr",
         "numcodecs", "cellpose", "opencv-python-headless", "pytest", "click", "shapely", "openslide-bin")  # fmt: skip


def versions():
    found = {"python": platform.python_version(), "machine": platform.platform()}
    for name in NAMES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "-"
    return found


def card():
    if not torch.cuda.is_available():
        return {"cuda": False}
    props = torch.cuda.get_device_properties(0)
    x = torch.randn(4096, 4096, device="cuda")
    return {
        "name": props.name, "gib": props.total_memory / 2**30, "sms": props.multi_processor_count,
        "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(),
        "tf32_matmul": torch.backends.cuda.matmul.allow_tf32, "tf32_cudnn": torch.backends.cudnn.allow_tf32,
        "finite": bool((x @ x).isfinite().all()), "cpus": len(__import__("os").sched_getaffinity(0)),
    }  # fmt: skip


def auto():
    from pipeline.devices import device_name

    return {"auto": device_name("auto"), "cuda": device_name("cuda") if torch.cuda.is_available() else "none"}


def imports():
    import pipeline

    bad = {}
    for module in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        try:
            importlib.import_module(module.name)
        except BaseException as error:
            bad[module.name] = f"{type(error).__name__}: {error}"[:160]
    for name in ("cellpose.models", "openslide", "torch_geometric.nn"):
        try:
            importlib.import_module(name)
        except BaseException as error:
            bad[name] = f"{type(error).__name__}: {error}"[:160]
    return {"bad": bad, "n_modules": len([name for name in sys.modules if name.startswith("pipeline")])}


def arrays():
    """Whether numpy, pandas and torch understand each other."""
    import pandas as pd

    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", ""]})
    return {"pandas_writable": bool(frame[["a"]].to_numpy().flags.writeable), "object_strings": str(frame["b"].dtype),
            "torch_numpy": float(torch.from_numpy(np.ones(3, np.float32)).sum())}  # fmt: skip


report.section("versions", versions)
report.section("card", card)
report.section("auto", auto)
report.section("arrays", arrays)
report.section("imports", imports)
