import numpy as np
import pytest
from skimage.feature import graycomatrix, graycoprops

from pipeline.nuclei.labels.bounding_boxes import bounding_boxes
from pipeline.nuclei.measures.glcm import LEVELS, cooccurrence, glcm_measures, quantise

RNG = np.random.default_rng(3)
LABELS = np.zeros((14, 20), np.int32)
LABELS[1:6, 1:8] = 1
LABELS[2, 3] = 0  # a hole
LABELS[3:9, 8:12] = 2  # touches the first
LABELS[9:13, 2:3] = 3  # one pixel wide
LABELS[8:14, 13:20] = np.triu(np.ones((6, 7), np.int32)) * 4  # up to the image's corner
GREY = RNG.integers(0, 256, LABELS.shape, dtype=np.uint8)


def scikit_image_matrix(label: int) -> np.ndarray:
    rows, cols = np.nonzero(label == LABELS)
    box = (slice(rows.min(), rows.max() + 1), slice(cols.min(), cols.max() + 1))
    patch = np.where(LABELS[box] == label, GREY[box] // 32, 0)
    return graycomatrix(patch, [1], [0], levels=LEVELS, symmetric=True, normed=True)


@pytest.mark.parametrize("label", [1, 2, 3, 4])
def test_agrees_with_scikit_image(label: int) -> None:
    matrices = cooccurrence(LABELS, quantise(GREY), bounding_boxes(LABELS, 4))
    expected = scikit_image_matrix(label)
    assert matrices[label - 1] == pytest.approx(expected[:, :, 0, 0])
    measures = glcm_measures(matrices)
    for name in ("contrast", "energy", "correlation", "homogeneity", "ASM"):
        wanted = graycoprops(expected, name)[0, 0]
        assert measures[f"glcm_{name.lower()}"][label - 1] == pytest.approx(wanted), name


def test_levels_are_steps_of_32() -> None:
    assert quantise(np.array([0, 31, 32, 255], np.uint8)).tolist() == [0, 0, 1, 7]


def test_even_nucleus_by_hand() -> None:
    labels = np.ones((2, 3), np.int32)
    matrix = cooccurrence(labels, np.full((2, 3), 5, np.uint8), bounding_boxes(labels, 1))
    assert matrix[0, 5, 5] == 1
    measures = {name: values[0] for name, values in glcm_measures(matrix).items()}
    assert measures == {
        "glcm_contrast": 0,
        "glcm_energy": 1,
        "glcm_correlation": 1,
        "glcm_homogeneity": 1,
        "glcm_asm": 1,
    }


def test_no_nucleus() -> None:
    labels = np.zeros((4, 4), np.int32)
    assert cooccurrence(labels, labels.astype(np.uint8), bounding_boxes(labels, 0)).shape == (0, LEVELS, LEVELS)
