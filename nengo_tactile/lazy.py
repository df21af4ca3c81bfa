"""What waits for its first use: names of a package, properties, compiled loops."""

import ast
import contextlib
import functools
import hashlib
import importlib.util
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from nengo_tactile.errors import StackError

T = TypeVar("T")
#: Python 3.11 loses count when two threads parse at once, and raises a SystemError.
_PARSING = threading.Lock()


def attributes(package):
    """Make the names of a package whose modules load on first use.

    Its stub, ``__init__.pyi``, imports each from where it is: type checkers and editors read it as
    they read any stub, this reads it to know what to load.

    Parameters
    ----------
    package : str
        Its ``__name__``.

    Returns
    -------
    list of str, callable, callable
        ``__all__``, ``__getattr__`` and ``__dir__``.
    """
    homes = _imports(Path(sys.modules[package].__file__).with_suffix(".pyi"))

    def load(name):
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if homes[name] == package:  # a module
            return importlib.import_module(f"{package}.{name}")
        return getattr(importlib.import_module(homes[name]), name)

    def names():
        return sorted({*vars(sys.modules[package]), *homes})

    return sorted(homes), load, names


def _imports(stub):
    """Name -> module that a stub imports it from."""
    imports = (node for node in ast.parse(stub.read_text("utf-8")).body if hasattr(node, "names"))
    return {alias.name: node.module for node in imports for alias in node.names}


class cached_property(functools.cached_property[T]):
    """Python's, as it is from version 3.12 on: without its lock.

    Threads that made properties while others waited for the turn in `stack.guest` would wait for
    each other for ever. What two threads make at once is the same.
    """

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        if self.attrname not in vars(instance):
            vars(instance)[self.attrname] = self.func(instance)
        return vars(instance)[self.attrname]


def kept_with(function):
    """Keep what a function makes of its first argument for as long as that object lives.

    Others are what it is made with when it is first asked for.
    """
    found: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()

    @functools.wraps(function)
    def kept(owner, *others):
        if owner not in found:
            found[owner] = function(owner, *others)
        return found[owner]

    return kept


def kept_in(owner: Any, name: str, key: Any, make: Callable[[], T], most: int = 2) -> T:
    """What was made for an object, kept in it: what is made may hold on to the object.

    Parameters
    ----------
    owner : object
        With attributes.
    name : str
        Of the attribute that keeps it.
    key : object
        What it was made for.
    make : callable
    most : int
        So many are kept; more make the oldest be forgotten.
    """
    found = vars(owner).setdefault(name, {})
    if key not in found:
        while len(found) >= most:
            del found[next(iter(found))]
        found[key] = make()
    return found[key]


@functools.cache
def compiled(function, makes_arrays=True):
    """Compile a function with numba, kept on disk where a cache can be written.

    What is kept is compiled anew when its module changed, or one that it imports: numba looks at
    the first alone, but compiles functions and constants of the others into its own.

    Parameters
    ----------
    function : callable
    makes_arrays : bool
        Numba counts references to all arrays that such a function is given, with an atomic
        instruction for each of them at each call.

    Raises
    ------
    StackError
        Where numba is told not to compile: loops over spikes would take hours.
    """
    import numba

    if numba.config.DISABLE_JIT:
        raise StackError(
            "numba is told not to compile (NUMBA_DISABLE_JIT), without which these loops would "
            "take hours: unset that variable and start Python anew"
        )
    fast = numba.njit(nogil=True, _nrt=makes_arrays)(function)
    with contextlib.suppress(RuntimeError):  # no place can be written: compiled each time
        fast._cache = _cache()(function)
        kept = getattr(fast._cache, "_cache_file", None)
        if kept is not None and function.__module__ in sys.modules:
            kept._source_stamp = (kept._source_stamp, sources_digest(function.__module__))
    return fast


#: Compiles what makes no arrays, and is called often.
compiled_inner = functools.partial(compiled, makes_arrays=False)


@functools.cache
def sources_digest(module):
    """Digest of a module's source and those of all modules of its package that it imports."""
    package, found, left = module.partition(".")[0], {}, [module]
    while left:
        name = left.pop()
        if name in found:
            continue
        found[name] = Path(importlib.util.find_spec(name).origin).read_bytes()
        with _PARSING:
            tree = ast.parse(found[name])
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
                left.append(node.module)
    return hashlib.sha256(b"".join(found[name] for name in sorted(found))).hexdigest()


@functools.cache
def _cache():
    """Numba's cache of a function, which a damaged file or a full disk does not stop."""
    from numba.core.caching import FunctionCache

    class Cache(FunctionCache):
        def load_overload(self, sig, target_context):
            try:
                return super().load_overload(sig, target_context)
            except Exception:  # unpickling raises anything
                with contextlib.suppress(OSError):
                    self.flush()  # the index alone: what is compiled is written anew

        def save_overload(self, sig, data):
            with contextlib.suppress(OSError):
                super().save_overload(sig, data)

    return Cache
