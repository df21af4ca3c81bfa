// What a pointer does on the skin, as points of the server's form. No page is needed for it.

/** Place on a canvas, 0 to 1 each way, as taxel pitches from the centre of the first taxel. */
export function place(across, down, side) {
  return [across * side - 0.5, down * side - 0.5];
}

/** Pressure relative to a hand's mean: mice tell none, and many fingers 0 or 1. */
export function pressureOf(type, pressure) {
  const told = type !== "mouse" && pressure > 0 && pressure < 1;
  return told ? Math.min(2, Math.max(0.1, 2 * pressure)) : 1;
}

/** One recording's points, in milliseconds from its first touch. */
export class Stroke {
  constructor(startedAt) {
    this.startedAt = startedAt;
    this.points = []; // all, to be drawn again
    this.nSent = 0;
    this.isDown = false;
  }

  add(now, column, row, pressure) {
    const before = this.points.length ? this.points[this.points.length - 1][0] : 0;
    this.points.push([Math.max(before, now - this.startedAt, 0), column, row, pressure]);
    this.isDown = pressure > 0;
  }

  /** What is new until now: a pen that is down may be on its way, until it has been still for a while. */
  take(now, still = 40) {
    const elapsed = Math.max(0, now - this.startedAt);
    let end = this.nSent;
    while (end < this.points.length && end - this.nSent < 500 && this.points[end][0] <= elapsed) end++;
    const points = this.points.slice(this.nSent, end);
    const last = end ? this.points[end - 1] : null;
    const moving = last && last[3] > 0 && elapsed - last[0] < still;
    const until = end < this.points.length && end - this.nSent === 500 ? last[0] : moving ? last[0] : elapsed;
    this.nSent = end;
    this.until = Math.max(this.until ?? 0, until);
    return { type: "touch", until: this.until, points };
  }

  /** The same points again, from another beginning. */
  again(startedAt) {
    const other = new Stroke(startedAt);
    other.points = this.points;
    return other;
  }
}

/** Lengths of bars, 0 to 1: from the least output, or from 0 where none is below. */
export function lengths(outputs) {
  const least = Math.min(0, ...outputs);
  const span = Math.max(...outputs) - least;
  return outputs.map((value) => (span > 0 ? (value - least) / span : 0));
}
