// The table of what uses energy: one kind at a time, sorted and searched by the server, its processes on demand.

import { get, tool } from "./api.js";
import { sparkline } from "./chart.js";
import { byId, h, replace, segmented, setText } from "./dom.js";
import { exports } from "./export.js";
import { carbonRate, gramsPerHour, joules, percent, watts } from "./figures.js";
import { address, KINDS, setState, state } from "./state.js";
import { lang, word } from "./words.js";

export const PLURAL = { process: "processes", container: "containers", pod: "pods", unit: "units", vm: "vms", job: "jobs", command: "commands" };
/** What the server sorts by; verdicts, which it does not know there, are sorted here. */
const SERVER_SORT = { name: "name", power: "power", share: "power", carbon: "power", energy: "energy", verdict: "power" };
const COLUMNS = ["name", "trend", "power", "share", "energy", "carbon", "verdict"];
const SORTABLE = COLUMNS.filter((column) => column !== "trend");
/** Kinds whose processes can be listed, and by which parameter. */
const PARENTS = { container: ["container", "id"], pod: ["pod", "id"], unit: ["unit", "cgroup"] };
const VERDICTS_EVERY = 30000;
const VALUES = 60;

const keyOf = (kind, row) => `${kind} ${row.pid !== undefined ? `${row.pid}/${row.start_ticks}` : kind === "command" ? `${row.comm}@${row.container_id ?? row.cgroup ?? row.job_id ?? ""}` : row.id ?? row.cgroup ?? row.name}`;

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

export class Consumers {
  constructor(intensity) {
    this.intensity = intensity;
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
    replace(this.element, h("div", { class: "scroll" }, table), this.message, h("p", { class: "below" }, this.shown, " ", this.more));
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
    } catch (error) {
      if (asked !== this.asked || error.status === 0 || error.status === 401) return;
      setText(this.message, word("failed", error.message));
      this.message.hidden = false;
    }
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
    let rows = items;
    if (state().sort === "verdict") {
      const rank = (row) => ["NON_COMPLIANT", "INSUFFICIENT_DATA", "NOT_APPLICABLE", "COMPLIANT"].indexOf(this.verdict(kind, row) ?? "");
      rows = items.toSorted((a, b) => (rank(a) - rank(b)) * (state().order === "asc" ? -1 : 1));
    }
    const wanted = [];
    for (const row of rows) {
      const key = keyOf(kind, row);
      wanted.push(this.row(key, kind, row, snapshot, false));
      for (const child of (this.expanded.has(key) && this.known?.get(key)) || []) wanted.push(this.row(`${key} ${keyOf("process", child)}`, "process", child, snapshot, true));
    }
    this.place(wanted);
    const { q } = state();
    setText(this.message, items.length ? "" : q ? word("none_found", q) : word("none_of_kind"));
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
    if (trend.id !== snapshot.id) {
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
    const verdict = this.verdict(kind, row);
    if (cells.status !== verdict || cells.lang !== lang()) {
      cells.verdict.replaceChildren(badge(verdict));
      [cells.status, cells.lang] = [verdict, lang()];
    }
    return cells;
  }

  share(power) {
    const total = this.node?.total?.power_watts?.total;
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
    if (!way) return "";
    const button = h("button", { type: "button", class: "expander", "aria-expanded": String(this.expanded.has(key)), "aria-label": word("expand", name), "data-key": `expand ${key}` }, "▸");
    button.addEventListener("click", () => {
      if (!this.expanded.delete(key)) this.expanded.set(key, { of: kind, parameter: way[0], value: row[way[1]] });
      button.setAttribute("aria-expanded", String(this.expanded.has(key)));
      this.refresh();
    });
    return button;
  }

  csv() {
    const { kind, items = [], snapshot } = this.answer ?? { kind: state().kind };
    const heads = ["snapshot", "at", "kind", "name", "namespace", "identity", "power_watts", "share", "energy_joules", "emissions_gCO2eq_per_hour", "verdict"];
    return [heads, items.map((row) => [
      snapshot.id, snapshot.at, kind, nameOf(row), namespaceOf(row), keyOf(kind, row).slice(kind.length + 1), row.power_watts.total,
      this.share(row.power_watts.total), row.energy_joules.total, carbonRate(row.power_watts.total, this.intensity()), this.verdict(kind, row),
    ])];
  }
}
