"""Cells, and who runs them: this process, spawned ones, or a Dask cluster.

Any number of processes may work in a study's folder. A cell is locked by whoever works on it; what
others work on is waited for in the end, and taken up again if they were killed.
"""

import concurrent.futures
import contextlib
import dataclasses
import multiprocessing
import platform
import signal
import threading
import traceback

from nengo_tactile import stack
from nengo_tactile.errors import ClusterError, ModelFileError, StackError, TactileError
from nengo_tactile.experiments import threads
from nengo_tactile.experiments.ledgers import Ledger, content_of
from nengo_tactile.experiments.studies import Study, package_digest

#: Workers that may be killed over a cell before it counts as failed.
TRIES = 3
#: Seconds that a scheduler has to answer.
PATIENCE = 10


@dataclasses.dataclass(frozen=True)
class Cell:
    """A run, described so that another process can do it.

    Attributes
    ----------
    key : str
        Its name in the study, of which its files are called.
    run : callable
        ``run(ledger, **options)``, a function of a module. It returns the state that it has
        written to the `ledgers.Ledger`, or None where there is nothing to run.
    options : dict
        Plain values: names, numbers, paths.
    """

    key: str
    run: object
    options: dict


@dataclasses.dataclass(frozen=True)
class Failure:
    """A cell that raised, or over which workers were killed.

    Attributes
    ----------
    cell, error, trace : str
        Its key, what went wrong in a line, and where.
    cause : Exception or None
        Where it is one of ours.
    """

    cell: str
    error: str
    trace: str = ""
    cause: Exception | None = None

    def exception(self):
        """As an error to raise."""
        return self.cause or ClusterError(f"{self.cell}: {self.error}\n{self.trace}")


@dataclasses.dataclass(frozen=True)
class Crew:
    """Who runs cells.

    Attributes
    ----------
    jobs : int or None
        So many spawned processes; None for this one.
    scheduler : str or None
        Address of a Dask scheduler instead.
    n_threads : int
        That a cell computes with, wherever it runs: results may depend on it in the last digits.
    """

    jobs: int | None = None
    scheduler: str | None = None
    n_threads: int = 1

    def run(self, cells, study, progress=None):
        """Run cells, or read what was run before.

        Parameters
        ----------
        cells : iterable of Cell
        study : Study
        progress : bool, optional
            For bars of the cells' own, where this process runs them.

        Yields
        ------
        (Cell, dict or None or Failure)
            Each cell once, when it is finished, and its state.

        Raises
        ------
        ModelFileError
            If a file of the study is damaged or comes from something else.
        ClusterError
            If the scheduler is not there, or workers have another version of this package.
        """
        study.agree("package", package_digest())
        for cell in cells:
            ledger = Ledger(study, cell.key)
            if ledger.path.exists():
                content_of(ledger.path)  # damaged ones are refused before any work
        left, wait = {cell.key: cell for cell in cells}, False
        with self._executor(len(left)) as submit:
            while left:
                about = (study.folder.absolute(), study.name, package_digest(), self.n_threads)
                for cell, found in submit(list(left.values()), (*about, wait, progress)):
                    if found != BUSY:
                        del left[cell.key]
                        yield cell, found
                wait = True  # all that is left is at work elsewhere

    def _executor(self, n_cells):
        if self.scheduler is not None:
            return _cluster(self.scheduler)
        return contextlib.nullcontext(_here) if self.jobs is None else _spawned(self.jobs)


#: What `execute` returns for a cell that another process works on.
BUSY = "busy"


def execute(cell, folder, name, package, n_threads=1, wait=False, progress=False):
    """Run a cell, whoever does it.

    Parameters
    ----------
    cell : Cell
    folder, name : path, str
        Of the study.
    package : str
        What `studies.package_digest` must be here.
    n_threads : int
    wait : bool
        Whether to wait for a process that works on it.
    progress : bool, optional

    Returns
    -------
    dict or None or Failure or BUSY

    Raises
    ------
    ModelFileError, ClusterError
        See `Crew.run`. What else is raised is a `Failure`.
    """
    if package != package_digest():
        raise ClusterError(
            f"worker {platform.node()} has nengo-tactile {package_digest()}, the study {package}: "
            "install the same version on all machines"
        )
    study = Study(folder, name)
    ledger = Ledger(study, cell.key, progress)
    with study.turn(cell.key, wait) as mine:
        if not mine:
            return BUSY
        ledger.remove_temporaries()
        try:
            with threads.fixed(n_threads):
                found = cell.run(ledger, **cell.options)
        except ModelFileError:
            raise
        except Exception as error:
            cause = error if isinstance(error, TactileError) else None
            text = f"{type(error).__name__}: {error}"
            return Failure(cell.key, text, traceback.format_exc(), cause)
        # as read from its file: the same whether it was run now or before
        return content_of(ledger.path)["state"] if ledger.path.exists() else found


def _here(cells, about):
    for cell in cells:
        yield cell, execute(cell, *about)


@contextlib.contextmanager
def _spawned(jobs):
    """Run cells in so many processes, each of which is started again when it is killed."""
    workers, own, closing = [], threading.local(), threading.Event()

    def run(cell, about):
        for _ in range(TRIES):
            if not getattr(own, "worker", None):
                own.worker = _Worker()
                workers.append(own.worker)
            try:
                return own.worker.run(cell, *about[:-1], False)
            except (EOFError, OSError):  # it was killed
                code, own.worker = own.worker.exit_code(), None
            if closing.is_set():
                return BUSY
        return Failure(cell.key, f"its worker was killed {TRIES} times (exit code {code})")

    def submit(cells, about):
        futures = {pool.submit(run, cell, about): cell for cell in cells}
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], future.result()

    pool = concurrent.futures.ThreadPoolExecutor(jobs)
    try:
        yield submit
    finally:
        closing.set()
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.close()  # what it was at goes on from there next time


class _Worker:
    """A process that runs one cell after another."""

    def __init__(self):
        spawn = multiprocessing.get_context("spawn")
        self.pipe, theirs = spawn.Pipe()
        self.process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()  # so that the pipe ends when the process does

    def run(self, *arguments):
        """What `execute` returns, or raises, there."""
        self.pipe.send(arguments)
        found = self.pipe.recv()
        if isinstance(found, Exception):
            raise found
        return found

    def exit_code(self):
        """Of the process, which has ended."""
        self.process.join()
        return self.process.exitcode

    def close(self):
        """End it, whatever it is at."""
        self.process.kill()
        self.process.join()


def _serve(pipe):
    """Work for a `_Worker` until it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits
    with contextlib.suppress(EOFError, BrokenPipeError), stack.quiet():
        while True:
            try:
                found = execute(*pipe.recv())
            except (ModelFileError, ClusterError) as error:
                found = error
            except (ImportError, AttributeError) as error:
                found = ClusterError(
                    f"a worker cannot import what a cell runs ({error}): define it in a module "
                    "that is installed, or start from its folder"
                )
            pipe.send(found)


@contextlib.contextmanager
def _cluster(address):
    """Run cells on the workers of a Dask scheduler, which share the study's folder."""
    try:
        import distributed
    except ImportError as error:
        raise StackError(
            f"no Dask for the scheduler {address}: pip install 'nengo-tactile[cluster]'"
        ) from error
    try:
        client = distributed.Client(address, timeout=PATIENCE)
    except (OSError, ValueError, TimeoutError) as error:
        raise ClusterError(
            f"no Dask scheduler at {address} ({error}): start one with dask scheduler, and give "
            "the address that it prints"
        ) from error

    def submit(cells, about):
        futures = {
            client.submit(execute, cell, *about[:-1], False, pure=False): cell for cell in cells
        }
        for future in distributed.as_completed(futures):
            try:
                yield futures[future], future.result()
            except (ModelFileError, ClusterError):
                raise
            except Exception as error:  # workers that were killed, or lack the package
                key = futures[future].key
                yield futures[future], Failure(key, f"{type(error).__name__}: {error}")

    with client:
        yield submit
