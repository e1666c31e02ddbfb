"""Curves of accuracy and of found pairs against the number of labelled images.

Reads tables printed by ``planted_graphs.py`` and writes one picture: a point is the mean over
seeds, a bar reaches from the worst seed to the best.

    python benchmarks/planted_curves.py --tables A.csv B.csv --out docs/pictures/learning-graphs.png
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd

QUANTITIES = {"accuracy": "accuracy on test images", "edge_auroc": "edge AUROC"}
STYLES = {
    ("default", True): ("C0", "-"),
    ("default", False): ("C0", ":"),
    ("joint", True): ("C1", "-"),
    ("joint", False): ("C1", ":"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", type=Path, required=True)
    parser.add_argument("--variants", nargs="+", default=["standard", "hard", "frontier"])
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    table = pd.concat([pd.read_csv(path, comment="#") for path in options.tables], ignore_index=True)
    table["pretrained"] = table["edge_auroc_pretrained"].notna()
    figure, axes = plt.subplots(
        2, len(options.variants), figsize=(3.4 * len(options.variants), 5), sharex=True, sharey="row", squeeze=False
    )
    for column, variant in enumerate(options.variants):
        for line, (quantity, name) in enumerate(QUANTITIES.items()):
            draw(axes[line, column], table[table["variant"] == variant], quantity)
            axes[line, 0].set_ylabel(name)
        axes[0, column].set_title(variant)
        axes[1, column].set_xlabel("labelled images")
    axes[0, 0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(options.out, dpi=90)


def draw(axis: plt.Axes, table: pd.DataFrame, quantity: str) -> None:
    """One line a method with pre-training and one without."""
    for (method, pretrained), (colour, style) in STYLES.items():
        rows = table[(table["method"] == method) & (table["pretrained"] == pretrained)]
        if rows.empty:
            continue
        by_size = rows.groupby("images")[quantity].agg(["mean", "min", "max"])
        below, above = by_size["mean"] - by_size["min"], by_size["max"] - by_size["mean"]
        label = method if pretrained else f"{method}, no pre-training"
        axis.errorbar(
            by_size.index,
            by_size["mean"],
            # A mean of equal values may be rounded beyond them.
            yerr=[below.clip(lower=0).to_numpy(), above.clip(lower=0).to_numpy()],
            color=colour,
            ls=style,
            marker=".",
            label=label,
        )
    axis.set_xscale("log")
    axis.axhline(0.5, color="grey", lw=0.5)


if __name__ == "__main__":
    main()
