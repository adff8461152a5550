// Power over time as SVG: means of steps as steps, gaps as gaps, estimates hatched, their interval as a dashed band.

import { h, replace, s, setText } from "./dom.js";
import { moment, tick, watts } from "./figures.js";
import { lang, word } from "./words.js";

const MARGIN = { left: 62, right: 10, top: 10, bottom: 26 };
/** From the bottom up. */
const PARTS = ["idle", "workloads", "unattributed"];
/** Readings that follow one another this closely are no gap, milliseconds. */
const TOGETHER = 1500;

/** What the history answers, as a chart takes it. */
export function seriesOf(history) {
  const steps = history.steps.filter((step) => step.power_watts.total !== null).map((step) => ({
    start: Date.parse(step.start), end: Date.parse(step.end), total: step.power_watts.total,
    parts: step.parts_watts, interval: step.interval_watts,
  }));
  return { from: Date.parse(history.from), to: Date.parse(history.to), steps, method: history.method, errorRatio: history.error_ratio, coverage: history.coverage };
}

export const CSV_HEADS = ["start", "end", "total_watts", "idle_watts", "workloads_watts", "unattributed_watts", "lower_watts", "upper_watts", "method", "error_ratio", "coverage"];
export function csvRows(series) {
  const iso = (time) => new Date(time).toISOString();
  return series.steps.map(({ start, end, total, parts, interval }) => [
    iso(start), iso(end), total, parts?.idle, parts?.workloads, parts?.unattributed, interval?.lower, interval?.upper, series.method, series.errorRatio, series.coverage,
  ]);
}

/** A round step of a scale with about four ticks. */
function niceStep(most) {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((step) => most / step <= 4.5) ?? 10 * power;
}

const TIMES = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 432000].map((seconds) => seconds * 1000);

/** Round moments of the local clock. */
function timeTicks(from, to, most) {
  const step = TIMES.find((step) => (to - from) / step <= most) ?? TIMES.at(-1);
  const shift = new Date(to).getTimezoneOffset() * 60000;
  const ticks = [];
  for (let at = Math.ceil((from - shift) / step) * step + shift; at <= to; at += step) ticks.push(at);
  const options = step >= 86400000 ? { month: "short", day: "numeric" } : step >= 60000 ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } : { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  const format = new Intl.DateTimeFormat(lang(), options);
  return ticks.map((at) => [at, format.format(at)]);
}

/** Steps that follow one another without a gap. */
function runs(steps) {
  const found = [];
  for (const step of steps) {
    const last = found.at(-1);
    if (last && step.start - last.at(-1).end <= TOGETHER) last.push(step);
    else found.push([step]);
  }
  return found;
}

let charts = 0;

export class Chart {
  /** `choose` is called with the step that is clicked, `chosen` tells which is shown elsewhere. */
  constructor(element, choose, chosen) {
    Object.assign(this, { choose, chosen });
    this.hatch = `hatch-${charts++}`;
    this.legend = h("div", { class: "legend", "aria-live": "off" });
    this.drawing = h("div", { class: "drawing" });
    this.note = h("p", { class: "fine" });
    element.replaceChildren(this.legend, this.drawing, this.note);
    this.pointed = null;
    new ResizeObserver(() => this.draw()).observe(this.drawing);
  }

  svg() {
    return this.drawing.querySelector("svg");
  }

  show(series) {
    this.series = series;
    this.draw();
  }

  /** In place of a drawing, why there is none. */
  say(text) {
    this.series = undefined;
    this.legend.replaceChildren();
    setText(this.note, "");
    replace(this.drawing, h("p", { class: "nothing" }, text));
  }

  draw() {
    const { series } = this;
    const width = Math.round(this.drawing.clientWidth);
    if (!series || width < 60) return;
    if (!series.steps.length) return this.say(word("no_history"));
    const height = width < 560 ? 200 : 250;
    const { steps } = series;
    // What was before the first reading is no gap of the measuring: the drawing begins with what is known.
    const from = Math.max(series.from, steps[0].start);
    const to = Math.max(series.to, steps.at(-1).end);
    const most = Math.max(...steps.map((step) => Math.max(step.total, step.interval?.upper ?? 0)), 1e-6) * 1.05;
    const x = (time) => MARGIN.left + (time - from) / (to - from || 1) * (width - MARGIN.left - MARGIN.right);
    const y = (value) => height - MARGIN.bottom - value / most * (height - MARGIN.top - MARGIN.bottom);
    Object.assign(this, { x, y, from, to, width, height });
    const isEstimated = series.method !== "measured";
    const svg = s("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", tabindex: 0, "data-key": "chart", class: "power", "aria-label": this.label() },
      s("defs", {}, s("pattern", { id: this.hatch, width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }, s("line", { x1: 0, y1: 0, x2: 0, y2: 6, class: "hatch" }))),
      this.axes(most), this.areas(isEstimated), this.mark(), this.pointer = s("line", { class: "pointer", "data-pointer": "", y1: MARGIN.top, y2: height - MARGIN.bottom, display: "none" }));
    svg.addEventListener("pointermove", (event) => this.point(this.stepAt(event.clientX - svg.getBoundingClientRect().left)));
    if (this.choose) svg.addEventListener("click", (event) => this.pick(this.stepAt(event.clientX - svg.getBoundingClientRect().left)));
    svg.addEventListener("pointerleave", () => this.point(null));
    svg.addEventListener("blur", () => this.point(null));
    svg.addEventListener("keydown", (event) => this.key(event));
    replace(this.drawing, svg);
    this.point(this.pointed !== null && this.pointed < steps.length ? this.pointed : null);
    this.notes(isEstimated);
  }

  label() {
    const { steps } = this.series;
    const span = (this.to - this.from) / 1000;
    const highest = Math.max(...steps.map((step) => step.total));
    return word("chart_label", moment(this.from, span), moment(this.to, span), watts(steps.at(-1).total), watts(highest));
  }

  notes(isEstimated) {
    const { series } = this;
    const notes = [];
    if (series.steps[0].start - series.from > (series.to - series.from) * 0.02) notes.push(word("since", moment(series.steps[0].start, Infinity)));
    else if (series.coverage < 0.95) notes.push(word("covered_part", `${Math.round(series.coverage * 100)} %`));
    if (isEstimated) notes.push(word("estimated_hatch"));
    if (this.choose) notes.push(word("chart_choose"));
    setText(this.note, notes.join(" "));
  }

  axes(most) {
    const { x, y, width, height } = this;
    const step = niceStep(most);
    const group = s("g", { class: "axes", "aria-hidden": "true" });
    for (let value = 0; value <= most; value += step) {
      group.append(s("line", { class: value ? "rule" : "rule zero", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }),
        s("text", { x: MARGIN.left - 8, y: y(value), "text-anchor": "end", "dominant-baseline": "middle" }, tick(value)));
    }
    for (const [at, text] of timeTicks(this.from, this.to, Math.max(2, Math.floor(width / 110)))) {
      group.append(s("text", { x: Math.min(Math.max(x(at), MARGIN.left + 12), width - 26), y: height - 7, "text-anchor": "middle" }, text));
    }
    return group;
  }

  /** A path along the top of steps and back along their bottom. */
  between(run, bottom, top) {
    const { x, y } = this;
    const along = run.flatMap((step) => [[x(step.start), y(top(step))], [x(step.end), y(top(step))]]);
    const back = run.toReversed().flatMap((step) => [[x(step.end), y(bottom(step))], [x(step.start), y(bottom(step))]]);
    const text = (points) => points.map(([px, py]) => `${px.toFixed(1)},${py.toFixed(1)}`).join("L");
    return { area: `M${text(along)}L${text(back)}Z`, line: `M${text(along)}` };
  }

  areas(isEstimated) {
    const group = s("g", { "aria-hidden": "true" });
    for (const run of runs(this.series.steps)) {
      if (run.every((step) => step.interval)) {
        const { area } = this.between(run, (step) => step.interval.lower, (step) => step.interval.upper);
        group.append(s("path", { class: "band", d: area }));
      }
      const names = run.every((step) => step.parts) ? PARTS : ["workloads"];
      const height = (step, at) => (names.length === 1 ? (at < 0 ? 0 : step.total) : names.slice(0, at + 1).reduce((sum, name) => sum + step.parts[name], 0));
      names.forEach((name, at) => {
        const { area } = this.between(run, (step) => height(step, at - 1), (step) => height(step, at));
        group.append(s("path", { class: `area ${name}`, d: area }));
      });
      const { area, line } = this.between(run, () => 0, (step) => step.total);
      if (isEstimated) group.append(s("path", { d: area, fill: `url(#${this.hatch})`, class: "hatched" }));
      group.append(s("path", { class: isEstimated ? "line estimated" : "line", d: line }));
    }
    return group;
  }

  /** What is chosen, over the drawing. */
  mark() {
    const past = this.chosen?.();
    if (!past || past.end < this.from || past.start > this.to) return "";
    const [left, right] = [Math.max(this.x(past.start), MARGIN.left), Math.min(this.x(past.end), this.width - MARGIN.right)];
    return s("rect", { class: "chosen", "data-pointer": "", x: left, y: MARGIN.top, width: Math.max(right - left, 2), height: this.height - MARGIN.top - MARGIN.bottom });
  }

  /** The step of that number, in full: the first one is cut to what is known of it, which may be less than two readings. */
  pick(at) {
    const { steps, to } = this.series;
    const step = steps[at];
    if (!step) return;
    const length = Math.max(...steps.map(({ start, end }) => end - start));
    this.choose({ start: step.start, end: Math.min(Math.max(step.end, step.start + length), to) });
  }

  stepAt(px) {
    const { steps } = this.series;
    const at = steps.findIndex((step) => px >= this.x(step.start) && px <= this.x(step.end));
    return at < 0 ? null : at;
  }

  key(event) {
    const { steps } = this.series;
    if (event.key === "Enter" && this.choose && this.pointed !== null) {
      event.preventDefault();
      return this.pick(this.pointed);
    }
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -steps.length, End: steps.length }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    const at = (this.pointed ?? steps.length - 1) + move;
    this.point(Math.min(Math.max(at, 0), steps.length - 1));
    this.svg().setAttribute("aria-label", this.legend.textContent);
  }

  /** Shows one step in the legend; the newest one where none is pointed at. */
  point(at) {
    this.pointed = at;
    const { steps } = this.series;
    const step = steps[at ?? steps.length - 1];
    if (at === null) this.pointer.setAttribute("display", "none");
    else {
      const middle = (this.x(step.start) + this.x(step.end)) / 2;
      this.pointer.setAttribute("x1", middle);
      this.pointer.setAttribute("x2", middle);
      this.pointer.removeAttribute("display");
    }
    const entry = (name, value) => h("span", { class: "entry" }, h("span", { class: `swatch ${name}`, "aria-hidden": "true" }), word(name), " ", h("b", {}, value), " ");
    const parts = step.parts ? PARTS.toReversed().map((name) => entry(name, watts(step.parts[name]))) : [];
    const interval = step.interval && entry("band", `${watts(step.interval.lower)} – ${watts(step.interval.upper)}`);
    const span = (this.to - this.from) / 1000;
    this.legend.replaceChildren(h("time", { datetime: new Date(step.start).toISOString() }, `${moment(step.start, span)} – ${moment(step.end, span)}`), " ", entry("total", watts(step.total)), ...parts, interval ?? "");
  }
}

/** A small line of the last values, `null` where one is not known. */
export function sparkline(values) {
  const [width, height] = [92, 20];
  const most = Math.max(...values.map((value) => value ?? 0), 1e-9);
  // What is not known is a gap.
  const lines = [[]];
  values.forEach((value, at) => {
    if (value === null) return lines.at(-1).length ? lines.push([]) : undefined;
    return lines.at(-1).push(`${(width - (values.length - 1 - at) * (width / 59)).toFixed(1)},${(height - 1 - value / most * (height - 3)).toFixed(1)}`);
  });
  return s("svg", { class: "spark", width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, ...lines.filter((line) => line.length).map((line) => s("polyline", { points: line.join(" ") })));
}
