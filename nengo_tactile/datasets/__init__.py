"""Named data sets as tonic-style classes, their splits, statistics and downloads.

The classes load on first use, because tonic, scipy and pooch take a while to import.
"""

from nengo_tactile.lazy import attributes

__all__, __getattr__, __dir__ = attributes(__name__)
