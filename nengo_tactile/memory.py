"""What the machine has: memory, asked before anything is made, and processors."""

import os
import resource
from pathlib import Path

from nengo_tactile.errors import DataError, TactileError

_STATUS = Path("/proc/self/status")
_CGROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int:
    """Memory that is free, or can be made so, for this process, in bytes."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    meminfo, container = Path("/proc/meminfo"), _CGROUP / "memory.max"
    if meminfo.exists():
        found += [1024 * int(_value(meminfo, "MemAvailable:"))]
    if container.exists() and (largest := container.read_text().strip()) != "max":
        found.append(int(largest) - int(_value(_CGROUP / "memory.stat", "anon ")))
    for limit, used in ((resource.RLIMIT_AS, "VmSize:"), (resource.RLIMIT_DATA, "VmData:")):
        most = resource.getrlimit(limit)[0]
        if most != resource.RLIM_INFINITY and _STATUS.exists():
            found.append(most - 1024 * int(_value(_STATUS, used)))
    return max(0, min(found))


def processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _value(path, key):
    lines = (line for line in path.read_text().splitlines() if line.startswith(key))
    return next((line.split()[1] for line in lines), 0)


def told(n_bytes: float) -> str:
    """Bytes in the units of people."""
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n_bytes >= factor:
            return f"{n_bytes / factor:,.1f} {unit}"
    return f"{n_bytes:.0f} bytes"


def check_fits(
    what: str, needed: float, remedy: str, error: type[TactileError] = DataError
) -> None:
    """Refuse what needs more memory than there is.

    Parameters
    ----------
    what : str
        The work, or the file: "running 5 samples".
    needed : float
        Bytes.
    remedy : str
    error : type
        Raised if it does not fit.

    Raises
    ------
    DataError
        Or another, with the memory needed and the memory there is.
    """
    available = available_bytes()
    if needed > available:
        raise error(f"{what} needs {told(needed)} of memory, {told(available)} are free: {remedy}")
