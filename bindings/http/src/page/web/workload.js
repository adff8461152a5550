// One workload: its power over time, what it emits, how it is judged and why, and what would help.

import { tool } from "./api.js";
import { badge } from "./consumers.js";
import { byId, h, origin, replace, setText } from "./dom.js";
import { grams, gramsPerHour, kilowattHours, money, number, percent, watts } from "./figures.js";
import { History, how, ranges } from "./overview.js";
import { setState, state } from "./state.js";
import { lang, word } from "./words.js";

const JUDGED_EVERY = 10000;
const LENGTHS = { process: "process", container: "container", pod: "pod", unit: "unit", vm: "vm", job: "job", command: "process", deployment: "deployment", statefulset: "statefulset", daemonset: "daemonset", controller: "controller" };

export class WorkloadPage {
  constructor() {
    this.element = byId("workload");
  }

  /** Builds the page of the chosen workload. */
  open() {
    const { workload, of, ns } = state();
    this.judged = undefined;
    this.ranges = h("div", { class: "segmented", role: "group" });
    const [chart, saves] = [h("div", { class: "chart" }), h("div", { class: "exports" })];
    this.tiles = h("dl", { class: "tiles" });
    this.verdict = h("div", { class: "columns", "aria-live": "polite" });
    this.status = h("span", {});
    const copy = h("button", { type: "button", class: "quiet", onclick: () => this.copy(copy) }, word("copy"));
    const title = h("h1", { class: "workload-name", tabindex: -1 }, workload);
    replace(this.element,
      h("p", { class: "back" }, h("button", { type: "button", class: "quiet", onclick: () => setState({ workload: "", of: "process", ns: "" }) }, `← ${word("back")}`)),
      h("div", { class: "bar" }, title, h("span", { class: "muted" }, ns ? `${word(`one_${of}`)} · ${ns}` : word(`one_${of}`)), this.status, copy),
      this.tiles,
      h("section", { class: "panel wide", "aria-label": word("over_time") }, h("div", { class: "bar" }, h("h2", {}, word("over_time")), this.ranges, saves), chart),
      this.verdict);
    this.history = new History(chart, saves, () => workload.replace(/[^\w.-]+/g, "_"), () => ({ workload, kind: LENGTHS[of], namespace: ns || undefined }));
    ranges(this.ranges);
    return title;
  }

  rangeChanged() {
    ranges(this.ranges);
    this.history.forget();
  }

  async copy(button) {
    await navigator.clipboard?.writeText(location.href).catch(() => {});
    setText(button, word("copied"));
  }

  async refresh(force) {
    this.history.refresh(force);
    if (!force && this.judged && performance.now() - this.judged < JUDGED_EVERY) return;
    this.judged = performance.now();
    const { workload, of, ns } = state();
    try {
      const answer = await tool("assess_workload_compliance", { workload, kind: LENGTHS[of], namespace: ns || undefined, lang: lang() });
      if (state().workload === workload) this.show(answer);
    } catch (error) {
      if (state().workload !== workload || error.status === 0 || error.status === 401) return;
      replace(this.verdict, h("section", { class: "panel" }, h("h2", {}, error.status === 404 ? word("not_found") : word("verdict")), h("p", {}, error.message)));
    }
  }

  show(answer) {
    const month = answer.projected_monthly;
    const { running, terminated } = answer.instances;
    const energy = answer.inputs.find((input) => input.name === "energy");
    const tile = (name, figure, ...notes) => h("div", { class: "tile" }, h("dt", {}, name), h("dd", { class: "figure" }, figure), ...notes.filter(Boolean).map((note) => h("dd", { class: "fine" }, note)));
    replace(this.status, badge(answer.status));
    replace(this.tiles,
      tile(word("mean_power"), watts(answer.power_watts.total), word("in_window", answer.window), energy ? how(energy.basis) : ""),
      tile(word("emissions"), gramsPerHour(answer.emissions_gCO2eq_per_hour), `${number(answer.current_carbon_intensity_gCO2eq_kWh)} gCO₂e/kWh`),
      tile(word("month"), kilowattHours(month?.energy_kwh), grams(month?.emissions_kg === null || month?.emissions_kg === undefined ? null : month.emissions_kg * 1000), month?.currency ? money(month.cost, month.currency) : ""),
      tile(word("region"), answer.region, word("instances", running, terminated)));
    replace(this.verdict, this.judgement(answer), this.help(answer), this.evidence(answer));
  }

  judgement(answer) {
    const limit = (rule) => (rule.limit ? word("limit", Object.values(rule.limit).map((value) => number(value)).join(" – ")) : "");
    const gap = (rule) => (rule.gap_percent === null ? "" : ` (${rule.gap_percent > 0 ? "+" : ""}${number(rule.gap_percent)} %)`);
    const rule = (rule) => h("li", {}, badge(rule.status), " ", h("b", {}, rule.code), " ", rule.value === null ? "" : `${number(rule.value)} ${rule.unit}`.trim(), " ", h("span", { class: "muted" }, `${limit(rule)}${gap(rule)}`), h("p", { class: "fine" }, rule.reason));
    return h("section", { class: "panel" }, h("h2", {}, word("verdict")), h("p", { class: "reason" }, answer.recommendation), h("h3", {}, word("rules")), h("ul", { class: "plain" }, answer.verdicts.map(rule)));
  }

  help(answer) {
    const saved = (item) => {
      const { kgCO2eq, cost } = item.estimated_savings;
      const [least, most] = item.reduction_range_percent;
      return [word("up_to", percent(most / 100)), least === most ? "" : word("between", percent(least / 100), percent(most / 100)), kgCO2eq === null ? "" : grams(kgCO2eq * 1000), cost === null ? "" : money(cost, answer.projected_monthly?.currency), word(`effort_${item.implementation_complexity}`)].filter(Boolean).join(" · ");
    };
    const item = (item) => h("li", {}, h("b", {}, item.description), h("p", {}, saved(item)), h("p", { class: "fine" }, item.basis));
    const list = answer.optimizations.length ? h("ul", { class: "plain" }, answer.optimizations.map(item)) : h("p", { class: "nothing" }, word("nothing_helps"));
    return h("section", { class: "panel" }, h("h2", {}, word("helps")), list);
  }

  evidence(answer) {
    const row = (input) => h("li", {}, h("b", {}, input.name.replaceAll("_", " ")), ` ${number(input.value)} ${input.unit} · ${word(input.basis)}${input.year ? ` ${input.year}` : ""} · `, origin(input.source));
    return h("section", { class: "panel" }, h("h2", {}, word("rests_on")), h("ul", { class: "plain" }, answer.inputs.map(row)), answer.caveats.length ? [h("h3", {}, word("caveats")), h("ul", { class: "caveats" }, answer.caveats.map((text) => h("li", {}, text)))] : "");
  }
}

