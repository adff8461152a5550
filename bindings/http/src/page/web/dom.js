// Elements from names and attributes. Text goes in as text, whatever it is: nothing is parsed as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const h = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
export const s = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);
export const byId = (id) => document.getElementById(id);

/** Sets a text only where it changes, so that readers of the screen and selections are left in peace. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Replaces what is in an element, but keeps the focus on what has the same `data-key`. */
export function replace(element, ...children) {
  const key = element.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  element.replaceChildren(...children.flat().filter(Boolean));
  if (key !== undefined) [...element.querySelectorAll("[data-key]")].find((child) => child.dataset.key === key)?.focus();
}

/** A group of buttons of which one is chosen. */
export function segmented(element, choices, chosen, choose) {
  const button = ({ value, text, title, count, empty }) =>
    h("button", {
      type: "button", title, "data-key": value, "aria-pressed": String(value === chosen), class: empty ? "empty" : null,
      onclick: () => choose(value),
    }, text, count === undefined ? null : h("span", { class: "count" }, count));
  replace(element, choices.map(button));
}

/** A link to where a figure comes from, if it is an address, else its text. */
export function origin(source) {
  try {
    const url = new URL(source);
    if (url.protocol === "https:" || url.protocol === "http:") {
      return h("a", { href: url.href, rel: "noreferrer noopener", target: "_blank", title: source }, url.hostname.replace(/^www\./, ""));
    }
  } catch { /* a text */ }
  return source;
}
