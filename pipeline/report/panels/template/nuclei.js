"use strict";

const STEPS = 4096; // of a side, see nuclei_fields.py
const FIELD_CELLS = 9; // glyphs of the field of axes along a side

function axisColour(colours, share) {
  return colours[Math.min(Math.floor(share * colours.length), colours.length - 1)];
}

// Mean axis of nuclei near a point, weighted by distance and by how far their axis means anything:
// the mean of doubled angles, whose length is the agreement (Mardia and Jupp 2000).
function meanAxis(nuclei, x, y, reach) {
  let cosine = 0, sine = 0, weight = 0;
  for (let i = 0; i < nuclei.n; i++) {
    const dx = nuclei.centre[2 * i] / STEPS - x, dy = nuclei.centre[2 * i + 1] / STEPS - y;
    const near = Math.exp(-(dx * dx + dy * dy) / (2 * reach * reach));
    const counted = near * (nuclei.reliability[i] / 65535);
    const doubled = (2 * Math.PI * nuclei.axis[i]) / 65535;
    cosine += counted * Math.cos(doubled);
    sine += counted * Math.sin(doubled);
    weight += near;
  }
  if (weight < 0.5) return null;
  const angle = (Math.atan2(sine, cosine) / 2 + Math.PI) % Math.PI;
  return { angle, agreement: Math.hypot(cosine, sine) / weight };
}

function strokeTwice(context, width, colour, path) {
  for (const [line, shade] of [[width + 2, "rgb(10 12 20 / 0.55)"], [width, colour]]) {
    context.lineWidth = line;
    context.strokeStyle = shade;
    context.beginPath();
    path();
    context.stroke();
  }
}

function drawNuclei(context, side, nuclei, colours, shown) {
  let start = 0;
  for (let i = 0; i < nuclei.n; i++) {
    const points = nuclei.points[i];
    const typed = shown.colour === "type" && nuclei.types.length;
    const colour = typed ? (nuclei.types[nuclei.type[i] - 1] || ["", "#8c8c8c"])[1] : axisColour(colours, nuclei.axis[i] / 65535);
    const [x, y] = [(nuclei.centre[2 * i] / STEPS) * side, (nuclei.centre[2 * i + 1] / STEPS) * side];
    if (shown.outlines) {
      strokeTwice(context, 3, colour, () => {
        for (let p = start; p < start + points; p++) {
          context.lineTo((nuclei.contour[2 * p] / STEPS) * side, (nuclei.contour[2 * p + 1] / STEPS) * side);
        }
        context.closePath();
        if (!points) context.arc(x, y, 3, 0, 2 * Math.PI);
      });
    }
    if (shown.axes) {
      const half = (nuclei.length[i] / 65535) * side * 0.5, angle = (Math.PI * nuclei.axis[i]) / 65535;
      strokeTwice(context, 3.5, colour, () => {
        context.moveTo(x - half * Math.cos(angle), y - half * Math.sin(angle));
        context.lineTo(x + half * Math.cos(angle), y + half * Math.sin(angle));
      });
    }
    start += points;
  }
}

function drawAxisField(context, side, nuclei, colours) {
  const cell = side / FIELD_CELLS;
  for (let row = 0; row < FIELD_CELLS; row++) {
    for (let col = 0; col < FIELD_CELLS; col++) {
      const [x, y] = [(col + 0.5) / FIELD_CELLS, (row + 0.5) / FIELD_CELLS];
      const mean = meanAxis(nuclei, x, y, 1 / FIELD_CELLS);
      if (!mean) continue;
      const half = cell * 0.46 * Math.max(mean.agreement, 0.06);
      strokeTwice(context, 4.5, axisColour(colours, mean.angle / Math.PI), () => {
        context.moveTo(x * side - half * Math.cos(mean.angle), y * side - half * Math.sin(mean.angle));
        context.lineTo(x * side + half * Math.cos(mean.angle), y * side + half * Math.sin(mean.angle));
      });
    }
  }
}

function drawCloseup(canvas, picture, nuclei, colours, shown) {
  const side = canvas.width, context = canvas.getContext("2d");
  context.clearRect(0, 0, side, side);
  context.lineCap = "round";
  if (picture && picture.complete && picture.naturalWidth) context.drawImage(picture, 0, 0, side, side);
  drawNuclei(context, side, nuclei, colours, shown);
  if (shown.field) drawAxisField(context, side, nuclei, colours);
}

// Colours of axes as they lie on the page: half a turn brings the same colour back.
function drawWheel(canvas, colours) {
  const context = canvas.getContext("2d"), middle = canvas.width / 2;
  context.lineWidth = middle * 0.42;
  for (let i = 0; i < 2 * colours.length; i++) {
    context.strokeStyle = colours[i % colours.length];
    context.beginPath();
    context.arc(middle, middle, middle * 0.72, (i * Math.PI) / colours.length, ((i + 1.2) * Math.PI) / colours.length);
    context.stroke();
  }
}
