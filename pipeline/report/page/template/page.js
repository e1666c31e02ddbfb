"use strict";

// Sort a table by the clicked column: numbers by value, dashes last, everything else as text.
function cellKey(row, place, numeric) {
  const text = row.cells[place].firstChild ? row.cells[place].firstChild.textContent.trim() : "";
  if (!numeric) return text;
  const value = parseFloat(text.replace(/,/g, "").replace(/^<\s*/, "").replace("\u2212", "-"));
  return Number.isNaN(value) ? null : value;
}

function sortBy(header) {
  const table = header.closest("table");
  const place = header.cellIndex;
  const numeric = header.classList.contains("number");
  const descending = header.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows].map((row) => [cellKey(row, place, numeric), row]);
  rows.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    const order = numeric ? a - b : a.localeCompare(b, undefined, { numeric: true });
    return descending ? -order : order;
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sortBy(button.closest("th")));
}

for (const search of document.querySelectorAll('figure.table input[type="search"]')) {
  const rows = search.closest("figure").querySelectorAll("tbody tr");
  search.addEventListener("input", () => {
    const wanted = search.value.toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
}

const dialog = document.getElementById("enlarged");
for (const drawing of document.querySelectorAll(".gallery:not(.legend) .drawing")) {
  drawing.addEventListener("click", () => {
    dialog.querySelector("div").replaceChildren(drawing.firstElementChild.cloneNode(true));
    dialog.showModal();
  });
}
dialog.addEventListener("click", () => dialog.close());

const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const seen = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      for (const link of links.values()) link.classList.remove("here");
      links.get(entry.target.id).classList.add("here");
    }
  },
  { rootMargin: "-15% 0px -75% 0px" },
);
for (const section of document.querySelectorAll("main > section")) seen.observe(section);
