"""From a stroke to its decision: how long a page waits for the server, at 60 messages a second.

    python benchmarks/play_speed.py [NETWORK] [--recordings N]

Each message brings what a pointer did in a sixtieth of a second; the time is that from sending it
to holding the answer, with all that the page shows. An image network decides every 50 ms: what it
waits for that is told apart. Needs the extra "play".
"""

import argparse
import json
import pathlib
import sys
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from nengo_tactile.play.messages import Choice
from nengo_tactile.play.networks import Networks
from tests.support.play_pages import opened, served

FRAME_S = 1 / 60


def measured(network, n_recordings):
    """Milliseconds of answers, and from touches to the decision that has them in it."""
    answers, decisions = [], []
    with served(Networks(Choice(network))) as port, opened(port) as page:
        for seed in range(n_recordings):
            page.begin(network, seed=seed)
            begin, waiting, done = time.perf_counter(), [], False
            for frame in range(1, 121):
                time.sleep(max(0, begin + frame * FRAME_S - time.perf_counter()))
                sent = time.perf_counter()
                angle = frame / 10
                until = min(frame * FRAME_S * 1e3, 2000) if frame < 120 else 2000
                point = [until, 4.5 + 2 * np.sin(2 * angle), 4.5 - 3 * np.cos(angle), 1.0]
                answer = page.ask(type="touch", until=until, points=[point])
                held = time.perf_counter()
                answers.append(held - sent)
                waiting.append(sent)
                if answer["margins"]:
                    decisions += [held - each for each in waiting]
                    waiting = []
                done = answer["done"]
            assert done
    return np.array(answers) * 1e3, np.array(decisions) * 1e3


def main():
    """Print percentiles as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", nargs="?", default="eskin-cnn")
    parser.add_argument("--recordings", type=int, default=5)
    options = parser.parse_args()
    answers, decisions = measured(options.network, options.recordings)
    told = {"network": options.network, "messages": len(answers)}
    for name, times in (("answer_ms", answers), ("decision_ms", decisions)):
        percentiles = np.percentile(times, [50, 95, 99])
        told[name] = dict(zip(("50 %", "95 %", "99 %"), np.round(percentiles, 1).tolist()))
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
