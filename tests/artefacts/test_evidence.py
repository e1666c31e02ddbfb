from dataclasses import replace

import numpy as np
import pytest

from pipeline.artefacts.evidence import Evidence, EvidenceFacts, EvidenceHeader, EvidenceStore, write_evidence
from pipeline.errors import ArtefactError

FACTS = EvidenceFacts("b", 1.5, 0.5, 0.25, "occlusion", None, 1, 0.01)
HEADER = EvidenceHeader(("a", "b"), ("area", "axis", "texture"), "default")


def drawn(n_tiles=4, n_edges=6):
    rng = np.random.default_rng(0)
    shapes = ((n_tiles, 2), (n_edges,), (n_tiles, 3))
    return Evidence(*(rng.normal(size=shape).astype(np.float32) for shape in shapes), FACTS)


def written(tmp_path, *images, header=HEADER):
    write_evidence(tmp_path / "evidence.zarr", header, images, {"source": "s"})
    return tmp_path / "evidence.zarr"


def test_what_is_written_is_read(tmp_path):
    evidence, none = drawn(), drawn(1, 0)
    store = EvidenceStore(written(tmp_path, ("s2", evidence), ("s1", none)))
    assert (store.header, store.slide_ids, store.provenance) == (HEADER, ["s1", "s2"], {"source": "s"})
    for name in ("node", "edge", "feature"):
        np.testing.assert_array_equal(getattr(store.of("s2"), name), getattr(evidence, name))
    assert store.of("s2").facts == FACTS
    assert store.of("s1").edge.shape == (0,)


def test_a_fold_without_images_says_why(tmp_path):
    store = EvidenceStore(written(tmp_path, header=EvidenceHeader((), (), "", "no test image")))
    assert (store.slide_ids, store.header.reason) == ([], "no test image")


def test_an_image_that_is_not_there_is_named_with_those_that_are(tmp_path):
    with pytest.raises(ArtefactError, match=r"evidence in slide s9, found s1.*abignet explain"):
        EvidenceStore(written(tmp_path, ("s1", drawn()))).of("s9")


@pytest.mark.parametrize(
    "wrong",
    [
        replace(drawn(), node=np.zeros((4, 3), np.float32)),
        replace(drawn(), feature=np.zeros((5, 3), np.float32)),
        replace(drawn(), edge=np.full(6, np.nan, np.float32)),
        replace(drawn(), facts=replace(FACTS, predicted="c")),
    ],
)
def test_evidence_that_contradicts_itself_is_refused(tmp_path, wrong):
    store = EvidenceStore(written(tmp_path, ("s1", wrong)))
    with pytest.raises(ArtefactError, match="half-written, damaged or edited"):
        store.of("s1")


def test_another_store_is_refused(tmp_path):
    with pytest.raises(ArtefactError, match="no such folder"):
        EvidenceStore(tmp_path / "evidence.zarr")
