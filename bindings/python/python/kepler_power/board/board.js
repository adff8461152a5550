"use strict";
// Sorting and filtering; without scripts the page shows the same rows in the order of the files.
const body = document.querySelector("#runs tbody");
const rows = [...body.rows];
const order = (row, column) => {
  const cell = row.cells[column];
  const value = cell.dataset.value;
  return value === undefined ? cell.textContent.toLowerCase() : value === "" ? null : Number(value);
};
document.querySelectorAll("#runs th button").forEach((button) => {
  const head = button.parentElement;
  button.addEventListener("click", () => {
    const descending = head.getAttribute("aria-sort") !== "descending";
    document.querySelectorAll("#runs th").forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const column = head.cellIndex;
    rows.sort((a, b) => {
      const [left, right] = [order(a, column), order(b, column)];
      // What is not known comes last, whichever way.
      if (left === null || right === null) return (left === null) - (right === null);
      return (left < right ? -1 : left > right ? 1 : 0) * (descending ? -1 : 1);
    });
    body.append(...rows);
  });
});
const filter = document.querySelector("#filter");
const shown = document.querySelector("#shown");
filter.addEventListener("input", () => {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    count += row.hidden ? 0 : 1;
  }
  shown.textContent = `${count} of ${rows.length} runs`;
});
