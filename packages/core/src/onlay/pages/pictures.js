// Small pictures of numbers, n for each block of an input, in one grid and one colour scale.

const DIVERGING = ["#2166ac", "#67a9cf", "#d1e5f0", "#f7f7f7", "#fddbc7", "#ef8a62", "#b2182b"];
const GAP = 0.7; // of a cell, between pictures
const LEAST = 4; // CSS pixels of a cell
const MOST = 100; // cells whose numbers a tip tells one by one
const diverging = (value, range) => ramp(DIVERGING, 0.5 + value / (2 * range));
const sum = (numbers) => numbers.reduce((total, x) => total + x, 0);
const short = (value) => String(Number(value.toPrecision(3))).replace("-", "\u2212");
const record = (input, name) => input.pictures.find((pictures) => pictures.name === name);

function numbersOf(input, name, index) {
  const own = record(input, name).blocks[index].values;
  if (!chosen.centred) return own;
  const all = inputs.map((other) => record(other, name).blocks[index].values);
  return own.map((picture, i) => picture.map((value, k) =>
    value - sum(all.map((values) => values[i][k])) / all.length));
}

// The size that 199 of 200 numbers have at most, and the largest, of all inputs: in this block or,
// with one scale for all, in every block.
const ranges = {};
function rangeOf(name, index) {
  const { blocks } = record(inputs[0], name), key = [name, chosen.centred, chosen.own && index];
  const whose = chosen.own ? [index] : [...blocks.keys()];
  ranges[key] ??= inputs.flatMap((input) => whose.flatMap((i) => numbersOf(input, name, i).flat()))
    .map(Math.abs).sort((a, b) => a - b);
  const sizes = ranges[key];
  return [sizes[Math.round(0.995 * (sizes.length - 1))] || 1e-6, sizes.at(-1)];
}

// Columns that make a grid about `wide` times as wide as high, rather full than ragged.
function columnsOf(count, [height, width], wide, most) {
  const cost = (columns) => {
    const rows = Math.ceil(count / columns);
    const ratio = columns * (width + GAP) / (rows * (height + GAP));
    return Math.abs(Math.log(ratio / wide)) + (count % columns ? 0.4 : 0);
  };
  return Array.from({ length: Math.min(count, most) }, (_, i) => i + 1)
    .reduce((a, b) => cost(b) < cost(a) ? b : a);
}

// Draws pictures on a canvas of about `across` pixels, in cells of at least `least`, the marked one
// framed; gives a function that finds a picture by where it is, as shares of width and height.
function mosaic(canvas, pictures, [height, width], { range, wide, across, least = 1, marked }) {
  const most = Math.max(Math.floor(across / (least * (width + GAP))), 1);
  const columns = columnsOf(pictures.length, [height, width], wide, most);
  const rows = Math.ceil(pictures.length / columns);
  const cell = Math.max(Math.floor(across / (columns * (width + GAP))), 1);
  const gap = Math.max(Math.round(cell * GAP), 2), pad = Math.min(gap, 3);
  const [x, y] = [width * cell + gap, height * cell + gap];
  Object.assign(canvas, { width: columns * x - gap + 2 * pad, height: rows * y - gap + 2 * pad });
  const pen = canvas.getContext("2d");
  pictures.forEach((values, i) => {
    const [left, top] = [pad + i % columns * x, pad + Math.floor(i / columns) * y];
    pen.fillStyle = i === marked ? "#000" : "#d8d8d8";
    const edge = i === marked ? pad : 1;
    pen.fillRect(left - edge, top - edge, width * cell + 2 * edge, height * cell + 2 * edge);
    values.forEach((value, k) => {
      pen.fillStyle = diverging(value, range);
      pen.fillRect(left + k % width * cell, top + Math.floor(k / width) * cell, cell, cell);
    });
  });
  return (across, down) => {
    const [column, row] = [across * canvas.width - pad + gap / 2,
      down * canvas.height - pad + gap / 2];
    const i = Math.floor(row / y) * columns + Math.min(Math.floor(column / x), columns - 1);
    return column >= 0 && row >= 0 && i < pictures.length ? i : null;
  };
}

function thumbnail(canvas, input, index) {
  const { name, blocks } = signal(input), [range] = rangeOf(name, index);
  mosaic(canvas, numbersOf(input, name, index), blocks[index].size,
    { range, wide: 1, across: 300 });
}

// The pictures that belong to a block, with their name and their place among all of the name.
const made = (input, number) => input.pictures.flatMap(({ name, blocks }) =>
  blocks.map((block, index) => ({ name, block, index }))
    .filter(({ block }) => block.block === number));

function panels(input, number) {
  if (!input.pictures.length) return [];
  const found = made(input, number), { name } = input.pictures[0];
  if (!found.length) return [`Choose a block with ${name} to see them.`];
  return found.flatMap(({ name, block, index }) => {
    const canvas = make("canvas"), [height, width] = block.size;
    const squares = numbersOf(input, name, index).flat().map((x) => x * x);
    const size = Math.sqrt(sum(squares) / squares.length);
    const text = `${name}${found.length > 1 ? `, ${block.title}` : ""}: ${block.values.length} of `
      + `${height} \u00d7 ${width}, root mean square ${short(size)}`;
    canvas.dataset.pictures = `${name} ${index}`;
    large(canvas, input, name, index);
    canvas.onmousemove = (event) => hover(event, canvas, name, index);
    canvas.onmouseleave = () => mark(name, index, null);
    return [make("div", { textContent: text }), canvas];
  });
}

function large(canvas, input, name, index, marked = null) {
  const density = Math.max(devicePixelRatio, 1), [range] = rangeOf(name, index);
  const [wide, across] = inputs.length > 1 ? [4, 500] : [1, 380];
  const { size } = record(input, name).blocks[index];
  canvas.at = mosaic(canvas, numbersOf(input, name, index), size,
    { range, wide, across: across * density, least: LEAST * density, marked });
  canvas.style.width = `${canvas.width / density}px`;
}

function mark(name, index, marked) {
  if (marked === null) at("tip").hidden = true;
  for (const input of inputs)
    for (const canvas of input.drawn.pictures.querySelectorAll("canvas"))
      if (canvas.dataset.pictures === `${name} ${index}` && canvas.marked !== marked) {
        large(canvas, input, name, index, marked);
        canvas.marked = marked;
      }
}

function hover(event, canvas, name, index) {
  const box = canvas.getBoundingClientRect();
  const i = canvas.at((event.clientX - box.left) / box.width,
    (event.clientY - box.top) / box.height);
  mark(name, index, i);
  if (i === null) return;
  const { size, title } = record(inputs[0], name).blocks[index];
  const tables = inputs.map((input) => make("div", {}, ...(inputs.length > 1 ? [input.name] : []),
    table(numbersOf(input, name, index)[i], size, rangeOf(name, index)[0])));
  at("tip").className = "wide";
  tip(event, make("b", { textContent: `${name}, ${title}, channel ${i}` }),
    make("div", { className: "tables" }, ...tables));
  const above = box.top - at("tip").offsetHeight - 6; // not over the pictures
  at("tip").style.top = `${above < 0 ? box.bottom + 6 : above}px`;
}

function table(values, [, width], range) {
  const ends = [Math.min(...values), Math.max(...values)].map(short).join(" to ");
  if (values.length > MOST) return make("div", { textContent: ends });
  const rows = [];
  values.forEach((value, k) => {
    if (k % width === 0) rows.push(make("tr"));
    const cell = make("td", { textContent: short(value) }), back = diverging(value, range);
    Object.assign(cell.style, { background: back, color: dark(back) ? "#fff" : "#000" });
    rows.at(-1).append(cell);
  });
  return make("table", {}, ...rows);
}

function scale({ name, block, index }) {
  const [range, largest] = rangeOf(name, index), bar = make("span", { className: "scale" });
  bar.style.background = `linear-gradient(to right, ${DIVERGING})`;
  const ends = largest > range ? `larger ones, up to ${short(largest)}, look like the ends` : "";
  const what = chosen.centred ? `${name} minus the mean of the inputs` : name;
  return [`${what}${ofBlock(block)}: `,
    make("span", { className: "range" }, short(-range), bar, short(range)),
    make("small", { textContent: ends })];
}

const scales = (block) => made(inputs[0], block.block).flatMap(scale);

const differs = (block) => made(inputs[0], block.block).filter(({ name }) => data.differ[name])
  .map((found) => [found.name, data.differ[found.name][found.block.title]]);

function differing(block) {
  return differs(block).map(([name, share]) => make("span", { textContent:
    ` \u2014 ${name} differ by ${percent(share)} (norm of the difference over mean norm)` }));
}

// Under a small picture: the block's name, and how much its pictures differ, as a bar too.
function under(block) {
  const found = differs(block);
  if (!found.length) return make("span", { textContent: block.title });
  const most = Math.max(...found.map(([name]) => Math.max(...Object.values(data.differ[name]))));
  const mean = sum(found.map(([, share]) => share)) / found.length, length = 100 * mean / most || 0;
  const box = make("div", { className: "under", title: `how much the ${found[0][0]} differ` },
    make("span", { textContent: block.title }),
    make("small", { textContent: `differ ${percent(mean)}` }));
  box.style.borderImage = `linear-gradient(to right, #777 ${length}%, #e6e6e6 ${length}%) 1`;
  return box;
}
