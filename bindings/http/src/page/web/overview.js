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
  const splitOf = ({ idle, active, unsplit }) => (unsplit ? word("unsplit_text", watts(idle - unsplit), watts(active), watts(unsplit)) : word("split_text", watts(idle), watts(active)));
  const text = power ? splitOf(power) : word(total ? "no_power" : "no_zones");
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

/** Since midnight on the viewer's clock. */
export async function today() {
  const midnight = new Date();
  midnight.setHours(0, 0, 0, 0);
  return get("/api/v1/carbon", { from: midnight.toISOString(), lang: lang() });
}

const tile = (name, figure, ...notes) => tileOf("figure", name, figure, ...notes);
const tileOf = (style, name, figure, ...notes) => h("div", { class: "tile" }, h("dt", {}, name), h("dd", { class: style }, figure), ...notes.filter(Boolean).map((note) => h("dd", { class: "fine" }, note)));

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
    tileOf("figure name", word("region"), site.region, `${site.zone_name}, ${site.country}`),
  );
  const notes = [];
  if (carbon.method === null) notes.push(word("today_none"));
  else if (carbon.coverage < 0.95) notes.push(word("covers", percent(carbon.coverage), moment(Date.parse(carbon.from), 86400)));
  setText(byId("today-note"), [...notes, ...site.caveats].join(" "));
}

/** A chart of power over the chosen range, of all or of one workload. */
export class History {
  constructor(element, exportsElement, name, query, choose, chosen) {
    this.chart = new Chart(element, choose, chosen);
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

const correctionOf = ({ correction }) => (correction ? h("span", { class: "about" }, word("corrected", correction.factor.toFixed(2), correction.source, length(correction.age_seconds))) : "");

export function showZones(node) {
  if (!node.zones.length) return replace(byId("zones"), h("p", { class: "nothing" }, word("no_zones")));
  const names = node.zones.map(({ zone }) => zone);
  const note = (zone) => ((zone === "core" || zone === "uncore") && names.includes("package") ? word("within_package") : zone === "psys" && names.length > 1 ? word("contains_all") : zone === "platform" ? word("beside_parts") : "");
  const socketOf = ({ socket, power_watts: power, energy_joules: energy }) => h("tr", { class: "child" },
    h("th", { scope: "row", class: "name" }, h("span", { class: "child", "aria-hidden": "true" }, "└ "), word("socket", socket)), cell(watts(power), "power"), cell("", "idle"), cell(joules(energy), "energy"), h("td", { class: "source" }));
  const rows = node.zones.flatMap((zone) => [h("tr", {},
    h("th", { scope: "row", class: "name", title: zone.path }, zone.zone, h("span", { class: "about" }, note(zone.zone))),
    cell(watts(zone.power_watts?.total), "power"), cell(zone.power_watts?.unsplit ? word("unsplit_idle") : watts(zone.power_watts?.idle), "idle"), cell(joules(zone.energy_joules), "energy"),
    h("td", { class: "source" }, h("span", { class: `tag ${zone.method}` }, how(zone.method, zone.source)), zone.error_ratio === null ? "" : ` ±${percent(zone.error_ratio)}`, correctionOf(zone))),
    ...(zone.sockets ?? []).toSorted((a, b) => a.socket - b.socket).map(socketOf)]);
  const head = (text, name) => h("th", { scope: "col", class: name }, text);
  replace(byId("zones"), h("div", { class: "scroll" }, h("table", {}, h("caption", { class: "sr" }, word("zones_caption")),
    h("thead", {}, h("tr", {}, head(word("zone"), "name"), head(word("power"), "power"), head(word("idle"), "idle"), head(word("energy"), "energy"), head(word("source"), "source"))), h("tbody", {}, rows))));
}

export function showDevices(node) {
  const devices = node.devices ?? [];
  if (!devices.length) return replace(byId("devices"));
  const said = ({ fault, idle_policy }) => (fault ? word("device_fault", fault.replaceAll("_", " ")) : idle_policy ? "" : word("device_unsplit"));
  const rows = devices.map((device) => h("tr", {},
    h("th", { scope: "row", class: "name", title: device.uuid }, `${device.gpu} · ${device.name}`, h("span", { class: "about" }, said(device))),
    cell(watts(device.power_watts?.total), "power"), cell(watts(device.power_watts?.idle ?? undefined), "idle"), cell(joules(device.energy_joules), "energy"),
    cell(device.usage_ratio === null ? "–" : percent(device.usage_ratio), "usage"),
    h("td", { class: "source" }, h("span", { class: `tag ${device.method}` }, how(device.method, device.source)), device.error_ratio === null ? "" : ` ±${percent(device.error_ratio)}`)));
  const head = (text, name) => h("th", { scope: "col", class: name }, text);
  replace(byId("devices"), h("div", { class: "scroll" }, h("table", {}, h("caption", { class: "sr" }, word("devices_caption")),
    h("thead", {}, h("tr", {}, head(word("device"), "name"), head(word("power"), "power"), head(word("idle"), "idle"), head(word("energy"), "energy"), head(word("device_usage"), "usage"), head(word("source"), "source"))), h("tbody", {}, rows))));
}

/** Meters of the whole machine, and what it draws beside its metered parts. Nothing where there is none. */
export function showPlatform(node) {
  const meters = node.platform ?? [];
  if (!meters.length) return replace(byId("platform"));
  const head = (text, name) => h("th", { scope: "col", class: name }, text);
  const error = ({ error_ratio }) => (error_ratio === null ? "" : ` ${word("error", percent(error_ratio))}`);
  const about = ({ fault, scope }) => (fault ? word("device_fault", fault.replaceAll("_", " ")) : scope === "node" ? "" : word(`platform_${scope}`));
  const rows = meters.map((meter) => h("tr", {},
    h("th", { scope: "row", class: "name", title: meter.path }, [meter.bmc_id, meter.chassis_id].filter(Boolean).join(" · ") || meter.source, h("span", { class: "about" }, about(meter))),
    cell(watts(meter.power_watts ?? undefined), "power"), cell(joules(meter.energy_joules), "energy"),
    cell(meter.age_seconds === null ? "–" : length(meter.age_seconds), "usage"),
    h("td", { class: "source" }, h("span", { class: `tag ${meter.method}` }, how(meter.method, meter.source)), ` ${meter.source_type}`, error(meter))));
  const rest = node.platform_residual;
  if (rest) rows.push(h("tr", {}, h("th", { scope: "row", class: "name" }, word("platform_rest"), h("span", { class: "about" }, rest.fault ? word("platform_below_parts") : "")),
    cell(watts(rest.power_watts ?? undefined), "power"), cell(joules(rest.energy_joules), "energy"), cell("", "usage"), h("td", { class: "source" }, h("span", { class: `tag ${rest.method}` }, how(rest.method)), error(rest))));
  replace(byId("platform"), h("div", { class: "scroll" }, h("table", {}, h("caption", { class: "sr" }, word("platform_caption")),
    h("thead", {}, h("tr", {}, head(word("platform"), "name"), head(word("power"), "power"), head(word("energy"), "energy"), head(word("platform_age"), "usage"), head(word("source"), "source"))), h("tbody", {}, rows))));
}

/** How a hub fares with each of its nodes, those first that it gets nothing from. */
export function showHub(hub) {
  const rank = ({ state }) => (state === "scraped" ? 1 : 0);
  const item = ({ node, state, age_seconds, fault }) => {
    const isWell = state === "scraped";
    const text = isWell ? word("source_ok") : word(`node_${state}`);
    return h("li", {}, h("span", { class: `badge ${isWell ? "compliant" : "non-compliant"}` }, h("span", { "aria-hidden": "true" }, isWell ? "✓" : "!"), " ", text), " ", h("b", {}, node), age_seconds === null ? "" : h("span", { class: "about" }, word("ago", length(age_seconds))), fault ? h("p", { class: "fine" }, fault) : "");
  };
  const nodes = [...hub.nodes].sort((a, b) => rank(a) - rank(b));
  replace(byId("sources"), hub.unlisted ? h("p", { class: "fine" }, hub.unlisted) : "", h("ul", { class: "plain" }, nodes.slice(0, 300).map(item)));
}

export function showSources(sources) {
  const silent = (at) => (Date.parse(sources.snapshot.at) - Date.parse(at)) / 1000;
  const late = Math.max(15, sources.snapshot.interval_seconds * 3);
  const item = ({ source, last_success }) => {
    const age = silent(last_success);
    // A service processor answers when it can.
    const isLate = age > (source === "redfish" ? 120 : late);
    const zones = sources.zones.filter((zone) => zone.source === source).map(({ zone }) => zone);
    return h("li", {}, h("span", { class: `badge ${isLate ? "non-compliant" : "compliant"}` }, h("span", { "aria-hidden": "true" }, isLate ? "!" : "✓"), " ", isLate ? word("source_late", length(age)) : word("source_ok")), " ", h("b", {}, source), zones.length ? h("span", { class: "about" }, zones.join(", ")) : "");
  };
  const fault = ({ source, reason, count }) => h("li", {}, h("b", {}, source), ` ${reason.replaceAll("_", " ")} · ${count === 1 ? word("once") : word("times", number(count, 6))}`);
  const unused = ({ source, reason, remedy }) => h("li", {}, h("b", {}, source), ` ${reason}`, h("p", { class: "fine" }, word("remedy"), remedy));
  const isOpen = byId("sources").querySelector("details")?.open;
  replace(byId("sources"), h("ul", { class: "plain" }, sources.sources.map(item)),
    sources.faults.length ? [h("h3", {}, word("faults")), h("ul", { class: "plain" }, sources.faults.map(fault))] : h("p", { class: "fine" }, word("all_well")),
    sources.unused.length ? h("details", { open: isOpen }, h("summary", { "data-key": "unused" }, `${word("unused")} (${sources.unused.length})`), h("ul", { class: "plain" }, sources.unused.map(unused))) : "");
  setText(byId("version"), `Kepler ${sources.version}`);
}
