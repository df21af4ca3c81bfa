"""Networks to and from other simulators: NIR, Lava. Modules load on first use."""

from nengo_tactile.lazy import attributes

__all__, __getattr__, __dir__ = attributes(__name__)
