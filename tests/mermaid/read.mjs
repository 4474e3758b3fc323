// Reads documents with the real packages, for tests/dialects.py: a line of JSON in, a line of JSON out, until stdin ends.
//   {"mermaid": TEXT, "draw": false}  ▸ what its parser found: nodes, shapes, classes and links by id, edges and
//                                       frames in order
//   {"mermaid": TEXT, "draw": true}   ▸ the same, and as "drawn" the words that its SVG shows
//   {"cytoscape": TEXT}               ▸ the data of the whole, and nodes and edges with what their style makes of them
// Where a package refuses a document the answer is {"error": MESSAGE}.
import { createInterface } from "node:readline";
import { JSDOM } from "jsdom";

const { window } = new JSDOM("<!doctype html><body></body>", { pretendToBeVisual: true });
for (const name of ["document", "Element", "HTMLElement", "SVGElement", "Node", "DOMParser", "XMLSerializer", "CSSStyleSheet"]) {
  globalThis[name] = window[name];
}
globalThis.window = window;
// jsdom lays nothing out: every text is as large as this box, and every line as long.
const box = { x: 0, y: 0, width: 100, height: 20, left: 0, top: 0, right: 100, bottom: 20 };
window.SVGElement.prototype.getBBox = () => box;
window.SVGElement.prototype.getComputedTextLength = () => box.width;
window.SVGElement.prototype.getTotalLength = () => box.width;
window.SVGElement.prototype.getPointAtLength = () => ({ x: 0, y: 0 });
window.Element.prototype.getBoundingClientRect = () => box;

const { default: mermaid } = await import("mermaid");
const { default: cytoscape } = await import("cytoscape");
// What GitHub uses: nothing of a diagram is trusted, and sizes are limited.
mermaid.initialize({ startOnLoad: false, securityLevel: "strict" });
let drawings = 0;

// The words of an element, its lines told apart.
function linesOf(element) {
  const copy = element.cloneNode(true);
  copy.querySelectorAll("br").forEach((br) => br.replaceWith("\n"));
  return copy.textContent.split("\n").map((line) => line.replace(/[ \n\t]+/g, " ").trim());
}

// The words of a label as Mermaid keeps it: its own marks for `#35;` are entities of HTML.
function wordsOf(label) {
  const element = window.document.createElement("div");
  element.innerHTML = label.replaceAll("ﬂ°°", "&#").replaceAll("ﬂ°", "&").replaceAll("¶ß", ";");
  return linesOf(element);
}

async function readMermaid({ mermaid: text, draw }) {
  await mermaid.parse(text);
  const { db } = await mermaid.mermaidAPI.getDiagramFromText(text);
  const nodes = Object.fromEntries([...db.getVertices()].map(([id, vertex]) => [id, wordsOf(vertex.text ?? "")]));
  const shapes = Object.fromEntries([...db.getVertices()].map(([id, vertex]) => [id, vertex.type]));
  const classes = Object.fromEntries([...db.getVertices()].map(([id, vertex]) => [id, vertex.classes]));
  const links = Object.fromEntries([...db.getVertices()].map(([id, vertex]) => [id, vertex.link ?? null]));
  const edges = db.getEdges().map(({ start, end, text, stroke, style }) => ({
    start, end, stroke, style: style ?? [], label: wordsOf(text),
  }));
  const frames = db.getSubGraphs().map(({ title, nodes }) => ({ title: wordsOf(title), nodes: [...nodes].sort() }));
  const answer = { nodes, shapes, classes, links, edges, frames };
  return draw ? { ...answer, drawn: await drawnBy(text) } : answer;
}

async function drawnBy(text) {
  const { svg } = await mermaid.render(`drawing${++drawings}`, text);
  const holder = window.document.createElement("div");
  holder.innerHTML = svg;
  const foreign = ["script", "iframe", "img", "math", ".katex", "[onclick]", "[onerror]", "i.fa", "i.fas"];
  const nodes = [...holder.querySelectorAll("g.node")].map((node) => [
    /flowchart-(\w+)-\d+$/.exec(node.id)[1],
    linesOf(node.querySelector(".nodeLabel")),
  ]);
  return {
    nodes: Object.fromEntries(nodes),
    edges: [...holder.querySelectorAll(".edgeLabels .edgeLabel .edgeLabel")].map(linesOf),
    foreign: foreign.filter((selector) => holder.querySelector(selector)),
  };
}

function readCytoscape({ cytoscape: text }) {
  const graph = cytoscape({ ...JSON.parse(text), layout: { name: "preset" }, headless: true, styleEnabled: true });
  return {
    data: graph.data(),
    nodes: graph.nodes().map((node) => ({ data: node.data(), shape: node.style("shape") })),
    edges: graph.edges().map((edge) => ({
      data: edge.data(), colour: edge.style("line-color"), line: edge.style("line-style"), width: edge.style("width"),
    })),
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  let answer;
  try {
    answer = "mermaid" in question ? await readMermaid(question) : readCytoscape(question);
  } catch (error) {
    answer = { error: String(error?.message ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit(0); // jsdom keeps timers going
