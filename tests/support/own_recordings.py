"""Recordings of one's own: folders of files as users have them."""

import numpy as np

from nengo_tactile.events.arrays import make_events

#: What a finger does on an array of taxels, as (from, to) in fractions of its side.
GESTURES = {
    "down": ((0.5, 0.1), (0.5, 0.9)),
    "left": ((0.9, 0.5), (0.1, 0.5)),
    "press": ((0.5, 0.5), (0.5, 0.5)),
    "right": ((0.1, 0.5), (0.9, 0.5)),
}


def touch(rng, name, side=8, n_events=120):
    """Events of a finger that moves over an array, with strays."""
    start, end = np.array(GESTURES[name]) * (side - 1)
    share = np.sort(rng.random(n_events))
    spread = rng.normal(0, 0.6, (n_events, 2))
    places = np.rint(start + (end - start) * share[:, None] + spread).clip(0, side - 1).astype(int)
    return make_events(
        *places.T, np.rint(share * 400_000).astype(np.int64), rng.random(n_events) < 0.7
    )


def write_touches(folder, n_files=40, seed=0, n_subjects=5):
    """Write ``GESTURE/SUBJECT_NUMBER.csv`` of x, y, ms and polarity 1 and 2; returns the events."""
    rng, found = np.random.default_rng(seed), {}
    for number in range(n_files):
        name = list(GESTURES)[number % len(GESTURES)]
        events = touch(rng, name)
        path = folder / name / f"s{number // len(GESTURES) % n_subjects}_{number}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [f"{e['t'] / 1000},{e['x']},{e['y']},{int(e['p']) + 1}" for e in events]
        path.write_text("\n".join(["ms,col,row,polarity", *rows]) + "\n")
        found[path.relative_to(folder).as_posix()] = events
    return found


#: How `write_touches` names and numbers.
OPTIONS = {
    "sensor_size": (8, 8),
    "time_unit": "ms",
    "polarity": "1/2",
    "columns": {"t": "ms", "x": "col", "y": "row", "p": "polarity"},
    "repeats": "keep",
}
