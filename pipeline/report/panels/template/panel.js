"use strict";

const content = JSON.parse(document.getElementById("content").textContent);
const ARRAYS = { u1: Uint8Array, i1: Int8Array, u2: Uint16Array, i2: Int16Array, u4: Uint32Array };
const SHARE = 65535;
const UNDEFINED = -128; // see packed.py
const TRUE_EDGE = "#009e73";

function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed.data), (letter) => letter.charCodeAt(0));
  return new ARRAYS[packed.type](bytes.buffer); // little-endian, as every browser is
}

const counted = (n, one, many = one + "s") => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

// ---- what the page carries, unpacked --------------------------------------------------------

const field = content.field;
const views = content.views.map((view) => ({ ...view, ...unpackGraph(view.graph), ...unpackEvidence(view.evidence) }));
const corners = field ? unpackPlaces(content.patches.places) : [];
const described = field ? unpackDescribed(content.described) : null;
const trueEdges = content.trueEdges ? pairsOf(unpack(content.trueEdges)) : null;
const trueKeys = new Set((trueEdges || []).map(([a, b]) => a * corners.length + b));

function unpackPlaces(packed) {
  const shares = unpack(packed);
  return Array.from({ length: shares.length / 2 }, (_, i) => [
    (shares[2 * i] / SHARE) * field.width,
    (shares[2 * i + 1] / SHARE) * field.height,
  ]);
}

function pairsOf(ends) {
  return Array.from({ length: ends.length / 2 }, (_, i) => [ends[2 * i], ends[2 * i + 1]]);
}

function unpackScaled(packed) {
  return Float32Array.from(unpack(packed), (step) => (step === UNDEFINED ? NaN : step * packed.scale));
}

function unpackGraph(graph) {
  if (!graph) return { pairs: [], weight: [], strength: null };
  return { pairs: pairsOf(unpack(graph.ends)), weight: Float32Array.from(unpack(graph.weight), (w) => w / SHARE), strength: unpackScaled(graph.strength) };
}

function unpackEvidence(evidence) {
  if (!evidence) return { nodeEvidence: null, edgeEvidence: null };
  const edgeEvidence = evidence.edge && unpackScaled(evidence.edge);
  return { nodeEvidence: unpackScaled(evidence.node), edgeEvidence, largestEdge: edgeEvidence && largest(edgeEvidence) };
}

function unpackDescribed(packed) {
  const nodes = unpack(packed.nodes);
  return { ...packed, place: new Map(Array.from(nodes, (node, place) => [node, place])), values: packed.features && unpack(packed.features) };
}

// ---- state ------------------------------------------------------------------------------------

const state = { view: views[0], colour: null, hovered: null, kept: null };
const patchSheet = described && described.sheet ? loadPicture(described.sheet) : null;
const tissue = field && content.tissue ? loadPicture(content.tissue) : null;
let stage = null;

function loadPicture(name) {
  const picture = new Image();
  picture.addEventListener("load", () => {
    if (stage) stage.redraw();
    document.querySelectorAll("canvas[data-node]").forEach(drawPatch);
  });
  picture.src = `${content.pictures}${name}.webp`;
  return picture;
}

function shownPairs() {
  const { pairs } = state.view || { pairs: [] };
  if (!byId("edges").checked || !pairs.length) return 0;
  const share = byId("weight").value / 100;
  return Math.max(1, Math.round(pairs.length ** share));
}

// ---- colours ------------------------------------------------------------------------------------

// Colour and opacity of a patch, or null.
function patchColour(node) {
  const { view, colour } = state;
  if (!view || colour === "none") return null;
  if (colour === "joined") {
    const share = view.strength[node] / (largest(view.strength) || 1);
    return `rgb(${blend(VIRIDIS, share).join(" ")} / 0.5)`;
  }
  const value = evidenceOf(view, node, Number(colour));
  const share = Math.abs(value) / (largestEvidence(view, Number(colour)) || 1);
  return Number.isNaN(value) ? null : `rgb(${(value > 0 ? FOR : AGAINST).join(" ")} / ${0.08 + 0.72 * Math.sqrt(share)})`;
}

function evidenceOf(view, node, place) {
  return view.nodeEvidence[node * view.evidence.classes.length + place];
}

function largestEvidence(view, place) {
  view.largest = view.largest || {};
  if (!(place in view.largest)) {
    let most = 0;
    for (let node = 0; node < corners.length; node++) most = Math.max(most, Math.abs(evidenceOf(view, node, place)) || 0);
    view.largest[place] = most;
  }
  return view.largest[place];
}

// ---- drawing ------------------------------------------------------------------------------------

function centre(node) {
  return [corners[node][0] + content.patches.side / 2, corners[node][1] + content.patches.side / 2];
}

function onCanvas([x, y]) {
  return [x * stage.scale + stage.left, y * stage.scale + stage.top];
}

function ends(pair) {
  return pair.map((node) => onCanvas(centre(node)));
}

function draw(context) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const [left, top] = onCanvas([0, 0]);
  const [width, height] = [field.width * stage.scale, field.height * stage.scale];
  context.fillStyle = tissue ? "#fff" : dark ? "#232a34" : "#f3f4f7";
  context.fillRect(left, top, width, height);
  if (tissue && byId("tissue").checked && tissue.complete && tissue.naturalWidth) {
    context.drawImage(tissue, left, top, width, height);
    if (shownPairs() || byId("true").checked) {
      context.fillStyle = "rgb(255 255 255 / 0.35)";
      context.fillRect(left, top, width, height);
    }
  }
  drawPatches(context);
  if (byId("dropped").checked) drawDropped(context);
  if (trueEdges && byId("true").checked) drawTrue(context);
  drawEdges(context, dark && !tissue);
  drawMarked(context);
  drawScaleBar(field.mpp / stage.scale);
}

function drawPatches(context) {
  const side = content.patches.side * stage.scale;
  context.lineWidth = 1;
  context.strokeStyle = side > 14 ? "rgb(60 70 90 / 0.35)" : "transparent";
  for (let node = 0; node < corners.length; node++) {
    const [x, y] = onCanvas(corners[node]);
    if (x > stage.canvas.clientWidth || y > stage.canvas.clientHeight || x + side < 0 || y + side < 0) continue;
    const colour = patchColour(node);
    if (colour) {
      context.fillStyle = colour;
      context.fillRect(x, y, Math.max(side, 3), Math.max(side, 3));
    }
    context.strokeRect(x, y, side, side);
  }
}

const droppedPlaces = field ? unpackPlaces(content.dropped.places) : [];
const droppedReason = field ? unpack(content.dropped.reason) : [];

function drawDropped(context) {
  const side = content.dropped.side * stage.scale;
  context.lineWidth = 1;
  droppedPlaces.forEach((place, i) => {
    const [x, y] = onCanvas(place);
    context.fillStyle = "rgb(40 44 54 / 0.42)";
    context.strokeStyle = DROPPED[droppedReason[i] % DROPPED.length];
    context.fillRect(x, y, side, side);
    context.strokeRect(x + 0.5, y + 0.5, side - 1, side - 1);
  });
}

function drawTrue(context) {
  context.strokeStyle = TRUE_EDGE;
  context.globalAlpha = 0.5;
  context.lineWidth = 1.5;
  context.setLineDash([5, 4]);
  for (const pair of trueEdges) arc(context, ...ends(pair));
  context.setLineDash([]);
  context.globalAlpha = 1;
}

function drawEdges(context, light) {
  const { pairs, weight } = state.view || { pairs: [] };
  const ink = light ? "230 235 245" : "13 20 40";
  for (let i = shownPairs() - 1; i >= 0; i--) {
    const share = weight[i] / (weight[0] || 1);
    context.strokeStyle = edgeColour(i) || `rgb(${ink} / ${0.15 + 0.8 * share})`;
    context.lineWidth = 0.6 + 3 * share;
    arc(context, ...ends(pairs[i]));
  }
}

// Colour of an edge by its evidence, or null where edges are coloured by weight.
function edgeColour(rank) {
  const { edgeEvidence } = state.view;
  if (!edgeEvidence || byId("edge-colour").value !== "evidence") return null;
  const share = Math.abs(edgeEvidence[rank]) / (state.view.largestEdge || 1);
  return `rgb(${(edgeEvidence[rank] > 0 ? FOR : AGAINST).join(" ")} / ${0.15 + 0.8 * Math.sqrt(share)})`;
}

function drawMarked(context) {
  const marked = state.hovered || state.kept;
  if (!marked) return;
  const side = Math.max(content.patches.side * stage.scale, 6);
  for (const [width, colour] of [[6, "#ffffff"], [3, "#111827"]]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    if (marked.pair) arc(context, ...ends(marked.pair));
    for (const node of marked.pair || [marked.node]) {
      const [x, y] = onCanvas(corners[node]);
      context.strokeRect(x, y, side, side);
    }
  }
}

// ---- pointing -----------------------------------------------------------------------------------

function found(x, y) {
  if (Number.isNaN(x)) return null;
  let best = null, nearest = NEAR_PX;
  for (let i = 0; i < shownPairs(); i++) {
    const distance = distanceToArc(x, y, ...ends(state.view.pairs[i]));
    if (distance < nearest) [best, nearest] = [{ pair: state.view.pairs[i], rank: i }, distance];
  }
  if (best) return best;
  const side = Math.max(content.patches.side * stage.scale, 6);
  const node = corners.findIndex((corner) => {
    const [left, top] = onCanvas(corner);
    return x >= left && x < left + side && y >= top && y < top + side;
  });
  if (node >= 0) return { node };
  const wide = content.dropped.side * stage.scale;
  const dropped = byId("dropped").checked ? droppedPlaces.findIndex((corner) => {
    const [left, top] = onCanvas(corner);
    return x >= left && x < left + wide && y >= top && y < top + wide;
  }) : -1;
  return dropped >= 0 ? { dropped } : null;
}

function point(x, y, clicked) {
  const now = found(x, y);
  if (clicked) state.kept = now && !("dropped" in now) ? now : null;
  state.hovered = clicked || (now && "dropped" in now) ? null : now;
  showCard(now || state.kept);
  stage.canvas.style.cursor = now ? "pointer" : "grab";
  stage.redraw();
}

// ---- the card of an edge or a patch ---------------------------------------------------------------

function patchPicture(node, px = 112) {
  const canvas = element("canvas", { width: 2 * px, height: 2 * px, title: `patch ${node}` });
  canvas.dataset.node = node;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `Picture of patch ${node}`);
  drawPatch(canvas);
  return canvas;
}

// From the sheet of patches, else cut from the picture of the tissue.
function drawPatch(canvas) {
  const node = Number(canvas.dataset.node), context = canvas.getContext("2d");
  const place = described.place.get(node);
  if (patchSheet && place !== undefined) {
    if (!patchSheet.complete || !patchSheet.naturalWidth) return;
    const { sheetPx: px, sheetAbreast: abreast } = described;
    context.drawImage(patchSheet, (place % abreast) * px, Math.floor(place / abreast) * px, px, px, 0, 0, canvas.width, canvas.height);
  } else if (tissue && tissue.complete && tissue.naturalWidth) {
    const scale = tissue.naturalWidth / field.width, side = Math.max(content.patches.side * scale, 1);
    context.drawImage(tissue, corners[node][0] * scale, corners[node][1] * scale, side, side, 0, 0, canvas.width, canvas.height);
  } else {
    context.fillStyle = "#888";
    context.font = "24px system-ui";
    context.fillText("no picture", 24, canvas.height / 2);
  }
}

function featureValue(node, place) {
  const row = described.place.get(node);
  if (!described.values || row === undefined) return NaN;
  const step = described.values[row * described.names.length + place];
  return step === UNDEFINED ? NaN : step / described.stepsPerSd;
}

// Rows of the `n` features for which `score` is largest.
function featureRows(score, text, n = 6) {
  return described.names
    .map((name, place) => [score(place), name, place])
    .filter(([value]) => !Number.isNaN(value))
    .sort((one, other) => other[0] - one[0])
    .slice(0, n)
    .map(([, name, place]) => featureRow(name, text(place)));
}

function featureRow(name, text) {
  return element("tr", {}, element("td", {}, plain(name)), element("td", { className: "number" }, text));
}

function table(headings, rows) {
  const head = element("tr", {}, ...headings.map((text, i) => element("th", { scope: "col", className: i ? "number" : "" }, text)));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
}

function evidenceWords(node) {
  const { view } = state;
  if (!view || !view.nodeEvidence) return [];
  return view.evidence.classes.map((name, place) => `${name} ${signed(evidenceOf(view, node, place))}`);
}

function edgeCard({ pair, rank }) {
  const { view } = state, [a, b] = pair;
  const isTrue = trueEdges ? (trueKeys.has(Math.min(a, b) * corners.length + Math.max(a, b)) ? "A true edge. " : "Not a true edge. ") : "";
  const spoke = view.edgeEvidence ? ` Evidence for ${view.evidence.predicted}: ${signed(view.edgeEvidence[rank])}.` : "";
  const rows = featureRows(
    (place) => Math.abs(featureValue(a, place) - featureValue(b, place)),
    (place) => `${signed(featureValue(a, place), 1)} · ${signed(featureValue(b, place), 1)}`,
  );
  return [
    element("h3", {}, `Patch ${a} — patch ${b}`),
    element("p", {}, `Weight ${number(view.weight[rank], 3)}, number ${rank + 1} of ${view.graph.nPairs.toLocaleString("en")}. ${isTrue}${spoke}`),
    element("div", { className: "pair" }, ...pair.map((node) => element("figure", {}, patchPicture(node), element("figcaption", {}, `patch ${node}`)))),
    rows.length ? table(["They differ most in", `${a} · ${b}, SD`], rows) : noFeatures(),
  ];
}

function nodeCard({ node }) {
  const { view } = state;
  const words = evidenceWords(node);
  const joined = view && view.strength ? `Summed weight of its edges ${number(view.strength[node])}. ` : "";
  const rows = featureRows((place) => Math.abs(featureValue(node, place)), (place) => signed(featureValue(node, place), 1));
  const spoke = (view && view.evidence && view.evidence.features[node]) || [];
  return [
    element("h3", {}, `Patch ${node}`),
    element("p", {}, joined + (words.length ? `Evidence: ${words.join(", ")}.` : "")),
    element("div", { className: "pair" }, element("figure", {}, patchPicture(node))),
    spoke.length ? table([`What of it spoke for ${view.evidence.predicted}`, "log-odds"], spoke.map(([name, value]) => featureRow(name, signed(value)))) : "",
    rows.length ? table(["It stands out in", "SD from median"], rows) : noFeatures(),
  ];
}

function noFeatures() {
  return element("p", { className: "muted" }, described.names.length ? "Its features are not carried by this panel." : "Its features have no names that a panel could list.");
}

function showCard(marked) {
  const parts = !marked ? [element("p", { className: "muted" }, "Point at an edge or a patch.")]
    : marked.pair ? edgeCard(marked)
    : "dropped" in marked ? [element("h3", {}, "Dropped tile"), element("p", {}, content.dropped.reasons[droppedReason[marked.dropped]])]
    : nodeCard(marked);
  byId("card").replaceChildren(...parts);
}

// ---- controls -------------------------------------------------------------------------------------

function seedName(view) {
  return view.seed === null ? "final model" : `seed ${view.seed}, fold ${view.fold}`;
}

function option(value, text) {
  return element("option", { value }, text);
}

function fillMethods() {
  byId("method").replaceChildren(...[...new Set(views.map((view) => view.method))].map((name) => option(name, name)));
  fillSeeds();
}

function fillSeeds() {
  const own = views.filter((view) => view.method === byId("method").value);
  byId("seed").replaceChildren(...own.map((view) => option(views.indexOf(view), seedName(view))));
  showView(own[0]);
}

function showView(view) {
  Object.assign(state, { view, hovered: null, kept: null });
  const choices = [];
  if (view.nodeEvidence) view.evidence.classes.forEach((name, place) => choices.push(option(place, `evidence for ${name}`)));
  if (view.strength) choices.push(option("joined", "summed weight of edges"));
  choices.push(option("none", "nothing"));
  byId("colour").replaceChildren(...choices);
  if (view.nodeEvidence) byId("colour").value = Math.max(view.evidence.classes.indexOf(view.predicted), 0);
  state.colour = byId("colour").value;
  byId("edge-controls").hidden = !view.pairs.length && !trueEdges;
  byId("edge-colour").closest("label").hidden = !view.edgeEvidence;
  byId("weight").closest("label").hidden = byId("edges").closest("label").hidden = !view.pairs.length;
  // A graph that the prediction does not use is there for who asks, not the first thing to see.
  const unused = view.evidence?.graph_share === 0;
  byId("edges").checked = !unused;
  byId("no-edges").textContent = edgesNote(view, unused);
  showVerdict(view);
  showWeights();
  showLegend();
  showGallery();
  showHeaviest();
  showCard(null);
  stage.redraw();
}

function edgesNote(view, unused) {
  if (!view.pairs.length) return `${view.method} joins no patches: it has no graph to show, or its graph was not kept.`;
  return unused ? `${view.method} learned this graph and refused it: its prediction uses no edge, so none is drawn unasked.` : "";
}

function showVerdict(view) {
  const known = content.label !== null && content.status !== "new";
  const right = view.predicted === content.label;
  const verdict = content.label === null ? "no label" : right ? "right" : "wrong";
  const said = [`${view.method} (${seedName(view)}) predicts `, element("b", {}, view.predicted), ` with probability ${number(view.probabilities[view.predicted])}`];
  const label = content.label === null ? "; the slide has no label." : `; labelled ${content.label}${known ? "" : ", which nobody trained on"}.`;
  byId("verdict").replaceChildren(element("span", { className: `badge ${verdict.replace(" ", "-")}` }, verdict), ...said, label);
}

function showWeights() {
  const { view } = state, n = shownPairs();
  byId("weight-says").textContent = n && view.pairs.length ? `${n.toLocaleString("en")} of ${counted(view.graph.nPairs, "edge")}, weight ${number(view.weight[n - 1], 3)} and more` : "none";
}

function bar(stops, low, high, title) {
  const gradient = `linear-gradient(90deg, ${stops.join(", ")})`;
  const strip = element("span", { className: "strip" });
  strip.style.background = gradient;
  return element("p", { className: "legend" }, element("span", {}, low), strip, element("span", {}, high), element("span", { className: "muted" }, title));
}

function showLegend() {
  const { view, colour } = state, parts = [];
  if (colour === "joined") {
    parts.push(bar(VIRIDIS.map((rgb) => `rgb(${rgb})`), "0", number(largest(view.strength)), "summed weight of a patch's edges"));
  } else if (colour !== "none") {
    const most = largestEvidence(view, Number(colour)), name = view.evidence.classes[Number(colour)];
    parts.push(bar([`rgb(${AGAINST})`, "#f6f6f6", `rgb(${FOR})`], `against ${number(most)}`, `for ${number(most)}`, `log-odds of ${name} that go with the patch`));
  }
  if (droppedPlaces.length && byId("dropped").checked) {
    const entries = content.dropped.reasons.map((reason, i) => {
      const mark = element("i", {});
      mark.style.borderColor = DROPPED[i % DROPPED.length];
      return element("span", {}, mark, reason);
    });
    parts.push(element("p", { className: "legend" }, "Dropped: ", ...entries));
  }
  byId("legend").replaceChildren(...parts);
}

// ---- gallery, nuclei, list of edges -----------------------------------------------------------------

function galleryOf(nodes, words) {
  return element("div", { className: "pictures small" }, ...nodes.map((node) => {
    const button = element("button", { type: "button", className: "patch" }, patchPicture(node), element("span", {}, words(node)));
    button.addEventListener("click", () => goTo({ node }));
    return button;
  }));
}

function showGallery() {
  const { view } = state, parts = [];
  if (view.evidence) {
    const place = view.evidence.classes.indexOf(view.evidence.predicted);
    const words = (node) => `patch ${node}: ${signed(evidenceOf(view, node, place))}`;
    for (const [title, nodes] of [["For", view.evidence.for], ["Against", view.evidence.against]]) {
      parts.push(element("h3", {}, `${title} ${view.evidence.predicted}`), nodes.length ? galleryOf(nodes, words) : element("p", {}, "No patch."));
    }
    parts.push(element("p", { className: "muted" }, evidenceNote(view.evidence)));
  } else {
    parts.push(element("p", { className: "muted" }, "No evidence of single patches was computed for this model, so that this panel cannot say which patches spoke for or against its prediction."));
    if (view.joined.length) {
      parts.push(element("h3", {}, "Most joined patches"), galleryOf(view.joined, (node) => `patch ${node}: ${number(view.strength[node])}`));
      parts.push(element("p", { className: "muted" }, "Those with the largest summed weight of edges. A patch that many others hear need not be one that decides."));
    }
  }
  byId("gallery-content").replaceChildren(...parts);
}

function evidenceNote(told) {
  const shares = told.patches_together > 1 ? ` Up to ${told.patches_together} patches were left out at once and share their evidence equally.` : "";
  const without = told.without_edges === null ? "" : `; if no patch heard another they would be ${signed(told.without_edges)}`;
  const share = told.graph_share === null ? "" : ` Of what patches say, ${Math.round(100 * told.graph_share)} % comes by the graph.`;
  const edges = told.edge_reason ? ` Edges have no evidence: ${told.edge_reason}.` : "";
  return `Numbers are log-odds that go with the patch: those of the slide, less those of the slide without it. In all the log-odds of ${told.predicted} are ${signed(told.log_odds)}${without}.${share}${shares}${edges} They tell what moved this model, not what caused the disease.`;
}

function goTo(marked) {
  state.kept = marked;
  state.hovered = null;
  const [x, y] = marked.pair ? marked.pair.map(centre).reduce((a, b) => [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]) : centre(marked.node);
  stage.centre(x, y);
  showCard(marked);
}

function showHeaviest() {
  const { view } = state;
  const rows = view.pairs.slice(0, 12).map((pair, rank) => {
    const button = element("button", { type: "button", className: "link" }, `patch ${pair[0]} — patch ${pair[1]}`);
    button.addEventListener("click", () => goTo({ pair, rank }));
    return element("tr", {}, element("td", {}, button), element("td", { className: "number" }, number(view.weight[rank], 3)));
  });
  byId("heaviest").hidden = !rows.length;
  byId("heaviest-content").replaceChildren(table(["Edge", "weight"], rows));
}

function showCloseups() {
  byId("closeups").hidden = !content.closeups.length;
  const colours = content.axisColours;
  const redraws = content.closeups.map((closeup) => {
    const nuclei = { ...closeup, ...Object.fromEntries(["centre", "axis", "reliability", "length", "points", "contour", "type"].map((name) => [name, unpack(closeup[name])])) };
    nuclei.n = nuclei.axis.length;
    const canvas = element("canvas", { width: 640, height: 640 });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Nuclei of patch ${closeup.node}`);
    const caption = `Patch ${closeup.node}: ${counted(nuclei.n, "nucleus", "nuclei")} in ${number(closeup.sideUm, 0)} µm.`;
    byId("closeup-content").append(element("figure", {}, canvas, element("figcaption", {}, caption)));
    const shown = () => ({ outlines: byId("outlines").checked, axes: byId("axes").checked, field: byId("axis-field").checked, colour: byId("nuclei-colour").value });
    const redraw = () => drawCloseup(canvas, picture, nuclei, colours, shown());
    const picture = closeup.picture ? new Image() : null;
    if (picture) {
      picture.addEventListener("load", redraw);
      picture.src = `${content.pictures}${closeup.picture}.webp`;
    }
    redraw();
    return redraw;
  });
  if (content.closeups.some((closeup) => closeup.types.length)) byId("nuclei-colour").append(option("type", "type"));
  for (const control of byId("closeup-controls").querySelectorAll("input, select")) control.addEventListener("change", () => redraws.forEach((redraw) => redraw()));
  drawWheel(byId("wheel"), colours);
}

// ---- the page ---------------------------------------------------------------------------------------

function showFacts() {
  const words = [content.patient && `patient ${content.patient}`, content.nKept !== null && `${content.nKept} of ${counted(content.nTiles, "tile")} kept`,
    corners.length && counted(corners.length, "patch", "patches"), content.nNuclei !== null && counted(content.nNuclei, "nucleus", "nuclei"),
    content.status !== "in the folds" && content.status, content.reason, content.fault && `no picture: ${content.fault}`];
  byId("facts").textContent = words.filter(Boolean).join(" · ");
}

function start() {
  showFacts();
  if (!field) {
    byId("panel").replaceChildren(element("p", { className: "warning" }, `There is nothing to draw: ${content.reason || content.fault || "no patch and no picture"}.`));
    return;
  }
  stage = new Stage(byId("stage").querySelector("canvas"), field.width, field.height, draw, point);
  for (const button of document.querySelectorAll("[data-zoom]")) {
    const acts = { in: () => stage.zoom(1.5), out: () => stage.zoom(1 / 1.5), fit: () => stage.fit() };
    button.addEventListener("click", acts[button.dataset.zoom]);
  }
  byId("true-label").hidden = !trueEdges;
  for (const id of ["tissue", "dropped", "edges", "true", "edge-colour"]) byId(id).addEventListener("change", () => { showWeights(); showLegend(); stage.redraw(); });
  byId("weight").addEventListener("input", () => { showWeights(); stage.redraw(); });
  byId("method").addEventListener("change", fillSeeds);
  byId("seed").addEventListener("change", () => showView(views[byId("seed").value]));
  byId("colour").addEventListener("change", () => { state.colour = byId("colour").value; showLegend(); stage.redraw(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => stage.redraw());
  showCloseups();
  if (views.length) {
    fillMethods();
  } else {
    for (const id of ["gallery", "heaviest", "edge-controls"]) byId(id).hidden = true;
    state.colour = "none";
    byId("verdict").textContent = "No model of this run predicts this slide.";
    for (const id of ["method", "seed", "colour"]) byId(id).closest("label").hidden = true;
    showLegend();
    showCard(null);
  }
}

start();
