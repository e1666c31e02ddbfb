"""The program as its caller sees it: messages over a socket."""

import json
import os
import socket
import subprocess
import sys

import h5py
import numpy as np
import pytest

from pipeline.artefacts import hdf5_process


@pytest.fixture
def connection():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(30)
    command = [sys.executable, "-P", hdf5_process.__file__, str(theirs.fileno())]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        yield ours
        ours.close()
        assert process.wait(timeout=30) == 0


def ask(connection, path, **changes):
    request = {"path": str(path), "datasets": {"x": None}, "seconds": 5.0, "most_bytes": 10_000, **changes}
    connection.send(json.dumps(request).encode())
    message, handed, _, _ = socket.recv_fds(connection, hdf5_process.MESSAGE_BYTES, 1)
    return json.loads(message), handed


def test_one_process_answers_for_file_after_file(connection, tmp_path):
    for name, values in (("a.h5", [1, 2]), ("b.h5", [3])):
        with h5py.File(tmp_path / name, "w") as file:
            file["x"] = np.array(values, np.int32)
            file.attrs["side"] = 256
        reply, handed = ask(connection, tmp_path / name)
        dtype, shape, first = reply["arrays"]["x"]
        with os.fdopen(handed[0], "rb") as memory:
            content = memory.read()
        np.testing.assert_array_equal(np.frombuffer(content, dtype, len(values), first), values)
        assert shape == [len(values)]
        assert "side" in reply["attributes"][""]


def test_what_is_no_hdf5_and_what_is_too_large_are_faults_and_no_end(connection, tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    assert "fault" in ask(connection, tmp_path / "text.h5")[0]
    with h5py.File(tmp_path / "large.h5", "w") as file:
        file["x"] = np.zeros(5000)
    assert "40000 bytes of values" in ask(connection, tmp_path / "large.h5")[0]["fault"]
    assert "x" in ask(connection, tmp_path / "large.h5", most_bytes=100_000)[0]["arrays"]
