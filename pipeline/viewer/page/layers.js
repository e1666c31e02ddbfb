"use strict";

const UNKNOWN = "#8c8c8c";
const AXIS_COLOURS = Array.from({ length: 90 }, (_, i) => okHue((2 * Math.PI * (i + 0.5)) / 90));

// Lightness 0.80 and chroma 0.15 in OKLab (Ottosson 2020), as in the report's pictures.
function okHue(hue) {
  const [a, b] = [0.15 * Math.cos(hue), 0.15 * Math.sin(hue)];
  const [l, m, s] = [0.8 + 0.3963377774 * a + 0.2158037573 * b, 0.8 - 0.1055613458 * a - 0.0638541728 * b, 0.8 - 0.0894841775 * a - 1.291485548 * b].map((root) => root ** 3);
  const linear = [4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s, -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s, -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s];
  return `rgb(${linear.map((part) => Math.round(255 * gamma(Math.min(Math.max(part, 0), 1)))).join(" ")})`;
}

function gamma(part) {
  return part <= 0.0031308 ? 12.92 * part : 1.055 * part ** (1 / 2.4) - 0.055;
}

function axisColour(angle) {
  if (angle === null) return UNKNOWN;
  return AXIS_COLOURS[Math.min(Math.floor(((angle % Math.PI) / Math.PI) * AXIS_COLOURS.length), AXIS_COLOURS.length - 1)];
}

// ---- drawing; `at` maps level-0 (x, y) to the canvas, `scale` is canvas px per level-0 px -----------

function drawTiles(context, tiles, by, { at, scale, inView }) {
  const values = by === "kept" ? null : tiles[by];
  for (let i = 0; i < tiles.x_l0.length; i++) {
    const side = tiles.width_l0[i];
    if (!inView(tiles.x_l0[i], tiles.y_l0[i], side)) continue;
    const [x, y] = at(tiles.x_l0[i], tiles.y_l0[i]);
    const width = Math.max(side * scale, 1);
    if (values) {
      if (values[i] === null) continue;
      context.fillStyle = `rgb(${blend(VIRIDIS, values[i]).join(" ")} / 0.45)`;
      context.fillRect(x, y, width, width);
    } else if (tiles.kept[i]) {
      context.strokeStyle = "rgb(0 114 178 / 0.7)";
      context.lineWidth = 1;
      context.strokeRect(x, y, width, width);
    } else if (tiles.tissue_fraction[i] > 0) {
      const colour = DROPPED[tiles.reason[i] % DROPPED.length];
      context.fillStyle = `color-mix(in srgb, ${colour} 38%, transparent)`;
      context.strokeStyle = colour;
      context.fillRect(x, y, width, width);
      context.strokeRect(x, y, width, width);
    }
  }
}

function drawPatches(context, patches, colourOf, opacity, { at, scale, inView }) {
  const width = Math.max(patches.side * scale, 2);
  context.globalAlpha = opacity;
  patches.corners.forEach(([left, top], node) => {
    if (!inView(left, top, patches.side)) return;
    const colour = colourOf(node);
    if (!colour) return;
    context.fillStyle = colour;
    context.fillRect(...at(left, top), width, width);
  });
  context.globalAlpha = 1;
}

function drawOutlines(context, nuclei, colourOf, { at, umPerPx, mpp }) {
  const filled = umPerPx > 0.9;
  for (let i = 0; i < nuclei.x.length; i++) {
    const outline = nuclei.outline[i], colour = colourOf(i);
    context.beginPath();
    if (outline.length && !filled) outline.forEach(([x, y]) => context.lineTo(...at(x / mpp, y / mpp)));
    else context.arc(...at(nuclei.x[i] / mpp, nuclei.y[i] / mpp), Math.max(2, Math.sqrt((nuclei.area[i] || 20) / Math.PI) / umPerPx), 0, 2 * Math.PI);
    context.closePath();
    if (filled) {
      context.fillStyle = colour;
      context.fill();
      continue;
    }
    for (const [width, stroke] of [[3.4, "rgb(10 12 20 / 0.5)"], [1.7, colour]]) {
      context.lineWidth = width;
      context.strokeStyle = stroke;
      context.stroke();
    }
  }
}

// Where nuclei are too many to see: by cell their number as a shade and their mean axis as a line.
function drawField(context, field, { at, scale, mpp }) {
  const side = (field.side / mpp) * scale, most = largest(field.n);
  for (let i = 0; i < field.x.length; i++) {
    const [x, y] = at(field.x[i] / mpp, field.y[i] / mpp);
    context.fillStyle = `rgb(35 30 80 / ${0.04 + 0.3 * (field.n[i] / most)})`;
    context.fillRect(x - side / 2, y - side / 2, side, side);
    const half = side * 0.46 * Math.max(field.agreement[i], 0.08);
    const [dx, dy] = [half * Math.cos(field.axis[i]), half * Math.sin(field.axis[i])];
    for (const [width, stroke] of [[4, "rgb(10 12 20 / 0.55)"], [2.2, axisColour(field.axis[i])]]) {
      context.lineWidth = width;
      context.strokeStyle = stroke;
      context.beginPath();
      context.moveTo(x - dx, y - dy);
      context.lineTo(x + dx, y + dy);
      context.stroke();
    }
  }
}

function drawCellGraph(context, edges, { at, mpp }) {
  context.lineWidth = 1.2;
  for (let i = 0; i < edges.x0.length; i++) {
    const share = edges.angle[i] === null ? 1 : edges.angle[i] / (Math.PI / 2); // 0: both axes agree
    context.strokeStyle = `rgb(${blend([[0, 110, 90], [150, 150, 150]], share).join(" ")} / 0.9)`;
    context.beginPath();
    context.moveTo(...at(edges.x0[i] / mpp, edges.y0[i] / mpp));
    context.lineTo(...at(edges.x1[i] / mpp, edges.y1[i] / mpp));
    context.stroke();
  }
}

function drawPairs(context, shown, heaviest, evidence, middle, { at }) {
  const most = evidence ? largest(evidence) || 1 : 1;
  for (let i = shown.a.length - 1; i >= 0; i--) {
    const share = shown.weight[i] / (heaviest || 1), spoke = evidence && evidence[shown.rank[i]];
    const colour = evidence ? (spoke > 0 ? FOR : AGAINST).join(" ") : "13 20 40";
    const alpha = evidence ? 0.15 + 0.8 * Math.sqrt(Math.abs(spoke) / most) : 0.2 + 0.75 * share;
    const [a, b] = [at(...middle(shown.a[i])), at(...middle(shown.b[i]))];
    context.lineWidth = 2.6 + 3 * share;
    context.strokeStyle = `rgb(255 255 255 / ${0.5 * alpha})`;
    arc(context, a, b);
    context.lineWidth = 0.8 + 3 * share;
    context.strokeStyle = `rgb(${colour} / ${alpha})`;
    arc(context, a, b);
  }
}

function drawMarked(context, marked, side, corner, middle, { at, scale }) {
  const width = Math.max(side * scale, 6);
  for (const [line, colour] of [[6, "#ffffff"], [3, "#111827"]]) {
    context.lineWidth = line;
    context.strokeStyle = colour;
    if (marked.nodes.length > 1) arc(context, ...marked.nodes.map((node) => at(...middle(node))));
    for (const node of marked.nodes) context.strokeRect(...at(...corner(node)), width, width);
  }
}
