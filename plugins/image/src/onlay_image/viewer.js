// Images: patches tinted over the picture in grey. The grid divides the picture evenly.

const LARGE = 616; // CSS pixels of the longer side

function tint(block, n) {
  const found = shown(block, n);
  if (!found) return null;
  const strength = signal().categories === null ? 0.72 : 0.15 + 0.65 * found[1];
  return colour(found[0], block) + Math.round(255 * strength).toString(16).padStart(2, "0");
}

function grey(canvas, picture, longer) {
  const scale = longer / Math.max(picture.width, picture.height);
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  const pen = canvas.getContext("2d");
  const fill = (style, operation) => {
    Object.assign(pen, { fillStyle: style, globalCompositeOperation: operation });
    pen.fillRect(0, 0, canvas.width, canvas.height);
  };
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  fill("#808080", "color");
  fill("#ffffff38", "source-over");
  return pen;
}

function tinted(canvas, block, picture, longer) {
  const pen = grey(canvas, picture, longer), [rows, columns] = block.grid;
  const x = (column) => Math.round(canvas.width * column / columns);
  const y = (row) => Math.round(canvas.height * row / rows);
  for (let n = 0; n < rows * columns; n++) {
    const [row, column] = [Math.floor(n / columns), n % columns], style = tint(block, n);
    if (!style) continue;
    pen.fillStyle = style;
    pen.fillRect(x(column), y(row), x(column + 1) - x(column), y(row + 1) - y(row));
  }
  return [pen, x, y];
}

function lines(pen, x, y, [rows, columns]) {
  pen.fillStyle = "#ffffff50";
  const { width, height } = pen.canvas;
  for (let row = 1; row < rows; row++) pen.fillRect(0, y(row), width, 1);
  for (let column = 1; column < columns; column++) pen.fillRect(x(column), 0, 1, height);
}

function numbers(pen, x, y, block) {
  const [rows, columns] = block.grid, width = x(1) - x(0);
  if (signal().categories === null || chosen.only !== null || width < 40) return;
  pen.font = `${Math.min(width * 0.3, 22)}px system-ui, sans-serif`;
  Object.assign(pen, { textAlign: "center", textBaseline: "middle" });
  for (let n = 0; n < rows * columns; n++) {
    const [row, column] = [Math.floor(n / columns), n % columns];
    const [value, agreement] = shown(block, n);
    pen.fillStyle = dark(colour(value)) && agreement > 0.5 ? "#ffffffe0" : "#000000c0";
    pen.fillText(label(value), (x(column) + x(column + 1)) / 2, (y(row) + y(row + 1)) / 2);
  }
}

function point(event, block) {
  const box = event.target.getBoundingClientRect(), [rows, columns] = block.grid;
  const row = Math.floor((event.clientY - box.top) / box.height * rows);
  const column = Math.floor((event.clientX - box.left) / box.width * columns);
  const inside = row >= 0 && row < rows && column >= 0 && column < columns;
  at("tip").hidden = !inside;
  if (!inside) return;
  const [sentence, values] = words(block, row * columns + column);
  at("tip").className = "";
  tip(event, make("b", { textContent: `row ${row}, column ${column}` }),
    make("div", { textContent: sentence }),
    make("div", { className: "parts" }, ...values.map((value) => swatch(value, block))));
}

function largePicture(element, block, { image }) {
  const longer = LARGE * Math.max(devicePixelRatio, 1), canvas = make("canvas");
  if (block) {
    const [pen, x, y] = tinted(canvas, block, image, longer);
    lines(pen, x, y, block.grid);
    numbers(pen, x, y, block);
    canvas.onmousemove = (event) => point(event, block);
    canvas.onmouseleave = () => { at("tip").hidden = true; };
  } else {
    const scale = longer / Math.max(image.width, image.height);
    Object.assign(canvas, { width: image.width * scale, height: image.height * scale });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  }
  Object.assign(canvas.style, { width: "100%", maxWidth: `${canvas.width * LARGE / longer}px` });
  element.replaceChildren(canvas);
}

function load(input) {
  input.image = new Image();
  return new Promise((resolve) => {
    input.image.onload = resolve;
    input.image.src = input.picture;
  });
}

Promise.all(inputs.map(load)).then(() => start({
  small: (canvas, block, { image }) => tinted(canvas, block, image, 300),
  large: largePicture,
  bare: ({ picture }) => make("img", { src: picture, alt: "what the network saw" }),
}));
