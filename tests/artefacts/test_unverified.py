from pipeline.artefacts.unverified import BEFORE_DIGESTS, FOREIGN, say_unverified


def test_the_first_file_of_each_making_speaks_for_all(caplog, monkeypatch):
    monkeypatch.setattr("pipeline.artefacts.unverified._said", set())
    for why in (BEFORE_DIGESTS, FOREIGN):
        for name in ("a.zarr", "b.zarr"):
            say_unverified(name, why)
    assert [record.message.split(" was")[0] for record in caplog.records] == ["a.zarr", "a.zarr"]
