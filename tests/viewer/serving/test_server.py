import http.client
import json
import socket
from pathlib import Path

import pytest

from pipeline.viewer.serving.server import LOOPBACK, ViewerServer


def asked(server: ViewerServer, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """Status, content and headers of an answer to a path that is sent as it is."""
    connection = http.client.HTTPConnection(LOOPBACK, server.port, timeout=20)
    connection.putrequest(method, path, skip_host="Host" in headers)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, dict(answer.getheaders())


def test_it_listens_on_the_loopback_interface_alone(server: ViewerServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    others = {entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in others:
        if not str(address).startswith("127."):
            with pytest.raises(OSError, match=r"."):
                socket.create_connection((str(address), server.port), timeout=2).close()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "127.0.0.1:1", ""])
def test_pages_that_a_name_server_points_here_are_refused(server: ViewerServer, host: str) -> None:
    status, content, _ = asked(server, f"/{server.token}/slides", Host=host)
    assert (status, b"slides" in content) == (403, False)


def test_localhost_is_this_machine(server: ViewerServer) -> None:
    assert asked(server, f"/{server.token}/slides", Host=f"localhost:{server.port}")[0] == 200


@pytest.mark.parametrize("path", ["/", "/slides", "/wrong/slides", "/%2e/slides", "//slides"])
def test_nothing_is_told_without_the_token(server: ViewerServer, path: str) -> None:
    assert asked(server, path)[0] == 403


def test_two_servers_have_different_tokens(server: ViewerServer) -> None:
    other = ViewerServer(server.results)
    assert other.token != server.token
    other.server_close()


@pytest.mark.parametrize(
    "path",
    [
        "page/../viewer.js",
        "page/..%2f..%2fserving%2fserver.py",
        "page/%2e%2e/serving/server.py",
        "page/THIRD_PARTY_NOTICES.txt",
        "page/__init__.py",
        "../../etc/passwd",
        "slides/../../slides.csv",
        "slides/..%2f..%2fslides.csv",
        "slides/%2e%2e/tiles",
        "slides/.hidden",
        "slides/s00%00",
        "slides/none",
        "slides/s00/tissue/99/0_0.jpg",
        "slides/s00/tissue/0/0_1.jpg",
        "slides/s00/tissue/-1/0_0.jpg",
        "slides/s00/patches/9.jpg",
        "slides/s00/models/99/graph",
        "slides/s00/features?nodes=0,1,2",
        "slides/s00/features?nodes=-1",
        "training/run/splits.csv",
        "tiles/s00.parquet",
    ],
)
def test_no_file_is_reached_by_its_path(server: ViewerServer, path: str) -> None:
    assert asked(server, f"/{server.token}/{path}")[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "nuclei?box=0,0,9&px=10",
        "nuclei?box=0,0,a,9&px=10",
        "nuclei?box=0,0,nan,9&px=10",
        "nuclei?box=9,0,0,9&px=10",
        "nuclei?box=0,0,9,9",
        "nuclei?box=0,0,9,9&px=0",
        "models/0/graph?box=0,0,9,9",
        "features?nodes=a",
    ],
)
def test_what_is_no_region_is_refused_with_words(server: ViewerServer, path: str) -> None:
    status, content, _ = asked(server, f"/{server.token}/slides/s00/{path}")
    assert status == 400
    assert b"expected" in content


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_it_only_reads(server: ViewerServer, method: str) -> None:
    assert asked(server, f"/{server.token}/slides", method)[0] == 501


def test_nothing_is_written_where_results_lie(server: ViewerServer, outdir: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in outdir.rglob("*")}
    for path in ("", "slides", "slides/s00", "slides/s00/tiles", "slides/s00/models/0/evidence"):
        assert asked(server, f"/{server.token}/{path}")[0] == 200
    assert {path: path.stat().st_mtime_ns for path in outdir.rglob("*")} == before


def test_a_page_may_load_nothing_from_elsewhere(server: ViewerServer) -> None:
    _, content, headers = asked(server, f"/{server.token}/")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert b"http:" not in content
    assert b"https:" not in content


def test_head_has_the_length_and_no_content(server: ViewerServer) -> None:
    status, content, headers = asked(server, f"/{server.token}/slides", "HEAD")
    assert (status, content) == (200, b"")
    assert int(headers["Content-Length"]) == len(asked(server, f"/{server.token}/slides")[1])


def test_a_damaged_artefact_is_told_and_the_server_goes_on(server: ViewerServer, outdir: Path) -> None:
    table = outdir / "tiles/s01.parquet"
    whole = table.read_bytes()
    asked(server, f"/{server.token}/slides/s01")
    try:
        table.write_bytes(whole[: len(whole) // 2])
        status, content, _ = asked(server, f"/{server.token}/slides/s01/tiles")
    finally:
        table.write_bytes(whole)
    assert status == 500
    assert b"s01.parquet" in content
    assert json.loads(asked(server, f"/{server.token}/slides/s01/tiles")[1])["kept"].count(True) == 9
