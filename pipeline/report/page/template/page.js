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

// Rows that hold what is typed and, where the box is ticked, those that stay; how many are shown is said.
function showRows(figure) {
  const search = figure.querySelector('input[type="search"]');
  const box = figure.querySelector('input[type="checkbox"]');
  const wanted = search ? search.value.toLowerCase() : "";
  const rows = [...figure.querySelectorAll("tbody tr")];
  for (const row of rows) {
    const stays = !box || !box.checked || row.hasAttribute("data-stays");
    row.hidden = !stays || !row.textContent.toLowerCase().includes(wanted);
  }
  const shown = rows.filter((row) => !row.hidden).length;
  figure.querySelector("output").textContent = shown < rows.length ? `${shown} of ${rows.length} rows` : "";
}

for (const input of document.querySelectorAll("figure.table .tools input")) {
  input.addEventListener("input", () => showRows(input.closest("figure")));
}

// A link to a table with a box ticks it.
function follow() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const box = target && target.querySelector(':scope > .tools input[type="checkbox"]');
  if (!box) return;
  box.checked = true;
  showRows(target);
}
addEventListener("hashchange", follow);
follow();

// Print shows what is folded on the screen.
const opened = [];
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details:not([open])")) {
    folded.open = true;
    opened.push(folded);
  }
});
addEventListener("afterprint", () => opened.splice(0).forEach((folded) => (folded.open = false)));

const dialog = document.getElementById("enlarged");
for (const drawing of document.querySelectorAll(".gallery:not(.legend) .drawing")) {
  drawing.addEventListener("click", () => {
    dialog.querySelector("div").replaceChildren(drawing.firstElementChild.firstElementChild.cloneNode(true));
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
