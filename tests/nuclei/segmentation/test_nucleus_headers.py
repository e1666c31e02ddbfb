from pathlib import Path

from pipeline.nuclei.params import NucleiParams
from pipeline.nuclei.segmentation.nucleus_headers import nucleus_header
from pipeline.provenance import file_digest


def test_weights_are_named_and_digested_but_not_placed(tiny_weights_path: Path) -> None:
    header = nucleus_header(
        slide_id="s",
        slide_mpp=0.25,
        mpp=0.5,
        reason=None,
        params=NucleiParams(weights=str(tiny_weights_path), halo_um=12.0),
        weights_path=tiny_weights_path,
        source="abc",
        upstream={},
    )
    assert header["weights"] == "tiny"
    assert header["weights_digest"] == file_digest(tiny_weights_path)
    assert header["provenance"]["params"]["halo_um"] == 12.0
    assert str(tiny_weights_path.parent) not in str(header)
