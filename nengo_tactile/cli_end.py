"""How a command ends: one message and an exit code.

Bad input and a full disk end with one clear message and exit code 2, Ctrl-C and SIGTERM with a
word and the exit codes 130 and 143.
"""

import contextlib
import signal
import sys
import threading

import typer

from nengo_tactile import stack
from nengo_tactile.errors import TactileError

#: What typer returns for Ctrl-C (128 + SIGINT).
_CTRL_C = 130


def ended(command):
    """Run a command to its end, whatever that is.

    Parameters
    ----------
    command : callable
        A typer application, called with ``standalone_mode=False``.

    Returns
    -------
    int
        The exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names need not be text that a terminal can show
            stream.reconfigure(errors="backslashreplace")
    stopped: list[int] = []  # signals that came
    try:
        with _signals_as_ctrl_c(stopped), stack.quiet():
            code = command() or 0
        return _stopped(stopped) if stopped or code == _CTRL_C else code
    except (typer.Abort, KeyboardInterrupt):
        return _stopped(stopped)
    except TactileError as error:
        return _failed(str(error))
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _failed(
            f"{where}{error.strerror or error}: check the path, its permissions and free space; "
            "nothing half-written was left"
        )
    except Exception as error:
        # usage errors: typer ships its own copy of click or uses the installed one, by version
        if not (hasattr(error, "show") and hasattr(error, "exit_code")):
            raise
        error.show()
        return 2


@contextlib.contextmanager
def _signals_as_ctrl_c(stopped):
    """Let SIGTERM end a command as Ctrl-C does, cleaned up; the signal is added to a list."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number, frame):
        stopped.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stopped(stopped):
    """Say what ended the command; returns the exit code that shells give it."""
    what, code = ("ended by SIGTERM", 128 + signal.SIGTERM) if stopped else ("interrupted", _CTRL_C)
    _failed(f"{what}; nothing half-written was left, finished parts are kept")
    return code


def _failed(text):
    print(f"nengo-tactile: {text}", file=sys.stderr)
    return 2
