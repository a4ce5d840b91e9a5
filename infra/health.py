"""Health and metrics over HTTP for the processes that serve nothing else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from shared.runtime.metrics import exposition


@contextmanager
def health_server(port: int | None, *, live: Callable[[], bool], ready: Callable[[], bool]) -> Iterator[None]:
    """Answers /health/live, /health/ready and /metrics on `port`, or does nothing where there is no port."""
    if port is None:
        yield
        return

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/health/live":
                    self._answer(200 if live() else 503)
                case "/health/ready":
                    self._answer(200 if ready() else 503)
                case "/metrics":
                    self._answer(200, *exposition())
                case _:
                    self._answer(404)

        def _answer(self, status: int, body: bytes = b"", content_type: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Probes are not worth a line."""

    server = ThreadingHTTPServer(("", port), Handler)
    Thread(target=server.serve_forever, name="health", daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
