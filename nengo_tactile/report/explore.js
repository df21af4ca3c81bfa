// What a report can do beyond being read. Nothing of it is needed to read it.
"use strict";

(() => {
  const told = (element) => JSON.parse(element.querySelector("script[type='application/json']").textContent);
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const make = (tag, settings = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), settings);
    element.append(...children);
    return element;
  };
  const whole = (value) => value.toLocaleString("en");

  // Tables: a button in each heading

  /** The number that a cell shows, or its text; nothing comes last. */
  function valueOf(text) {
    if (/^[\u2013\s]*$/.test(text)) return null;
    const found = /^[-+]?[\d,]*\.?\d+(?:e[-+]?\d+)?(?=$|[\s%])/i.exec(text);
    return found ? Number(found[0].replaceAll(",", "")) : text;
  }

  function compare(a, b) {
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b), "en", { numeric: true });
  }

  function sort(table, column, falling) {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [valueOf(row.cells[column].textContent.trim()), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return falling ? compare(b, a) : compare(a, b);
    });
    body.append(...rows.map(([, row]) => row));
    [...table.tHead.rows[0].cells].forEach((cell, k) => {
      if (k === column) cell.setAttribute("aria-sort", falling ? "descending" : "ascending");
      else cell.removeAttribute("aria-sort");
    });
  }

  for (const table of document.querySelectorAll(".table table")) {
    if (table.tBodies[0].rows.length < 2) continue;
    [...table.tHead.rows[0].cells].forEach((cell, column) => {
      const button = make("button", { type: "button", className: "sort", textContent: cell.textContent });
      button.addEventListener("click", () => {
        const first = cell.classList.contains("number") ? "descending" : "ascending";
        const turned = cell.getAttribute("aria-sort") === first ? first !== "descending" : first === "descending";
        sort(table, column, turned);
      });
      cell.replaceChildren(button);
    });
    table.classList.add("sortable");
  }

  // Curves: values at the pointer, or at a slider

  for (const figure of document.querySelectorAll("figure.readings")) {
    const { left, right, top, bottom, curves, unit, percent } = told(figure);
    const image = figure.querySelector("img");
    const names = Object.keys(curves), longest = Math.max(...names.map((name) => curves[name].length));
    const line = make("i", { className: "line" });
    const frame = make("div", { className: "frame" });
    [line.style.top, line.style.bottom] = [`${100 * top}%`, `${100 * (1 - bottom)}%`];
    image.replaceWith(frame);
    frame.append(image, line);
    const slider = make("input", { type: "range", min: 1, max: longest, step: 1, value: longest });
    slider.setAttribute("aria-label", `Read the curves at a ${unit}`);
    const output = make("output", { className: "read" });
    frame.after(slider, output);
    const text = (value) => (percent ? `${(100 * value).toFixed(1)} %` : value.toPrecision(4));
    const show = () => {
      const step = Number(slider.value);
      const share = longest > 1 ? (step - 1) / (longest - 1) : 0;
      line.style.left = `${100 * (left + share * (right - left))}%`;
      const parts = names.filter((name) => (curves[name][step - 1] ?? null) !== null);
      output.textContent = `${unit} ${step}: ${parts.map((name) => `${name} ${text(curves[name][step - 1])}`).join("; ")}`;
    };
    slider.addEventListener("input", show);
    frame.addEventListener("pointermove", (event) => {
      const box = frame.getBoundingClientRect();
      const share = ((event.clientX - box.left) / box.width - left) / (right - left || 1);
      slider.value = 1 + Math.round(share * (longest - 1));
      show();
    });
    show();
  }

  // Samples, step by step

  for (const place of document.querySelectorAll(".explorer")) {
    const { classes, dt_ms: dt, samples } = told(place);
    const nSteps = samples[0].winners.length, layers = Object.keys(samples[0].spikes);
    const pick = make("select"), slider = make("input", { type: "range", min: 1, max: nSteps, step: 1, value: nSteps });
    const groups = { wrong: make("optgroup", { label: "Wrong" }), right: make("optgroup", { label: "Right" }) };
    samples.forEach((sample, k) => {
      const answer = sample.winners.at(-1), right = sample.label === answer;
      const text = `Sample ${sample.number}: ${classes[sample.label]}${right ? "" : `, read as ${classes[answer]}`}`;
      groups[right ? "right" : "wrong"].append(new Option(text, k));
    });
    pick.append(...Object.values(groups).filter((group) => group.children.length));
    const step = make("output"), winner = make("p", { className: "winner" });
    winner.setAttribute("aria-live", "polite");
    const image = make("canvas"), shown = make("figure", {}, image, make("figcaption", { textContent: "What it is shown" }));
    image.setAttribute("role", "img");
    const many = classes.length > 20;
    const bars = classes.map((name) => {
      const bar = make("i"), value = make("span", { className: "value" });
      const item = make("li", {}, make("span", { textContent: name }), make("div", { className: "bar" }, bar), value);
      return { item, bar, value };
    });
    place.style.setProperty("--names", `${Math.min(12, Math.max(...classes.map((name) => name.length)) + 1)}ch`);
    const counts = layers.map((name) => {
      const cell = make("td", { className: "number" }), last = make("td", { className: "number" });
      const row = make("tr", {}, make("th", { scope: "row", textContent: name }), cell, last);
      return { row, cell, last, name };
    });
    const heads = ["layer", "spikes so far", "of"].map((text, k) => make("th", { scope: "col", textContent: text, className: k ? "number" : "" }));
    const table = make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...counts.map(({ row }) => row)));
    place.append(
      make("div", { className: "choices" }, make("label", {}, "Sample ", pick), make("label", {}, "Step ", slider), step),
      winner,
      make("div", { className: "sides" }, shown, make("ol", { className: `bars${many ? " many" : ""}` }, ...bars.map(({ item }) => item)), make("div", { className: "table" }, table)),
    );

    let sample, outputs, pixels;
    const choose = () => {
      sample = samples[Number(pick.value)];
      const { least, span, shares } = sample.outputs;
      outputs = Float64Array.from(new Uint16Array(bytes(shares).buffer), (share) => least + (share / 65535) * span);
      pixels = sample.frames && bytes(sample.frames.pixels);
      shown.hidden = !pixels;
      for (const { last, name } of counts) last.textContent = whole(sample.spikes[name].at(-1));
      show();
    };
    const show = () => {
      const t = Number(slider.value) - 1, at = sample.winners[t];
      step.textContent = `${t + 1} of ${nSteps} (${+((t + 1) * dt).toPrecision(4)} ms)`;
      const right = at === sample.label;
      const values = outputs.subarray(t * classes.length, (t + 1) * classes.length);
      const none = values.every((value) => value === values[0]);
      winner.textContent = none ? `Nothing is ahead yet; it is ${classes[sample.label]}` :
        `${classes[at]}: ${right ? "right" : `wrong, it is ${classes[sample.label]}`}`;
      winner.classList.toggle("wrong", !right && !none);
      const least = Math.min(0, ...values), most = Math.max(...values, least + 1e-9);
      bars.forEach(({ item, bar, value }, k) => {
        bar.style.width = `${(100 * (values[k] - least)) / (most - least)}%`;
        value.textContent = values[k].toPrecision(3);
        item.className = `${k === at && !none ? "wins" : ""}${k === sample.label ? " true" : ""}`;
      });
      for (const { cell, name } of counts) cell.textContent = whole(sample.spikes[name][t]);
      if (pixels) paint(t);
    };
    const paint = (t) => {
      const [nFrames, height, width] = sample.frames.shape;
      const frame = nFrames > 1 ? Math.floor((t * nFrames) / nSteps) : 0;
      [image.width, image.height] = [width, height];
      image.setAttribute("aria-label", `What sample ${sample.number} shows`);
      const pen = image.getContext("2d"), data = pen.createImageData(width, height);
      for (let k = 0; k < height * width; k++) {
        const share = pixels[frame * height * width + k] / 255;
        // from the page's tint to its accent
        [245, 247, 250].forEach((from, c) => { data.data[4 * k + c] = from + share * ([0, 88, 140][c] - from); });
        data.data[4 * k + 3] = 255;
      }
      pen.putImageData(data, 0, 0);
    };
    pick.addEventListener("change", choose);
    slider.addEventListener("input", show);
    choose();
  }

  for (const element of document.querySelectorAll(".scripted")) element.hidden = false;
})();
