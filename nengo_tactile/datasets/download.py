"""Downloads by pooch that continue where they stopped."""

import contextlib
import logging
import os
import re
import shutil
from pathlib import Path

from nengo_tactile.errors import DataError

_CHUNK_BYTES = 2**16
_TIMEOUT_S = 30  # pooch's own default
_ATTEMPTS = 3


class ResumingDownloader:
    """A downloader for pooch that keeps a partial file and continues it.

    Pooch downloads into a temporary file that it deletes on failure. This one collects the
    bytes in ``part`` and hands them over when all are there. A server without range requests
    is asked from the start.

    Parameters
    ----------
    part : str or Path
        The partial file.
    progress : bool, optional
        Show a bar; by default only when the error stream is a terminal.
    attempts : int
        How often to connect anew after a broken connection.
    timeout : float
        Seconds to wait for the server.
    """

    def __init__(self, part, progress=None, attempts=_ATTEMPTS, timeout=_TIMEOUT_S):
        self.part = Path(part)
        self.progress, self.attempts, self.timeout = progress, attempts, timeout

    def __call__(self, url, output_file, pooch, check_only=False):
        """Download ``url`` into ``output_file`` (a path), as pooch asks for.

        Raises
        ------
        DataError
            When the server refuses, or the connection breaks ``attempts`` times; the partial
            file stays.
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
        shutil.move(self.part, output_file)
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
            if response.status_code == 416:  # nothing after what is there
                if _total(response) == have:
                    return
                self.part.unlink()
                raise requests.ConnectionError(f"the partial file of {have} bytes does not fit")
            response.raise_for_status()
            start = _start(response)
            if start not in (0, have):
                self.part.unlink()
                raise requests.ConnectionError(f"the server continued at byte {start}, not {have}")
            self._store(response, start)

    def _store(self, response, start):
        """Write the body behind the first ``start`` bytes of the partial file."""
        import requests

        from nengo_tactile.progress import track

        length = response.headers.get("Content-Length")
        n_chunks = -(-int(length) // _CHUNK_BYTES) if length else None
        received = 0
        with open(self.part, "ab" if start else "wb") as file:
            chunks = response.iter_content(_CHUNK_BYTES)
            for chunk in track(chunks, "downloading (64 KiB)", n_chunks, self.progress):
                file.write(chunk)
                received += len(chunk)
        if length and received != int(length):
            raise requests.ConnectionError(f"{received} of {length} bytes came")


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


def fetch(url: str, path: str | Path, known_hash: str, progress: bool | None = None) -> Path:
    """Download a file once, check it, and continue where an earlier try stopped.

    Parameters
    ----------
    url : str
    path : str or Path
        The file to make. A file that is there and has the checksum is kept.
    known_hash : str
        ``"sha256:..."`` or ``"md5:..."``.
    progress : bool, optional
        Show a bar; by default only when the error stream is a terminal.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    DataError
        When the server cannot be reached, the file has another checksum (then it is removed),
        or the disk refuses it.
    """
    import pooch

    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _quiet(pooch.get_logger()):
            pooch.retrieve(
                url,
                known_hash=known_hash,
                fname=path.name,
                path=os.fspath(path.parent),
                downloader=ResumingDownloader(part, progress),
            )
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
