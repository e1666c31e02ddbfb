import json

import pandas as pd

from pipeline.synthetic.painting.painted_files import slide_path, write_making, write_table


def test_a_table_has_no_index_and_the_same_bytes_everywhere(tmp_path):
    write_table(tmp_path / "a.csv", pd.DataFrame({"x": [1, 2], "y": ["a", ""]}))
    assert (tmp_path / "a.csv").read_bytes() == b"x,y\n1,a\n2,\n"


def test_making_holds_parameters_seed_and_source(tmp_path):
    write_making(tmp_path, "pipeline.synthetic.painted", {"n_images": 3}, 7)
    told = json.loads((tmp_path / "provenance.json").read_text())
    assert told["params"] == {"n_images": 3, "seed": 7}
    assert told["source"]


def test_slides_lie_in_a_folder_of_their_own():
    assert slide_path("s1") == "slides/s1.tif"
