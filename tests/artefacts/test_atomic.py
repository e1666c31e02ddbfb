import os
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from pipeline.artefacts.atomic import require_folder, writing
from pipeline.errors import OutputError


def test_a_file_appears_only_when_the_block_succeeds(tmp_path):
    target = tmp_path / "deep" / "table.csv"
    with writing(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
    assert target.read_text() == "new"
    assert [path.name for path in target.parent.iterdir()] == ["table.csv"]


def test_a_failure_leaves_what_was_there(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError), writing(target) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_replaces_a_folder_whole(tmp_path):
    target = tmp_path / "store.zarr"
    for content in ("one", "two"):
        with writing(target) as temporary:
            temporary.mkdir()
            (temporary / content).touch()
    assert [path.name for path in target.iterdir()] == ["two"]
    assert list(tmp_path.iterdir()) == [target]


def run_child(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run ``script`` in a process of its own, with ``sys.argv[1:]`` the arguments."""
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


KILLED_HALFWAY = """
    import os, signal, sys
    from pipeline.artefacts.atomic import writing
    with writing(sys.argv[1]) as temporary:
        temporary.write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)
"""

KILLED_BETWEEN_THE_RENAMES = """
    import os, signal, sys
    from pipeline.artefacts.atomic import writing
    def kill(event, arguments):
        if event == "os.rename" and not os.path.exists(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGKILL)
    with writing(sys.argv[1]) as temporary:
        temporary.mkdir()
        (temporary / "new").touch()
        sys.addaudithook(kill)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("old", [None, "old"])
def test_a_writer_killed_half_way_leaves_the_target_and_is_swept_by_the_next(tmp_path, old):
    target, other = tmp_path / "table.csv", tmp_path / ".partial-node-1@other.csv"
    other.touch()
    if old:
        target.write_text(old)
    assert run_child(KILLED_HALFWAY, target).returncode == -signal.SIGKILL
    assert (target.read_text() if target.exists() else None) == old
    assert len(names(tmp_path)) == 2 + bool(old)
    with writing(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"
    assert names(tmp_path) == [other.name, "table.csv"]


def test_a_folder_that_a_killed_writer_had_moved_away_comes_back(tmp_path):
    target = tmp_path / "store.zarr"
    target.mkdir()
    (target / "old").touch()
    assert run_child(KILLED_BETWEEN_THE_RENAMES, target).returncode == -signal.SIGKILL
    assert not target.exists()
    with pytest.raises(RuntimeError), writing(target):
        raise RuntimeError
    assert names(tmp_path) == ["store.zarr"]
    assert names(target) == ["old"]


WRITER = """
import sys
from pathlib import Path
from pipeline.artefacts.atomic import writing

target, is_folder = Path(sys.argv[1]), sys.argv[2] == "folder"
print("ready", flush=True)
input()
for i in range(200):
    with writing(target) as temporary:
        if is_folder:
            temporary.mkdir()
            for part in "abc":
                (temporary / part).write_text("whole")
        else:
            temporary.write_text("whole")
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_writers_of_one_target_at_once_harm_nothing(tmp_path, kind):
    target = tmp_path / "target.zarr"
    command = [sys.executable, "-c", WRITER, str(target), kind]
    writers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    told = [writer.communicate(timeout=120)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * len(writers), told
    parts = [target] if kind == "file" else sorted(target.iterdir())
    assert [part.read_text() for part in parts] == ["whole"] * (1 if kind == "file" else 3)
    assert list(tmp_path.iterdir()) == [target]


def test_the_temporary_of_a_living_writer_is_left_alone(tmp_path):
    target = tmp_path / "table.csv"
    parent = tmp_path / f".partial-{socket.gethostname()}-{os.getppid()}@table.csv"
    elsewhere = tmp_path / ".partial-some-node-1@table.csv"
    long_ago = tmp_path / ".partial-some-node-2@table.csv"
    for path in (parent, elsewhere, long_ago):
        path.touch()
    os.utime(long_ago, (0, 0))
    with writing(target) as temporary:
        temporary.write_text("new")
    assert names(tmp_path) == sorted([parent.name, elsewhere.name, "table.csv"])


WRITE_A_MEGABYTE = """
    import os, resource, sys
    from pipeline.artefacts.atomic import writing
    from pipeline.errors import OutputError
    target, largest, user = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    os.setuid(user)
    try:
        with writing(target) as temporary:
            temporary.write_bytes(bytes(1_000_000))
    except OutputError as error:
        print(error)
"""
NO_LIMIT, NOBODY = -1, 65534


def test_a_file_that_may_not_grow_is_one_clear_error(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    child = run_child(WRITE_A_MEGABYTE, target, 65536, os.getuid())
    assert f"{target}: cannot be written: File too large" in child.stdout, child.stderr
    assert target.read_text() == "old"
    assert names(tmp_path) == ["table.csv"]


def test_a_full_file_system_is_one_clear_error(tmp_path):
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        child = run_child(WRITE_A_MEGABYTE, tmp_path / "table.csv", NO_LIMIT, os.getuid())
        assert "table.csv: cannot be written: No space left on device" in child.stdout, child.stderr
        assert names(tmp_path) == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_read_only_folder_is_one_clear_error():
    # Root may write anywhere, so the child gives up being root, in a folder that anybody can reach.
    user = os.getuid() or NOBODY
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        child = run_child(WRITE_A_MEGABYTE, Path(folder) / "deep" / "table.csv", NO_LIMIT, user)
        assert "table.csv: cannot be written: Permission denied" in child.stdout, child.stderr
        assert names(Path(folder)) == []


@pytest.mark.parametrize("below", ["table.csv", "deep/table.csv"])
def test_a_parent_that_is_a_file_is_one_clear_error(tmp_path, below):
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(OutputError, match="taken is no folder"), writing(tmp_path / "taken" / below) as temporary:
        temporary.write_text("new")
    assert (tmp_path / "taken").read_text() == "mine"


def test_an_error_that_is_not_about_the_place_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), writing(tmp_path / "table.csv"):
        (tmp_path / "no such input").read_bytes()


def test_a_short_write_that_is_told_in_words_alone_is_a_full_disk(tmp_path):
    with pytest.raises(OutputError, match=r"m\.tif: cannot be written: No space left"), writing(tmp_path / "m.tif"):
        raise OSError("1000000 requested and 51136 written")


def test_a_folder_and_what_can_become_one_are_folders(tmp_path):
    for folder in (tmp_path, tmp_path / "new", tmp_path / "new/deeper"):
        require_folder(folder)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["file", "file/x", "file/x/y", "dangling/x"])
def test_a_file_and_what_lies_below_one_is_no_folder(tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "gone")
    with pytest.raises(
        OutputError, match=f"{name}: cannot be written: .*/(file|dangling) is no folder; choose another"
    ):
        require_folder(tmp_path / name)
