// Questions to the server, the stream of events, and the token where one is needed.

import { byId, setText } from "./dom.js";
import { word } from "./words.js";

const KEY = "kepler-token";
let token = sessionStorage.getItem(KEY);
let asking;

export class Failure extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

const authorization = () => (token ? { Authorization: `Bearer ${token}` } : {});

/** Asks for the token; resolves when one was given. One dialog, however many wait for it. */
function ask(wrong) {
  asking ??= new Promise((resolve) => {
    const [dialog, form, input] = [byId("token"), byId("token-form"), byId("token-input")];
    setText(byId("token-wrong"), wrong ? word("token_wrong") : "");
    input.value = "";
    const given = () => {
      token = input.value;
      sessionStorage.setItem(KEY, token);
      input.value = "";
      asking = undefined;
      resolve();
    };
    form.addEventListener("submit", given, { once: true });
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    if (!dialog.open) dialog.showModal();
  });
  return asking;
}

async function send(path, options) {
  for (;;) {
    const used = token;
    let response;
    try {
      // By origin: an address with a user in it is none that may be fetched.
      response = await fetch(new URL(path, location.origin), { cache: "no-store", ...options, headers: { ...options.headers, ...authorization() } });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Failure(0, word("unreachable"));
    }
    if (response.status !== 401) return response;
    const scheme = response.headers.get("WWW-Authenticate") ?? "";
    // A browser asks for a user and password itself; it was dismissed.
    if (!/bearer/i.test(scheme)) throw new Failure(401, word("password_needed"));
    if (used === token) {
      sessionStorage.removeItem(KEY);
      await ask(Boolean(used));
    }
  }
}

async function answer(response) {
  const isJson = /json/.test(response.headers.get("Content-Type") ?? "");
  const body = isJson ? await response.json().catch(() => undefined) : undefined;
  if (response.ok && body !== undefined) return body;
  throw new Failure(response.status, body?.detail ?? `${response.status} ${response.statusText}`);
}

export async function get(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(given).toString();
  return answer(await send(text ? `${path}?${text}` : path, {}));
}

export async function tool(name, body) {
  const headers = { "Content-Type": "application/json" };
  return answer(await send(`/tools/${name}`, { method: "POST", headers, body: JSON.stringify(body) }));
}

/** The data of each server-sent event in a body, as its lines come. */
async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const parts = text.split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      const data = part.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
      if (data.length) yield JSON.parse(data.join("\n"));
    }
  }
}

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * Follows the node: `onNode` for each snapshot, or `onHub` where there are many; `onState` with `live`, `polling`, `unreachable`, `waiting` or `locked`. It
 * opens the stream by `fetch`, since an `EventSource` sends no token.
 */
export class Stream {
  constructor(onNode, onHub, onState) {
    Object.assign(this, { onNode, onHub, onState, stopped: true });
  }

  start() {
    if (!this.stopped) return;
    this.stopped = false;
    this.run(this.control = new AbortController());
  }

  stop() {
    this.stopped = true;
    this.control?.abort();
  }

  async run(control) {
    let pause = 1000;
    while (!control.signal.aborted) {
      try {
        const response = await send("/api/v1/events?level=node", { signal: control.signal });
        if (response.status === 503) {
          await this.poll(control, response);
        } else if (!response.ok) {
          await answer(response);
        } else {
          for await (const node of eventsOf(response.body)) {
            pause = 1000;
            this.onState("live");
            // A hub measures nothing itself, and tells of its nodes instead.
            if (node.nodes) this.onHub(node);
            else this.onNode(node);
          }
          throw new Failure(0, word("unreachable"));
        }
      } catch (error) {
        if (control.signal.aborted) return;
        this.onState(error.status === 401 ? "locked" : error.status === 503 ? "waiting" : "unreachable", error.message);
      }
      await wait(pause);
      pause = Math.min(pause * 2, 15000);
    }
  }

  /** Too many listen, or there is nothing yet: asks now and then instead. */
  async poll(control, refused) {
    const detail = await answer(refused).catch((error) => error);
    for (let left = 6; left > 0 && !control.signal.aborted; left--) {
      const node = await get("/api/v1/node").catch((error) => error);
      if (node instanceof Failure) throw new Failure(node.status, node.message);
      this.onState("polling", detail.message);
      this.onNode(node);
      await wait(5000);
    }
  }
}
