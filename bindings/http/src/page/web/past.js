// Who used how much in a time that has passed, in the form of the lists of now.

import { get } from "./api.js";
import { keyOf, VALUES } from "./rows.js";

/** What the server sorts by there: energy stands for power, since the time is the same for all. */
const SORTS = { name: "name" };

/** An item as the list of its kind has it. */
function rowOf(item) {
  const [pid, start] = item.kind === "process" && /^\d+\/\d+$/.test(item.uid) ? item.uid.split("/").map(Number) : [];
  const who = item.kind === "process" ? { pid, start_ticks: start, comm: item.name, id: item.uid } : item.kind === "unit" ? { cgroup: item.uid, name: item.name } : { id: item.uid, name: item.name };
  return { ...who, namespace: item.namespace ?? undefined, power_watts: item.power_watts, energy_joules: item.energy_joules };
}

/** The consumers of a time, and what the machine drew in it. */
export async function past({ start, end }, { kind, sort, order, q, rows }) {
  const time = { to: new Date(end).toISOString(), range: `${end - start}ms` };
  const [answer, machine] = await Promise.all([
    // Ended commands are processes of that time.
    get("/api/v1/history/workloads", { ...time, kind: kind === "command" ? "process" : kind, sort: SORTS[sort] ?? "energy", search: q, limit: rows }),
    get("/api/v1/history", { ...time, step: time.range }).catch(() => undefined),
  ]);
  const items = answer.items.map(rowOf);
  const isReversed = sort === "name" ? order === "desc" : order === "asc";
  return {
    items: isReversed ? items.toReversed() : items, matched: answer.matched, source: answer.source,
    snapshot: { id: answer.moment, at: answer.covered_to }, total: machine?.steps.at(-1)?.power_watts.total ?? null,
  };
}

/** Power of a kind's largest workloads in the last intervals, by the key of their row: `null` where it is not known. */
export async function trends(kind, interval) {
  const step = Math.max(Math.round(interval * 1000), 100);
  const answer = await get("/api/v1/history/workloads", { kind, range: `${step * VALUES}ms`, step: `${step}ms`, limit: 50 });
  const from = Date.parse(answer.from);
  return answer.items.map((item) => {
    const values = Array(VALUES).fill(null);
    for (const { end, watts } of item.steps) values[Math.min(Math.max(Math.ceil((Date.parse(end) - from) / step) - 1, 0), VALUES - 1)] = watts;
    return [keyOf(kind, rowOf(item)), values];
  });
}
