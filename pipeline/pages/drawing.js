"use strict";

// ---- elements and numbers -----------------------------------------------------------------------

const byId = (id) => document.getElementById(id);
const number = (value, places = 2) => value.toFixed(places).replace("-", "−");
const signed = (value, places = 2) => (value > 0 ? "+" : "") + number(value, places);
const plain = (name) => name.replaceAll("_", " ");

// Of the absolute values; those that are undefined do not count.
function largest(values) {
  return values.reduce((most, value) => Math.max(most, Math.abs(value || 0)), 0);
}

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// ---- colours ------------------------------------------------------------------------------------

const FOR = [213, 94, 0], AGAINST = [0, 114, 178]; // Okabe and Ito 2008
const DROPPED = ["#e69f00", "#cc79a7", "#56b4e9", "#d55e00", "#009e73", "#7a6a4f", "#b8bcc6"]; // tiles, by reason
const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

function blend(stops, share) {
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const low = Math.min(Math.floor(place), stops.length - 2);
  return stops[low].map((part, i) => Math.round(part + (place - low) * (stops[low + 1][i] - part)));
}

// ---- pairs of patches; a and b are (x, y) on the canvas -------------------------------------------

const NEAR_PX = 7; // of an arc, where it is pointed at
const ARC_PARTS = 12;

// A slight arc: on a grid straight edges run through patches that they do not join.
function bend([ax, ay], [bx, by]) {
  return [(ax + bx) / 2 - 0.14 * (by - ay), (ay + by) / 2 + 0.14 * (bx - ax)];
}

function arc(context, a, b) {
  context.beginPath();
  context.moveTo(...a);
  context.quadraticCurveTo(...bend(a, b), ...b);
  context.stroke();
}

// Of (x, y) from the arc, which is taken for straight parts.
function distanceToArc(x, y, a, b) {
  const [cx, cy] = bend(a, b);
  let nearest = Infinity, [px, py] = a;
  for (let i = 1; i <= ARC_PARTS; i++) {
    const t = i / ARC_PARTS, s = 1 - t;
    const [qx, qy] = [s * s * a[0] + 2 * s * t * cx + t * t * b[0], s * s * a[1] + 2 * s * t * cy + t * t * b[1]];
    const along = Math.min(Math.max(((x - px) * (qx - px) + (y - py) * (qy - py)) / ((qx - px) ** 2 + (qy - py) ** 2 || 1), 0), 1);
    nearest = Math.min(nearest, Math.hypot(x - px - along * (qx - px), y - py - along * (qy - py)));
    [px, py] = [qx, qy];
  }
  return nearest;
}

// ---- the bar of the scale -------------------------------------------------------------------------

// The longest of 1, 2, 5, 10, ... um that is no wider than 150 px; none where the resolution is not known.
function drawScaleBar(umPerPx) {
  const bar = byId("scalebar");
  bar.hidden = !umPerPx;
  if (bar.hidden) return;
  const longest = 150 * umPerPx, decade = 10 ** Math.floor(Math.log10(longest));
  const length = [5, 2, 1].map((step) => step * decade).find((um) => um <= longest);
  bar.style.width = `${length / umPerPx}px`;
  bar.firstElementChild.textContent = length >= 1000 ? `${length / 1000} mm` : `${Number(length.toPrecision(2))} µm`;
}
