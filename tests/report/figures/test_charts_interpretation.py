import io

import numpy as np
import pandas as pd
from PIL import Image

from pipeline.report.figures.charts_interpretation import faithfulness_curves, motif_matrices, patch_rows


def curves(*parts: str) -> pd.DataFrame:
    rows = [
        (part, direction, order, fraction, 1 - fraction / (2 + number), 0.1)
        for part in parts
        for direction in ("deletion", "insertion")
        for number, order in enumerate(("evidence", "weight", "random"))
        for fraction in (0.0, 0.5, 1.0)
    ]
    return pd.DataFrame(rows, columns=["part", "direction", "order", "fraction", "probability_mean", "probability_sd"])


def test_a_panel_a_part_and_direction_with_a_line_an_order() -> None:
    drawn = faithfulness_curves(curves("patches", "edges"))
    titles = [axes.get_title(loc="left") for axes in drawn.axes]
    assert titles == ["patches: deletion", "patches: insertion", "edges: deletion", "edges: insertion"]
    assert [len(axes.lines) for axes in drawn.axes] == [3] * 4
    assert [text.get_text() for text in drawn.axes[1].get_legend().texts] == ["by evidence", "by weight", "by chance"]
    assert len(faithfulness_curves(curves("patches")).axes) == 2


def test_motifs_are_symmetric_and_pale_where_not_certain() -> None:
    rows = [("x", 0, 0, 2.0, 0.01), ("x", 0, 1, -1.0, 0.5), ("x", 1, 1, np.nan, np.nan), ("y", 0, 0, 0.5, 0.01)]
    motifs = pd.DataFrame(rows, columns=["label", "one", "other", "log2_ratio", "q"])
    first, second = (axes for axes in motif_matrices(motifs, 2).axes if axes.get_title(loc="left"))
    shown = first.images[0].get_array().filled(np.nan)
    np.testing.assert_array_equal(shown, [[2.0, -1.0], [-1.0, np.nan]])
    np.testing.assert_array_equal(first.images[0].get_alpha(), [[1, 0.25], [0.25, 0.25]])
    assert [text.get_text() for text in first.texts] == ["+2.0", "-1.0", "-1.0"]
    assert [text.get_text() for text in second.texts] == ["+0.5"]


def test_patches_stand_in_rows() -> None:
    red, blue = (np.full((4, 4, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    sheet = np.asarray(Image.open(io.BytesIO(patch_rows([[red, blue], [blue]], 4))).convert("RGB"))
    assert sheet.shape == (12, 12, 3)
    assert sheet[0, 0].tolist() == [255, 0, 0]
    assert sheet[0, 6].tolist() == sheet[6, 0].tolist() == [0, 0, 255]
    assert sheet[6, 6].tolist() == [255, 255, 255]
