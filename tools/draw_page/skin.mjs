// The simulated e-skin while somebody writes on it, as nengo_tactile.play.skin has it. Numbers are
// those of ESkinParameters; `chance` has random() and normal().

/** What is drawn at random. */
export function chanceOf(random = Math.random) {
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return { random, normal };
}

/** How many come where `mean` are expected. */
function poisson(mean, random) {
  let count = 0;
  for (let t = -Math.log(1 - random()); t < mean; t -= Math.log(1 - random())) count += 1;
  return count;
}

/** A pen whose way is told piece by piece: in straight lines between points. */
export class Pen {
  constructor(p, { random }) {
    [this.p, this.hz, this.phase] = [p, 8 + 4 * random(), random()];
    [this.at, this.place, this.isDown] = [0, [0, 0, 0], false];
    [this.pressure, this.nSteps] = [0, 0];
  }

  /** Rows, columns and newtons of all steps up to a time that have not been yet. */
  move(points, until) {
    const { step_us, force_n, force_ramp_s, tremor } = this.p;
    const last = Math.max(this.nSteps, Math.floor(until / step_us + 1e-9) + 1), way = [];
    let next = 0;
    for (let step = this.nSteps; step < last; step++) {
      const t = step * step_us;
      for (; next < points.length && points[next][0] <= t; next++) this.pass(points[next]);
      way.push(this.between(t, points[next]));
    }
    for (; next < points.length; next++) this.pass(points[next]);
    const rise = (step_us * 1e-6) / Math.max(force_ramp_s, 1e-9), first = this.nSteps;
    [this.at, this.nSteps] = [Math.max(until, this.at), last];
    return way.map(([column, row, pressure], k) => {
      this.pressure += Math.min(Math.max(pressure - this.pressure, -rise), rise);
      const t = (first + k) * step_us * 1e-6;
      const shaken = 1 + tremor * Math.sin(2 * Math.PI * (this.hz * t + this.phase));
      return [row, column, force_n * this.pressure * shaken];
    });
  }

  pass([t, ...place]) {
    [this.at, this.place, this.isDown] = [t, place, place[2] > 0];
  }

  /** Column, row and pressure on the way to the next point. */
  between(t, next) {
    const [column, row, pressure] = this.place;
    if (!next) return this.place;
    if (!this.isDown) return [column, row, 0]; // it is in the air, and comes down there
    const share = (t - this.at) / Math.max(next[0] - this.at, 1e-9);
    const way = this.place.map((value, k) => value + share * (next[k + 1] - value));
    return next[3] > 0 ? way : [way[0], way[1], pressure];
  }
}

/** Taxels that compare their signal with what they sent last, and send changes. */
export class Taxels {
  constructor(p, gain, factors, chance) {
    Object.assign(this, { p, gain, factors, chance, side: Math.sqrt(gain.length) });
    this.reported = new Float64Array(gain.length);
    this.freeAt = new Float64Array(gain.length).fill(-Infinity);
    this.nSteps = 0;
  }

  /** Messages [seconds, taxel, rises] of steps [row, column, newton]. */
  feel(steps) {
    const { p, side, reported, freeAt, chance } = this, messages = [];
    // a disc of radius a has SD a / 2 along each axis
    const sigma = Math.hypot(p.film_spread_mm, p.tip_mm / 4), seconds = p.step_us * 1e-6;
    const peak = 1e3 / (2 * Math.PI * sigma ** 2), scale = -0.5 / sigma ** 2;
    const near = (place, k) => Math.exp(scale * (place - k) ** 2);
    for (const [row, column, force] of steps) {
      const now = this.nSteps++ * seconds;
      for (let i = 0; i < side; i++) {
        const nearRow = force > 0 ? near(row, i) * force * peak : 0;
        for (let j = 0; j < side; j++) {
          const k = i * side + j;
          const pressure = nearRow >= p.activation_kpa ? nearRow * near(column, j) * this.gain[k] : 0;
          const inactive = pressure < p.activation_kpa;
          if ((inactive && reported[k] === 0) || now < freeAt[k]) continue;
          let signal = 0;
          if (!inactive) {
            const felt = Math.max(0, pressure * (1 + p.vibration * chance.normal()));
            signal = Math.log1p(felt / p.floor_kpa);
          }
          const change = signal - reported[k];
          const sends = Math.abs(change) >= p.threshold * this.factors[k] * (1 - 1e-9);
          if (sends) {
            let at = now - seconds * chance.random();
            at = Math.max(at, freeAt[k]) + p.delay_us * 1e-6 * chance.random();
            messages.push([at, k, change > 0]);
            [freeAt[k], reported[k]] = [at + p.refractory_us * 1e-6, signal];
          } else if (inactive) {
            reported[k] = 0; // what is left leaks away
          }
        }
      }
    }
    return messages;
  }
}

/** The e-skin during one recording. */
export class Skin {
  constructor(told, durationUs, { noise, dead }, chance = chanceOf()) {
    const { random } = chance, n = told.gain.length;
    const p = (this.p = { ...told.parameters, noise_rate_hz: noise });
    [this.durationUs, this.chance] = [durationUs, chance];
    const order = Array.from({ length: n }, (_, k) => [random(), k]).sort(([a], [b]) => a - b);
    this.dead = new Array(n).fill(0);
    for (const [, k] of order.slice(0, Math.round(dead * n))) this.dead[k] = 1;
    const gain = told.gain.map((value, k) => (this.dead[k] ? 0 : value));
    [this.pen, this.taxels] = [new Pen(p, chance), new Taxels(p, gain, told.factors, chance)];
    this.spread = Math.exp(p.repeats_spread * chance.normal());
    this.side = this.taxels.side;
    this.waiting = [];
    const strays = poisson(noise * n * durationUs * 1e-6, random);
    for (let k = 0; k < strays; k++) {
      const taxel = Math.floor(random() * n);
      if (!this.dead[taxel]) this.hear(random() * durationUs, taxel, random() < 0.5);
    }
  }

  /** A message, as often as the decoder repeats it. */
  hear(timeUs, taxel, on) {
    const mean = on ? this.p.on_repeats : this.p.off_repeats * this.spread;
    const times = Math.max(1, Math.floor(mean + this.chance.random()));
    for (let k = 0; k < times; k++) this.waiting.push([timeUs, taxel, on]);
  }

  /** Events [microseconds, row, column, polarity] since the last time. */
  advance(points, until) {
    const end = Math.min(until, this.durationUs), { p } = this;
    for (const [at, taxel, rises] of this.taxels.feel(this.pen.move(points, end))) {
      this.hear(Math.max(0, at * 1e6), taxel, rises === p.onset_polarity > 0);
    }
    // a message lies in the step before the one that notices it
    const sure = end >= this.durationUs ? this.durationUs : (this.taxels.nSteps - 1) * p.step_us;
    const now = this.waiting.filter(([t]) => t < sure).sort(([a], [b]) => a - b);
    this.waiting = this.waiting.filter(([t]) => !(t < sure));
    return now.map(([t, taxel, on]) => {
      return [Math.floor(t), Math.floor(taxel / this.side), taxel % this.side, on ? 1 : 0];
    });
  }
}
