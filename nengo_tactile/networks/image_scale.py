"""How images become what a network was trained on: one factor and one offset."""

import dataclasses
import fractions

import numpy as np

from nengo_tactile.errors import DataError


@dataclasses.dataclass(frozen=True)
class ImageScale:
    """A network's input is an image times ``factor`` plus ``offset``.

    Attributes
    ----------
    factor, offset : float
    """

    factor: float = 1.0
    offset: float = 0.0

    def __post_init__(self):
        if not (np.isfinite(self.factor) and np.isfinite(self.offset) and self.factor > 0):
            raise DataError(
                f"scale {self.factor}, offset {self.offset}: give a finite factor above zero and "
                "a finite offset"
            )

    @property
    def is_none(self):
        """Whether images stay as they are."""
        return self == ImageScale()

    def apply(self, x):
        """Rescale images.

        Parameters
        ----------
        x : (n_samples, ...) array

        Returns
        -------
        (n_samples, ...) array
            float32; ``x`` itself if images stay as they are.
        """
        if self.is_none:
            return x
        return np.asarray(x, np.float32) * np.float32(self.factor) + np.float32(self.offset)

    @classmethod
    def from_text(cls, text):
        """Read "1/255", "0.5" or, with an offset, "2/255,-1".

        Raises
        ------
        DataError
            For anything else.
        """
        parts = text.split(",")
        try:
            values = [float(fractions.Fraction(part.strip())) for part in parts]
        except (ValueError, ZeroDivisionError, OverflowError):
            values = []
        if len(values) not in (1, 2):
            raise DataError(
                f"scale is {text!r}: give a factor such as 1/255, or a factor and an offset such "
                "as 2/255,-1"
            )
        return cls(*values)

    def __str__(self):
        if self.factor >= 1:
            factor = f"{self.factor:.6g}"
        else:
            nearest = fractions.Fraction(self.factor).limit_denominator(1000)
            close = abs(float(nearest) - self.factor) < 1e-9
            factor = str(nearest) if close else f"{self.factor:.6g}"
        return factor if self.offset == 0 else f"{factor},{self.offset:.6g}"
