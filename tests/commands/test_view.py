import threading
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import abignet
from pipeline.viewer.serving.server import ViewerServer
from tests.report.slide_tables import tile_frame, write_tile_table


@pytest.fixture
def outdir(tmp_path: Path) -> Path:
    write_tile_table(tmp_path / "tiles/a.parquet", tile_frame([True] * 25), "a", None)
    return tmp_path


def test_it_prints_an_address_that_answers_until_it_is_interrupted(outdir, monkeypatch):
    answers = []

    def interrupted(server: ViewerServer) -> None:
        one = threading.Thread(target=server.handle_request)
        one.start()
        with urllib.request.urlopen(f"{server.url}slides", timeout=10) as answer:
            answers.append(answer.read())
        one.join(10)
        raise KeyboardInterrupt

    monkeypatch.setattr(ViewerServer, "serve_forever", interrupted)
    done = CliRunner().invoke(abignet, ["view", str(outdir), "--slide", "a", "--no-browser"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("http://127.0.0.1:")
    assert "?slide=a" in done.output
    assert b'"slide":"a"' in answers[0]


def test_a_browser_is_opened_unless_that_is_declined(outdir, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr(ViewerServer, "serve_forever", lambda server: None)
    CliRunner().invoke(abignet, ["view", str(outdir), "--no-browser"])
    assert opened == []
    CliRunner().invoke(abignet, ["view", str(outdir)])
    assert opened[0].startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--slide", "b"], "expected one of its slides (a), found --slide b"), (["--port", "{taken}"], "cannot be used")],
)
def test_what_cannot_be_shown_is_told(outdir, arguments, words):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        given = [word.format(taken=taken.getsockname()[1]) for word in arguments]
        done = CliRunner().invoke(abignet, ["view", str(outdir), "--no-browser", *given])
    assert words in str(done.exception)
