// What all pages share: what is chosen, colours, the legend, and one small picture for each block.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const chosen = { signal: 0, block: 0, part: -1, only: null }; // part -1: all of them
const VIRIDIS = ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779",
  "#6ece58", "#b5de2b", "#fde725"];
const GREY = "#d4d4d4";
const at = (id) => document.getElementById(id);
const signal = () => data.signals[chosen.signal];
const percent = (share) => share > 0 && share < 0.01 ? "< 1 %" : `${Math.round(100 * share)} %`;
const bytes = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
const dark = (hex) => bytes(hex).reduce((sum, x, i) => sum + x * [0.3, 0.59, 0.11][i], 0) < 140;

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function mixed(from, to, share) {
  const [a, b] = [bytes(from), bytes(to)];
  return "#" + a.map((x, i) => Math.round(x + (b[i] - x) * share).toString(16).padStart(2, "0"))
    .join("");
}

function colour(value) {
  if (signal().categories !== null) return data.colours[value % data.colours.length];
  const [low, high] = signal().range;
  const place = Math.min(Math.max((value - low) / (high - low), 0), 1) * (VIRIDIS.length - 1);
  const step = Math.min(Math.floor(place), VIRIDIS.length - 2);
  return mixed(VIRIDIS[step], VIRIDIS[step + 1], place - step);
}

const label = (value) =>
  signal().categories === null ? String(value) : String(signal().labels?.[value] ?? value);

// What row n of a block shows, if anything: its value, and the share of its parts that have it.
function shown(block, n) {
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

function swatch(value) {
  const back = colour(value), box = make("span", { className: "swatch", textContent: label(value) });
  box.style.background = back;
  box.style.color = dark(back) ? "#fff" : "#000";
  return box;
}

function usage(blocks) {
  const total = Array(signal().categories).fill(0);
  for (const block of blocks) block.usage.forEach((share, i) => total[i] += share / blocks.length);
  return total;
}

function chip(value, share) {
  const button = make("button", { className: share > 0 ? "chip" : "chip unused" },
    swatch(value), make("small", { textContent: percent(share) }));
  button.title = `show only ${signal().name} ${label(value)}`;
  button.setAttribute("aria-pressed", chosen.only === value);
  button.onclick = () => {
    chosen.only = chosen.only === value ? null : value;
    draw();
    at("legend").querySelectorAll("button")[value].focus();
  };
  return button;
}

function legend() {
  const { categories, blocks, range } = signal();
  if (categories === null) {
    const bar = make("span", { className: "scale" });
    bar.style.background = `linear-gradient(to right, ${VIRIDIS})`;
    return [signal().name + ": ", String(range[0]), bar, String(range[1])];
  }
  if (signal().legend === false) return [];
  const text = blocks.length > 1 ? `How much each ${signal().name} is used, all blocks together:`
    : `Share of each ${signal().name}:`;
  return [make("p", { textContent: text }), ...usage(blocks).map((share, i) => chip(i, share))];
}

function select(text, options, value, change) {
  const box = make("select");
  options.forEach(([key, name]) => box.append(make("option", { value: key, textContent: name })));
  box.value = value;
  box.name = text;
  box.onchange = () => {
    change(Number(box.value));
    at("choices").querySelector(`select[name=${text}]`).focus();
  };
  return make("label", {}, text + " ", box);
}

function choices() {
  const parts = signal().blocks[0].values[0].length, found = [];
  const all = signal().categories === null ? "mean of the parts" : "what most parts have";
  if (data.signals.length > 1)
    found.push(select("show", data.signals.map((s, i) => [i, s.name]), chosen.signal, show));
  if (parts > 1)
    found.push(select("part", [[-1, all], ...Array.from({ length: parts }, (_, i) =>
      [i, `part ${i + 1} of ${parts}`])], chosen.part, (p) => { chosen.part = p; draw(); }));
  return found;
}

function mostUsed(usage) {
  const order = usage.map((share, i) => [share, i]).filter(([share]) => share > 0)
    .sort((a, b) => b[0] - a[0]);
  const named = order.length > 9 ? 8 : order.length;
  const rest = order.slice(named).reduce((sum, [share]) => sum + share, 0);
  return [["In this block"],
    ...order.slice(0, named).map(([share, i]) => [swatch(i), percent(share)]),
    ...(rest > 0 ? [[`${order.length - named} others ${percent(rest)}`]] : [])];
}

function facts(block) {
  if (!block.usage) return [];
  const found = signal().blocks.length > 1 ? mostUsed(block.usage) : [];
  const what = chosen.only === null ? "agree" : `have ${signal().name} ${label(chosen.only)}`;
  if (block.values[0].length > 1 && chosen.part < 0)
    found.push([`The stronger a tint, the more parts ${what}.`]);
  return found.map((words) => make("span", {}, ...words));
}

function show(index) {
  Object.assign(chosen, { signal: index, part: -1, only: null });
  chosen.block = signal().blocks.length - 1;
  draw();
}

function choose(index) {
  const focused = at("tiles").contains(document.activeElement);
  chosen.block = index;
  draw();
  if (focused) at("tiles").querySelectorAll("button")[index].focus();
}

let small, large;

function tile(block, index) {
  const canvas = make("canvas"), button = make("button", { className: "tile" }, canvas, block.title);
  button.setAttribute("aria-pressed", index === chosen.block);
  button.onclick = () => choose(index);
  small(canvas, block);
  return button;
}

function draw() {
  const blocks = signal().blocks, block = blocks[chosen.block];
  at("choices").replaceChildren(...choices());
  at("legend").replaceChildren(...legend());
  at("tiles").replaceChildren(...(data.first ? [data.first] : []), ...blocks.map(tile));
  at("heading").textContent = block.title;
  at("facts").replaceChildren(...facts(block));
  at("tip").hidden = true;
  large(block);
}

function start(drawSmall, drawLarge) {
  [small, large] = [drawSmall, drawLarge];
  document.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const next = chosen.block + step;
    if (!step || event.target.tagName === "SELECT" || !data.signals.length) return;
    if (next >= 0 && next < signal().blocks.length) choose(next);
  });
  if (data.signals.length) return show(0);
  at("tiles").hidden = true;
  large(null);
}
