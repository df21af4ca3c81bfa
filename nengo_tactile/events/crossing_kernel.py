"""The loop of level crossing, compiled on first use."""

import math

import numpy as np

#: What is missing to a threshold by rounding.
_ROUNDING = 1e-9


def crossings(
    rng, pressure, start, first_s, step_s, activation, floor, log, vibration, noise, threshold,
    hysteresis, refractory_s, delay_s, by_level,
):  # fmt: skip
    """Turn pressures into the taxels' messages. Compiled by numba.

    Every taxel compares its signal with the one it last reported, and sends a message when the
    difference reaches its threshold, at the earliest one refractory time after its last message.
    Only changes are sent, so that a taxel adapts at once to what is static.

    Parameters
    ----------
    rng : numpy Generator
    pressure : (n_steps, n_taxels) float array
    start : (n_taxels,) float array
        The signals that count as reported at the beginning.
    first_s, step_s : float
        Time of the first step and between steps, in seconds.
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
    base, reported, level = start.copy(), start.copy(), np.zeros(n_taxels, np.int64)
    free_at = np.full(n_taxels, -np.inf)
    last = np.zeros(n_taxels, np.int64)
    seen, seen_at = start.copy(), np.full(n_taxels, first_s)
    room, count = 1024, 0
    times, where, rises = np.empty(room), np.empty(room, np.int64), np.empty(room, np.bool_)
    for step in range(n_steps):
        now = first_s + step * step_s
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
                    if step > 0 and signal != seen[k]:
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
    return times[:count].copy(), where[:count].copy(), rises[:count].copy()
