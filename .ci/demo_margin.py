"""Fail unless `default` is ahead of every method that learns no graph by 0.15 accuracy, seed by seed.

python .ci/demo_margin.py demo/results/training/demo
"""

import json
import sys
from pathlib import Path

LEAST_MARGIN = 0.15
LEARNED = {"default", "joint", "wikg", "paper_a", "paper_b"}

runs = [json.loads(path.read_text()) for path in sorted(Path(sys.argv[1]).glob("*/seed_*/metrics.json"))]
accuracy = {(run["method"], run["seed"]): run["mean"]["accuracy"] for run in runs}
for (method, seed), value in sorted(accuracy.items()):
    print(f"{method}, seed {seed}: accuracy {value:.3f}")
short = [
    f"{method}, seed {seed}"
    for (method, seed), value in accuracy.items()
    if method not in LEARNED and accuracy["default", seed] - value < LEAST_MARGIN
]
sys.exit(f"default is not ahead by {LEAST_MARGIN}: {'; '.join(short)}" if short or not accuracy else 0)
