// Clouds: points in the colour of their group, to be turned in 3D and as small pictures.

const EYE = [1.6, 1.6, 1.0];
const MARGIN = 0.06; // of a small picture
const row = (input, i) => signal().points ? i : input.nearest[i];
const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

// Where fewer parts agree a colour is paler; what is not chosen is light grey.
function colours(block, input) {
  return input.points.map((_, i) => {
    const found = block && shown(block, row(input, i));
    return found ? mixed(GREY, colour(found[0], block), 0.25 + 0.75 * found[1]) : GREY;
  });
}

function hovered(block, input) {
  if (!block) return input.points.map((_, i) => `<b>group ${input.nearest[i]}</b>`);
  const said = block.values.map((_, n) => {
    const [sentence, values] = words(block, n), lines = [escaped(sentence)];
    for (let k = 0; k < values.length; k += 12)
      lines.push(values.slice(k, k + 12).map(label).map(escaped).join(" "));
    return lines.join("<br>");
  });
  const group = signal().points || signal().legend === false ? () => ""
    : (i) => `<b>group ${input.nearest[i]}</b><br>`;
  return input.points.map((_, i) => group(i) + said[row(input, i)]);
}

// Right, up and depth as seen from the eye, fitted into a unit square; the farthest point first.
function flat(points) {
  const [x, y, z] = EYE, across = Math.hypot(x, y), far = Math.hypot(x, y, z);
  const seen = points.map(([a, b, c], i) => [(-y * a + x * b) / across,
    (-z * x * a - z * y * b) / (across * far) + c * across / far, x * a + y * b + z * c, i]);
  const ends = [0, 1].map((axis) => seen.reduce(([low, high], p) =>
    [Math.min(low, p[axis]), Math.max(high, p[axis])], [Infinity, -Infinity]));
  const size = Math.max(...ends.map(([low, high]) => high - low)) || 1;
  const middle = ends.map(([low, high]) => (low + high) / 2);
  return seen.sort((p, q) => p[2] - q[2]).map(([right, up, , i]) =>
    [0.5 + (right - middle[0]) / size * (1 - 2 * MARGIN),
      0.5 - (up - middle[1]) / size * (1 - 2 * MARGIN), i]);
}

function smallCloud(canvas, block, input) {
  canvas.width = canvas.height = 280;
  input.flat ??= flat(input.points);
  const pen = canvas.getContext("2d"), found = colours(block, input);
  const radius = Math.max(2.2, 90 / Math.sqrt(input.flat.length));
  Object.assign(pen, { fillStyle: "#f7f7f7" }).fillRect(0, 0, 280, 280);
  for (const [x, y, i] of input.flat) {
    pen.fillStyle = found[i];
    pen.beginPath();
    pen.arc(280 * x, 280 * y, radius, 0, 7);
    pen.fill();
  }
}

function largeCloud(element, block, input) {
  const change = { "marker.color": [colours(block, input)], text: [hovered(block, input)] };
  if (element.data) return Plotly.restyle(element, change);
  const [x, y, z] = [0, 1, 2].map((axis) => input.points.map((point) => point[axis]));
  const none = { visible: false };
  const scene = { aspectmode: "data", xaxis: none, yaxis: none, zaxis: none,
    camera: { eye: { x: EYE[0], y: EYE[1], z: EYE[2] } } };
  const tall = Math.min(Math.max(420, innerHeight - 290), 1.2 * element.clientWidth);
  const height = inputs.length > 1 ? Math.min(420, tall) : tall;
  Plotly.newPlot(element, [{ type: "scatter3d", mode: "markers", x, y, z, hoverinfo: "text",
    text: change.text[0], marker: { size: 4, color: change["marker.color"][0] } }],
  { scene, margin: { l: 0, r: 0, t: 0, b: 0 }, height }, { displaylogo: false, responsive: true })
    .then(() => element.on("plotly_relayout", (turn) => together(element, turn["scene.camera"])));
}

// Turning one cloud turns the others.
let turning = false;
async function together(element, camera) {
  if (!camera || turning) return;
  turning = true;
  const others = inputs.map(({ drawn }) => drawn.large).filter((other) => other !== element);
  await Promise.all(others.map((other) => Plotly.relayout(other, { "scene.camera": camera })));
  turning = false;
}

start({ small: smallCloud, large: largeCloud });
