"use strict";

const BLANK = "data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw==";
const WAIT_MS = 120; // after a movement, before regions are asked for
const FIRST_EDGES = 40; // drawn before the slider is moved; many more hide the tissue

const state = { slides: [], slide: null, url: "", tiles: null, model: null, graph: null, evidence: null, hovered: null, kept: null, region: {} };

const osd = OpenSeadragon({
  element: byId("viewer"), showNavigationControl: false, showNavigator: true, navigatorPosition: "TOP_RIGHT",
  maxZoomPixelRatio: 6, minZoomImageRatio: 0.8, visibilityRatio: 0.4, animationTime: 0.4, crossOriginPolicy: false,
  gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true }, drawer: "canvas",
});
const canvas = element("canvas", { className: "layers" });
osd.canvas.append(canvas);

async function ask(path, signal) {
  const answer = await fetch(path, { signal });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

function tell(error) {
  if (error.name === "AbortError") return;
  byId("fault").textContent = error.message;
  byId("fault").hidden = false;
}

// ---- frames -------------------------------------------------------------------------------------------

// Canvas px of level-0 px, and what lies in view.
function frame() {
  const image = osd.world.getItemAt(0);
  if (!image) return null;
  const zero = image.imageToViewerElementCoordinates(new OpenSeadragon.Point(0, 0));
  const far = image.imageToViewerElementCoordinates(new OpenSeadragon.Point(1e4, 0));
  const scale = (far.x - zero.x) / 1e4, mpp = state.slide.mpp;
  const at = (x, y) => [x * scale + zero.x, y * scale + zero.y];
  const box = [-zero.x / scale, -zero.y / scale, (canvas.clientWidth - zero.x) / scale, (canvas.clientHeight - zero.y) / scale];
  const inView = (x, y, side) => x < box[2] && y < box[3] && x + side > box[0] && y + side > box[1];
  return { at, scale, box, inView, mpp, umPerPx: mpp / scale, zero };
}

const corner = (node) => state.slide.patches.corners[node];
const middle = (node) => corner(node).map((side) => side + state.slide.patches.side / 2);

// ---- drawing --------------------------------------------------------------------------------------------

function draw() {
  const ratio = window.devicePixelRatio || 1, { clientWidth, clientHeight } = osd.canvas;
  if (canvas.clientWidth !== clientWidth || canvas.width !== Math.round(clientWidth * ratio) || canvas.height !== Math.round(clientHeight * ratio)) {
    Object.assign(canvas, { width: Math.round(clientWidth * ratio), height: Math.round(clientHeight * ratio) });
    Object.assign(canvas.style, { width: `${clientWidth}px`, height: `${clientHeight}px` });
  }
  const context = canvas.getContext("2d"), shown = frame();
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, clientWidth, clientHeight);
  if (!shown || !state.slide) return;
  const { patches } = state.slide, { nuclei, cells, pairs } = state.region;
  if (state.tiles && byId("tiles").value !== "off") drawTiles(context, state.tiles, byId("tiles").value, shown);
  if (patches && byId("patches").value !== "off") drawPatches(context, patches, patchColour, byId("opacity").value / 100, shown);
  if (nuclei && byId("nuclei").value !== "off") {
    if (nuclei.field) drawField(context, nuclei.field, shown);
    else drawOutlines(context, nuclei.nuclei, (i) => nucleusColour(nuclei.nuclei, i), shown);
  }
  if (cells && cells.x0 && byId("cells").checked) drawCellGraph(context, cells, shown);
  if (pairs && byId("edges").checked) drawPairs(context, pairs, state.graph.weight[0], edgeEvidence(), middle, shown);
  const marked = state.hovered || state.kept;
  if (marked && patches) drawMarked(context, marked, patches.side, corner, middle, shown);
  drawScaleBar(shown.umPerPx);
}

function edgeEvidence() {
  return byId("edge-colour").value === "evidence" && state.evidence ? state.evidence.edge : null;
}

function patchColour(node) {
  const by = byId("patches").value;
  if (by === "joined" ? !state.graph : !state.evidence) return null; // not here yet
  if (by === "joined") return `rgb(${blend(VIRIDIS, state.graph.strength[node] / (state.graph.most || 1)).join(" ")})`;
  const value = state.evidence.node[by][node], share = Math.sqrt(Math.abs(value) / (state.evidence.most[by] || 1));
  return `rgb(${(value > 0 ? FOR : AGAINST).join(" ")} / ${0.05 + 0.95 * share})`;
}

function nucleusColour(nuclei, i) {
  return byId("nuclei").value === "type" ? state.slide.types[nuclei.type[i]] || UNKNOWN : axisColour(nuclei.axis[i]);
}

// ---- regions ----------------------------------------------------------------------------------------------

let waiting = 0, asked = null;

function askRegions() {
  clearTimeout(waiting);
  waiting = setTimeout(loadRegions, WAIT_MS);
}

async function loadRegions() {
  const shown = frame();
  if (!shown || !state.slide) return;
  if (asked) asked.abort();
  asked = new AbortController();
  const { signal } = asked, slide = state.slide, box = shown.box.map(Math.round).join(",");
  const wanted = {
    nuclei: slide.layers.nuclei && byId("nuclei").value !== "off" && `${state.url}/nuclei?box=${box}&px=${Math.max(canvas.clientWidth, 1)}`,
    cells: slide.layers.cell_graph && byId("cells").checked && `${state.url}/cell_graph?box=${box}`,
    pairs: state.graph && byId("edges").checked && `${state.url}/models/${state.model}/graph?box=${box}&heaviest=${shownPairs()}`,
  };
  await Promise.all(Object.entries(wanted).map(async ([name, path]) => {
    try {
      const found = path ? await ask(path, signal) : null;
      if (slide !== state.slide || signal.aborted) return;
      state.region[name] = found;
      draw();
    } catch (error) {
      tell(error);
    }
  }));
  if (!signal.aborted) showRegionWords();
}

function showRegionWords() {
  const { nuclei, cells } = state.region, total = `${state.slide.n_nuclei.toLocaleString("en")} nuclei`;
  byId("nuclei-says").textContent = !nuclei ? total : nuclei.field
    ? `${total}; as a field of axes here: shade for number, line for mean axis, its length for agreement. Zoom in for outlines.`
    : `${nuclei.nuclei.x.length.toLocaleString("en")} of ${total} in view.`;
  byId("cells-says").textContent = cells && cells.too_many ? "Too many edges in view: zoom in." : cells ? "Green: axes agree." : "";
}

function shownPairs() {
  return state.graph ? Math.max(1, Math.round(state.graph.weight.length ** (byId("weight").value / 100))) : 0;
}

function leastWeight() {
  return state.graph.weight[shownPairs() - 1] || 0;
}

function showWeights() {
  const n = shownPairs();
  byId("weight-says").textContent = n ? `${n.toLocaleString("en")} of ${state.graph.weight.length.toLocaleString("en")}, weight ${number(leastWeight(), 3)} and more` : "no learned graph";
}

// ---- the slide and its models --------------------------------------------------------------------------------

async function showSlide(slideId) {
  byId("fault").hidden = true;
  state.wanted = slideId;
  const url = `slides/${encodeURIComponent(slideId)}`;
  const [slide, tiles] = await Promise.all([ask(url), ask(`${url}/tiles`)]);
  if (state.wanted !== slideId) return; // another one was chosen meanwhile
  Object.assign(state, { slide, url, tiles, model: null, graph: null, evidence: null, hovered: null, kept: null, region: {} });
  document.title = `${slideId} · abignet viewer`;
  history.replaceState(null, "", `?slide=${encodeURIComponent(slideId)}`);
  if (slide.fault) tell(new Error(`No picture: ${slide.fault}.`));
  fillLayers();
  fillMethods();
  osd.open(source(slide, url));
}

function source({ width, height, levels, tile_px: tileSize }, url) {
  const maxLevel = levels === null ? Math.ceil(Math.log2(Math.max(width, height))) : levels - 1;
  const getTileUrl = (level, x, y) => (levels === null ? BLANK : `${url}/tissue/${level}/${x}_${y}.jpg`);
  return { width, height, tileSize, tileOverlap: 0, minLevel: levels === null ? maxLevel - 4 : 0, maxLevel, getTileUrl };
}

function option(value, text) {
  return element("option", { value }, text);
}

function fillLayers() {
  const { slide, tiles } = state, nuclei = byId("nuclei").value;
  const measured = tiles ? Object.keys(tiles).filter((name) => name.startsWith("qc_") && tiles[name].some((value) => value !== null)) : [];
  byId("tiles").replaceChildren(option("off", "hidden"), option("kept", "kept and dropped"), option("tissue_fraction", "share of tissue"), ...measured.map((name) => option(name, plain(name.slice(3)))));
  byId("tiles").closest("label").hidden = !tiles;
  byId("nuclei").replaceChildren(option("off", "hidden"), option("axis", "by axis"), ...(Object.keys(slide.types).length ? [option("type", "by type")] : []));
  byId("nuclei").value = [...byId("nuclei").options].some((choice) => choice.value === nuclei) ? nuclei : "off";
  byId("nuclei").closest("label").hidden = !slide.layers.nuclei;
  byId("cells").closest("label").hidden = !slide.layers.cell_graph;
}

function fillMethods() {
  const names = [...new Set(state.slide.models.map((model) => `${model.run} · ${model.method}`))];
  const before = byId("method").value;
  byId("method").replaceChildren(...names.map((name) => option(name, name)));
  byId("prediction").hidden = !names.length;
  const preferred = names.includes(before) ? before : names.find((name) => name.endsWith(" · default")) || names[0];
  if (names.length) byId("method").value = preferred;
  fillSeeds();
}

function fillSeeds() {
  const own = state.slide.models.map((model, place) => ({ ...model, place })).filter((model) => `${model.run} · ${model.method}` === byId("method").value);
  byId("seed").replaceChildren(...own.map((model) => option(model.place, model.seed === null ? "final model" : `seed ${model.seed}, fold ${model.fold}`)));
  showModel(own.length ? own[0].place : null).catch(tell);
}

async function showModel(place) {
  const slide = state.slide;
  state.wantedModel = place;
  const [graph, evidence] = place === null ? [null, null] : await Promise.all([ask(`${state.url}/models/${place}/graph`), ask(`${state.url}/models/${place}/evidence`)]);
  if (slide !== state.slide || state.wantedModel !== place) return;
  if (graph) graph.most = largest(graph.strength);
  if (evidence) evidence.most = evidence.node.map(largest);
  Object.assign(state, { model: place, graph: graph && graph.weight.length ? graph : null, evidence, hovered: null, kept: null });
  state.region.pairs = null;
  if (state.graph && !state.weightChosen) byId("weight").value = Math.min(100, Math.round((100 * Math.log(FIRST_EDGES)) / Math.log(Math.max(state.graph.weight.length, 2))));
  fillPatches();
  showVerdict(place === null ? null : slide.models[place]);
  byId("edges").closest("label").hidden = byId("weight").closest("label").hidden = !state.graph;
  byId("edge-colour").closest("label").hidden = !(state.graph && evidence && evidence.edge);
  showWeights();
  showSpoke();
  showCard(null);
  showLegends();
  draw();
  askRegions();
}

function fillPatches() {
  const { evidence, graph } = state;
  const choices = evidence ? evidence.classes.map((name, place) => option(place, `evidence for ${name}`)) : [];
  if (graph) choices.push(option("joined", "summed weight of edges"));
  byId("patches").replaceChildren(option("off", "hidden"), ...choices);
  for (const id of ["patches", "opacity"]) byId(id).closest("label").hidden = !choices.length;
  if (evidence) byId("patches").value = evidence.classes.indexOf(evidence.predicted);
}

function showVerdict(model) {
  if (!model) return;
  const verdict = !model.label ? "no label" : model.label === model.predicted ? "right" : "wrong";
  byId("verdict").replaceChildren(element("span", { className: `badge ${verdict.replace(" ", "-")}` }, verdict), "predicted ", element("b", {}, model.predicted), model.label ? `, labelled ${model.label}` : "");
  byId("probabilities").replaceChildren(...Object.entries(model.probabilities).map(([name, share]) => {
    const bar = element("i");
    bar.style.width = `${100 * share}%`;
    return element("div", { className: "share" }, element("span", { title: name }, name), bar, element("span", { className: "number" }, number(share)));
  }));
}

function showLegends() {
  const by = byId("patches").value, tiles = byId("tiles").value, nuclei = byId("nuclei").value;
  const signedColour = (share) => `rgb(${blend([AGAINST, [246, 246, 246], FOR], share).join(" ")})`;
  const scale = (share) => `rgb(${blend(VIRIDIS, share).join(" ")})`;
  byId("patch-legend").replaceChildren(...(by === "off" ? [] : by === "joined" ? [strip(scale, "0", number(state.graph.most))]
    : [strip(signedColour, `against ${number(state.evidence.most[by])}`, `for ${number(state.evidence.most[by])}`)]));
  byId("tile-legend").replaceChildren(...(tiles === "off" ? [] : tiles !== "kept" ? [strip(scale, "0", "1")]
    : [keys([["#0072b2", "kept"], ...droppedReasons().map((i) => [DROPPED[i % DROPPED.length], state.tiles.reasons[i]])])]));
  byId("nuclei-legend").replaceChildren(...(nuclei === "axis" ? [wheel()] : nuclei === "type" ? [keys(Object.entries(state.slide.types).map(([name, colour]) => [colour, name]))] : []));
}

// Positions of the reasons of dropped tiles that are drawn: those with tissue.
function droppedReasons() {
  const { reason, kept, tissue_fraction: tissue } = state.tiles;
  return [...new Set(reason.filter((_, i) => !kept[i] && tissue[i] > 0))].sort((a, b) => a - b);
}

function showSpoke() {
  const { evidence, slide } = state;
  byId("spoke").hidden = state.model === null;
  if (!evidence) {
    byId("spoke-content").replaceChildren(element("p", { className: "muted" }, "No evidence of single patches was computed for this model (see explain.methods of the configuration): which patches spoke is not known."));
    return;
  }
  const place = evidence.classes.indexOf(evidence.predicted);
  const strips = [["For", evidence.for], ["Against", evidence.against]].map(([title, nodes]) => element("div", { className: "strip" }, element("b", {}, `${title} ${evidence.predicted}`),
    ...nodes.map((node) => {
      const picture = slide.levels === null ? "" : element("img", { src: `${state.url}/patches/${node}.jpg`, alt: `patch ${node}`, loading: "lazy" });
      const button = element("button", { type: "button", className: "patch" }, picture, signed(evidence.node[place][node]));
      button.addEventListener("click", () => goTo(node));
      return button;
    }), nodes.length ? "" : element("span", { className: "muted" }, "no patch")));
  byId("spoke-content").replaceChildren(...strips, element("p", { className: "muted" }, evidenceNote(evidence)));
}

function goTo(node) {
  state.kept = { nodes: [node] };
  const [x, y] = corner(node), side = state.slide.patches.side, image = osd.world.getItemAt(0);
  osd.viewport.fitBounds(image.imageToViewportRectangle(x - side, y - side, 3 * side, 3 * side));
  showCard(state.kept);
}

// ---- pointing -----------------------------------------------------------------------------------------------------

function found(x, y) {
  const shown = frame(), { patches } = state.slide || {};
  if (!shown || !patches) return null;
  const { pairs } = state.region;
  let best = null, nearest = NEAR_PX;
  if (pairs && byId("edges").checked) {
    for (let i = 0; i < pairs.a.length; i++) {
      const nodes = [pairs.a[i], pairs.b[i]], distance = distanceToArc(x, y, ...nodes.map((node) => shown.at(...middle(node))));
      if (distance < nearest) [best, nearest] = [{ nodes, weight: pairs.weight[i], rank: pairs.rank[i] }, distance];
    }
  }
  if (best) return best;
  const [left, top] = [(x - shown.zero.x) / shown.scale, (y - shown.zero.y) / shown.scale];
  const node = patches.corners.findIndex(([cx, cy]) => left >= cx && left < cx + patches.side && top >= cy && top < cy + patches.side);
  return node < 0 ? null : { nodes: [node] };
}

function isSame(one, other) {
  return String(one && one.nodes) === String(other && other.nodes);
}

let cardAsked = "";

async function showCard(marked) {
  const key = `${state.url} ${state.model} ${marked && marked.nodes}`;
  if (key === cardAsked) return;
  cardAsked = key;
  if (!marked) {
    byId("card").hidden = true;
    return;
  }
  const features = await ask(`${state.url}/features?nodes=${marked.nodes.join(",")}`);
  if (key !== cardAsked) return;
  byId("card").hidden = false;
  byId("card").replaceChildren(...cardOf(marked, { ...state, pictures: state.slide.levels !== null, slideUrl: state.url }, features));
}

new OpenSeadragon.MouseTracker({
  element: osd.container,
  moveHandler: ({ position }) => {
    const now = found(position.x, position.y);
    if (isSame(now, state.hovered)) return;
    state.hovered = now;
    showCard(now || state.kept).catch(tell);
    draw();
  },
  leaveHandler: () => {
    state.hovered = null;
    showCard(state.kept).catch(tell);
    draw();
  },
});
osd.addHandler("canvas-click", ({ position, quick }) => {
  if (!quick) return;
  state.kept = found(position.x, position.y);
  showCard(state.kept).catch(tell);
  draw();
});

// ---- the page ---------------------------------------------------------------------------------------------------------

for (const name of ["update-viewport", "resize", "open", "animation"]) osd.addHandler(name, draw);
for (const name of ["animation-finish", "resize", "open"]) osd.addHandler(name, askRegions);
osd.addHandler("open", () => {
  const [x, y, width, height] = state.slide.bounds;
  osd.viewport.fitBounds(osd.world.getItemAt(0).imageToViewportRectangle(x, y, width, height), true);
});
osd.addHandler("tile-load-failed", ({ message }) => {
  if (!/abort/i.test(message)) tell(new Error(`A part of the slide cannot be read: ${message}`)); // else no longer in view
});

for (const id of ["patches", "opacity", "tiles", "edge-colour"]) byId(id).addEventListener("input", () => { showLegends(); draw(); });
for (const id of ["nuclei", "cells", "edges"]) byId(id).addEventListener("input", () => { showLegends(); draw(); askRegions(); });
byId("weight").addEventListener("input", () => { state.weightChosen = true; showWeights(); askRegions(); });
byId("method").addEventListener("change", fillSeeds);
byId("seed").addEventListener("change", () => showModel(Number(byId("seed").value)).catch(tell));
byId("slide").addEventListener("change", () => showSlide(byId("slide").value).catch(tell));
byId("wrong-only").addEventListener("change", fillSlides);
for (const button of document.querySelectorAll("[data-zoom]")) {
  const acts = { in: () => osd.viewport.zoomBy(1.6), out: () => osd.viewport.zoomBy(1 / 1.6), home: () => osd.viewport.goHome() };
  button.addEventListener("click", () => { acts[button.dataset.zoom](); osd.viewport.applyConstraints(); });
}

function fillSlides() {
  const shown = state.slides.filter((slide) => !byId("wrong-only").checked || slide.n_wrong);
  byId("slide").replaceChildren(...shown.map((slide) => {
    const wrong = slide.n_wrong ? ` · wrong in ${slide.n_wrong} of ${slide.n_models}` : "";
    return option(slide.slide, `${slide.slide}${slide.label ? ` · ${slide.label}` : ""}${wrong}`);
  }));
  if (state.slide && shown.some((slide) => slide.slide === state.slide.slide)) byId("slide").value = state.slide.slide;
  else if (shown.length && state.slide) showSlide(shown[0].slide).catch(tell);
}

async function start() {
  const { folder, slides } = await ask("slides");
  state.slides = slides;
  byId("folder").textContent = folder;
  byId("wrong-only").closest("label").hidden = !slides.some((slide) => slide.n_wrong);
  fillSlides();
  const wanted = new URLSearchParams(location.search).get("slide");
  const first = slides.some((slide) => slide.slide === wanted) ? wanted : slides[0].slide;
  byId("slide").value = first;
  await showSlide(first);
}

start().catch(tell);
