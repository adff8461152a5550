// What is seen, as a file: CSV of tables and series, SVG and PNG of charts.

import { h, s } from "./dom.js";
import { word } from "./words.js";

function save(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** A cell: quoted where needed; text that a spreadsheet would take for a formula is marked as text. */
function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const csv = (heads, rows) => [heads, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";

const LOOKS = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity", "opacity", "font-family", "font-size", "font-weight", "text-anchor", "dominant-baseline", "display"];

/** What the legend says, drawn in a line above the drawing. */
function legend(element, look) {
  const group = s("g", { "font-family": look.fontFamily, "font-size": 11, fill: look.color });
  const measure = h("canvas").getContext("2d");
  measure.font = `11px ${look.fontFamily}`;
  let x = 8;
  for (const entry of element?.children ?? []) {
    const text = entry.textContent.trim();
    const swatch = entry.querySelector(".swatch");
    if (swatch) {
      const { backgroundColor, borderTopColor, borderTopWidth, height } = getComputedStyle(swatch);
      const tall = Math.max(parseFloat(height), 2);
      group.append(s("rect", { x, y: -12 - tall / 2, width: 10, height: tall, fill: backgroundColor, stroke: parseFloat(borderTopWidth) ? borderTopColor : "none", "stroke-dasharray": "2 2" }));
      x += 16;
    }
    group.append(s("text", { x, y: -8 }, text));
    x += measure.measureText(text).width + 18;
  }
  return group;
}

const LEGEND = 24;

/** A copy of a drawing, with its legend, that needs no style sheet. */
function standalone(svg) {
  const copy = svg.cloneNode(true);
  const [from, to] = [[svg, ...svg.querySelectorAll("*")], [copy, ...copy.querySelectorAll("*")]];
  from.forEach((element, at) => {
    const style = getComputedStyle(element);
    for (const look of LOOKS) to[at].setAttribute(look, style.getPropertyValue(look));
    to[at].removeAttribute("class");
  });
  for (const element of copy.querySelectorAll("[data-pointer]")) element.remove();
  const { width, height } = svg.getBoundingClientRect();
  const background = document.createElementNS(copy.namespaceURI, "rect");
  for (const [name, value] of [["y", -LEGEND], ["width", width], ["height", height + LEGEND], ["fill", getComputedStyle(document.body).backgroundColor]]) background.setAttribute(name, value);
  copy.prepend(background, legend(svg.closest(".chart")?.querySelector(".legend"), getComputedStyle(document.body)));
  const size = { width, height: height + LEGEND };
  for (const [name, value] of Object.entries({ ...size, viewBox: `0 ${-LEGEND} ${size.width} ${size.height}` })) copy.setAttribute(name, value);
  return { text: new XMLSerializer().serializeToString(copy), ...size };
}

async function png({ text, width, height }) {
  const image = new Image();
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  await new Promise((resolve, reject) => Object.assign(image, { onload: resolve, onerror: reject, src: url }));
  const canvas = h("canvas", { width: width * 2, height: height * 2 });
  const context = canvas.getContext("2d");
  context.scale(2, 2);
  context.drawImage(image, 0, 0, width, height);
  URL.revokeObjectURL(url);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

const stamp = () => new Date().toISOString().slice(0, 19).replaceAll(":", "");

/** Buttons that save: `table()` gives heads and rows, `drawing()` an SVG element where there is one. */
export function exports(element, name, table, drawing) {
  const button = (format, action) => h("button", { type: "button", class: "quiet", "data-key": format, title: word("save_as", format), "aria-label": word("save_as", format), onclick: action }, format);
  const buttons = [button("CSV", () => save(new Blob([csv(...table())], { type: "text/csv" }), `${name()}-${stamp()}.csv`))];
  if (drawing) {
    buttons.push(
      button("SVG", () => save(new Blob([standalone(drawing()).text], { type: "image/svg+xml" }), `${name()}-${stamp()}.svg`)),
      button("PNG", async () => save(await png(standalone(drawing())), `${name()}-${stamp()}.png`)),
    );
  }
  element.replaceChildren(...buttons);
}
