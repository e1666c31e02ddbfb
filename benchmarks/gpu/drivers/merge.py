"""All JSON files of the drivers in one, with the card's use in each section."""

import json
import sys
from datetime import datetime
from pathlib import Path

work, out, say = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] == ["print"]
samples = []
try:
    for row in (work / "util.csv").read_text().splitlines():
        parts = [part.strip() for part in row.split(",")]
        try:
            when = datetime.strptime(parts[0], "%Y/%m/%d %H:%M:%S.%f").timestamp()
            samples.append((when, float(parts[1]), float(parts[2])))
        except (ValueError, IndexError):
            continue
except OSError:
    pass


def use(t0, t1):
    inside = [(u, m) for t, u, m in samples if t0 <= t <= t1]
    return (
        {"gpu_util": round(sum(u for u, _ in inside) / len(inside), 1), "gpu_mib": max(m for _, m in inside)}
        if inside
        else {}
    )


def walk(node):
    if isinstance(node, dict):
        for value in list(node.values()):
            walk(value)
        if isinstance(node.get("t0"), float) and isinstance(node.get("t1"), float):
            node |= use(node["t0"], node["t1"])


merged = {file.stem: json.loads(file.read_text()) for file in sorted((work / "json").glob("*.json"))}
for name, found in merged.items():
    if name.endswith("cuda"):
        walk(found)
out.write_text(json.dumps(merged, indent=1))
if say and samples:
    for name in ("train_cuda", "sparse_cuda", "nuclei_cuda"):
        shares = {key: found.get("gpu_util") for key, found in merged.get(name, {}).items()}
        print(
            f"| use of the card, % of time with a kernel: {name}: " + ", ".join(f"{k} {v}" for k, v in shares.items())
        )
    cases = merged.get("nuclei_cuda", {}).get("throughput", {})
    print(
        "| use of the card: throughput: "
        + ", ".join(f"{k} {v.get('gpu_util')}" for k, v in cases.items() if isinstance(v, dict))
    )
