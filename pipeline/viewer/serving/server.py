"""The server: on this machine alone, for who knows the address, and for reading alone."""

import hmac
import secrets
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pipeline.errors import AbignetError
from pipeline.logs import get_logger
from pipeline.viewer.results.results_folder import ResultsFolder
from pipeline.viewer.serving.routes import Answer, BadRequestError, NotFoundError, Routes

log = get_logger("viewer")

LOOPBACK = "127.0.0.1"
TOKEN_BYTES = 16
HOUR_S = 3600

OWN_STYLE = "sha256-9xTiqzfwFaL2SGb1rmr8gysEwVVjIvqWAgmZgqFqpEE="
"""The style element that OpenSeadragon adds."""

POLICY = (
    f"default-src 'none'; script-src 'self'; style-src 'self' '{OWN_STYLE}'; img-src 'self' data: blob:; "
    "connect-src 'self'"
)
"""What a page may load: nothing from elsewhere."""

HEADERS = {
    "Content-Security-Policy": f"{POLICY}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class ViewerServer(ThreadingHTTPServer):
    """Serves one results folder below ``/{token}/``.

    It listens on the loopback interface.  The token keeps out other users of the machine, and
    the check of the header ``Host`` pages that a name server points here (DNS rebinding).

    Parameters
    ----------
    port
        0 takes any that is free.
    """

    daemon_threads = True

    def __init__(self, results: ResultsFolder, port: int = 0) -> None:
        self.token = secrets.token_urlsafe(TOKEN_BYTES)
        self.results, self.routes = results, Routes(results)
        super().__init__((LOOPBACK, port), ViewerHandler)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{LOOPBACK}:{self.port}/{self.token}/"

    def is_own_host(self, host: str) -> bool:
        """Whether a header ``Host`` names this server."""
        return host in (f"{LOOPBACK}:{self.port}", f"localhost:{self.port}")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that no longer waits for an answer."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """Stop listening and close the slides."""
        super().server_close()
        self.routes.close()


class ViewerHandler(BaseHTTPRequestHandler):
    """Answers GET and HEAD; the standard library refuses every other method (501)."""

    server: ViewerServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "abignet", ""
    timeout = 60

    def do_GET(self) -> None:
        """Answer with content."""
        status, answer = self._answered()
        self._send_head(status, answer)
        self.wfile.write(answer.content)

    def do_HEAD(self) -> None:
        """Answer without content."""
        self._send_head(*self._answered())

    def _answered(self) -> tuple[HTTPStatus, Answer]:
        if not self.server.is_own_host(self.headers.get("Host", "")):
            return _said(HTTPStatus.FORBIDDEN, "this server answers on its own address alone")
        token, slash, address = self.path.removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(), self.server.token.encode()) or not slash:
            return _said(HTTPStatus.FORBIDDEN, "open the address that `abignet view` printed")
        try:
            return HTTPStatus.OK, self.server.routes.answer(address)
        except NotFoundError as error:
            return _said(HTTPStatus.NOT_FOUND, f"not found: {error}")
        except BadRequestError as error:
            return _said(HTTPStatus.BAD_REQUEST, str(error))
        except AbignetError as error:
            log.error("%s", error)
            return _said(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))

    def _send_head(self, status: HTTPStatus, answer: Answer) -> None:
        self.send_response(status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.content)))
        self.send_header("Cache-Control", f"private, max-age={HOUR_S}" if answer.is_fixed else "no-store")
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Log requests for debugging alone."""
        log.debug(format, *arguments)


def _said(status: HTTPStatus, words: str) -> tuple[HTTPStatus, Answer]:
    return status, Answer(words.encode(), "text/plain; charset=utf-8")
