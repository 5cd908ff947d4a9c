// What all pages share: what is chosen, and pictures of each block, small, and of one, large.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const inputs = data.inputs;
const chosen = { kind: 0, block: -1, part: -1, only: null, own: 0, centred: 0 }; // part -1: all
const GREY = "#d4d4d4";
const at = (id) => document.getElementById(id);
const kinds = (input) => [...input.signals, ...input.pictures];
const signal = (input = inputs[0]) => kinds(input)[chosen.kind]; // or pictures
const pictured = () => chosen.kind >= inputs[0].signals.length;
const percent = (share) => share > 0 && share < 0.01 ? "< 1 %" : `${Math.round(100 * share)} %`;
const bytes = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const dark = (hex) => bytes(hex).reduce((sum, x, i) => sum + x * [0.3, 0.59, 0.11][i], 0) < 140;

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const label = (value) =>
  signal().categories === null ? String(value) : String(signal().labels?.[value] ?? value);

// What row n of a block shows, if anything: its value, and the share of its parts that have it.
function shown(block, n) {
  if (signal().still) return null;
  const values = chosen.part < 0 ? block.values[n] : [block.values[n][chosen.part]];
  if (chosen.only !== null) {
    const share = values.filter((value) => value === chosen.only).length / values.length;
    return share > 0 ? [chosen.only, share] : null;
  }
  return chosen.part < 0 ? [block.summary[n], block.agreement[n]] : [values[0], 1];
}

// What is to be said of row n: a sentence, and the values of its parts if there are several.
function words(block, n) {
  const values = block.values[n], [value, agreement] = [block.summary[n], block.agreement[n]];
  const name = signal().name;
  if (values.length === 1) return [`${name}: ${label(values[0])}`, []];
  if (signal().categories === null) return [`${name}: mean ${label(value)}, parts:`, values];
  const count = Math.round(agreement * values.length);
  return [`${name} ${label(value)} in ${count} of ${values.length} parts:`, values];
}

function select(text, options, value, change) {
  const box = make("select");
  options.forEach(([key, name]) => box.append(make("option", { value: key, textContent: name })));
  box.value = value;
  box.name = text;
  box.onchange = () => {
    change(Number(box.value));
    at("choices").querySelector(`select[name="${text}"]`).focus();
  };
  return make("label", {}, text + " ", box);
}

function choices() {
  const parts = pictured() ? 1 : signal().blocks[0].values[0].length, found = [];
  const all = signal().categories === null ? "mean of the parts" : "what most parts have";
  if (kinds(inputs[0]).length > 1)
    found.push(select("show", kinds(inputs[0]).map((s, i) => [i, s.name]), chosen.kind, show));
  if (parts > 1)
    found.push(select("part", [[-1, all], ...Array.from({ length: parts }, (_, i) =>
      [i, `part ${i + 1} of ${parts}`])], chosen.part, (p) => { chosen.part = p; draw(); }));
  if (inputs[0].pictures.length || signal().categories === null && blockwise()
    && !signal().still)
    found.push(select("scale", [[0, "one for all blocks"], [1, "each block its own"]],
      chosen.own, (own) => { chosen.own = own; draw(); }));
  if (inputs.length > 1 && inputs[0].pictures.length)
    found.push(select(inputs[0].pictures[0].name, [[0, "as they are"],
      [1, "minus the mean of the inputs"]], chosen.centred,
    (centred) => { chosen.centred = centred; draw(); }));
  return found;
}

function show(index) {
  const number = signal().blocks[chosen.block]?.block;
  Object.assign(chosen, { kind: index, part: -1, only: null });
  const numbers = signal().blocks.map((block) => block.block);
  const last = numbers.findLastIndex((n) => made(inputs[0], n).length);
  chosen.block = number !== undefined && numbers.includes(number) ? numbers.indexOf(number)
    : last < 0 ? numbers.length - 1 : last;
  draw();
}

function choose(index) {
  const focused = at("tiles").contains(document.activeElement);
  chosen.block = index;
  draw();
  if (focused) at("tiles").querySelectorAll("button")[index].focus();
}

let viewer;

function tile(block, index) {
  const row = make("div", { className: "row" });
  const button = make("button", { className: "tile" }, row, under(block));
  button.setAttribute("aria-pressed", index === chosen.block);
  button.onclick = () => choose(index);
  for (const input of inputs) {
    const canvas = make("canvas");
    row.append(canvas);
    if (pictured()) thumbnail(canvas, input, index);
    else viewer.small(canvas, signal(input).blocks[index], input);
  }
  return button;
}

function bare() {
  if (!viewer.bare) return [];
  const row = make("div", { className: "row" }, ...inputs.map(viewer.bare));
  return [make("figure", { className: "tile" }, row, inputs.length > 1 ? "pictures" : "picture")];
}

function column(input) {
  const [large, facts, pictures] = ["large", "facts", "pictures"].map((className) =>
    make("div", { className }));
  input.drawn = { large, facts, pictures };
  const name = make("h3", {}, `${input.name} `, make("span",
    { textContent: input.prediction }));
  return make("article", { className: "input" }, ...(inputs.length > 1 ? [name] : []),
    make("div", { className: "seen" }, large, facts), pictures, ...answered(input));
}

function drawInput(input) {
  const block = pictured() ? null : signal(input).blocks[chosen.block];
  input.drawn.facts.replaceChildren(...facts(block));
  input.drawn.pictures.replaceChildren(...panels(input, signal().blocks[chosen.block].block));
  viewer.large(input.drawn.large, block, input);
}

function draw() {
  const blocks = signal().blocks, block = blocks[chosen.block];
  at("choices").replaceChildren(...choices());
  at("meaning").textContent = meaning();
  at("legend").replaceChildren(...legend());
  at("scale").replaceChildren(...scales(block));
  at("tiles").replaceChildren(...bare(), ...blocks.map(tile));
  at("heading").replaceChildren(block.title, ...differing(block));
  at("tip").hidden = true;
  inputs.forEach(drawInput);
}

function tip(event, ...content) {
  const box = at("tip");
  box.replaceChildren(...content);
  box.hidden = false;
  const [right, bottom] = [innerWidth - box.offsetWidth - 8, innerHeight - box.offsetHeight - 8];
  box.style.left = `${Math.max(Math.min(event.clientX + 14, right), 0)}px`;
  box.style.top = `${Math.max(Math.min(event.clientY + 14, bottom), 0)}px`;
}

function step(event) {
  const next = chosen.block + { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (event.target.tagName !== "SELECT" && next >= 0 && next < signal().blocks.length) choose(next);
}

function start(drawing) {
  viewer = drawing;
  at("inputs").replaceChildren(...inputs.map(column));
  const main = document.querySelector("main");
  main.classList.toggle("several", inputs.length > 1);
  main.classList.toggle("pictured", inputs[0].pictures.length > 0);
  chosen.own = Number(inputs[0].pictures.length > 0);
  document.addEventListener("keydown", step);
  show(0);
}
