"use strict";
const number = (text) => parseFloat(text.replace(/,/g, ""));
const compared = (a, b) => {
  const [x, y] = [number(a), number(b)];
  if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1; // the empty ones last
  return Number.isNaN(x) ? a.localeCompare(b) : x - y;
};
const sorted = (table, column, sign) => {
  const body = table.tBodies[0];
  const text = (row) => row.cells[column].textContent;
  body.append(...[...body.rows].sort((a, b) => sign * compared(text(a), text(b))));
};
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstChild.addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    sorted(table, column, up ? 1 : -1);
  }));
}
for (const field of document.querySelectorAll("input[data-for]")) {
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/);
    for (const row of document.getElementById(field.dataset.for).tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
}
