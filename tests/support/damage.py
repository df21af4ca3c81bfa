"""Damage to the content of files, as Hypothesis draws it."""

from hypothesis import strategies as st


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
