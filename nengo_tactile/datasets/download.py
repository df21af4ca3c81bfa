"""Downloads by pooch that continue where they stopped."""

import contextlib
import logging
import os
import re
import shutil
from pathlib import Path

from nengo_tactile.errors import DataError
from nengo_tactile.files import lock, path_of
from nengo_tactile.memory import told

_CHUNK_BYTES = 2**16
_TIMEOUT_S = 30  # pooch's own default
_ATTEMPTS = 3


class ResumingDownloader:
    """A downloader for pooch that keeps a partial file and continues it.

    Pooch downloads into a temporary file that it deletes on failure. This one collects the
    bytes in ``part``, and when all are there makes them pooch's file too. A server without range
    requests is asked from the start.

    Parameters
    ----------
    part : str or Path
        The partial file.
    most : int
        Bytes that are taken at most.
    progress : bool, optional
        Show a bar; by default only when the error stream is a terminal.
    attempts : int
        How often to connect anew after a broken connection.
    timeout : float
        Seconds to wait for the server.
    """

    def __init__(self, part, most, progress=None, attempts=_ATTEMPTS, timeout=_TIMEOUT_S):
        self.part, self.most = Path(part), most
        self.progress, self.attempts, self.timeout = progress, attempts, timeout

    def __call__(self, url, output_file, pooch, check_only=False):
        """Download ``url`` into ``output_file`` (a path), as pooch asks for.

        Raises
        ------
        DataError
            When the server refuses, sends more than it should or than there is room for, or the
            connection breaks ``attempts`` times; the partial file stays.
        """
        import requests

        if check_only:
            return requests.head(url, timeout=self.timeout, allow_redirects=True).ok
        for attempt in range(self.attempts):
            try:
                self._continue(url)
                break
            except requests.HTTPError as error:
                raise DataError(f"{url}: the server answers {error}: check the address") from error
            except requests.RequestException as error:
                if attempt + 1 == self.attempts:
                    raise DataError(
                        f"{url}: the connection broke {self.attempts} times, {self._have()} "
                        f"bytes are kept in {self.part} ({error}): run it again to continue"
                    ) from error
        # a second name, since who waits for this file waits for the first
        os.unlink(output_file)
        try:
            os.link(self.part, output_file)
        except OSError:  # no second names on this disk
            shutil.copyfile(self.part, output_file)
        return None

    def _have(self):
        return self.part.stat().st_size if self.part.exists() else 0

    def _continue(self, url):
        """Ask for the bytes that are missing and append them."""
        import requests

        have = self._have()
        # identity: ranges count the bytes of the file, not of a compressed transfer
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        with requests.get(url, headers=headers, stream=True, timeout=self.timeout) as response:
            if response.status_code == 416 and have and _total(response) == have:
                return  # nothing comes after what is there
            if response.status_code != 416 or not have:
                response.raise_for_status()
                start = _start(response)
                if start in (0, have):
                    return self._store(response, start)
                if not have:
                    raise requests.ConnectionError(f"the server began at byte {start}")
        os.truncate(self.part, 0)  # what is there is of another file, so it is asked for anew
        return self._continue(url)

    def _store(self, response, start):
        """Write the body behind the first ``start`` bytes of the partial file."""
        import requests

        from nengo_tactile.progress import track

        length = response.headers.get("Content-Length", "")
        length = int(length) if length.isdecimal() else None
        self._check_size(response.url, start + (length or 0), length or 0)
        n_chunks = None if length is None else -(-length // _CHUNK_BYTES)
        received = 0
        with open(self.part, "ab" if start else "wb") as file:
            chunks = response.iter_content(_CHUNK_BYTES)
            for chunk in track(chunks, "downloading (64 KiB)", n_chunks, self.progress):
                received += len(chunk)
                self._check_size(response.url, start + received)
                file.write(chunk)
        if length is not None and received != length:
            raise requests.ConnectionError(f"{received} of {length} bytes came")

    def _check_size(self, url, size, coming=0):
        """Refuse files that are larger than they should be, and those that no disk has room for."""
        if size > self.most:
            raise DataError(
                f"{url}: the server sends {told(size)} or more, the file has at most "
                f"{told(self.most)}: check the address"
            )
        free = shutil.disk_usage(self.part.parent).free if coming else 0
        if coming > free:
            raise DataError(
                f"{url}: {told(coming)} are to come, {told(free)} are free in {self.part.parent}: "
                "free space or pick a folder"
            )


def _start(response):
    """First byte of the body: 0, or what a partial answer says."""
    if response.status_code != 206:
        return 0
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else -1


def _total(response):
    match = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


@contextlib.contextmanager
def _quiet(logger):
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _turn(part):
    """Wait until nobody else, in this process or another, downloads into a partial file.

    It must stay where it is until the whole file is in its place: who comes later waits for it.
    """
    while True:
        handle = os.open(part, os.O_RDWR | os.O_CREAT, 0o666)
        lock(handle)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(part), os.fstat(handle)):
                break
        os.close(handle)  # the other one is ready, and has moved it away
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if not part.stat().st_size:
                part.unlink()
        os.close(handle)


def fetch(
    url: str, path: str | Path, known_hash: str, most: int, progress: bool | None = None
) -> Path:
    """Download a file once, check it, and continue where an earlier try stopped.

    Who asks for a file that another one downloads just now waits for it.

    Parameters
    ----------
    url : str
    path : str or Path
        The file to make. A file that is there and has the checksum is kept.
    known_hash : str
        ``"sha256:..."`` or ``"md5:..."``.
    most : int
        Bytes that the file has at most.
    progress : bool, optional
        Show a bar; by default only when the error stream is a terminal.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    DataError
        When the server cannot be reached, the file is larger, or has another checksum (then it is
        removed), or the disk has no room or refuses it.
    """
    import pooch

    path = path_of(path)
    part = path.with_name(path.name + ".part")
    for place in (path, part):
        if place.is_dir():
            raise DataError(f"{place} is a folder, where the download goes: move it away")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and pooch.hashes.hash_matches(path, known_hash):
            return path
        with _turn(part), _quiet(pooch.get_logger()):
            try:
                pooch.retrieve(
                    url,
                    known_hash=known_hash,
                    fname=path.name,
                    path=os.fspath(path.parent),
                    downloader=ResumingDownloader(part, most, progress),
                )
            except DataError:
                raise  # what has come stays
            except ValueError:
                part.unlink()
                raise
            part.unlink()
    except DataError:
        raise
    except OSError as error:
        raise DataError(
            f"{path} cannot be written ({error}): free space or pick a folder"
        ) from error
    except ValueError as error:  # pooch: the hash differs
        raise DataError(
            f"{url}: the download does not have the checksum {known_hash} and was removed "
            f"({error}): try again, or get the file by hand and put it at {path}"
        ) from error
    return path
