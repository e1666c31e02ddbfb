import os
import signal
from dataclasses import replace
from multiprocessing import active_children

import numpy as np
import pytest
import torch

from pipeline.errors import CohortError
from pipeline.nuclei.learning.augmentation import OutlinedImage, rescaled
from pipeline.nuclei.learning.training_batches import ImagePool, Pools, batches_ahead, image_pool, training_batch
from pipeline.nuclei.learning.training_params import NucleiTrainingParams
from pipeline.nuclei.stain.stain_channels import StainScale
from pipeline.synthetic.painting.tissue import PaintedTissue

PARAMS = NucleiTrainingParams(steps=3, warmup_steps=0, batch_size=2, crop_px=48)

NONE = image_pool([])


def coloured(colour: tuple[int, int, int], side: int = 20) -> OutlinedImage:
    return OutlinedImage(np.full((side, side, 3), colour, np.uint8), np.zeros((side, side), np.int32), StainScale(0, 1))


def test_rare_colours_and_large_images_give_more_crops() -> None:
    purple, pink = (120, 90, 200), (230, 140, 180)
    pool = image_pool([coloured(purple)] * 4 + [coloured(pink)])
    assert pool.shares.sum() == pytest.approx(1)
    assert pool.shares[4] == pytest.approx(2 * pool.shares[0])
    large = image_pool([coloured(pink), coloured(pink, side=60)])
    assert large.shares[1] == pytest.approx(3 * large.shares[0])


def test_batches_depend_on_seed_and_step_only(tissue: PaintedTissue) -> None:
    pools = Pools(image_pool([rescaled(tissue.rgb, tissue.labels, 16.0)]), NONE, NONE)
    ahead = dict(batches_ahead(pools, PARAMS, first=1))
    assert sorted(ahead) == [1, 2]
    for step, batch in ahead.items():
        assert all(torch.equal(a, b) for a, b in zip(batch, training_batch(pools, PARAMS, step), strict=True))
    assert not torch.equal(ahead[1][0], ahead[2][0])


@pytest.mark.parametrize("workers", [1, 2])
def test_the_crops_are_the_same_bytes_whatever_the_number_of_processes(tissue: PaintedTissue, workers: int) -> None:
    pool = image_pool([rescaled(tissue.rgb, tissue.labels, 16.0), rescaled(tissue.rgb[:96], tissue.labels[:96], 16.0)])
    pools, params = Pools(pool, pool, NONE), replace(PARAMS, steps=7)
    alone = list(batches_ahead(pools, params, first=1))
    shared = list(batches_ahead(pools, params, first=1, workers=workers))
    assert [step for step, _ in shared] == [step for step, _ in alone] == [1, 2, 3, 4, 5, 6]
    for (_, ours), (_, theirs) in zip(alone, shared, strict=True):
        assert [part.numpy().tobytes() for part in ours] == [part.numpy().tobytes() for part in theirs]


class Deadly(Pools):
    """Ends the process that draws from it."""

    def drawn(self, chance: float, params: NucleiTrainingParams) -> ImagePool:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError


def test_what_was_begun_ahead_ends_with_the_training() -> None:
    params = replace(PARAMS, steps=10_000)
    batches = batches_ahead(Pools(image_pool([coloured((120, 90, 200))]), NONE, NONE), params, workers=2)
    assert next(batches)[0] == 0
    assert len(active_children()) == 2
    batches.close()
    assert not active_children()


def test_a_process_that_is_ended_from_outside_is_told() -> None:
    pools = Deadly(image_pool([coloured((120, 90, 200))]), NONE, NONE)
    with pytest.raises(CohortError, match=r"one of 1 processes that make crops was ended .* fewer workers"):
        list(batches_ahead(pools, PARAMS, workers=1))


def test_origins_have_their_shares_and_within_them_size_and_colour_count() -> None:
    purple, pink = (120, 90, 200), (230, 140, 180)
    images = [coloured(purple), coloured(purple), coloured(pink), coloured(pink, side=60)]
    pool = image_pool(images, [0, 0, 1, 1], [3.0, 1.0])
    assert pool.shares == pytest.approx([0.375, 0.375, 0.0625, 0.1875])
    rest = image_pool(images[:2], [1, 1], [3.0, 1.0, 2.0])
    assert rest.shares == pytest.approx([0.5, 0.5])


def test_shapes_and_ranges(tissue: PaintedTissue) -> None:
    pool = image_pool([rescaled(tissue.rgb, tissue.labels, 16.0)])
    inputs, flows, inside = training_batch(Pools(pool, pool, pool), PARAMS, 0)
    assert inputs.shape == flows.shape == (2, 2, 48, 48)
    assert inside.shape == (2, 48, 48)
    assert set(inside.unique().tolist()) == {0.0, 1.0}
    assert flows.abs().max() <= 1
    assert not flows[(inside == 0)[:, None].expand_as(flows)].any()


def test_pools_are_drawn_by_their_shares() -> None:
    real, painted, pasted = (image_pool([coloured(colour)]) for colour in ((120, 90, 200), (9, 9, 9), (230, 140, 180)))
    params = replace(PARAMS, synthetic_fraction=0.3, collage_fraction=0.2)
    chances = (0.0, 0.29, 0.31, 0.79, 0.81, 1.0)
    drawn = [Pools(real, painted, pasted).drawn(chance, params) for chance in chances]
    assert drawn == [painted, painted, real, real, pasted, pasted]


def test_the_share_of_an_empty_pool_goes_to_another() -> None:
    real, painted = image_pool([coloured((120, 90, 200))]), image_pool([coloured((9, 9, 9))])
    params = replace(PARAMS, synthetic_fraction=0.3, collage_fraction=0.2)
    assert all(Pools(real, NONE, NONE).drawn(chance, params) is real for chance in (0.0, 0.5, 0.9))
    assert all(Pools(NONE, painted, NONE).drawn(chance, params) is painted for chance in (0.0, 0.5, 0.9))
