// Brings the parts together: the stream feeds the page, the state says what is shown.

import { get, Stream } from "./api.js";
import { Cluster } from "./cluster.js";
import { Consumers } from "./consumers.js";
import { byId, setText } from "./dom.js";
import { length } from "./figures.js";
import { History, ranges, showDevices, showHub, showNow, showPlatform, showSources, showToday, showZones, today } from "./overview.js";
import { onState, pastOf, setState, state } from "./state.js";
import { lang, setLang, word } from "./words.js";
import { WorkloadPage } from "./workload.js";

/** Answers that change slowly are asked for this often, milliseconds. */
const SLOWLY = 15000;

setLang(state().lang);

let node, hub, carbon, sources, origin, received, slowly;
let connection = ["connecting", ""];
let isPaused = false;

const history = new History(byId("chart"), byId("chart-exports"), () => node?.node_name ?? (hub ? "hub" : "node"), () => ({}),
  ({ start, end }) => { if (!hub) setState({ at: `${start}-${end}` }); }, () => pastOf(state().at));
const consumers = new Consumers(() => carbon?.effective_intensity_gCO2eq_kWh, () => origin);
const cluster = new Cluster();
const workload = new WorkloadPage();
const stream = new Stream(arrived, arrivedHub, (name, detail) => { connection = [name, detail]; showStatus(); });

function arrived(newest) {
  [node, received] = [newest, performance.now()];
  setText(byId("node"), node.node_name);
  showStatus();
  refresh();
}

/** A hub has no figures of its own: what is of one node is not shown. */
function arrivedHub(newest) {
  [hub, received] = [newest, performance.now()];
  document.body.classList.add("hub");
  setText(byId("node"), hub.source);
  setText(byId("version"), `Kepler ${hub.version}`);
  showHub(hub);
  showStatus();
  refresh();
}

/** What a hub knows of all its nodes. */
function refreshHub(force) {
  document.title = `${hub.source} · Kepler`;
  if (state().workload) return workload.refresh(force);
  // Before the second poll there is nothing to ask for.
  history.refresh(force).then((answer) => {
    origin = answer?.source ?? origin;
    if (origin && !state().workload) cluster.refresh(origin, force);
  });
  if (!force && slowly !== undefined && performance.now() - slowly < SLOWLY) return undefined;
  slowly = performance.now();
  return today().then((answer) => showToday(carbon = answer), (error) => console.info(error.message));
}

/** Shows the newest snapshot, and asks for what belongs to it. */
function refresh(force = false) {
  if (hub) return void refreshHub(force);
  if (!node) return;
  document.title = `${byId("watts").textContent} · ${node.node_name} · Kepler`;
  const isDue = force || slowly === undefined || performance.now() - slowly >= SLOWLY;
  if (isDue) {
    slowly = performance.now();
    refreshSlowly();
  }
  if (state().workload) {
    workload.refresh(force);
    showNow(node);
    return;
  }
  showNow(node);
  showZones(node);
  showDevices(node);
  showPlatform(node);
  if (!node.total?.power_watts && !history.chart.series) history.chart.say(word("no_history"));
  // Before the second reading there is no energy to ask for.
  if (node.total?.power_watts) history.refresh(force).then((answer) => {
    const isNew = origin === undefined;
    origin = answer?.source ?? origin;
    // Also where the page was paused meanwhile.
    if (isNew) consumers.beginTrends();
    if (origin && !state().workload) cluster.refresh(origin, force);
  });
  consumers.refresh(node);
}

async function refreshSlowly() {
  const quietly = (error) => { if (error.status !== 0 && error.status !== 401) console.info(error.message); };
  const shown = [
    today().then((answer) => showToday(carbon = answer)),
    get("/api/v1/sources").then((answer) => showSources(sources = answer)),
    consumers.count(),
  ];
  await Promise.all(shown.map((part) => part.catch(quietly)));
}

/** Seconds since the newest snapshot was taken, or the nodes of a hub were polled. */
const age = () => (hub ? hub.age_seconds ?? 0 : node.snapshot.age_seconds) + (performance.now() - received) / 1000;

function showStatus() {
  let [name, detail] = isPaused ? ["paused", ""] : connection;
  const banner = byId("banner");
  let text = name === "locked" ? detail : "";
  if (name === "unreachable") text = word("banner_unreachable");
  if (name === "waiting") text = word("banner_waiting");
  if (name === "polling") text = word("banner_polling", detail);
  if (node || hub) {
    const seconds = age();
    const interval = hub ? hub.interval_seconds ?? Infinity : node.snapshot.interval_seconds;
    if ((name === "live" || name === "polling") && seconds > Math.max(15, interval * 3)) {
      name = "stale";
      text = word("banner_stale", length(seconds));
    }
    setText(byId("age"), word("ago", length(seconds)));
  }
  byId("status").dataset.state = name;
  setText(byId("status-text"), word(name));
  document.body.dataset.state = name;
  banner.hidden = !text;
  setText(banner, text);
}

function show(now, before) {
  if (lang() !== now.lang && (now.lang || before)) setLang(now.lang);
  byId("overview").hidden = Boolean(now.workload);
  byId("workload").hidden = !now.workload;
  if (now.workload) byId("cluster").hidden = true;
  if (now.workload) {
    const title = workload.open();
    if (before) title.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  const search = byId("search");
  if (search.value !== now.q) search.value = now.q;
  search.placeholder = word("search_hint");
  setText(byId("lang"), lang() === "ko" ? "English" : "한국어");
  byId("lang").lang = lang() === "ko" ? "en" : "ko";
  ranges(byId("ranges"));
  consumers.headings();
  consumers.kinds();
  showPause();
  showStatus();
}

function showPause() {
  byId("pause").setAttribute("aria-pressed", String(isPaused));
  setText(byId("pause"), word(isPaused ? "resume" : "pause"));
}

/** Listens only while the page is visible. */
function listen() {
  if (isPaused || document.hidden) stream.stop();
  else stream.start();
  showPause();
  showStatus();
}

function pause() {
  isPaused = !isPaused;
  listen();
}

onState((now, before) => {
  if (now.lang !== before.lang) {
    setLang(now.lang);
    consumers.build();
    if (carbon) showToday(carbon);
    if (sources) showSources(sources);
    history.chart.draw();
  }
  if (now.workload !== before.workload || now.of !== before.of || now.ns !== before.ns || now.lang !== before.lang) show(now, before);
  else if (now.range !== before.range) {
    ranges(byId("ranges"));
    if (now.workload) workload.rangeChanged();
  }
  if (now.at !== before.at) {
    consumers.build();
    history.chart.draw();
  }
  consumers.headings();
  if (now.kind !== before.kind) consumers.kinds();
  refresh(true);
});

let typing;
byId("search").addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(() => setState({ q: event.target.value.slice(0, 200), rows: "25" }), 150);
});
byId("pause").addEventListener("click", pause);
byId("lang").addEventListener("click", () => setState({ lang: lang() === "ko" ? "en" : "ko" }));
byId("home").addEventListener("click", (event) => {
  event.preventDefault();
  setState({ workload: "", of: "process", ns: "" });
});
document.addEventListener("visibilitychange", listen);
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.matches("input, textarea") || event.ctrlKey || event.metaKey || event.altKey || byId("token").open;
  if (event.key === "Escape" && !state().workload && state().at && !isTyping) setState({ at: "" });
  else if (event.key === "Escape" && state().workload && !byId("token").open) setState({ workload: "", of: "process", ns: "" });
  else if (event.key === "/" && !isTyping && !state().workload) {
    event.preventDefault();
    byId("search").focus();
  } else if (event.key === "p" && !isTyping) pause();
});
setInterval(showStatus, 1000);

show(state());
listen();
