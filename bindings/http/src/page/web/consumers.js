// The table of what uses energy: one kind at a time, sorted and searched by the server, its processes on demand.

import { get, tool } from "./api.js";
import { sparkline } from "./chart.js";
import { byId, h, replace, segmented, setText } from "./dom.js";
import { exports } from "./export.js";
import { carbonRate, gramsPerHour, joules, moment, percent, watts } from "./figures.js";
import { past, trends } from "./past.js";
import { keyOf, VALUES } from "./rows.js";
import { address, KINDS, pastOf, setState, state } from "./state.js";
import { lang, word } from "./words.js";

export const PLURAL = { process: "processes", container: "containers", pod: "pods", unit: "units", vm: "vms", job: "jobs", command: "commands" };
/** What the server sorts by; verdicts, which it does not know there, are sorted here. */
const SERVER_SORT = { name: "name", power: "power", share: "power", carbon: "power", energy: "energy", verdict: "power" };
const COLUMNS = ["name", "trend", "power", "share", "energy", "carbon", "verdict"];
const SORTABLE = COLUMNS.filter((column) => column !== "trend");
/** Kinds whose processes can be listed, and by which parameter. */
const PARENTS = { container: ["container", "id"], pod: ["pod", "id"], unit: ["unit", "cgroup"] };
const VERDICTS_EVERY = 30000;


/** What a workload is called: as the tools name it. */
export const nameOf = (row) => row.comm ?? row.name ?? row.id ?? row.cgroup ?? "";
export const namespaceOf = (row) => row.namespace ?? row.pod_namespace ?? "";
const short = (name) => (/^[0-9a-f]{24,}$/.test(name) ? name.slice(0, 12) : name);

function about(kind, row) {
  const place = row.container_name ?? (row.container_id && row.container_id.slice(0, 12)) ?? row.unit ?? row.job_id;
  switch (kind) {
    case "process": return [row.pid, place];
    case "container": return [row.runtime, [row.pod_namespace, row.pod_name].filter(Boolean).join("/")];
    case "pod": return [row.namespace];
    case "vm": return [row.hypervisor];
    case "job": return [row.scheduler];
    case "command": return [place];
    default: return [row.cgroup];
  }
}

export function badge(status) {
  if (!status) return h("span", { class: "muted" }, "–");
  const sign = { COMPLIANT: "✓", NON_COMPLIANT: "✕", NOT_APPLICABLE: "·", INSUFFICIENT_DATA: "?" }[status];
  return h("span", { class: `badge ${status.toLowerCase().replaceAll("_", "-")}` }, h("span", { "aria-hidden": "true" }, sign), " ", h("span", { class: "label" }, word(status)));
}

/** The methods, the weakest first. */
const METHODS = ["estimated", "partial", "measured"];

/** How a row's total was found, and how far off it may be: by the weakest of the zones that it is made of. */
function foundBy(zones, energy) {
  const known = zones.filter(({ zone }) => energy[zone] !== null && energy[zone] !== undefined);
  const whole = known.filter(({ zone }) => energy[zone] === energy.total);
  const counted = whole.length ? whole : known.filter(({ zone }) => !["psys", "core", "uncore"].includes(zone));
  const [weakest] = counted.sort((a, b) => METHODS.indexOf(a.method) - METHODS.indexOf(b.method));
  return [weakest?.method, weakest?.error_ratio];
}

export class Consumers {
  constructor(intensity, origin) {
    Object.assign(this, { intensity, origin });
    this.rows = new Map();
    this.trends = new Map();
    this.verdicts = new Map();
    this.counts = {};
    this.expanded = new Map();
    this.answer = undefined;
    this.element = byId("consumers");
    exports(byId("table-exports"), () => `kepler-${PLURAL[state().kind]}`, () => this.csv());
    this.build();
  }

  build() {
    this.rows.clear();
    this.heads = new Map(COLUMNS.map((column) => [column, h("th", { scope: "col", class: column })]));
    this.body = h("tbody");
    this.message = h("p", { class: "nothing" });
    this.shown = h("span", { class: "fine" });
    this.more = h("button", { type: "button", class: "quiet", onclick: () => setState({ rows: String(Math.min(Number(state().rows) * 2, 1000)) }) }, word("more"));
    const table = h("table", { class: "consumers" }, h("caption", { class: "sr" }, word("consumers_caption")), h("thead", {}, h("tr", {}, ...this.heads.values())), this.body);
    this.past = h("p", { class: "past", role: "status" });
    this.past.hidden = true;
    this.answer = undefined;
    replace(this.element, this.past, h("div", { class: "scroll" }, table), this.message, h("p", { class: "below" }, this.shown, " ", this.more));
    this.headings();
    this.kinds();
  }

  headings() {
    const { sort, order } = state();
    for (const [column, head] of this.heads) {
      const text = word(`col_${column}`);
      const title = { share: word("share_title"), energy: word("energy_title") }[column];
      if (!SORTABLE.includes(column)) { head.replaceChildren(text); continue; }
      const isSorted = sort === column;
      head.setAttribute("aria-sort", isSorted ? (order === "asc" ? "ascending" : "descending") : "none");
      const next = isSorted && order === "desc" ? "asc" : isSorted ? "desc" : column === "name" ? "asc" : "desc";
      replace(head, h("button", { type: "button", title, "data-key": `sort-${column}`, onclick: () => setState({ sort: column, order: next }) }, text, h("span", { "aria-hidden": "true", class: "arrow" }, isSorted ? (order === "asc" ? " ↑" : " ↓") : "")));
    }
  }

  kinds() {
    const choices = KINDS.map((value) => ({ value, text: word(`kind_${value}`), count: this.counts[value], empty: this.counts[value] === 0 }));
    segmented(byId("kinds"), choices, state().kind, (kind) => setState({ kind, rows: "25" }));
    byId("kinds").setAttribute("aria-label", word("kind"));
  }

  /** Asks for the rows of the newest snapshot; a question that is overtaken is dropped. */
  async refresh(node) {
    this.node = node ?? this.node;
    const { kind, sort, order, q, rows } = state();
    const asked = (this.asked ?? 0) + 1;
    this.asked = asked;
    const time = pastOf(state().at);
    if (time) return void this.showPast(time, asked);
    this.past.hidden = true;
    const query = { sort: SERVER_SORT[sort], order: sort === "verdict" ? "desc" : order, limit: rows, search: q };
    // Ended commands are no running workloads: what they used is what counts.
    if (kind === "command") Object.assign(query, { state: "all", sort: sort === "name" ? "name" : "energy" });
    this.judge(kind);
    try {
      const answer = await get(`/api/v1/${PLURAL[kind]}`, query);
      const children = await this.children(kind);
      if (asked !== this.asked) return;
      this.answer = { kind, ...answer };
      if (!q && this.counts[kind] !== answer.matched) {
        this.counts[kind] = answer.matched;
        this.kinds();
      }
      this.draw(children);
      this.remember(kind, answer);
    } catch (error) {
      if (asked !== this.asked || error.status === 0 || error.status === 401) return;
      setText(this.message, word("failed", error.message));
      this.message.hidden = false;
    }
  }

  /** Who used how much in a time that has passed: it does not change, so it is asked for once. */
  async showPast(time, asked) {
    const { kind, sort, order, q, rows, at } = state();
    const key = [kind, sort, order, q, rows, at].join(" ");
    if (this.answer?.key === key || this.asking === key) return;
    this.asking = key;
    const span = (time.end - time.start) / 1000;
    const say = (text) => replace(this.past, h("span", {}, text), h("button", { type: "button", class: "quiet", "data-key": "now", onclick: () => setState({ at: "" }) }, word("now")));
    const edges = [moment(time.start, Math.min(span, 3600)), moment(time.end, Math.min(span, 3600))];
    this.past.hidden = false;
    say(word("past_asking", ...edges));
    try {
      const answer = await past(time, { kind, sort, order, q, rows });
      if (key !== [state().kind, state().sort, state().order, state().q, state().rows, state().at].join(" ")) return;
      this.answer = { kind, key, ...answer };
      say(word("past", ...edges, answer.source));
      this.draw(new Map());
    } catch (error) {
      if (error.status === 0 || error.status === 401) return;
      this.rows.forEach(({ element }) => element.remove());
      this.rows.clear();
      say(word("past_asking", ...edges));
      setText(this.message, error.status === 404 ? word("past_none") : word("failed", error.message));
      this.message.hidden = false;
    } finally {
      this.asking = undefined;
    }
  }

  /** Begins the trends of rows that are new here with what the server remembers of them. */
  async remember(kind, answer) {
    const isNew = (row) => !this.trends.get(keyOf(kind, row))?.isRemembered;
    if (!answer.items.some(isNew) || performance.now() - (this.remembered?.[kind] ?? -Infinity) < VERDICTS_EVERY) return;
    // Another source is asked workload by workload, which would take long.
    if (this.origin() !== "live") return;
    (this.remembered ??= {})[kind] = performance.now();
    const known = await trends(kind, answer.snapshot.interval_seconds).catch(() => undefined);
    for (const [key, values] of known ?? []) {
      const trend = this.trends.get(key) ?? { id: 0, values: [] };
      if (trend.isRemembered) continue;
      trend.values = [...values.slice(0, Math.max(VALUES - trend.values.length, 0)), ...trend.values].slice(-VALUES);
      trend.isRemembered = true;
      this.trends.set(key, trend);
      if (!this.answer?.key) this.rows.get(key)?.trend.replaceChildren(sparkline(trend.values));
    }
  }

  /** Begins the trends of what is shown, once it is known whose figures these are. */
  beginTrends() {
    if (this.answer && !this.answer.key) this.remember(this.answer.kind, this.answer);
  }

  /** The processes of what is expanded. */
  async children(kind) {
    const ways = [...this.expanded].filter(([, { of }]) => of === kind);
    const lists = ways.map(async ([key, { parameter, value }]) => [key, (await get("/api/v1/processes", { [parameter]: value, limit: 20 })).items]);
    return new Map(await Promise.all(lists));
  }

  /** How many there are of each kind. */
  async count() {
    const lists = KINDS.map(async (kind) => [kind, (await get(`/api/v1/${PLURAL[kind]}`, { limit: 1, state: kind === "command" ? "all" : "running" })).matched]);
    this.counts = Object.fromEntries(await Promise.all(lists));
    this.kinds();
  }

  /** Verdicts of the kind's workloads, now and then: they change slowly. */
  async judge(kind) {
    const of = kind === "command" ? "process" : kind;
    if (this.judged?.of === of && performance.now() - this.judged.at < VERDICTS_EVERY) return;
    this.judged = { of, at: performance.now() };
    try {
      const { workloads } = await tool("list_workloads_by_compliance", { kind: of, limit: 1000, lang: lang() });
      this.verdicts = new Map(workloads.map((row) => [`${of} ${row.namespace ?? ""}/${row.workload}`, row.status]));
      if (this.answer) this.draw();
    } catch {
      this.judged = undefined;
    }
  }

  verdict(kind, row) {
    return this.verdicts.get(`${kind === "command" ? "process" : kind} ${namespaceOf(row)}/${nameOf(row)}`);
  }

  draw(children) {
    const { kind, items, matched, snapshot } = this.answer;
    if (children) this.known = children;
    const isPast = Boolean(this.answer.key);
    let rows = items;
    if (state().sort === "verdict") {
      const rank = (row) => ["NON_COMPLIANT", "INSUFFICIENT_DATA", "NOT_APPLICABLE", "COMPLIANT"].indexOf(this.verdict(kind, row) ?? "");
      rows = items.toSorted((a, b) => (rank(a) - rank(b)) * (state().order === "asc" ? -1 : 1));
    }
    const wanted = [];
    for (const row of rows) {
      const key = keyOf(kind, row);
      wanted.push(this.row(key, kind, row, snapshot, false));
      for (const child of (!isPast && this.expanded.has(key) && this.known?.get(key)) || []) wanted.push(this.row(`${key} ${keyOf("process", child)}`, "process", child, snapshot, true));
    }
    this.place(wanted);
    const { q } = state();
    setText(this.message, items.length ? "" : q ? word("none_found", q) : word(isPast ? "past_none" : "none_of_kind"));
    this.message.hidden = items.length > 0;
    setText(this.shown, items.length ? word("shown", items.length, matched) : "");
    this.more.hidden = items.length >= matched || Number(state().rows) >= 1000;
  }

  /** Puts rows in order, moving only those that have to; the focus stays where it is. */
  place(wanted) {
    const focused = this.body.contains(document.activeElement) ? document.activeElement : undefined;
    const keep = new Set(wanted.map(({ element }) => element));
    for (const [key, { element }] of this.rows) {
      if (!keep.has(element)) { element.remove(); this.rows.delete(key); }
    }
    wanted.forEach(({ element }, at) => {
      if (this.body.children[at] !== element) this.body.insertBefore(element, this.body.children[at] ?? null);
    });
    if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
  }

  row(key, kind, row, snapshot, isChild) {
    let cells = this.rows.get(key);
    if (!cells) {
      cells = this.cells(key, kind, row, isChild);
      this.rows.set(key, cells);
    }
    const power = row.power_watts.total;
    const trend = this.trends.get(key) ?? { id: 0, values: [] };
    if (this.answer.key) cells.trend.replaceChildren();
    else if (trend.id !== snapshot.id) {
      trend.values = [...trend.values, power ?? 0].slice(-VALUES);
      trend.id = snapshot.id;
      this.trends.set(key, trend);
      cells.trend.replaceChildren(sparkline(trend.values));
      if (this.trends.size > 5000) this.trends.delete(this.trends.keys().next().value);
    }
    const share = this.share(power);
    setText(cells.power, watts(power));
    setText(cells.share, percent(share));
    cells.share.style.setProperty("--share", String(Math.min(share ?? 0, 1)));
    setText(cells.energy, joules(row.energy_joules.total));
    setText(cells.carbon, gramsPerHour(carbonRate(power, this.intensity())));
    // Verdicts are of now.
    const verdict = this.answer.key ? undefined : this.verdict(kind, row);
    if (cells.status !== verdict || cells.lang !== lang()) {
      cells.verdict.replaceChildren(badge(verdict));
      [cells.status, cells.lang] = [verdict, lang()];
    }
    return cells;
  }

  share(power) {
    const total = this.answer?.key ? this.answer.total : this.node?.total?.power_watts?.total;
    return total > 0 && power !== null ? power / total : null;
  }

  cells(key, kind, row, isChild) {
    const cells = Object.fromEntries(COLUMNS.map((column) => [column, h(column === "name" ? "th" : "td", { class: column, scope: column === "name" ? "row" : null })]));
    const name = nameOf(row);
    const link = h("a", { href: address({ workload: name, of: kind, ns: namespaceOf(row) }), title: row.exe ?? row.cgroup ?? name, "data-key": key }, short(name) || "–");
    // The address is of the state at the time of the click.
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      setState({ workload: name, of: kind, ns: namespaceOf(row) });
    });
    const more = about(kind, row).filter(Boolean).join(" · ");
    cells.name.append(isChild ? h("span", { class: "child", "aria-hidden": "true" }, "└ ") : this.expander(key, kind, row, name), link, more ? h("span", { class: "about" }, more) : "");
    cells.element = h("tr", { class: isChild ? "child" : null }, ...COLUMNS.map((column) => cells[column]));
    return cells;
  }

  expander(key, kind, row, name) {
    const way = PARENTS[kind];
    if (!way || state().at) return "";
    const button = h("button", { type: "button", class: "expander", "aria-expanded": String(this.expanded.has(key)), "aria-label": word("expand", name), "data-key": `expand ${key}` }, "▸");
    button.addEventListener("click", () => {
      if (!this.expanded.delete(key)) this.expanded.set(key, { of: kind, parameter: way[0], value: row[way[1]] });
      button.setAttribute("aria-expanded", String(this.expanded.has(key)));
      this.refresh();
    });
    return button;
  }

  csv() {
    const { kind, items = [], snapshot, zones = [] } = this.answer ?? { kind: state().kind };
    const heads = ["snapshot", "at", "kind", "name", "namespace", "identity", "power_watts", "share", "energy_joules", "method", "error_ratio", "emissions_gCO2eq_per_hour", "verdict"];
    return [heads, items.map((row) => [
      snapshot.id, snapshot.at, kind, nameOf(row), namespaceOf(row), keyOf(kind, row).slice(kind.length + 1), row.power_watts.total,
      this.share(row.power_watts.total), row.energy_joules.total, ...foundBy(zones, row.energy_joules), carbonRate(row.power_watts.total, this.intensity()), this.verdict(kind, row),
    ])];
  }
}
