from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import CohortError
from pipeline.nuclei.learning import training_pictures
from pipeline.nuclei.learning.augmentation import OutlinedImage
from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.learning.training_pictures import ImageSource, TrainingPictures, training_images

PARAMS = NucleiTrainingParams(held_out_fraction=0.25, collages=4, collage_px=64)


def numbered(n_images: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Even images of grey level 1, 2, ... with one nucleus of 16 px across, so that none is rescaled."""
    rows, cols = np.mgrid[:40, :40] - 19.5
    labels = (rows**2 + cols**2 < 64).astype(np.int32)
    return [(np.full((40, 40, 3), grey, np.uint8), labels) for grey in range(1, n_images + 1)]


def greys(images: list[OutlinedImage]) -> list[int]:
    return [int(image.rgb[0, 0, 0]) for image in images]


def test_each_image_is_seen_or_held_out_and_the_seed_decides() -> None:
    made = training_images(TrainingPictures(numbered(12), numbered(8)), PARAMS)
    seen, unseen = greys(made.pools.real.images), greys(made.held_out["real"])
    assert (len(seen), len(unseen)) == (9, 3)
    assert sorted(seen + unseen) == list(range(1, 13))
    assert seen == sorted(seen)
    assert len(made.held_out["synthetic"]) == 2
    again, other = (
        training_images(TrainingPictures(numbered(12)), replace(PARAMS, seed=seed)).held_out["real"] for seed in (0, 1)
    )
    assert greys(again) == unseen != greys(other)


@pytest.mark.parametrize("seed", range(4))
def test_images_of_a_patient_are_held_out_together(seed: int) -> None:
    patients = [f"p{grey // 3}" for grey in range(1, 25)]
    made = training_images(TrainingPictures(numbered(24), patients=patients), replace(PARAMS, seed=seed))
    seen, unseen = (
        {patients[grey - 1] for grey in greys(part)} for part in (made.pools.real.images, made.held_out["real"])
    )
    assert seen
    assert unseen
    assert not seen & unseen
    assert len(made.held_out["real"]) <= 6


def test_patients_of_one_image_each_are_drawn_as_images_are() -> None:
    alone = training_images(TrainingPictures(numbered(12), patients=[f"p{i}" for i in range(12)]), PARAMS)
    assert greys(alone.held_out["real"]) == greys(
        training_images(TrainingPictures(numbered(12)), PARAMS).held_out["real"]
    )


def test_a_patient_larger_than_the_share_is_held_out_where_there_is_another() -> None:
    made = training_images(TrainingPictures(numbered(8), patients=["a"] * 5 + ["b"] * 3), PARAMS)
    assert greys(made.held_out["real"]) == [6, 7, 8]
    alone = training_images(TrainingPictures(numbered(8), patients=["a"] * 8), PARAMS)
    assert greys(alone.held_out["real"]) == []


def test_patients_of_other_images_are_refused_and_count_in_the_digest() -> None:
    with pytest.raises(CohortError, match="patients of 8 images, found 1"):
        TrainingPictures(numbered(8), patients=["a"])
    assert TrainingPictures(numbered(2), patients=["a", "a"]).digest() != TrainingPictures(numbered(2)).digest()


def test_no_more_are_held_out_than_validation_has_time_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_pictures, "MAX_HELD_OUT", 2)
    made = training_images(TrainingPictures(numbered(12)), PARAMS)
    assert (len(made.pools.real.images), len(made.held_out["real"])) == (10, 2)


def test_collages_of_seen_and_unseen_nuclei_lie_on_their_own_part_of_the_canvas(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lower fifth of the rows: 100 of 500."""
    asked = []

    def laid(images: list[OutlinedImage], canvas: np.ndarray, count: int, size_px: int, seed: int) -> list:
        asked.append((greys(images), canvas.shape, int(canvas[0, 0, 0]), count, size_px, seed))
        return []

    monkeypatch.setattr(training_pictures, "collages", laid)
    canvas = np.zeros((500, 80, 3), np.uint8)
    canvas[400:] = 200
    made = training_images(TrainingPictures(numbered(8), canvas=canvas), replace(PARAMS, seed=3))
    seen, unseen = greys(made.pools.real.images), greys(made.held_out["real"])
    assert asked == [(seen, (400, 80, 3), 0, 3, 64, 3), (unseen, (100, 80, 3), 200, 1, 64, 3)]


def test_without_canvas_or_count_there_is_no_collage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_pictures, "collages", lambda *arguments: pytest.fail("no collage was asked for"))
    training_images(TrainingPictures(numbered(4)), PARAMS)
    canvas = np.zeros((100, 100, 3), np.uint8)
    training_images(TrainingPictures(numbered(4), canvas=canvas), replace(PARAMS, collages=0))


def test_sources_have_their_shares_of_the_images_that_are_left() -> None:
    """Three of twelve are held out; whichever they are, the two sources give 3 and 1 of 4 crops."""
    sources = [ImageSource("a", 8, share=3.0), ImageSource("b", 4, share=1.0)]
    made = training_images(TrainingPictures(numbered(12), sources=sources), PARAMS)
    first = np.array(greys(made.pools.real.images)) <= 8
    assert made.pools.real.shares[first].sum() == pytest.approx(0.75)
    unshared = training_images(TrainingPictures(numbered(12), sources=[ImageSource("a", 12)]), PARAMS)
    alike = training_images(TrainingPictures(numbered(12)), PARAMS)
    assert unshared.pools.real.shares.tobytes() == alike.pools.real.shares.tobytes()


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([ImageSource("a", 3)], "expected sources of 4 images, found those of 3"),
        ([ImageSource("a", 3), ImageSource("b", 2)], "expected sources of 4 images, found those of 5"),
        ([ImageSource("a", 3, share=1.0), ImageSource("b", 1)], "a share for all of 2 sources or for none, found 1"),
    ],
)
def test_sources_that_do_not_fit_the_images(sources: list[ImageSource], message: str) -> None:
    with pytest.raises(CohortError, match=message):
        TrainingPictures(numbered(4), sources=sources)


def test_nothing_is_left_to_train_on() -> None:
    with pytest.raises(CohortError, match="found 1 of which 1 are held out"):
        training_images(TrainingPictures(numbered(1)), replace(PARAMS, held_out_fraction=0.9))


def changed(pairs: list[tuple[np.ndarray, np.ndarray]], what: int) -> list[tuple[np.ndarray, np.ndarray]]:
    copies = [(rgb.copy(), labels.copy()) for rgb, labels in pairs]
    copies[-1][what][-1, -1] += 1
    return copies


def test_a_digest_knows_every_pixel_label_and_place() -> None:
    pairs, canvas = numbered(3), np.zeros((50, 50, 3), np.uint8)
    pictures = TrainingPictures(pairs, pairs[:1], canvas)
    others = [
        replace(pictures, images=changed(pairs, 0)),
        replace(pictures, images=changed(pairs, 1)),
        replace(pictures, images=pairs[::-1]),
        replace(pictures, images=pairs[:2]),
        replace(pictures, synthetic=changed(pairs[:1], 0)),
        replace(pictures, images=pairs[:2], synthetic=[pairs[2], pairs[0]]),
        replace(pictures, canvas=None),
        replace(pictures, canvas=canvas + 1),
        replace(pictures, canvas=canvas.reshape(25, 100, 3)),
    ]
    assert len({pictures.digest(), *(other.digest() for other in others)}) == len(others) + 1
    shared = [
        replace(pictures, sources=[ImageSource("a", n, share=2.0), ImageSource("b", 3 - n, share=1.0)]) for n in (1, 2)
    ]
    assert len({pictures.digest(), *(other.digest() for other in shared)}) == 3
    named = replace(pictures, sources=[ImageSource("a", 1), ImageSource("b", 2)])
    assert named.digest() == pictures.digest()
    assert replace(pictures, images=numbered(3), licence="CC0-1.0", provenance={"a": 1}).digest() == pictures.digest()
