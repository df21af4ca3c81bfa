// What canvases show: of the skin, its events, and a network. Colours are those of the style sheet.

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);

export function clear(canvas) {
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

/** The skin's taxels, `side` rows of them, and crosses on the dead ones. */
export function paintSkin(canvas, side, dead = []) {
  const pen = canvas.getContext("2d"), size = canvas.width / side;
  clear(canvas);
  [pen.strokeStyle, pen.lineWidth] = [colour("line"), 1];
  for (let k = 0; k <= side; k++) {
    pen.strokeRect(0, 0, k * size, canvas.height);
    pen.strokeRect(0, 0, canvas.width, k * size);
  }
  [pen.strokeStyle, pen.lineWidth] = [colour("quiet"), 3];
  for (let k = 0; k < side ** 2; k++) {
    if (!dead[k]) continue;
    const [x, y] = [(k % side) * size, Math.floor(k / side) * size];
    pen.beginPath();
    pen.moveTo(x, y); pen.lineTo(x + size, y + size);
    pen.moveTo(x + size, y); pen.lineTo(x, y + size);
    pen.stroke();
  }
}

/** The way of a pen over the skin, from where it was; returns where it is, or null in the air. */
export function paintTrail(canvas, side, points, from) {
  const pen = canvas.getContext("2d"), size = canvas.width / side;
  [pen.strokeStyle, pen.lineCap, pen.lineWidth] = [colour("accent"), "round", size / 2];
  for (const [, column, row, pressure] of points) {
    const at = [(column + 0.5) * size, (row + 0.5) * size];
    if (from || pressure > 0) {
      pen.beginPath();
      pen.moveTo(...(from ?? at));
      pen.lineTo(...at);
      pen.stroke();
    }
    from = pressure > 0 ? at : null;
  }
  return from;
}

/** Events [milliseconds, row, column, polarity]: a row for each taxel, time to the right. */
export function paintEvents(canvas, side, events, durationMs) {
  const pen = canvas.getContext("2d"), height = canvas.height / side ** 2;
  const [off, on] = [colour("off"), colour("on")];
  for (const [t, row, column, p] of events) {
    pen.fillStyle = p ? on : off;
    const top = (row * side + column) * height;
    pen.fillRect((t / durationMs) * canvas.width, top, 2, Math.max(2, height));
  }
}

/** Values from 0 to 1, `width` of them in a row. */
export function paintMap(canvas, values, width) {
  const pen = canvas.getContext("2d");
  const [across, down] = [canvas.width / width, canvas.height / (values.length / width)];
  clear(canvas);
  pen.fillStyle = colour("accent");
  values.forEach((value, k) => {
    pen.globalAlpha = Math.min(1, value);
    pen.fillRect((k % width) * across, Math.floor(k / width) * down, across, down);
  });
  pen.globalAlpha = 1;
}

/** Margins [milliseconds, margin] over time; returns the largest, which is at the top. */
export function paintMargins(canvas, margins, durationMs) {
  const pen = canvas.getContext("2d");
  const most = margins.reduce((largest, [, margin]) => Math.max(largest, margin), 1e-9);
  clear(canvas);
  [pen.strokeStyle, pen.lineWidth] = [colour("accent"), 2];
  pen.beginPath();
  for (const [t, margin] of margins) {
    pen.lineTo((t / durationMs) * canvas.width, canvas.height * (0.98 - 0.96 * (margin / most)));
  }
  pen.stroke();
  return most;
}
