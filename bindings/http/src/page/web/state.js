// What is shown, kept in the fragment of the address: a copied address shows the same to others. It never holds a secret.

export const RANGES = { "15m": 900, "1h": 3600, "6h": 21600, "24h": 86400, "7d": 604800, "30d": 2592000 };
export const KINDS = ["process", "container", "pod", "unit", "vm", "job", "command"];
export const FILTERS = ["all", "COMPLIANT", "NON_COMPLIANT", "INSUFFICIENT_DATA"];
export const SORTS = ["name", "power", "share", "energy", "carbon", "verdict"];

const RULES = {
  range: { usual: "1h", allows: (value) => value in RANGES },
  kind: { usual: "process", allows: (value) => KINDS.includes(value) },
  sort: { usual: "power", allows: (value) => SORTS.includes(value) },
  order: { usual: "desc", allows: (value) => value === "asc" || value === "desc" },
  rows: { usual: "25", allows: (value) => /^[1-9]\d{0,3}$/.test(value) },
  q: { usual: "", allows: (value) => value.length <= 200 },
  // The workload that has a page of its own: name, kind, namespace.
  workload: { usual: "", allows: (value) => value.length <= 500 },
  of: { usual: "process", allows: (value) => [...KINDS, "deployment", "statefulset", "daemonset", "controller"].includes(value) },
  ns: { usual: "", allows: (value) => value.length <= 300 },
  // The time whose workloads are shown, milliseconds since 1970: start-end; now without one.
  at: { usual: "", allows: (value) => /^\d{12,13}-\d{12,13}$/.test(value) && pastOf(value).end > pastOf(value).start },
  verdict: { usual: "all", allows: (value) => FILTERS.includes(value) },
  lang: { usual: "", allows: (value) => value === "en" || value === "ko" },
};

/** The time that `at` means; undefined for now. */
export function pastOf(at) {
  const [start, end] = at.split("-").map(Number);
  return at ? { start, end } : undefined;
}

const listeners = [];
let current = parse(location.hash);

function parse(hash) {
  const given = new URLSearchParams(hash.replace(/^#/, ""));
  const entries = Object.entries(RULES).map(([name, { usual, allows }]) => {
    const value = given.get(name);
    return [name, value !== null && allows(value) ? value : usual];
  });
  return Object.fromEntries(entries);
}

/** The fragment for the state with changes. */
export function address(changes = {}) {
  const entries = Object.entries({ ...current, ...changes }).filter(([name, value]) => value !== RULES[name].usual);
  return `#${new URLSearchParams(entries)}`;
}

export const state = () => current;
export const onState = (listener) => listeners.push(listener);

export function setState(changes) {
  const before = current.workload;
  const next = address(changes);
  const enters = changes.workload !== undefined && changes.workload !== before;
  history[enters ? "pushState" : "replaceState"](null, "", next);
  adopt();
}

function adopt() {
  const before = current;
  current = parse(location.hash);
  for (const listener of listeners) listener(current, before);
}

addEventListener("hashchange", adopt);
addEventListener("popstate", adopt);
