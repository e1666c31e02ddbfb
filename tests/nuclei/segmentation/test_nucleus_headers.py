from pathlib import Path

from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmentation.nucleus_headers import SegmentedSlide, nucleus_header
from pipeline.provenance import file_digest

SLIDE = SegmentedSlide("s", 0.25, 0.5, {}, bounds_l0=(1, 2, 3, 4))


def test_weights_are_named_and_digested_but_not_placed(tiny_weights_path: Path) -> None:
    header = nucleus_header(SLIDE, NucleiParams(weights=str(tiny_weights_path), halo_um=12.0), "abc")
    assert (header.slide_id, header.slide_mpp, header.mpp, header.bounds_l0) == ("s", 0.25, 0.5, (1, 2, 3, 4))
    assert header.weights == "tiny"
    assert header.weights_digest == file_digest(tiny_weights_path)
    assert header.provenance["params"]["halo_um"] == 12.0
    assert header.provenance["upstream"] == {"weights": file_digest(tiny_weights_path)}
    assert str(tiny_weights_path.parent) not in str(header)


def test_a_segmenter_without_network_has_no_weights() -> None:
    header = nucleus_header(SLIDE, NucleiParams(segmenter="watershed"), "abc")
    assert (header.weights, header.weights_digest, header.provenance["upstream"]) == (None, None, {})
