"""The event-driven engine: what a network costs follows the number of its spikes."""

from nengo_tactile.engines.event.clocked import run, stream

__all__ = ["run", "stream"]
