// What colours mean: of categories and of numbers, with a legend to choose from.

const VIRIDIS = ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779",
  "#6ece58", "#b5de2b", "#fde725"];

function mixed(from, to, share) {
  const [a, b] = [bytes(from), bytes(to)];
  return "#" + a.map((x, i) => Math.round(x + (b[i] - x) * share).toString(16).padStart(2, "0"))
    .join("");
}

function ramp(stops, share) {
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1);
  const step = Math.min(Math.floor(place), stops.length - 2);
  return mixed(stops[step], stops[step + 1], place - step);
}

const ofBlock = (block) => chosen.own ? `, ${block.title}` : ""; // whose scale it is

// The range of a block's numbers, the same for all inputs: its own or, from 0 on, that of all blocks.
function limits(block) {
  if (!chosen.own) return signal().range;
  if (block.range) return block.range;
  const index = inputs.map((input) => signal(input).blocks.indexOf(block)).find((i) => i >= 0);
  const [low, high] = inputs.flatMap((input) => signal(input).blocks[index].values.flat())
    .reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)],
      [Infinity, -Infinity]);
  return block.range = [low, high > low ? high : low + 1e-6];
}

function colour(value, block) {
  if (signal().categories !== null) return data.colours[value % data.colours.length];
  const [low, high] = limits(block);
  return ramp(VIRIDIS, (value - low) / (high - low));
}

function swatch(value, block) {
  const back = colour(value, block);
  const box = make("span", { className: "swatch", textContent: label(value) });
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

const STILL = "This adapter changes nothing inside the backbone, in no block: only the head was "
  + "trained, or nothing yet. So there are no colours to see.";

// What the page shows and what its colours mean, in words.
function meaning() {
  if (signal().still) return STILL;
  const { name, categories, meaning, legend } = signal(), found = meaning ? [meaning] : [];
  if (pictured()) found.push("Red is above zero, blue below.");
  else if (categories === null) found.push("Violet is low and yellow is high.");
  else if (legend === false) found.push("Neighbouring colours are told apart, and mean no more.");
  else found.push(`Each colour is one ${name}; choose one below to see it alone.`);
  if (blockwise()) found.push("Each small picture is one block, in the order in which data pass; "
    + "choose one to see it large.");
  return found.join(" ");
}

const blockwise = () => signal().blocks.length > 1;

function legend() {
  if (pictured() || signal().still) return [];
  const { categories } = signal(), blocks = inputs.flatMap((input) => signal(input).blocks);
  if (categories === null) {
    const bar = make("span", { className: "scale" });
    bar.style.background = `linear-gradient(to right, ${VIRIDIS})`;
    const block = signal().blocks[chosen.block], [low, high] = limits(block);
    return [`${signal().name}${ofBlock(block)}: `,
      make("span", { className: "range" }, String(low), bar, String(high))];
  }
  if (signal().legend === false) return [];
  const { name } = signal(), text = blocks.length > 1
    ? `How much each ${name} is used, ${everything()} together:` : `Share of each ${name}:`;
  return [make("p", { textContent: text }), ...usage(blocks).map((share, i) => chip(i, share))];
}

const everything = () => inputs.length === 1 ? "all blocks"
  : signal().blocks.length === 1 ? "all inputs" : "all inputs and blocks";

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
  if (!block?.usage) return [];
  const found = signal().blocks.length > 1 ? mostUsed(block.usage) : [];
  const what = chosen.only === null ? "agree" : `have ${signal().name} ${label(chosen.only)}`;
  if (block.values[0].length > 1 && chosen.part < 0)
    found.push([`The stronger a tint, the more parts ${what}.`
      + (chosen.only === null ? " Of equally frequent ones the lowest is shown." : "")]);
  return found.map((words) => make("span", {}, ...words));
}
