"""How many e-skin samples a second one core simulates.

``python benchmarks/eskin_speed.py [--pendigits PATH] [--samples N] [--out FILE]``
"""

import argparse
import os
import time

os.environ.setdefault("NUMBA_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from nengo_tactile.datasets.eskin import ESkin
from nengo_tactile.events.images import TactileImage
from nengo_tactile.files import write_json


def measure(source, n_samples, with_images):
    """Return samples per second of wall-clock and of processor time, after compilation."""
    data = ESkin(source, n_samples=n_samples)
    data.read_events(0)  # compiles, or loads the compiled kernel
    image = TactileImage() if with_images else None
    wall, processor = time.perf_counter(), time.process_time()
    for events in data.recordings(progress=False):
        if image:
            image(events)
    return (
        n_samples / (time.perf_counter() - wall),
        n_samples / (time.process_time() - processor),
    )


def main():
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pendigits", help="pendigits_traj.npz or its folder")
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()
    start = time.perf_counter()
    ESkin(n_samples=1).read_events(0)
    first_s = time.perf_counter() - start
    rows = []
    for source in ("parametric", options.pendigits):
        for with_images in (False, True) if source else ():
            wall, processor = measure(source, options.samples, with_images)
            rows.append(
                {
                    "source": "parametric" if source == "parametric" else "pendigits",
                    "images": with_images,
                    "samples_per_second": wall,
                    "samples_per_processor_second": processor,
                    "n_samples": options.samples,
                }
            )
    print(f"first sample, compiling or loading the compiled kernel: {first_s:.1f} s")
    print(f"{'trajectories':<14}{'to images':<11}{'samples/s':>10}{'per processor s':>17}")
    for row in rows:
        print(
            f"{row['source']:<14}{'yes' if row['images'] else 'no':<11}"
            f"{row['samples_per_second']:10.0f}{row['samples_per_processor_second']:17.0f}"
        )
    if options.out:
        write_json(options.out, {"first_sample_s": first_s, "rows": rows})


if __name__ == "__main__":
    main()
