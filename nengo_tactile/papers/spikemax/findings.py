"""What the Spikemax paper finds, tested on our trials, and the comparisons behind it."""

import numpy as np

from nengo_tactile.analysis.accuracy import accuracy_interval, first_step_within, latency_step
from nengo_tactile.analysis.statistical_tests import compared
from nengo_tactile.experiments.tables import p_value, points
from nengo_tactile.papers.spikemax import published as paper
from nengo_tactile.papers.spikemax.trials import TITLES

#: p below which a difference counts as one; ours, the paper has no tests.
SIGNIFICANT = 0.05
#: Share of spike-rate's accuracy below which a network has not learnt, and its time means nothing.
LEARNT = 0.5
#: Distance from the final accuracy within which it is reached (one point).
REACHED = 0.01
# accuracies are ratios of counts
_ROUNDING = 1e-9


def comparisons(trials):
    """Each loss beside spike-rate, over the trials whose seeds agree.

    Parameters
    ----------
    trials : dict
        Of `trials.grouped`.

    Returns
    -------
    list of dict
        ``data``, ``loss``, ``n_pairs``, ``step_ms``; ``accuracy``, ``latency``, ``settled`` and
        ``spikes``, each what `statistical_tests.compared` says of the pairs, loss less
        spike-rate (latency in steps, spikes of all layers), and ``ratio`` to spike-rate's (of
        latencies: from the hits of these trials together, with ``step`` and ``reference_step``;
        None for accuracy and spikes where spike-rate's are zero); ``learnt``, whether its
        accuracy is at least `LEARNT` of spike-rate's; ``catches_up``: first ``step`` at which it
        reaches the accuracy that spike-rate has in the end, less one point, ``reference_step``
        and their ``ratio``, None where it never does. Data without spike-rate, and losses
        without a common seed, are left out.
    """
    found = []
    for data, losses in trials.items():
        if paper.REFERENCE not in losses:
            continue
        for loss, each in losses.items():
            pair = each.common(losses[paper.REFERENCE]) if loss != paper.REFERENCE else None
            if pair:
                found.append({"data": data, "loss": loss, **_compare(*pair)})
    return found


def _compare(ours, reference):
    accuracy = [each.accuracies[:, -1] for each in (ours, reference)]
    spikes = [each.spikes() for each in (ours, reference)]
    curves = ours.mean_accuracy, reference.mean_accuracy
    level = curves[1][-1] - REACHED
    return {
        "n_pairs": len(ours.states),
        "step_ms": ours.step_ms,
        "accuracy": compared(*accuracy) | {"ratio": _ratio(*map(np.mean, accuracy))},
        "latency": compared(ours.latencies(), reference.latencies())
        | _steps(*map(first_step_within, curves)),
        "settled": compared(ours.settlings(), reference.settlings())
        | _steps(*map(latency_step, curves)),
        "spikes": compared(*spikes) | {"ratio": _ratio(*map(np.mean, spikes))},
        "learnt": bool(curves[0][-1] >= LEARNT * curves[1][-1]),
        "catches_up": _steps(*(_first_at(curve, level) for curve in curves)),
    }


def _ratio(value, reference):
    return float(value / reference) if reference else None


def _steps(step, reference):
    ratio = None if step is None else step / reference
    return {"step": step, "reference_step": reference, "ratio": ratio}


def _first_at(accuracy, level):
    """First step with at least this accuracy, None without one."""
    reached = np.flatnonzero(accuracy >= level - _ROUNDING)
    return int(reached[0]) + 1 if len(reached) else None


def at_equal_accuracy(measures):
    """When each loss first has the accuracy that all of its data set's losses reach.

    A loss whose networks end lower is within a point of that sooner: the time to one's own final
    accuracy favours it. That to the same accuracy does not.

    Parameters
    ----------
    measures : list of dict
        Of `numbers.measure`.

    Returns
    -------
    list of dict
        ``data``, ``title``, ``loss``; ``level``, the lowest final accuracy of any loss, less one
        point; ``ms`` until then, from all trials together, and from when and until when it may be,
        the accuracies' 95 % intervals on so many test samples allowed (``low_ms``, and
        ``high_ms``, None where the end may still be below); ``ratio`` to spike-rate's (None
        without that).
    """
    finals: dict[str, float] = {}
    for each in measures:
        last = each["accuracy_over_time"][-1]
        finals[each["data"]] = min(last, finals.get(each["data"], 1.0))
    found = []
    for each in measures:
        level, curve = finals[each["data"]] - REACHED, each["accuracy_over_time"]
        band = np.array([accuracy_interval(value, each["n_test"]) for value in curve])
        steps = (_first_at(np.asarray(one), level) for one in (curve, band[:, 1], band[:, 0]))
        ms = [None if step is None else step * each["step_ms"] for step in steps]
        told = {key: each[key] for key in ("data", "title", "loss")} | {"level": level}
        found.append(told | dict(zip(("ms", "low_ms", "high_ms"), ms)))
    rates = {each["data"]: each["ms"] for each in found if each["loss"] == paper.REFERENCE}
    for each in found:
        beside = rates.get(each["data"])
        each["ratio"] = each["ms"] / beside if beside else None
    return found


def claims(trials, compared):
    """What the paper finds, beside our trials.

    A finding about time or spikes must hold on `published.ENOUGH` data sets; N-MNIST and
    its simulation are one, on which it holds if it does on both.

    Parameters
    ----------
    trials : dict
        Of `trials.grouped`.
    compared : list of dict
        Of `comparisons`.

    Returns
    -------
    list of dict
        ``claim``, ``section``, ``ours`` (in words), ``on`` ({data: whether it holds there, None
        where losses are missing or trials too few}) and ``holds`` (None where the runs do not
        decide it). Empty without comparisons.
    """
    if not compared:
        return []
    pairs = {(each["data"], each["loss"]): each for each in compared}
    found = [_faster(pairs, paper.PROPOSED, "latency", _TOGETHER)]
    found += [
        _faster(pairs, (loss,), "latency", f"{loss} {_HALF}")
        for loss in paper.PROPOSED
        if any(loss == other for _, other in pairs)
    ]
    found.append(_faster(pairs, paper.PROPOSED, "catches_up", _STRICTER))
    found += [
        _extreme(trials, "spikemax_s", 1, "spikemax_s networks spike least", "IV-A, IV-C, V"),
        _extreme(trials, paper.REFERENCE, -1, "spike-rate networks spike most", "IV-A"),
        _similar(pairs),
    ]
    return found


_HALF = "reaches its accuracy in at most half of spike-rate's time"
_TOGETHER = "All spikemax losses reach their accuracy in at most half of spike-rate's time"
_STRICTER = (
    "Stricter, ours: all spikemax losses reach spike-rate's final accuracy, less one point, in at "
    "most half of its time"
)


def _data_of(pairs):
    return list(dict.fromkeys(data for data, _ in pairs))


def _all(verdicts):
    """True if all are, False if one is False, else None."""
    verdicts = list(verdicts)
    if any(verdict is False for verdict in verdicts):
        return False
    return None if None in verdicts else True


def _on_enough(on):
    """Whether verdicts by data hold on enough data sets, None where missing ones decide."""
    sets = {}
    for data, verdict in on.items():
        sets.setdefault(paper.STANDS_FOR.get(data, data), []).append(verdict)
    verdicts = [_all(each) for each in sets.values()]
    if verdicts.count(True) >= paper.ENOUGH:
        return True
    possible = len(verdicts) - verdicts.count(False)
    return None if possible >= paper.ENOUGH or len(verdicts) < paper.ENOUGH else False


def _faster(pairs, losses, what, claim):
    def verdict(data, loss):
        pair = pairs.get((data, loss))
        if pair is None:
            return None
        ratio = pair[what]["ratio"]
        return pair["learnt"] and ratio is not None and ratio <= paper.FASTER + _ROUNDING

    on = {data: _all(verdict(data, loss) for loss in losses) for data in _data_of(pairs)}
    texts = []
    for data in on:
        each = [_time_text(pairs[data, n], n, what) for n in losses if (data, n) in pairs]
        texts += [f"{TITLES[data]}: {', '.join(each)}"] if each else []
    return {
        "claim": f"{claim}, on at least {paper.ENOUGH} data sets",
        "section": "IV-A to IV-C",
        "ours": f"{_count_text(on)}; " + "; ".join(texts),
        "on": on,
        "holds": _on_enough(on),
    }


def _count_text(on):
    names = [TITLES[data] for data, verdict in on.items() if verdict]
    unclear = [TITLES[data] for data, verdict in on.items() if verdict is None]
    texts = [", ".join(names)] if names else []
    texts += [f"undecided: {', '.join(unclear)}"] if unclear else []
    return f"on {len(names)} of {len(on)}" + (f" ({'; '.join(texts)})" if texts else "")


def _time_text(pair, loss, what):
    found, ms = pair[what], pair["step_ms"]
    if found["step"] is None:
        return f"{loss} never"
    p = f", {_p_text(found)}" if "p" in found else ""
    text = (
        f"{loss} {found['step'] * ms:,.0f} of {found['reference_step'] * ms:,.0f} ms "
        f"({found['ratio']:.2f}{p})"
    )
    return text if pair["learnt"] else f"{text}, but has not learnt"


def _p_text(found):
    if found["equal"]:
        return "all equal"
    return "no test" if found["p"] is None else f"p {p_value(found['p'])}"


def _extreme(trials, loss, sign, claim, section):
    """Whether a loss has the fewest (sign 1) or most (-1) spikes of the paper's four losses."""
    on, texts = {}, []
    for data, losses in trials.items():
        present = [n for n in (paper.REFERENCE, *paper.PROPOSED) if n in losses]
        if loss not in present or len(present) < 2:
            continue
        mean = {n: float(np.mean(losses[n].spikes())) for n in present}
        order = sorted(present, key=lambda n: sign * mean[n])
        rivals = [n for n in order if n != loss]
        beaten = sign * mean[loss] < sign * mean[rivals[0]]
        complete = len(present) == 1 + len(paper.PROPOSED)
        on[data] = False if not beaten else True if complete else None
        pair = losses[loss].common(losses[rivals[0]])
        p = f" ({_p_text(compared(*(each.spikes() for each in pair)))})" if pair else ""
        texts.append(
            f"{TITLES[data]}: {loss} {mean[loss]:,.0f}, {rivals[0]} {mean[rivals[0]]:,.0f}{p}"
        )
    words = "fewest" if sign > 0 else "most"
    return {
        "claim": f"{claim}, on at least {paper.ENOUGH} data sets",
        "section": section,
        "ours": f"{_count_text(on)}; beside the {words} of the others: " + "; ".join(texts)
        if texts
        else "no data with this loss and another",
        "on": on,
        "holds": _on_enough(on),
    }


def _similar(pairs):
    """Larger differences that may be chance decide nothing."""

    def verdict(data, loss):
        pair = pairs.get((data, loss))
        if pair is None:
            return None
        found = pair["accuracy"]
        if abs(found["difference"]) <= paper.SIMILAR + _ROUNDING:
            return True
        return False if found["p"] is not None and found["p"] < SIGNIFICANT else None

    on = {data: _all(verdict(data, n) for n in paper.PROPOSED) for data in _data_of(pairs)}
    texts = []
    for data in on:
        found = [(n, pairs[data, n]["accuracy"]) for n in paper.PROPOSED if (data, n) in pairs]
        each = [f"{n} {points(100 * f['difference'])} ({_p_text(f)})" for n, f in found]
        texts += [f"{TITLES[data]}: {', '.join(each)}"] if each else []
    return {
        "claim": "All losses are similarly accurate: spikemax losses differ from spike-rate by no "
        f"more than {100 * paper.SIMILAR:.2f} points, the most in Table I, on all data sets",
        "section": "IV, Table I",
        "ours": f"within it {_count_text(on)}, points more than spike-rate; " + "; ".join(texts),
        "on": on,
        "holds": _all(on.values()),
    }
