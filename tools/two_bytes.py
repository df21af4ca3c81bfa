"""Weights of a trained network for images in two bytes each, where that changes no class.

    python tools/two_bytes.py FILE.npz --task cifar10 --data-dir DATA [--out FILE]

Decisions on all test images are compared, and of networks that give maps all pixels'; where one
changes nothing is written and the exit code is 1.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from nengo_tactile import files
from nengo_tactile.ann import training
from nengo_tactile.ann.two_bytes import packed
from nengo_tactile.commands.networks import read_weights
from nengo_tactile.commands.tasks import images, open_task, task_named
from nengo_tactile.doors.archives import read_npz


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--task", required=True)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--out", type=Path, help="by default the file itself")
    chosen = parser.parse_args()
    task = task_named(chosen.task)
    x, _ = images(task, open_task(task, "test", chosen.data_dir))
    out = chosen.out or chosen.file
    smaller = out.with_name(f".{out.name}.smaller.npz")
    files.write_npz(smaller, packed(read_npz(chosen.file)))
    try:
        before, after = (
            training.predict(read_weights(file), x).argmax(-1) for file in (chosen.file, smaller)
        )
        changed, sizes = int(np.sum(before != after)), (chosen.file.stat(), smaller.stat())
        if not changed:
            smaller.replace(out)
    finally:
        smaller.unlink(missing_ok=True)
    told = " to ".join(f"{size.st_size:,}" for size in sizes)
    print(f"{chosen.file}: {told} bytes, {changed} of {before.size:,} decisions changed")
    return int(changed > 0)


if __name__ == "__main__":
    sys.exit(main())
