import hashlib

from pipeline.training.cohort.seeds import Seeds, derived_seed


def test_a_seed_is_the_front_of_a_digest():
    digest = hashlib.sha256(b"7/fold 3/default/weights").hexdigest()
    assert derived_seed(7, "fold 3", "default", "weights") == int(digest[:16], 16) // 2


def test_published_seeds_stay():
    """Another derivation would change every result."""
    assert derived_seed(0, "folds") == 4557695331661827390
    assert derived_seed(0, 3, "roles") == derived_seed(0, "3", "roles") == 4973609181132167306
    assert Seeds(0, "fold 3").of("default", "weights") == 2273278837283576980
    assert Seeds(0, "final").of("default", "order") == 6485643031448296469


def test_each_purpose_has_its_own():
    seeds = [Seeds(s, t).of(p) for s in (0, 1) for t in ("fold 0", "fold 1", "final") for p in ("weights", "order")]
    assert len(set(seeds)) == 12
    assert all(0 <= seed < 2**63 for seed in seeds)
