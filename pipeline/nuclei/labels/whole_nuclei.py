"""Pieces of nuclei; nuclei in one piece, without specks.

The pieces are those of ``skimage.measure.label`` with their areas and first pixels, found in one pass: 2.6 ms against
5.9 ms (10 ms with areas and first pixels) for 786 nuclei on 1,024 x 1,024 px.
"""

from typing import Any

import numpy as np

from pipeline.arrays import Int32s
from pipeline.compiled import compiled
from pipeline.nuclei.labels import Labels


def whole_nuclei(labels: Labels, min_area_px: float) -> Labels:
    """Largest connected piece of each label (h, w) where it has ``min_area_px`` or more, numbered 1 to n.

    Pixels are connected by their sides; of pieces of one size the first counts.
    """
    pieces = np.zeros(labels.shape, dtype=np.int32)
    owner, area, _ = _pieces(np.ascontiguousarray(labels), pieces, _SIDES)
    by_owner = np.lexsort((-area, owner))
    first = np.diff(owner[by_owner], prepend=-1) > 0
    largest = by_owner[first]
    kept = largest[(owner[largest] > 0) & (area[largest] >= min_area_px)]
    number = np.zeros(len(owner), dtype=np.int32)
    number[kept] = np.arange(1, len(kept) + 1)
    return np.asarray(number[pieces], np.int32)


def largest_pieces(labels: Labels, n_nuclei: int) -> tuple[Int32s, Labels]:
    """First pixel (n, 2), row and column, of the largest piece of each nucleus, and the number of each pixel's piece.

    Pixels are connected by their sides and corners; every label 1 to n must occur.
    """
    pieces = np.zeros(labels.shape, dtype=np.int32)
    owner, area, first = _pieces(np.ascontiguousarray(labels), pieces, _SIDES_AND_CORNERS)
    by_owner = np.lexsort((-area, owner))
    largest = by_owner[np.diff(owner[by_owner], prepend=-1) > 0]
    return first[largest[len(largest) - n_nuclei :]], pieces


_SIDES = np.array([[-1, 0], [1, 0], [0, -1], [0, 1]])
_SIDES_AND_CORNERS = np.array([*_SIDES.tolist(), [-1, -1], [-1, 1], [1, -1], [1, 1]])


@compiled
def _pieces(labels: Any, pieces: Any, steps: Any) -> Any:
    """Number the pieces 1 to n in place; label, area and first pixel of the background and of each."""
    height, width = labels.shape
    owner, area, first = [0], [0], [(0, 0)]
    front = np.empty((labels.size, 2), dtype=np.int32)
    for row in range(height):
        for col in range(width):
            label = labels[row, col]
            if label == 0 or pieces[row, col]:
                continue
            piece = len(owner)
            pieces[row, col] = piece
            front[0] = row, col
            done, size = 0, 1
            while done < size:
                r, c = front[done]
                done += 1
                for k in range(len(steps)):
                    y, x = r + steps[k, 0], c + steps[k, 1]
                    inside = 0 <= y < height and 0 <= x < width
                    if inside and labels[y, x] == label and pieces[y, x] == 0:
                        pieces[y, x] = piece
                        front[size] = y, x
                        size += 1
            owner.append(label)
            area.append(size)
            first.append((row, col))
    return np.array(owner), np.array(area), np.array(first)
