"""Plain data in pickles, read without unpickling: numbers, texts, lists, tuples and dicts.

A pickle is a program. Of its instructions those that make plain data are followed here; those that
name a class or a function, by which unpickling would run whatever they say, are refused.
"""

import struct
from collections.abc import Callable
from typing import Any

from nengo_tactile.doors.plain import Door
from nengo_tactile.memory import check_fits

#: Bytes of memory for each of a file at most: a byte may stand for an empty dict.
_LARGEST_GROWTH = 64
_PROTOCOLS = range(6)
_MARK = object()
#: Instructions that make objects by running code, and what they are called.
_CODE = {
    b"c": "a name", b"\x93": "a name", b"R": "a call", b"b": "a state", b"i": "an instance",
    b"o": "an instance", b"\x81": "an instance", b"\x92": "an instance", b"P": "a reference",
    b"Q": "a reference", b"\x82": "an extension", b"\x83": "an extension", b"\x84": "an extension",
    b"\x97": "a buffer", b"\x98": "a buffer",
}  # fmt: skip


def read_plain(content: bytes, source: Any, door: Door) -> Any:
    """What a pickle of plain data holds.

    Parameters
    ----------
    content : bytes
    source : path
        What errors call the file.
    door : Door

    Returns
    -------
    object
        Of None, bool, int, float, str, bytes, list, tuple and dict.

    Raises
    ------
    TactileError
        The door's, for objects of other classes, and for damage.
    """
    needed = _LARGEST_GROWTH * len(content)
    check_fits(f"{source}: reading it", needed, door.remedy, door.error)
    with door.guarded(source, "is no readable pickle"):
        return _Reader(content, source, door).read()


class _Reader:
    """The machine of a pickle: a stack, and what was put aside."""

    def __init__(self, content, source, door):
        self._content, self._place = content, 0
        self._source, self._door = source, door
        self._stack: list = []
        self._kept: dict[int, Any] = {}
        self._actions: dict[bytes, Callable] = self._table()

    def read(self):
        content, actions = self._content, self._actions
        while True:
            code = content[self._place : self._place + 1]
            self._place += 1
            if code == b".":
                if len(self._stack) != 1 or self._stack[0] is _MARK:
                    raise ValueError(f"{len(self._stack)} things are left at the end")
                return self._stack[0]
            action = actions.get(code)
            if action is None:
                what = _CODE.get(code)
                if what is None:
                    raise ValueError(f"instruction {code!r} at byte {self._place - 1}")
                name = self._line().decode("ascii", "replace") if code in b"ci" else ""
                raise self._door.refusal(
                    self._source,
                    f"holds {what}{f' ({name} ...)' if name else ''} at byte {self._place - 1}, "
                    "which only running code makes; plain data are read alone",
                )
            action()

    def _take(self, length):
        start, self._place = self._place, self._place + length
        if self._place > len(self._content):
            raise ValueError(f"ends at byte {len(self._content)}")
        return self._content[start : self._place]

    def _number(self, form):
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self):
        end = self._content.find(b"\n", self._place)
        if end < 0:
            raise ValueError("ends within a line")
        line, self._place = self._content[self._place : end], end + 1
        return line

    def _to_mark(self):
        """Take what lies above the last mark."""
        stack = self._stack
        at = len(stack) - 1
        while stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise ValueError("a mark is missing")
        items = stack[at + 1 :]
        del stack[at:]
        return items

    def _extend(self, items):
        if type(self._stack[-1]) is not list:
            raise ValueError("something is appended to what is no list")
        self._stack[-1].extend(items)

    def _set(self, items):
        if type(self._stack[-1]) is not dict or len(items) % 2:
            raise ValueError("something is put into what is no dict")
        self._stack[-1].update(zip(items[::2], items[1::2]))

    def _keep(self, number):
        self._kept[number] = self._stack[-1]

    def _protocol(self):
        version = self._take(1)[0]
        if version not in _PROTOCOLS:
            raise ValueError(f"protocol {version}")

    def _text_line(self):
        """A text of protocol 0, in quotes."""
        line = self._line()
        if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
            raise ValueError("a text without quotes")
        return line[1:-1].decode("unicode_escape")

    def _whole_line(self):
        line = self._line()
        return {b"00": False, b"01": True}.get(line, int(line.rstrip(b"L")))

    def _table(self):
        stack, push = self._stack, self._stack.append

        def pushes(make):
            return lambda: push(make())

        def counted(form, decode=lambda content: content):
            return lambda: push(decode(self._take(self._number(form))))

        def text(content):
            return content.decode("utf-8", "surrogatepass")

        def old(content):
            return content.decode("latin-1")

        def long(content):
            return int.from_bytes(content, "little", signed=True)

        def last(number):
            def action():
                if len(stack) < number:
                    raise ValueError("too few things")
                items = tuple(stack[-number:])
                del stack[-number:]
                push(items)

            return action

        def pair():
            value, key = stack.pop(), stack.pop()
            self._set((key, value))

        def one():
            value = stack.pop()
            self._extend((value,))

        return {
            b"\x80": self._protocol,
            b"\x95": lambda: self._take(8),  # a frame says how long it is
            b"(": lambda: push(_MARK),
            b"0": stack.pop,
            b"1": self._to_mark,
            b"2": lambda: push(stack[-1]),
            b"N": pushes(lambda: None),
            b"\x88": pushes(lambda: True),
            b"\x89": pushes(lambda: False),
            b"I": pushes(self._whole_line),
            b"L": pushes(self._whole_line),
            b"J": pushes(lambda: self._number("<i")),
            b"K": pushes(lambda: self._number("<B")),
            b"M": pushes(lambda: self._number("<H")),
            b"\x8a": counted("<B", long),
            b"\x8b": counted("<I", long),
            b"F": pushes(lambda: float(self._line())),
            b"G": pushes(lambda: self._number(">d")),
            b"S": pushes(self._text_line),
            b"T": counted("<I", old),
            b"U": counted("<B", old),
            b"V": pushes(lambda: self._line().decode("raw_unicode_escape")),
            b"X": counted("<I", text),
            b"\x8c": counted("<B", text),
            b"\x8d": counted("<Q", text),
            b"B": counted("<I"),
            b"C": counted("<B"),
            b"\x8e": counted("<Q"),
            b"]": pushes(list),
            b"l": lambda: push(self._to_mark()),
            b"a": one,
            b"e": lambda: self._extend(self._to_mark()),
            b"}": pushes(dict),
            b"d": lambda: push(dict(_pairs(self._to_mark()))),
            b"s": pair,
            b"u": lambda: self._set(self._to_mark()),
            b")": pushes(tuple),
            b"t": lambda: push(tuple(self._to_mark())),
            b"\x85": last(1),
            b"\x86": last(2),
            b"\x87": last(3),
            b"p": lambda: self._keep(int(self._line())),
            b"q": lambda: self._keep(self._number("<B")),
            b"r": lambda: self._keep(self._number("<I")),
            b"\x94": lambda: self._keep(len(self._kept)),
            b"g": pushes(lambda: self._kept[int(self._line())]),
            b"h": pushes(lambda: self._kept[self._number("<B")]),
            b"j": pushes(lambda: self._kept[self._number("<I")]),
        }


def _pairs(items):
    if len(items) % 2:
        raise ValueError("a dict of an odd number of things")
    return zip(items[::2], items[1::2])
