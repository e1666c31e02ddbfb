import logging

from pipeline.artefacts.resume_key import resume_folder, resume_key


def test_the_order_of_keys_does_not_matter_and_every_value_does():
    assert resume_key({"a": 1, "b": [1, 2]}) == resume_key({"b": [1, 2], "a": 1})
    assert resume_key({"a": 1, "b": [1, 2]}) != resume_key({"a": 1, "b": [2, 1]})
    assert len(resume_key({})) == 16


def test_state_of_another_making_is_removed_and_said_so(tmp_path, caplog):
    mine, other = resume_folder(tmp_path, {"on_bad_tile": "stop"}), resume_folder(tmp_path, {"on_bad_tile": "exclude"})
    assert mine != other
    other.mkdir()
    (other / "part").write_text("state")
    (tmp_path / "stray.pt").write_text("state")
    with caplog.at_level(logging.INFO):
        assert resume_folder(tmp_path, {"on_bad_tile": "stop"}) == mine
    assert not other.exists()
    assert not (tmp_path / "stray.pt").exists()
    assert caplog.text.count("left by another configuration") == 2


def test_state_of_the_same_making_stays(tmp_path):
    mine = resume_folder(tmp_path, {"seed": 1})
    mine.mkdir()
    (mine / "part").write_text("state")
    assert (resume_folder(tmp_path, {"seed": 1}) / "part").read_text() == "state"


def test_nothing_is_kept_or_made_without_a_folder(tmp_path):
    assert resume_folder(None, {}) is None
    assert resume_folder(tmp_path / "none", {}).parent == tmp_path / "none"
    assert not (tmp_path / "none").exists()
