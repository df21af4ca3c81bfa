"""The loop of level crossing, compiled on first use."""

import math
from typing import NamedTuple

import numpy as np

#: What is missing to a threshold by rounding.
_ROUNDING = 1e-9


class TaxelMemory(NamedTuple):
    """What taxels keep from step to step, arrays that `crossings` changes.

    Attributes
    ----------
    reported, base : (n_taxels,) float arrays
        The signal that each sent last, and that from which it counts thresholds.
    level : (n_taxels,) int array
        How many it is above that.
    free_at : (n_taxels,) float array
        When its refractory time is over, in seconds.
    last : (n_taxels,) int array
        Sign of its last message, or 0.
    seen, seen_at : (n_taxels,) float arrays
        Its last signal, and when that was.
    first_s : (1,) float array
        Time of the first step, in seconds.
    n_steps : (1,) int array
        Steps so far.
    """

    reported: np.ndarray
    base: np.ndarray
    level: np.ndarray
    free_at: np.ndarray
    last: np.ndarray
    seen: np.ndarray
    seen_at: np.ndarray
    first_s: np.ndarray
    n_steps: np.ndarray


def at_rest(start: np.ndarray, first_s: float = 0.0) -> TaxelMemory:
    """Taxels before the first step.

    Parameters
    ----------
    start : (n_taxels,) float array
        The signals that count as reported at the beginning.
    first_s : float
        Time of the first step, in seconds.
    """
    start = np.array(start, np.float64)
    return TaxelMemory(
        reported=start.copy(),
        base=start.copy(),
        level=np.zeros(len(start), np.int64),
        free_at=np.full(len(start), -np.inf),
        last=np.zeros(len(start), np.int64),
        seen=start.copy(),
        seen_at=np.full(len(start), float(first_s)),
        first_s=np.array([first_s], np.float64),
        n_steps=np.zeros(1, np.int64),
    )


def crossings(
    rng, pressure, memory, step_s, activation, floor, log, vibration, noise, threshold, hysteresis,
    refractory_s, delay_s, by_level,
):  # fmt: skip
    """Turn pressures into the taxels' messages. Compiled by numba.

    Every taxel compares its signal with the one it last reported, and sends a message when the
    difference reaches its threshold, at the earliest one refractory time after its last message.
    Only changes are sent, so that a taxel adapts at once to what is static.

    Parameters
    ----------
    rng : numpy Generator
    pressure : (n_steps, n_taxels) float array
    memory : TaxelMemory
        Of the steps before; changed.
    step_s : float
        Time between steps, in seconds.
    activation : float
        Pressure under which a taxel feels nothing, and forgets what it has reported; -inf: none.
    floor : float
        The signal is pressure / floor, or
    log : bool
        log(1 + pressure / floor), of pressures above 0.
    vibration : float
        SD of the fluctuation of the pressure relative to itself.
    noise : float
        SD of what is added to the signal at each step.
    threshold : (n_taxels,) float array
        In units of the signal.
    hysteresis : float
        By how much more a taxel has to change to send the other sign than it sent last.
    refractory_s : float
    delay_s : float
        A message is late by up to this time (uniform).
    by_level : bool
        A message moves what is reported by a threshold, so that a step may bring several, at the
        times at which a straight line crosses the levels. Otherwise it reports the signal as it is,
        and lies anywhere in the step before (uniform).

    Returns
    -------
    time_s : (n_messages,) float array
        In the order of the steps.
    taxels : (n_messages,) int64 array
    rises : (n_messages,) bool array
        True where the signal rose.
    """
    n_steps, n_taxels = pressure.shape
    reported, base, level, free_at, last, seen, seen_at, begin, passed = memory
    first_s, before = begin[0], passed[0]
    room, count = 1024, 0
    times, where, rises = np.empty(room), np.empty(room, np.int64), np.empty(room, np.bool_)
    for step in range(n_steps):
        now = first_s + (before + step) * step_s
        for k in range(n_taxels):
            felt = pressure[step, k]
            inactive = felt < activation
            if inactive:
                if reported[k] == 0:
                    continue
                felt = 0.0
            if now < free_at[k]:
                continue
            signal = 0.0
            if felt != 0:
                if vibration > 0:
                    shaken = felt * (1 + vibration * rng.standard_normal())
                    felt = max(shaken, 0.0) if felt > 0 else min(shaken, 0.0)
                if not log:
                    signal = felt / floor
                elif felt > 0:
                    signal = math.log1p(felt / floor)
            if noise > 0:
                signal += noise * rng.standard_normal()
            sent = False
            while True:
                change = signal - reported[k]
                sign = 1 if change > 0 else -1
                needed = threshold[k] + (hysteresis if last[k] == -sign else 0.0)
                if not abs(change) >= needed * (1 - _ROUNDING):
                    break
                if by_level:
                    at = now
                    if signal != seen[k]:
                        share = (reported[k] + sign * needed - seen[k]) / (signal - seen[k])
                        at = seen_at[k] + min(max(share, 0.0), 1.0) * (now - seen_at[k])
                    if sent and free_at[k] > now:
                        break
                else:
                    # the crossing lay somewhere in the step before
                    at = now - step_s * rng.random()
                at = max(at, free_at[k]) + delay_s * rng.random()  # but not in refractory time
                if count == room:
                    room *= 2
                    more_times = np.empty(room)
                    more_where = np.empty(room, np.int64)
                    more_rises = np.empty(room, np.bool_)
                    more_times[:count] = times
                    more_where[:count] = where
                    more_rises[:count] = rises
                    times, where, rises = more_times, more_where, more_rises
                times[count], where[count], rises[count] = at, k, sign > 0
                count += 1
                last[k], sent = sign, True
                free_at[k] = at + refractory_s
                if not by_level:
                    reported[k] = signal
                    break
                level[k] += sign
                reported[k] = base[k] + level[k] * threshold[k]  # sums of thresholds would drift
            seen[k], seen_at[k] = signal, now
            if inactive and not sent:
                reported[k], base[k], level[k] = 0.0, 0.0, 0  # what is left leaks away
    passed[0] += n_steps
    return times[:count].copy(), where[:count].copy(), rises[:count].copy()
