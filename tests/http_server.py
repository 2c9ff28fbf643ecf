"""A small local HTTP server that misbehaves on request, for the tests of everything that downloads."""

import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import unquote, urlsplit

QUOTA_PAGE = b"""<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>
<p class="uc-error-caption">Sorry, you can't view or download this file at this time.</p>
<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently. Please try again later.</p>
</body></html>"""


@dataclass
class Resource:
    """What one path answers; the fields may be changed between requests."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ranges: bool = True  # honour Range
    cookie: str | None = None  # answer only with this cookie; without it, set it and redirect to the same address
    cut_after: int | None = None  # send at most so many bytes of the body, then close the connection
    cuts: int = 1_000_000  # how many answers are cut before it behaves
    length: bool = True  # announce Content-Length
    hang: bool = False  # accept the request and say nothing until the server closes
    stall: bool = False  # as `cut_after`, but stay silent instead of closing


@dataclass
class Seen:
    path: str
    headers: dict[str, str]


class HttpServer:
    """Serves `Resource`s on 127.0.0.1 while its `with` block lasts, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.resources: dict[str, Resource] = {}
        self.requests: list[Seen] = []
        self.closing = threading.Event()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def add(self, path: str, body: bytes = b"", **options: object) -> str:
        """Serve `body` at `path` and return its address."""
        self.resources[path] = Resource(body, **options)  # type: ignore[arg-type]
        return self.url + path

    def find(self, path: str) -> Resource | None:
        """Return what is served at a path, with or without its query; escaped characters match plain ones."""
        known = {unquote(name): resource for name, resource in self.resources.items()}
        return known.get(unquote(path)) or known.get(unquote(urlsplit(path).path))

    @property
    def ranges(self) -> list[str | None]:
        """The Range header of each request so far."""
        return [seen.headers.get("Range") for seen in self.requests]

    def __enter__(self) -> "HttpServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    owner: HttpServer

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        self.owner.requests.append(Seen(self.path, dict(self.headers)))
        self.close_connection = True
        resource = self.owner.find(self.path)
        if resource is None:
            resource = Resource(b"<html>no such page</html>", status=404, headers={"Content-Type": "text/html"})
        if resource.cookie and resource.cookie not in self.headers.get("Cookie", ""):
            again = {"Location": self.path, "Set-Cookie": resource.cookie}
            resource = Resource(status=302, headers=again)
        if resource.hang:
            self.owner.closing.wait()
            return
        status, start = self._where(resource)
        body = resource.body[start:] if status != 416 else b""
        self.send_response(status)
        if resource.length:
            self.send_header("Content-Length", str(len(body)))
        if status in (206, 416):
            span = f"{start}-{len(resource.body) - 1}" if status == 206 else "*"
            self.send_header("Content-Range", f"bytes {span}/{len(resource.body)}")
        for name, value in ({"Content-Type": "application/octet-stream"} | resource.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self._send(resource, body)

    def _where(self, resource: Resource) -> tuple[int, int]:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not asked or not resource.ranges or resource.status != 200:
            return resource.status, 0
        start = int(asked[1])
        return (206, start) if start < len(resource.body) else (416, start)

    def _send(self, resource: Resource, body: bytes) -> None:
        cut = resource.cut_after is not None and resource.cuts > 0
        if cut:
            resource.cuts -= 1
        try:
            self.wfile.write(body[: resource.cut_after] if cut else body)
            self.wfile.flush()
            if cut and resource.stall:
                self.owner.closing.wait()
        except OSError:
            pass  # the client has closed the connection
