"use strict";

function table(headings, rows) {
  const cells = (tag, texts) => element("tr", {}, ...texts.map((text, i) => element(tag, { className: i ? "number" : "" }, text)));
  return element("table", {}, element("thead", {}, cells("th", headings)), element("tbody", {}, ...rows.map((row) => cells("td", row))));
}

// A strip of colours with what its ends mean.
function strip(colours, low, high) {
  const canvas = element("canvas", { width: 96, height: 1 }), context = canvas.getContext("2d");
  for (let i = 0; i < 96; i++) {
    context.fillStyle = colours(i / 95);
    context.fillRect(i, 0, 1, 1);
  }
  return element("p", { className: "legend" }, low, canvas, high);
}

function keys(entries) {
  return element("p", { className: "legend" }, ...entries.map(([colour, text]) => {
    const mark = element("i");
    mark.style.background = colour;
    return element("span", {}, mark, text);
  }));
}

// Colours of axes as they lie on the page.
function wheel() {
  const canvas = element("canvas", { width: 96, height: 96, className: "wheel" }), context = canvas.getContext("2d");
  context.lineWidth = 20;
  for (let i = 0; i < 180; i++) {
    const angle = (i / 180) * 2 * Math.PI;
    context.strokeStyle = axisColour(angle);
    context.beginPath();
    context.arc(48, 48, 35, angle, angle + 0.06);
    context.stroke();
  }
  return element("p", { className: "legend" }, canvas, "direction of the long axis");
}

function evidenceNote(told) {
  const without = told.without_edges === null ? "" : `; ${signed(told.without_edges)} if no patch heard another`;
  const share = told.graph_share === null ? "" : ` ${Math.round(100 * told.graph_share)} % of what patches say comes by the graph.`;
  const together = told.patches_together > 1 ? ` Up to ${told.patches_together} patches were left out at once.` : "";
  const edges = told.edge_reason ? ` Edges have no evidence: ${told.edge_reason}.` : "";
  return `Log-odds of ${told.predicted} ${signed(told.log_odds)}${without}; numbers are those that go with the patch.${share}${together}${edges}`;
}

// Lines of the card of a patch or of a pair of patches.
function cardOf(marked, told, features) {
  const { nodes, weight, rank } = marked, { graph, evidence, pictures, slideUrl } = told;
  const parts = [element("h3", {}, nodes.map((node) => `patch ${node}`).join(" — "))];
  if (nodes.length > 1) {
    const spoke = evidence && evidence.edge ? ` Evidence for ${evidence.predicted} ${signed(evidence.edge[rank])}.` : "";
    parts.push(element("p", {}, `Weight ${number(weight, 3)}, number ${rank + 1} of ${graph.weight.length.toLocaleString("en")}.${spoke}`));
  } else {
    const words = evidence ? evidence.classes.map((name, i) => `${name} ${signed(evidence.node[i][nodes[0]])}`) : [];
    const joined = graph ? `Summed weight of its edges ${number(graph.strength[nodes[0]])}. ` : "";
    parts.push(element("p", {}, joined + (words.length ? `Evidence: ${words.join(", ")}.` : "")));
  }
  if (pictures) parts.push(element("div", { className: "pair" }, ...nodes.map((node) => element("img", { src: `${slideUrl}/patches/${node}.jpg`, alt: `patch ${node}` }))));
  const spoken = nodes.length === 1 && evidence && evidence.features[nodes[0]];
  if (spoken && spoken.length) parts.push(table([`What of it spoke for ${evidence.predicted}`, "log-odds"], spoken.map(([name, value]) => [plain(name), signed(value)])));
  if (features.length) {
    const title = nodes.length > 1 ? "They differ most in" : "It stands out in";
    parts.push(table([title, "SD"], features.map(({ name, values }) => [plain(name), values.map((value) => (value === null ? "–" : signed(value, 1))).join(" · ")])));
  }
  return parts;
}
