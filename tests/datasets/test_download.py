"""Downloads from a server on this machine: interrupted, continued, wrong."""

import hashlib
import http.server
import re
import shutil
import threading

import numpy as np
import pytest

from nengo_tactile.datasets.download import ResumingDownloader, fetch
from nengo_tactile.errors import DataError

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


MOST = len(CONTENT)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; ``server.plan`` says where it breaks off and what it understands."""

    says_length = satisfies = True

    def do_GET(self):
        server = self.server
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        server.asked.append(asked and int(asked[1]))
        if self.path != "/file":
            self.send_error(404)
            return
        start = int(asked[1]) if asked and server.ranges else 0
        if start >= len(CONTENT) or not self.satisfies:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if asked and server.ranges else 200)
        if asked and server.ranges:
            shift = server.shift
            last = len(CONTENT) - 1
            self.send_header("Content-Range", f"bytes {start + shift}-{last}/{len(CONTENT)}")
        if self.says_length:
            self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        end = server.breaks.pop(0) if server.breaks else len(CONTENT)
        self.wfile.write(CONTENT[start:end])
        self.close_connection = True

    def log_message(self, *arguments):
        """Stay silent."""


@pytest.fixture
def server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.breaks, server.ranges, server.shift = [], [], True, 0
    server.url = f"http://127.0.0.1:{server.server_address[1]}/file"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def files_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_fetched_once(server, tmp_path, capfd):
    path = fetch(server.url, tmp_path / "new" / "a.bin", SHA256, MOST)
    assert path.read_bytes() == CONTENT
    assert fetch(server.url, path, SHA256, MOST) == path
    assert server.asked == [None]
    assert files_in(path.parent) == ["a.bin"]
    assert capfd.readouterr() == ("", "")  # no bar and no library noise without a terminal


def test_the_bar_is_shown_on_request(server, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    path = fetch(server.url, tmp_path / "a.bin", SHA256, MOST, progress=True)
    assert path.read_bytes() == CONTENT
    assert "downloading" in capfd.readouterr().err


def test_a_broken_connection_is_continued_at_once(server, tmp_path):
    server.breaks = [100_000, 200_000]
    assert fetch(server.url, tmp_path / "a.bin", SHA256, MOST).read_bytes() == CONTENT
    assert server.asked[0] is None
    assert 0 < server.asked[1] <= 100_000 < server.asked[2] <= 200_000
    assert files_in(tmp_path) == ["a.bin"]


def test_a_later_run_continues(server, tmp_path):
    server.breaks = [150_000, 150_000, 150_000]  # the server gives no more than the first half
    with pytest.raises(DataError, match=r"broke 3 times.*bytes are kept.*run it again"):
        fetch(server.url, tmp_path / "a.bin", SHA256, MOST)
    assert files_in(tmp_path) == ["a.bin.part"]
    kept = (tmp_path / "a.bin.part").stat().st_size
    server.asked.clear()
    assert fetch(server.url, tmp_path / "a.bin", SHA256, MOST).read_bytes() == CONTENT
    assert server.asked == [kept]
    assert files_in(tmp_path) == ["a.bin"]


def test_a_server_without_ranges_starts_over(server, tmp_path):
    server.ranges = False
    (tmp_path / "a.bin.part").write_bytes(b"other" * 100)
    assert fetch(server.url, tmp_path / "a.bin", SHA256, MOST).read_bytes() == CONTENT
    assert server.asked == [500]


def test_a_server_that_continues_elsewhere_is_asked_from_the_start(server, tmp_path):
    server.shift = 5
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:1000])
    assert fetch(server.url, tmp_path / "a.bin", SHA256, MOST).read_bytes() == CONTENT
    assert server.asked == [1000, None]


def test_a_complete_partial_file_is_taken(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT)
    assert fetch(server.url, tmp_path / "a.bin", SHA256, MOST).read_bytes() == CONTENT
    assert server.asked == [len(CONTENT)]


def test_a_partial_file_that_is_too_long_is_dropped(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(CONTENT + b"more")
    assert fetch(server.url, tmp_path / "a.bin", SHA256, MOST).read_bytes() == CONTENT
    assert server.asked == [len(CONTENT) + 4, None]


def test_a_wrong_checksum_leaves_nothing(server, tmp_path):
    wrong = "sha256:" + "0" * 64
    with pytest.raises(DataError, match=r"checksum sha256:000.*was removed.*by hand"):
        fetch(server.url, tmp_path / "a.bin", wrong, MOST)
    assert files_in(tmp_path) == []


def test_a_partial_file_of_other_content_is_found_by_the_checksum(server, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(b"x" * 1000)
    with pytest.raises(DataError, match="checksum"):
        fetch(server.url, tmp_path / "a.bin", SHA256, MOST)
    assert files_in(tmp_path) == []
    assert fetch(server.url, tmp_path / "a.bin", SHA256, MOST).read_bytes() == CONTENT


def test_more_than_there_should_be_is_refused(server, tmp_path, monkeypatch):
    with pytest.raises(DataError, match=r"sends 300.0 kB or more, the file has at most 300.0 kB"):
        fetch(server.url, tmp_path / "a.bin", SHA256, MOST - 1)
    monkeypatch.setattr(Handler, "says_length", False)
    with pytest.raises(DataError, match=r"or more, the file has at most 200.0 kB: check the addr"):
        fetch(server.url, tmp_path / "a.bin", SHA256, 200_000)
    assert (tmp_path / "a.bin.part").stat().st_size <= 200_000
    assert fetch(server.url, tmp_path / "a.bin", SHA256, MOST).read_bytes() == CONTENT


def test_a_disk_without_room_is_named_before(server, tmp_path, monkeypatch):
    free = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: free)
    with pytest.raises(DataError, match=r"300.0 kB are to come, 1.0 kB are free in .*pick"):
        fetch(server.url, tmp_path / "a.bin", SHA256, MOST)
    assert files_in(tmp_path) == []


def test_who_comes_before_the_file_is_in_its_place_waits(server, tmp_path, monkeypatch):
    """The partial file is there until then, so that it is no second one's first."""
    found, threads, moves = [], [], shutil.move

    def get():
        found.append(fetch(server.url, tmp_path / "a", SHA256, MOST))

    def late(*places):
        threads.append(threading.Thread(target=get))
        threads[-1].start()
        threads[-1].join(0.3)
        assert threads[-1].is_alive()
        return moves(*places)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "move", late)  # pooch's, once the file has its checksum
        get()
    threads[0].join(20)
    assert len(threads) == 1 and len(found) == 2 and server.asked == [None]
    assert files_in(tmp_path) == ["a"]


def test_several_that_want_a_file_get_it_once(server, tmp_path):
    threads, found = [], []
    for _ in range(4):
        threads.append(
            threading.Thread(
                target=lambda: found.append(fetch(server.url, tmp_path / "a", SHA256, MOST))
            )
        )
        threads[-1].start()
    for thread in threads:
        thread.join(20)
    assert len(found) == 4 and server.asked == [None]
    assert files_in(tmp_path) == ["a"] and found[0].read_bytes() == CONTENT


@pytest.mark.parametrize("name", ["a.bin", "a.bin.part"])
def test_a_folder_in_the_way_is_named(name, server, tmp_path):
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=f"{name} is a folder, where the download goes: move it"):
        fetch(server.url, tmp_path / "a.bin", SHA256, MOST)


def test_a_range_that_cannot_be_satisfied(server, tmp_path, monkeypatch):
    """Also by a server that says so whatever it is asked for."""
    monkeypatch.setattr(Handler, "satisfies", False)
    (tmp_path / "a.bin.part").write_bytes(CONTENT[:1000])
    with pytest.raises(DataError, match="the server answers 416"):
        fetch(server.url, tmp_path / "a.bin", SHA256, MOST)
    assert server.asked == [1000, None] and files_in(tmp_path) == []


@pytest.mark.parametrize("stop", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_or_ctrl_c_leaves_only_the_partial_file(stop, server, tmp_path, monkeypatch):
    def stopped(self, response, start):
        self.part.write_bytes(CONTENT[:70_000])
        raise stop

    with monkeypatch.context() as patch:
        patch.setattr(ResumingDownloader, "_store", stopped)
        wanted = DataError if isinstance(stop, OSError) else KeyboardInterrupt
        with pytest.raises(wanted, match="No space left" if wanted is DataError else None):
            fetch(server.url, tmp_path / "a.bin", SHA256, MOST)
    assert files_in(tmp_path) == ["a.bin.part"]
    assert fetch(server.url, tmp_path / "a.bin", SHA256, MOST).read_bytes() == CONTENT
    assert server.asked == [None, 70_000]


def test_a_refusal_is_not_repeated(server, tmp_path):
    with pytest.raises(DataError, match="404"):
        fetch(server.url + "/other", tmp_path / "a.bin", SHA256, MOST)
    assert len(server.asked) == 1
    assert files_in(tmp_path) == []


def test_a_server_that_is_away(server, tmp_path):
    address = server.url
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match="broke 3 times, 0 bytes"):
        fetch(address, tmp_path / "a.bin", SHA256, MOST)


def test_pooch_can_ask_whether_a_file_is_there(server, tmp_path):
    Handler.do_HEAD = lambda self: (self.send_response(200), self.end_headers())
    downloader = ResumingDownloader(tmp_path / "part", MOST)
    assert downloader(server.url, tmp_path / "a", None, check_only=True)


def test_data_sets_fetch_into_their_folder(monkeypatch, tmp_path):
    from nengo_tactile.datasets import mnist, nmnist

    asked = []

    def no_network(url, path, known_hash, most):
        asked.append((url, path, known_hash))
        raise DataError("no network in tests")

    for module, name in ((mnist, "MNIST"), (nmnist, "NMNIST")):
        monkeypatch.setattr(module, "fetch", no_network)
        with pytest.raises(DataError, match="no network"):
            getattr(module, name)(tmp_path, split="test", download=True)
    (url, path, known_hash), (other_url, other_path, other_hash) = asked
    assert url.endswith("/mnist.npz")
    assert path == tmp_path / "MNIST" / "mnist.npz"
    assert re.fullmatch("sha256:[0-9a-f]{64}", known_hash)
    assert "mendeley" in other_url
    assert other_path == tmp_path / "NMNIST" / "test.zip"
    assert re.fullmatch("md5:[0-9a-f]{32}", other_hash)


def test_the_address_of_mnist_is_that_of_keras():
    import importlib.util
    from pathlib import Path

    from nengo_tactile.datasets import MNIST

    # the source is read as text: TensorFlow takes seconds to import
    keras = Path(importlib.util.find_spec("tf_keras").submodule_search_locations[0])
    text = (keras / "src" / "datasets" / "mnist.py").read_text()
    assert MNIST.sha256 in text
    assert MNIST.url.rpartition("/")[0] in text
