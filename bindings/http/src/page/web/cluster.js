// Other machines, where the tools answer from an exporter or Prometheus elsewhere: nodes, namespaces, the inventory by
// verdict, regions by what they emit, hours by when they emit least.

import { tool } from "./api.js";
import { badge } from "./consumers.js";
import { byId, h, replace, s, segmented } from "./dom.js";
import { grams, gramsPerHour, joules, length, moment, number, percent, watts } from "./figures.js";
import { address, FILTERS, setState, state } from "./state.js";
import { lang, word } from "./words.js";

const EVERY = 30000;
const REGIONS = 10;

/** Whether a source of figures is this program's own. */
export const isOwn = (source) => source === "live" || source === "history";

const cell = (name, ...content) => h("td", { class: name }, ...content);
const head = (name, text) => h("th", { scope: "col", class: name }, text);
const nothing = (text) => h("p", { class: "nothing" }, text);

function table(caption, heads, rows) {
  return h("div", { class: "scroll" }, h("table", {}, h("caption", { class: "sr" }, caption), h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows)));
}

function panel(title, ...content) {
  return h("section", { class: "panel" }, h("h2", {}, title), ...content);
}

export class Cluster {
  /** Asks for what is slow to change; `source` is who answers. */
  async refresh(source, force) {
    const element = byId("cluster");
    element.hidden = isOwn(source);
    if (element.hidden || (!force && this.asked && performance.now() - this.asked < EVERY)) return;
    this.asked = performance.now();
    const scope = { lang: lang() };
    const filter = state().verdict;
    const [summary, inventory, regions, hours] = await Promise.all([
      tool("get_cluster_carbon_summary", scope),
      tool("list_workloads_by_compliance", { ...scope, status_filter: filter, limit: 25 }),
      tool("get_regional_comparison", { ...scope, limit: REGIONS }),
      tool("calculate_optimal_schedule", { ...scope, duration: "1h" }),
    ].map((answer) => answer.catch((error) => ({ failed: error.message }))));
    const or = (answer, show) => (answer.failed ? nothing(word("failed", answer.failed)) : show(answer));
    replace(element,
      h("div", { class: "bar" }, h("h1", {}, word("all_nodes")), h("span", { class: "fine" }, word("from_source", source))),
      h("div", { class: "columns" },
        panel(word("nodes"), or(summary, nodes)), panel(word("namespaces"), or(summary, namespaces)),
        panel(word("regions"), or(regions, ranking)), panel(word("best_hours"), or(hours, schedule)),
        h("section", { class: "panel wide" }, h("div", { class: "bar" }, h("h2", {}, word("inventory")), this.filters(inventory, filter)), or(inventory, workloads))));
  }

  filters(inventory, filter) {
    const group = h("div", { class: "segmented", role: "group", "aria-label": word("verdict") });
    const { counts } = inventory;
    const total = counts && Object.values(counts).reduce((sum, count) => sum + count, 0);
    const choices = FILTERS.map((value) => ({ value, text: word(value), count: counts && (value === "all" ? total : counts[value.toLowerCase()]) }));
    segmented(group, choices, filter, (verdict) => setState({ verdict }));
    return group;
  }
}

function nodes({ nodes, skipped, idle_percent, unattributed_percent, coverage, window }) {
  const row = (node) => h("tr", {}, h("th", { scope: "row", class: "name" }, node.node, h("span", { class: "about" }, word(node.basis))), cell("power", watts(node.power_watts)), cell("energy", joules(node.energy_joules)), cell("share", percent(node.idle_percent === null ? null : node.idle_percent / 100)), cell("share", percent(node.unattributed_percent === null ? null : node.unattributed_percent / 100)));
  const share = (value) => percent(value === null ? null : value / 100);
  return [
    nodes.length ? table(word("nodes"), [head("name", word("node")), head("power", word("power")), head("energy", word("energy")), head("share", word("idle")), head("share", word("unattributed"))], nodes.map(row)) : nothing(word("no_nodes")),
    h("p", { class: "fine" }, word("fleet", share(idle_percent), share(unattributed_percent), percent(coverage), window)),
    skipped.length ? h("ul", { class: "caveats" }, skipped.map(({ what, reason }) => h("li", {}, `${what}: ${reason}`))) : "",
  ];
}

function namespaces({ namespaces }) {
  if (!namespaces.length) return nothing(word("no_namespaces"));
  const row = (item) => h("tr", {}, h("th", { scope: "row", class: "name" }, item.namespace, h("span", { class: "about" }, item.workloads)), cell("power", watts(item.power_watts)), cell("energy", joules(item.energy_joules)), cell("carbon", grams(item.emissions_kg === null ? null : item.emissions_kg * 1000)), cell("verdict", badge(item.status)));
  return table(word("namespaces"), [head("name", word("namespace")), head("power", word("power")), head("energy", word("energy")), head("carbon", "CO₂e"), head("verdict", word("verdict"))], namespaces.map(row));
}

function workloads({ workloads, total }) {
  if (!workloads.length) return nothing(word("none_of_kind"));
  const row = (item) => h("tr", {},
    h("th", { scope: "row", class: "name" }, h("a", { href: address({ workload: item.workload, of: item.kind, ns: item.namespace ?? "" }) }, item.workload), h("span", { class: "about" }, [word(`one_${item.kind}`), item.namespace].filter(Boolean).join(" · "))),
    cell("power", watts(item.power_watts)), cell("energy", joules(item.energy_joules)), cell("carbon", gramsPerHour(item.emissions_gCO2eq_per_hour)), cell("verdict", badge(item.status)));
  return [table(word("inventory"), [head("name", word("col_name")), head("power", word("power")), head("energy", word("energy")), head("carbon", "CO₂e"), head("verdict", word("verdict"))], workloads.map(row)), h("p", { class: "fine" }, word("shown", workloads.length, total))];
}

/** Bars of one measure, with the one that is now marked. */
function bars(items) {
  const most = Math.max(...items.map(({ value }) => value), 1e-9);
  const bar = ({ name, note, value, text, isNow }) => h("li", { class: isNow ? "here" : null },
    h("span", { class: "bar-name" }, name, note ? h("span", { class: "about" }, note) : ""),
    s("svg", { class: "bar-drawing", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { width: Math.max(value / most * 100, 0.5), height: 6 })), h("span", { class: "bar-value" }, text));
  return h("ol", { class: "bars" }, items.map(bar));
}

function ranking({ regions, current, advice, method, caveats }) {
  const shown = [...regions.filter(({ region }) => region !== current.region), current].filter((region) => region.effective_intensity_gCO2eq_kWh !== null).sort((a, b) => a.effective_intensity_gCO2eq_kWh - b.effective_intensity_gCO2eq_kWh);
  const item = (region) => ({ name: `${region.rank ?? "–"}. ${region.region}`, note: region.zone_name, value: region.effective_intensity_gCO2eq_kWh, text: `${number(region.effective_intensity_gCO2eq_kWh)} g/kWh`, isNow: region.region === current.region });
  return [bars(shown.map(item)), h("p", { class: "fine" }, [advice?.text, method, ...caveats].filter(Boolean).join(" · "))];
}

function schedule({ ranking, now, distinguishes_hours, caveats, basis }) {
  const span = 86400;
  const windows = distinguishes_hours ? [now, ...ranking.filter(({ start }) => start !== now.start)].sort((a, b) => Date.parse(a.start) - Date.parse(b.start)) : [];
  const item = (window) => ({ name: moment(Date.parse(window.start), span), note: length((Date.parse(window.end) - Date.parse(window.start)) / 1000), value: window.mean_intensity_gCO2eq_kWh, text: `${number(window.mean_intensity_gCO2eq_kWh)} g/kWh`, isNow: window.start === now.start });
  return [windows.length ? bars(windows.map(item)) : nothing(word("hours_alike")), h("p", { class: "fine" }, [basis.replaceAll("_", " "), ...caveats].join(" · "))];
}
