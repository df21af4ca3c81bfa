"""Kill saving, training, sweeps and reproductions, cut down, at random moments and at renames.

    python tools/kills.py [--number 100] [--only SUBJECT] [--seed 0] [--no-renames] [--json FILE]

After each kill the same is run again, to its end. Wrong is what does not come to its end, whose
results are others than those of an uninterrupted run, and what leaves or loses a file. What is
killed is in tests/support/killed.py. Exit code 1 if anything is wrong.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def main():
    from tests.support import killed

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=100, help="random moments for each")
    parser.add_argument("--only", action="append", choices=killed.SUBJECTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-renames", action="store_true")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    killed.load()
    results = {}
    for name in chosen.only or killed.SUBJECTS:
        work, start = Path(tempfile.mkdtemp(prefix="kills-")), time.monotonic()
        subject, renames = killed.SUBJECTS[name], not chosen.no_renames
        found = []
        for how, wrong in killed.trials(subject, work, chosen.number, chosen.seed, renames):
            found.append((how, wrong))
            if wrong:
                print(f"{name}, {how}: {wrong}", flush=True)
        shutil.rmtree(work)
        n_wrong = sum(wrong is not None for _, wrong in found)
        at_renames = sum("rename" in how for how, _ in found)
        print(
            f"{name}: {len(found)} kills, {at_renames} of them at renames, {n_wrong} wrong; "
            f"{time.monotonic() - start:.0f} s",
            flush=True,
        )
        results[name] = found
        if chosen.json:
            chosen.json.write_text(json.dumps(results, indent=1))
    return int(any(wrong for found in results.values() for _, wrong in found))


if __name__ == "__main__":
    sys.exit(main())
