// Draws the loss curve of one run. Body of gr.HTML(js_on_load=...): element, props and watch are handed in.
const canvas = element.querySelector("canvas");
const plot = element.querySelector(".plot");
const readout = element.querySelector(".readout");
const spoken = element.querySelector("[aria-live]");
const log = element.querySelector(".log input");
const numbers = element.querySelector("details");
const pen = canvas.getContext("2d");
let frame = null; // where things were drawn last: scales and the steps one can point at
let chosen = null; // index into frame.stops, or null
let waiting = false;

const token = (name) => getComputedStyle(element).getPropertyValue("--" + name).trim();
const shown = (value) => (value === null || value === undefined ? "no number" : value.toFixed(value < 0.1 ? 3 : 2));

function niceStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough));
  const lead = rough / power;
  return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

function linearTicks(low, high) {
  const step = niceStep((high - low) / 4);
  const ticks = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9; tick += step) ticks.push(tick);
  return [ticks, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))];
}

function logTicks(low, high) {
  const ticks = [];
  for (let power = 10 ** Math.floor(Math.log10(low)); power <= high; power *= 10)
    for (const lead of [1, 2, 5]) if (lead * power >= low && lead * power <= high) ticks.push(lead * power);
  return [ticks.length > 1 ? ticks : [low, high], 2];
}

function range(data) {
  const values = data.points.flatMap((point) => [point[1], point[2]]).concat(data.validation.map((point) => point[1]));
  const known = values.filter((value) => value !== null && (!log.checked || value > 0));
  if (!known.length) return [log.checked ? 0.1 : 0, 1];
  let low = Math.min(...known), high = Math.max(...known);
  if (log.checked) return [Math.max(low / 1.15, 1e-6), Math.max(high * 1.15, low * 2)];
  const room = Math.max((high - low) * 0.08, high * 0.02, 0.02);
  return [Math.max(0, low - room), high + room];
}

function scales(data, width, height) {
  const [low, high] = range(data);
  const [ticks, digits] = log.checked ? logTicks(low, high) : linearTicks(low, high);
  const names = ticks.map((tick) => (log.checked ? String(Number(tick.toPrecision(2))) : tick.toFixed(digits)));
  const left = Math.ceil(Math.max(...names.map((name) => pen.measureText(name).width), 8)) + 14;
  const box = { left, right: width - 8, top: 12, bottom: height - 30 };
  const last = Math.max(data.total, data.step, 1);
  const turn = log.checked ? Math.log : (value) => value;
  const x = (step) => box.left + (step / last) * (box.right - box.left);
  const y = (value) => {
    const part = (turn(Math.max(value, log.checked ? low : value)) - turn(low)) / (turn(high) - turn(low));
    return box.bottom - part * (box.bottom - box.top);
  };
  return { box, last, x, y, ticks, names };
}

function line(points, colour, dash) {
  const known = points.filter((point) => point[1] !== null);
  if (!known.length) return;
  pen.strokeStyle = pen.fillStyle = colour;
  pen.lineWidth = 2.5;
  pen.lineJoin = "round";
  pen.setLineDash(dash);
  if (known.length === 1) return dot(known[0], 4);
  pen.beginPath();
  known.forEach(([step, value], index) => pen[index ? "lineTo" : "moveTo"](frame.x(step), frame.y(value)));
  pen.stroke();
  pen.setLineDash([]);
}

function dot([step, value], radius) {
  pen.beginPath();
  pen.arc(frame.x(step), frame.y(value), radius, 0, 2 * Math.PI);
  pen.fill();
}

function axes(data) {
  const { box, last, x, y, ticks, names } = frame;
  pen.strokeStyle = token("line");
  pen.fillStyle = token("muted");
  pen.lineWidth = 1;
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  ticks.forEach((tick, index) => {
    const height = Math.round(y(tick)) + 0.5;
    pen.beginPath();
    pen.moveTo(box.left, height);
    pen.lineTo(box.right, height);
    pen.stroke();
    pen.fillText(names[index], box.left - 10, height);
  });
  pen.textBaseline = "alphabetic";
  const end = last + (last === 1 ? " step" : " steps");
  pen.fillText(end, box.right, box.bottom + 24);
  const free = box.right - pen.measureText(end).width - 24;
  const every = Math.max(1, niceStep((last * 72) / (box.right - box.left)));
  pen.textAlign = "center";
  for (let step = 0; step < last; step += every) if (x(step) < free) pen.fillText(String(step), x(step), box.bottom + 24);
}

function toCome(data) {
  const { box, last, x } = frame;
  if (!data.live || data.step >= last) return;
  pen.fillStyle = token("sunk");
  pen.beginPath();
  pen.roundRect(x(data.step), box.top, box.right - x(data.step), box.bottom - box.top, 8);
  pen.fill();
}

// Text with a rim in the ground's colour, so that it stays readable over points and lines
function label(text, left, middle, colour, weight, align) {
  pen.font = weight + " 13px " + getComputedStyle(element).fontFamily;
  pen.textAlign = align;
  pen.textBaseline = "middle";
  pen.lineWidth = 4;
  pen.lineJoin = "round";
  pen.strokeStyle = token(left > frame.x(frame.step) && align === "left" ? "sunk" : "surface");
  pen.strokeText(text, left, middle);
  pen.fillStyle = colour;
  pen.fillText(text, left, middle);
}

function best(data) {
  const { box, x, y } = frame;
  if (!data.best) return;
  const [step, value, name] = data.best;
  pen.setLineDash([]);
  pen.lineWidth = 2.5;
  pen.fillStyle = token("surface");
  pen.strokeStyle = token("orange");
  pen.beginPath();
  pen.arc(x(step), y(value), 6, 0, 2 * Math.PI);
  pen.fill();
  pen.stroke();
  const wide = pen.measureText(name).width * 1.1 + 16;
  const beyond = Math.max(x(step) + 14, data.live ? x(data.step) + 10 : 0); // beside the lines, where nothing is drawn yet
  const fits = data.live && beyond + wide < box.right;
  const above = y(value) - 18 > box.top + 8 ? y(value) - 18 : y(value) + 20;
  if (fits) label(name, beyond, y(value), token("ink"), 600, "left");
  else label(name, Math.min(Math.max(x(step), box.left + wide / 2), box.right - wide / 2), above, token("ink"), 600, "center");
  if (data.live && box.right - x(data.step) > 110) {
    const low = Math.abs(y(value) - (box.bottom - 16)) < 22 ? box.top + 16 : box.bottom - 16;
    label("still to come", x(data.step) + 10, low, token("muted"), 400, "left");
  }
}

function pointer(data) {
  readout.hidden = chosen === null || !frame.stops.length;
  if (readout.hidden) return;
  const [step, raw, smooth, kept] = frame.stops[chosen];
  const { box, x, y } = frame;
  pen.strokeStyle = token("control");
  pen.lineWidth = 1;
  pen.setLineDash([]);
  pen.beginPath();
  pen.moveTo(Math.round(x(step)) + 0.5, box.top);
  pen.lineTo(Math.round(x(step)) + 0.5, box.bottom);
  pen.stroke();
  for (const [value, colour] of [[smooth, "accent"], [kept, "orange"]]) {
    if (value === null || value === undefined) continue;
    pen.fillStyle = token(colour);
    dot([step, value], 5);
  }
  const parts = [step ? "Step " + step : "Before training"];
  if (raw !== undefined) parts.push("this step " + shown(raw), "smoothed " + shown(smooth));
  if (kept !== undefined) parts.push("kept aside " + shown(kept));
  readout.textContent = parts.join(" · ");
  const half = readout.offsetWidth / 2;
  readout.style.left = Math.min(Math.max(x(step), half), plot.clientWidth - half) + "px";
}

// [step, raw, smoothed, validation] for every step one can point at; undefined where that step has no such value
function stops(data) {
  const found = new Map(data.points.map(([step, raw, smooth]) => [step, [step, raw, smooth, undefined]]));
  for (const [step, value] of data.validation) {
    if (!found.has(step)) found.set(step, [step, undefined, undefined, value]);
    found.get(step)[3] = value;
  }
  return [...found.values()].sort((one, two) => one[0] - two[0]);
}

function draw() {
  waiting = false;
  const data = props.value;
  const width = plot.clientWidth;
  if (!data || !data.points || width < 40) return;
  const height = width < 520 ? 240 : 280;
  const dense = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * dense) || canvas.height !== Math.round(height * dense)) {
    canvas.width = Math.round(width * dense);
    canvas.height = Math.round(height * dense);
    canvas.style.height = height + "px";
  }
  pen.setTransform(dense, 0, 0, dense, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = "13px " + getComputedStyle(element).fontFamily;
  frame = { ...scales(data, width, height), stops: stops(data), step: data.step };
  if (chosen !== null) chosen = Math.min(chosen, frame.stops.length - 1);
  toCome(data);
  axes(data);
  pen.globalAlpha = 0.22;
  pen.fillStyle = token("accent");
  for (const point of data.points) if (point[1] !== null) dot(point, data.points.length > 300 ? 2 : 3);
  pen.globalAlpha = 1;
  line(data.points.map(([step, , smooth]) => [step, smooth]), token("accent"), []);
  line(data.validation, token("orange"), [7, 5]);
  best(data);
  pointer(data);
}

function ask() {
  if (!waiting) requestAnimationFrame(draw);
  waiting = true;
}

function table() {
  const data = props.value;
  if (!numbers.open || !data || !data.points) return;
  const all = stops(data);
  const every = Math.max(1, Math.ceil(all.length / 40));
  const rows = all.filter((stop, index) => stop[3] !== undefined || index % every === 0 || index === all.length - 1);
  const body = numbers.querySelector("tbody");
  body.replaceChildren(
    ...rows.map(([step, raw, smooth, kept]) => {
      const row = document.createElement("tr");
      for (const value of [step || "before", raw, smooth, kept]) {
        const cell = document.createElement("td");
        cell.className = "num";
        cell.textContent = value === undefined ? "–" : typeof value === "number" && value !== step ? shown(value) : (value ?? "no number");
        row.append(cell);
      }
      return row;
    }),
  );
}

function fresh() {
  const data = props.value || {};
  canvas.setAttribute("aria-label", data.label || "No steps yet");
  const weight = element.querySelector(".weight");
  weight.textContent = data.weight
    ? "Smoothed: an exponential moving average that keeps " + data.weight + " of itself at each step."
    : "";
  ask();
  table();
}

function choose(index, aloud) {
  chosen = index;
  ask();
  if (aloud) requestAnimationFrame(() => requestAnimationFrame(() => (spoken.textContent = readout.hidden ? "" : readout.textContent)));
}

function nearest(event) {
  if (!frame || !frame.stops.length) return;
  const at = event.clientX - canvas.getBoundingClientRect().left;
  let found = 0;
  frame.stops.forEach((stop, index) => {
    if (Math.abs(frame.x(stop[0]) - at) < Math.abs(frame.x(frame.stops[found][0]) - at)) found = index;
  });
  choose(found, false);
}

canvas.addEventListener("pointermove", nearest);
canvas.addEventListener("pointerdown", nearest);
canvas.addEventListener("pointerleave", () => choose(null, false));
canvas.addEventListener("blur", () => choose(null, false));
canvas.addEventListener("keydown", (event) => {
  if (!frame || !frame.stops.length) return;
  const last = frame.stops.length - 1;
  const now = chosen === null ? last + 1 : chosen;
  const to = { ArrowLeft: now - 1, ArrowRight: Math.min(now + 1, last), PageUp: now - 10, PageDown: now + 10, Home: 0, End: last }[event.key];
  if (event.key === "Escape") return choose(null, true);
  if (to === undefined) return;
  event.preventDefault();
  choose(Math.min(Math.max(to, 0), last), true);
});
log.addEventListener("change", ask);
numbers.addEventListener("toggle", table);
new ResizeObserver(ask).observe(plot);
new MutationObserver(ask).observe(document.body, { attributes: true, attributeFilter: ["class"] });
new MutationObserver(ask).observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
watch("value", fresh);
fresh();
