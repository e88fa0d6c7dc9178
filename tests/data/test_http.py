"""Data behind a web server on this machine. It needs the packages that fsspec reads the web with."""

import re
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from promptlab.errors import DataError
from promptlab.lab import Lab

from .test_image_parquet import images, written
from .wds import write_wds

pytest.importorskip("aiohttp", reason="aiohttp is not installed")
PAIRS = [(f"picture {i}".encode() * 500, i % 2) for i in range(6)]


class _Parts(SimpleHTTPRequestHandler):
    """Gives parts of files."""

    ranges = True

    def do_GET(self) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path))
        if not self.ranges or wanted is None or not path.is_file():
            super().do_GET()
            return
        data = path.read_bytes()
        first, last = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
        self.send_response(206)
        self.send_header("Content-Length", str(last + 1 - first))
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.end_headers()
        self.wfile.write(data[first : last + 1])

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serves the current folder; with `ranges` in parts, too."""
    servers = []

    def start(ranges: bool = True) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Parts,), {"ranges": ranges}))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_shards_of_a_web_server(lab: Lab, serve: Callable[..., str]) -> None:
    root = write_wds(Path("wds"), {"train": PAIRS, "test": PAIRS}, ("cat", "dog"), ("a {c}",))
    there, here = lab.open(f"{serve()}/{root}"), lab.open(str(root))
    assert (there.name, there.classes, there.templates) == (here.name, here.classes, here.templates)
    part, same = images(there, "eval"), images(here, "eval")
    assert part.keys == same.keys
    assert [part.read(i) for i in range(len(part))] == [same.read(i) for i in range(len(same))]


def test_what_follows_a_question_mark_says_nothing_of_the_kind(lab: Lab, serve: Callable[..., str]) -> None:
    root = write_wds(Path("wds"), {"test": PAIRS}, ("cat", "dog"))
    there = lab.open(f"{serve()}/{root}/test/0.tar?token=a/b")
    assert (there.classes.ids, images(there).keys[0]) == (("cat", "dog"), "0.tar/s0000000.webp")
    written("t.parquet", [0, 1, 2, 0, 1])
    assert len(images(lab.open(f"{serve()}/t.parquet?token=a/b"))) == 5


def test_a_parquet_file_of_a_web_server(lab: Lab, serve: Callable[..., str]) -> None:
    written("t.parquet", [0, 1, 2, 0, 1])
    part = images(lab.open(f"{serve()}/t.parquet"))
    assert [part.read(i) for i in range(5)] == [f"picture {i}".encode() for i in range(5)]


def test_a_table_of_a_web_server(lab: Lab, serve: Callable[..., str]) -> None:
    Path("a.png").write_bytes(b"a")
    Path("t.csv").write_text("path,label\na.png,cat\ngone.png,dog\n")
    part = images(lab.open(f"{serve()}/t.csv"))
    assert part.read(0) == b"a"
    with pytest.raises(OSError, match="gone"):
        part.read(1)


def test_what_a_web_server_does_not_give(lab: Lab, serve: Callable[..., str]) -> None:
    root = write_wds(Path("wds"), {"test": PAIRS}, ("cat", "dog"))
    where = serve()
    (root / "test" / "1.tar").rename("away")
    with pytest.raises(DataError, match=r"1\.tar' cannot be read"):
        lab.open(f"{where}/wds")
    with pytest.raises(DataError, match="folders cannot be listed"):
        lab.open(f"{where}/photos")
    part = images(lab.open(f"{serve(ranges=False)}/wds/test/0.tar"))
    with pytest.raises(OSError, match="gives no parts"):
        part.read(0)
