"""States of SKIM runs small enough to check by hand."""

METHODS = ("max", "area", "weighted-max", "weighted-area")


def point(n_train, hits, n_test, data="simulated"):
    return {"n_train": n_train, "data": data, "n_test": n_test, "hits": hits}


def growth(n_hidden, points, **more):
    return {"n_hidden": n_hidden, "points": points, "pattern": "flat", "method": "area", **more}


#: Two sizes, in the wrong order: one that is finished, one that has only begun.
GROWTH = [
    growth(
        2000,
        [
            point(5000, 160, 200),
            point(10_000, 164, 200),
            point(59_000, 80, 100, "recordings"),
            point(60_000, 850, 1000),
            point(60_000, 9, 10, "recorded test"),
        ],
        seconds={"training": 600.0, "testing": 30.0, "solving": 2.0},
        peak_bytes=1_500_000_000,
    ),
    growth(10, [point(1000, 40, 200), point(10_000, 50, 200)]),
]


def trials(rows, n_test=100):
    """Trials from rows of 12 hits each: flat's four methods, Gaussian's, exponential's."""
    return {
        "n_hidden": 1000,
        "n_train": 5000,
        "n_test": n_test,
        "length": 10,
        "trials": [
            {
                "seed": seed,
                "hits": {
                    "flat": dict(zip(METHODS, row[:4])),
                    "gaussian": dict(zip(METHODS, row[4:8])),
                    "exponential": dict(zip(METHODS, row[8:])),
                },
            }
            for seed, row in enumerate(rows)
        ],
    }


#: As the paper finds: Area best with the Gaussian pattern, which is the worst; Max best with the
#: exponential one; flat the best but with Max, and the same with and without weights.
AS_PAPER = trials(
    [
        [82, 84, 82, 84, 70, 81, 76, 78, 84, 83, 81, 82],
        [83, 84, 83, 84, 72, 83, 77, 79, 86, 83, 80, 81],
        [80, 80, 80, 80, 68, 80, 74, 77, 84, 81, 78, 78],
        [81, 83, 81, 83, 71, 82, 75, 78, 84, 82, 80, 81],
        [85, 86, 85, 86, 73, 84, 79, 80, 87, 85, 83, 84],
    ]
)
CROSSING = {
    "n_hidden": 500,
    "n_networks": 2,
    "rows": [
        {"train": "simulated", "test": "recordings", "n_train": 900, "n_test": 200, "hits": 151},
        {"train": "recordings", "test": "simulated", "n_train": 900, "n_test": 200, "hits": 128},
    ],
}
TACTILE = {
    "rows": [
        {
            "data": "stemnist",
            "about": "stemnist: all classes",
            "n_hidden": 300,
            "n_train": 700,
            "n_test": 200,
            "n_steps": 250,
            "hits": 150,
            "n_classes": 35,
        }
    ]
}
ONLINE = [
    {
        "way": way,
        "data": "stemnist",
        "n_hidden": 2000,
        "points": [
            {"n_train": 50, "n_test": 200, "hits": hits[0]},
            {"n_train": 100, "n_test": 200, "hits": hits[1]},
        ],
        "seconds": 12.0,
    }
    for way, hits in {"closed form": (80, 120), "OPIUM": (80, 118), "PES": (40, 60)}.items()
]
STATES = {
    "growth": GROWTH,
    "trials": AS_PAPER,
    "crossing": CROSSING,
    "tactile": TACTILE,
    "online": ONLINE,
}
