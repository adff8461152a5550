// The machine: power now, today's energy, cost and carbon, the chart, zones, sources.

import { get } from "./api.js";
import { Chart, CSV_HEADS, csvRows, seriesOf } from "./chart.js";
import { byId, h, origin, replace, segmented, setText } from "./dom.js";
import { exports } from "./export.js";
import { grams, joules, kilowattHours, length, moment, money, number, percent, UNKNOWN, watts, wattHours } from "./figures.js";
import { RANGES, setState, state } from "./state.js";
import { lang, word } from "./words.js";

/** Steps of a chart: about as many as it has room for. */
const STEPS = 120;

/** How figures came about, in a word or two: `measured by powercap`, `estimated by model`. */
export function how(method, source) {
  const name = source === "fake" ? "made_up" : source === "replay" ? "replayed" : method;
  return source ? word("by", word(name), source) : word(name);
}

const sourcesOf = (node) => [...new Set(node.zones.filter(({ zone }) => node.total?.zones.includes(zone)).map(({ source }) => source))];

export function showNow(node) {
  const { total } = node;
  const power = total?.power_watts;
  setText(byId("watts"), watts(power?.total));
  const isEstimated = total && (total.method !== "measured");
  byId("watts").classList.toggle("estimated", Boolean(isEstimated));
  const split = byId("split");
  split.hidden = !power;
  const text = power ? word("split_text", watts(power.idle), watts(power.active)) : word(total ? "no_power" : "no_zones");
  setText(byId("split-text"), `${text} · ${word("busy", percent(node.usage_ratio), node.processors)}`);
  if (power) {
    split.setAttribute("aria-label", text);
    const [idle, work] = split.children;
    idle.style.flexGrow = String(power.idle);
    work.style.flexGrow = String(power.active);
    work.classList.toggle("estimated", isEstimated);
  }
  if (!total) return replace(byId("basis"));
  const parts = [how(total.method, sourcesOf(node).join(", "))];
  if (total.error_ratio !== null) parts.push(word("error", percent(total.error_ratio)));
  if (total.interval_watts) parts.push(word("interval", watts(total.interval_watts.lower), watts(total.interval_watts.upper)));
  const tag = h("span", { class: `tag ${total.method}` }, parts[0]);
  replace(byId("basis"), tag, parts.length > 1 ? ` ${parts.slice(1).join(" · ")}` : "");
}

/** Since midnight on the clock of whoever looks. */
export async function today() {
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  return get("/api/v1/carbon", { from: midnight.toISOString(), lang: lang() });
}

const tile = (name, figure, ...notes) => h("div", { class: "tile" }, h("dt", {}, name), h("dd", { class: "figure" }, figure), ...notes.filter(Boolean).map((note) => h("dd", { class: "fine" }, note)));

function inputNote(input) {
  if (!input) return word("not_known");
  return [word(input.basis), input.year ? ` ${input.year}` : "", " · ", origin(input.source)];
}

export function showToday(carbon) {
  const { site } = carbon;
  const facility = carbon.facility_energy_kwh === null ? null : word("of_facility", kilowattHours(carbon.facility_energy_kwh));
  const price = carbon.currency === null ? word("no_price") : carbon.price_per_kwh === null ? word("price_by_time") : word("price", money(carbon.price_per_kwh, carbon.currency));
  const gridFigure = site.grid_intensity ? `${number(site.grid_intensity.value)} g/kWh` : UNKNOWN;
  const note = (name, figure, input) => h("span", {}, `${name} ${figure} · `, ...[inputNote(input)].flat());
  replace(byId("tiles"),
    tile(word("energy"), wattHours(carbon.energy_joules), how(carbon.method ?? "not_known"), facility),
    tile(word("carbon"), grams(carbon.emissions_gCO2eq), note(word("grid"), gridFigure, site.grid_intensity), note(word("pue"), site.pue ? number(site.pue.value) : UNKNOWN, site.pue)),
    tile(word("cost"), money(carbon.cost, carbon.currency), price),
    tile(word("region"), site.region, `${site.zone_name}, ${site.country}`),
  );
  const notes = [];
  if (carbon.method === null) notes.push(word("today_none"));
  else if (carbon.coverage < 0.95) notes.push(word("covers", percent(carbon.coverage), moment(Date.parse(carbon.from), 86400)));
  setText(byId("today-note"), [...notes, ...site.caveats].join(" "));
}

/** A chart of power over the chosen range, of all or of one workload. */
export class History {
  constructor(element, exportsElement, name, query) {
    this.chart = new Chart(element);
    this.query = query;
    this.first = undefined;
    exports(exportsElement, () => `kepler-${name()}-${state().range}`, () => [CSV_HEADS, this.chart.series ? csvRows(this.chart.series) : []], () => this.chart.svg());
  }

  /** Asks again when a new step can be seen. */
  async refresh(force) {
    const { range } = state();
    const whole = RANGES[range];
    // Where less is known than is asked for, that is asked for, in steps as fine as the chart can show.
    const known = this.of === range && this.first ? Math.min(whole, Math.ceil((Date.now() - this.first) / 1000) + 5) : whole;
    const step = Math.max(1, Math.floor(known / STEPS));
    const pause = Math.min(Math.max(step * 250, 900), 60000);
    if (!force && this.asked && this.of === range && performance.now() - this.asked < pause) return undefined;
    const isFirst = this.of !== range;
    Object.assign(this, { asked: performance.now(), of: range });
    const question = (this.question = {});
    try {
      const history = await get("/api/v1/history", { ...this.query(), range: `${known}s`, step: `${step}s` });
      if (question !== this.question) return undefined;
      const series = seriesOf(history);
      this.first = series.steps[0]?.start;
      if (isFirst && this.first > series.from + whole * 500) return this.refresh(true);
      this.chart.show(series);
      return history;
    } catch (error) {
      if (question !== this.question || error.status === 0 || error.status === 401) return undefined;
      this.chart.say(error.status === 404 || error.status === 503 ? word("no_history") : word("failed", error.message));
      if (error.status === 404 && !isFirst && this.first) this.first = undefined;
      return undefined;
    }
  }

  forget() {
    this.of = this.first = this.asked = undefined;
  }
}

export function ranges(element) {
  const choices = Object.keys(RANGES).map((value) => ({ value, text: word(`range_${value}`) }));
  segmented(element, choices, state().range, (range) => setState({ range }));
  element.setAttribute("aria-label", word("range"));
}

const cell = (text, name) => h("td", { class: name }, text);

export function showZones(node) {
  if (!node.zones.length) return replace(byId("zones"), h("p", { class: "nothing" }, word("no_zones")));
  const names = node.zones.map(({ zone }) => zone);
  const note = (zone) => ((zone === "core" || zone === "uncore") && names.includes("package") ? word("within_package") : zone === "psys" && names.length > 1 ? word("contains_all") : "");
  const rows = node.zones.map((zone) => h("tr", {},
    h("th", { scope: "row", class: "name", title: zone.path }, zone.zone, h("span", { class: "about" }, note(zone.zone))),
    cell(watts(zone.power_watts?.total), "power"), cell(watts(zone.power_watts?.idle), "idle"), cell(joules(zone.energy_joules), "energy"),
    h("td", { class: "source" }, h("span", { class: `tag ${zone.method}` }, how(zone.method, zone.source)), zone.error_ratio === null ? "" : ` ±${percent(zone.error_ratio)}`)));
  const head = (text, name) => h("th", { scope: "col", class: name }, text);
  replace(byId("zones"), h("div", { class: "scroll" }, h("table", {}, h("caption", { class: "sr" }, word("zones_caption")),
    h("thead", {}, h("tr", {}, head(word("zone"), "name"), head(word("power"), "power"), head(word("idle"), "idle"), head(word("energy"), "energy"), head(word("source"), "source"))), h("tbody", {}, rows))));
}

export function showSources(sources) {
  const silent = (at) => (Date.parse(sources.snapshot.at) - Date.parse(at)) / 1000;
  const late = Math.max(15, sources.snapshot.interval_seconds * 3);
  const item = ({ source, last_success }) => {
    const age = silent(last_success);
    const isLate = age > late;
    const zones = sources.zones.filter((zone) => zone.source === source).map(({ zone }) => zone);
    return h("li", {}, h("span", { class: `badge ${isLate ? "non-compliant" : "compliant"}` }, h("span", { "aria-hidden": "true" }, isLate ? "!" : "✓"), " ", isLate ? word("source_late", length(age)) : word("source_ok")), " ", h("b", {}, source), zones.length ? h("span", { class: "about" }, zones.join(", ")) : "");
  };
  const fault = ({ source, reason, count }) => h("li", {}, h("b", {}, source), ` ${reason.replaceAll("_", " ")} · ${word("times", number(count, 6))}`);
  const unused = ({ source, reason, remedy }) => h("li", {}, h("b", {}, source), ` ${reason}`, h("p", { class: "fine" }, word("remedy"), remedy));
  const isOpen = byId("sources").querySelector("details")?.open;
  replace(byId("sources"), h("ul", { class: "plain" }, sources.sources.map(item)),
    sources.faults.length ? [h("h3", {}, word("faults")), h("ul", { class: "plain" }, sources.faults.map(fault))] : h("p", { class: "fine" }, word("all_well")),
    sources.unused.length ? h("details", { open: isOpen }, h("summary", { "data-key": "unused" }, `${word("unused")} (${sources.unused.length})`), h("ul", { class: "plain" }, sources.unused.map(unused))) : "");
  setText(byId("version"), `Kepler ${sources.version}`);
}
