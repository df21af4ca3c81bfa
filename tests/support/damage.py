"""Damage to the content of files, as Hypothesis draws it; disks that are full."""

import contextlib
import resource

from hypothesis import strategies as st


@contextlib.contextmanager
def full_disk(n_bytes):
    """Files end at so many bytes inside, with an error, as if the disk had no more."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def damaged(data, content, most=4, cut=True):
    """Bytes of which one to ``most`` are replaced; with ``cut`` the end may be missing.

    Parameters
    ----------
    data : what `hypothesis.strategies.data` gives a test
    content : bytes
    """
    content = bytearray(content)
    for _ in range(data.draw(st.integers(1, most))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    ends = [len(content), len(content) // 2, 30] if cut else [len(content)]
    return bytes(content[: data.draw(st.sampled_from(ends))])
