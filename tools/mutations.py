"""Damaged and malicious files for every reader: what comes must be a result or an error of ours.

    python tools/mutations.py [--number 20000] [--jobs 1] [--seed 0] [--only READER] [--json FILE]

Each case changes one file of a small sound set, model, network or run (tests/support/mutants.py)
and reads it. Counted as failures are exceptions of others, processes that end or wait, more than
2 GB of memory or 20 seconds of a processor, and files that are opened beside those that were named.
Exit code 1 if there is any. ``--case NUMBER`` runs one alone, and shows where it fails. What stands
in ``--json FILE`` already is not run again.
"""

import argparse
import collections
import contextlib
import ctypes
import json
import multiprocessing
import os
import resource
import shutil
import struct
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: What a reader may take of a processor and of memory, and how long it may wait where all are busy.
SECONDS, BYTES, WAIT = 20, 2 << 30, 240
#: Readers that take long, and how many cases of others come to one of theirs.
SELDOM = {"run": 4, "cifar10": 8, "onnx": 8, "checkpoint": 2, "patterns": 2, "page": 2}
_OPEN = 0x20  # inotify's


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=20_000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="readers, by name")
    parser.add_argument("--case", type=int)
    parser.add_argument("--work", type=Path, help="folder for sound files and bombs (kept)")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    work = chosen.work or Path(tempfile.mkdtemp(prefix="mutations-"))
    names = made(work, chosen.only)
    if chosen.case is not None:
        name = turn(names, chosen.case)
        print(name, judged(work, name, chosen.seed, chosen.case, loud=True))
        return 0
    start = time.monotonic()
    results = collected(work, names, chosen)
    failed = {number: result for number, result in results.items() if result["failure"]}
    kinds = collections.Counter((r["failure"], r["reader"]) for r in failed.values())
    refused = sum(result["refused"] for result in results.values())
    for (failure, reader), count in kinds.most_common():
        kind = failure, reader
        first = next(n for n, r in failed.items() if (r["failure"], r["reader"]) == kind)
        print(f"{count:6d}  {reader}: {failure} (such as --case {first}: {failed[first]['what']})")
    print(
        f"{len(results)} files of {len(names)} readers, {refused} refused by name, "
        f"{len(failed)} failures; the longest "
        f"took {max(r['seconds'] for r in results.values()):.1f} s, the largest "
        f"{max(r['bytes'] for r in results.values()) / 1e9:.2f} GB; "
        f"{time.monotonic() - start:.0f} s in all"
    )
    if chosen.work is None:
        shutil.rmtree(work)
    return int(bool(failed))


def made(work, only):
    """Make what readers read, where it is not yet; returns their names."""
    sys.path.insert(0, str(ROOT))
    from tests.support.mutants import make_bait, make_bombs
    from tests.support.readers import readers

    for name, make in (("bait", make_bait), ("bombs", make_bombs)):
        if not (work / name).is_dir():
            make(work / "making")
            (work / "making").rename(work / name)
    found = readers()
    for name in only or found:
        place = work / "sound" / name
        if not place.is_dir():
            temporary = work / "making"
            temporary.mkdir()
            found[name].make(temporary)
            place.parent.mkdir(exist_ok=True)
            temporary.rename(place)
    return list(only or found)


def turn(names, number):
    """The reader whose turn a case is: those that take long come seldom."""
    turns = [name for lap in range(8) for name in names if lap % SELDOM.get(name, 1) == 0]
    return turns[number % len(turns)]


def collected(work, names, chosen):
    """Results of all cases, by number: {"failure": text or None, ...}."""
    context, running = multiprocessing.get_context("spawn"), []
    results = kept(chosen.json)
    numbers = iter([number for number in range(chosen.number) if number not in results])

    def begin():
        here, there = context.Pipe()
        process = context.Process(target=serve, args=(there, work, chosen.seed), daemon=True)
        process.start()
        there.close()
        running.append({"process": process, "pipe": here, "number": None, "since": 0})
        give(running[-1])

    def give(worker):
        number = next(numbers, None)
        worker |= {"number": number, "since": None, "what": "?"}
        worker["pipe"].send(None if number is None else (number, turn(names, number)))

    def lose(worker, failure):
        number, what = worker["number"], worker.get("what", "?")
        worker["process"].kill()
        worker["process"].join()
        running.remove(worker)
        results[number] = _nothing(turn(names, number), what) | {"failure": failure}
        begin()

    for _ in range(chosen.jobs):
        begin()
    while running:
        pipes = [worker["pipe"] for worker in running]
        ready = multiprocessing.connection.wait(pipes, 1)
        for worker in list(running):
            if worker["pipe"] not in ready:
                if worker["since"] and time.monotonic() - worker["since"] > WAIT:
                    lose(worker, f"waits for more than {WAIT} s")
                continue
            try:
                message = worker["pipe"].recv()
            except (EOFError, ConnectionResetError):
                worker["process"].join()
                if worker["number"] is None:
                    running.remove(worker)
                    continue
                lose(worker, f"the process ends (exit code {worker['process'].exitcode})")
                continue
            if isinstance(message, str):  # begun
                worker["since"], worker["what"] = time.monotonic(), message
                continue
            results[worker["number"]] = message
            if len(results) % 1000 == 0:
                failures = sum(bool(result["failure"]) for result in results.values())
                print(f"{len(results)} files, {failures} failures", file=sys.stderr, flush=True)
            if chosen.json and len(results) % 200 == 0:
                chosen.json.write_text(json.dumps(results))
            give(worker)
    if chosen.json:
        chosen.json.write_text(json.dumps(results))
    return results


def kept(path):
    """What an earlier run has left in its file."""
    if path is None or not path.exists():
        return {}
    return {int(number): result for number, result in json.loads(path.read_text()).items()}


def serve(pipe, work, seed):
    """Work in a process of its own, which damage may end."""
    sys.path.insert(0, str(ROOT))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    while (job := pipe.recv()) is not None:
        pipe.send(judged(work, job[1], seed, job[0], begun=pipe.send))
    pipe.close()


def judged(work, name, seed, number, loud=False, begun=lambda what: None):
    """Make a case, read it, and say what came of it."""
    import numpy as np

    from nengo_tactile import stack
    from nengo_tactile.errors import TactileError
    from tests.support.mutants import mutated

    reader = _reader(name)
    stack.tensorflow()
    _warm(work, name)
    rng, result = np.random.default_rng((seed, number)), {"reader": name, "failure": None}
    with tempfile.TemporaryDirectory(dir=work) as place:
        folder = Path(place) / "case"
        shutil.copytree(work / "sound" / name, folder)
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        paths = [path for path in paths if path.suffix not in (".lock", ".md", ".html")]
        path = paths[rng.integers(len(paths))]
        try:
            what = f"{path.relative_to(folder)}, {mutated(rng, path, work / 'bait')}"
        except Exception as error:  # no way to change it so
            return _nothing(name, f"not made: {error}")
        result["what"] = what
        begun(what)
        if loud:
            print(what)
        start, refused = _seconds(), False
        with warnings.catch_warnings(), _watched(work / "bait") as opened, _limited() as used:
            warnings.simplefilter("ignore")
            try:
                reader.read(folder)
            except TactileError as error:
                refused = True
                if loud:
                    traceback.print_exc()
                try:
                    str(error).encode()
                except UnicodeEncodeError:
                    result["failure"] = "a message that cannot be printed"
            except Exception as error:
                if loud:
                    traceback.print_exc()
                result["failure"] = f"{type(error).__name__} {_where(error)}"
        seconds = _seconds() - start
        if seconds > SECONDS:
            result["failure"] = f"took more than {SECONDS} s"
        if used[0] > BYTES:
            result["failure"] = "took more than 2 GB"
        if opened():
            result["failure"] = f"opened {', '.join(sorted(opened()))}"
        for left in folder.rglob("*"):  # what a case made unreadable
            with contextlib.suppress(OSError):
                left.chmod(0o700)
    return result | {"refused": refused, "seconds": seconds, "bytes": used[0]}


def _nothing(name, what):
    about = {"reader": name, "what": what, "failure": None}
    return about | {"refused": False, "seconds": 0, "bytes": 0}


_READERS = {}
_WARM = set()


def _warm(work, name):
    """Read what is sound: what is imported or compiled at first is no part of a case."""
    if name not in _WARM:
        _WARM.add(name)
        with tempfile.TemporaryDirectory(dir=work) as place, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shutil.copytree(work / "sound" / name, Path(place) / "case")
            _reader(name).read(Path(place) / "case")


def _seconds():
    """Of a processor, by this process, those that it has ended, and those that serve it."""
    found, ticks = sum(os.times()[:4]), os.sysconf("SC_CLK_TCK")
    for place in _children():
        with contextlib.suppress(OSError):
            words = (place / "stat").read_text().rpartition(")")[2].split()
            found += (int(words[11]) + int(words[12])) / ticks
    return found


def _children():
    """Places in /proc of the processes that this one has begun and that go on."""
    lists = Path("/proc/self/task").glob("*/children")
    return [Path("/proc") / number for each in lists for number in each.read_text().split()]


def _reader(name):
    if not _READERS:
        from tests.support.readers import readers

        _READERS.update(readers())
    return _READERS[name]


def _where(error):
    """The last place of ours in a traceback."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "nengo_tactile" in f.filename]
    last = frames[-1] if frames else traceback.extract_tb(error.__traceback__)[-1]
    return f"in {Path(last.filename).name}, {last.name}"


@contextlib.contextmanager
def _limited():
    """Memory that is taken inside, at most so much; yields a list of one number, set at the end.

    By this process or, whichever takes more, by one that serves it.
    """
    own, used = Path("/proc/self"), [0]
    before, ended = _status(own, "VmData"), _largest_ended()
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    resident = {}
    for place in (own, *_children()):
        with contextlib.suppress(OSError):  # the peak begins anew
            (place / "clear_refs").write_text("5")
        resident[place] = _status(place, "VmRSS")
    resource.setrlimit(resource.RLIMIT_DATA, (before + BYTES, limits[1]))
    try:
        yield used
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, limits)
        for place in (own, *_children()):
            used[0] = max(used[0], _status(place, "VmHWM") - resident.get(place, 0))
        # a process begins as a copy of this one
        if _largest_ended() > max(ended, resident[own]):
            used[0] = max(used[0], _largest_ended())


def _largest_ended():
    return 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


def _status(place, name):
    with contextlib.suppress(OSError):
        for line in (place / "status").read_text().splitlines():
            if line.startswith(name + ":"):
                return 1024 * int(line.split()[1])
    return 0


@contextlib.contextmanager
def _watched(folder):
    """Yields a function that says which files of a folder were opened meanwhile, by anyone here."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.inotify_init1(os.O_NONBLOCK)
    libc.inotify_add_watch(handle, os.fsencode(folder), _OPEN)
    found = set()

    def opened():
        with contextlib.suppress(BlockingIOError, OSError):
            while content := os.read(handle, 1 << 16):
                while content:
                    length = struct.unpack_from("I", content, 12)[0]
                    found.add(content[16 : 16 + length].rstrip(b"\0").decode())
                    content = content[16 + length :]
        return found - {""}

    try:
        yield opened
        opened()
    finally:
        opened()
        os.close(handle)


if __name__ == "__main__":
    sys.exit(main())
