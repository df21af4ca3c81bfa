"""Settings of a study: one declaration makes options, checks and the command's text."""

import dataclasses
from typing import ClassVar

from nengo_tactile.errors import DataError, TactileError
from nengo_tactile.options import Options, flag


@dataclasses.dataclass(frozen=True)
class Plan(Options):
    """What a study runs; a study adds its own fields with `nengo_tactile.options.option`.

    Raises
    ------
    DataError
        For names that are not known and numbers that are too small.
    """

    error: ClassVar[type[TactileError]] = DataError

    def command(self, name):
        """The command line ``nengo-tactile NAME`` that runs it."""
        words = [f"nengo-tactile {name}"]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not field.metadata["always"] and value == field.default:
                continue
            if isinstance(value, bool):
                words.append(flag(field))
            else:
                text = ",".join(map(str, value)) if isinstance(value, tuple) else value
                words.append(f"{flag(field)} {text}")
        return " ".join([*words, "--data-dir DATA"])
