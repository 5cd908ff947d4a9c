// Images: patches tinted over the picture in grey. The grid divides the picture evenly.

const picture = new Image();
const big = make("canvas");
const LARGE = 616; // CSS pixels of the longer side

function tint(block, n) {
  const found = shown(block, n);
  if (!found) return null;
  const strength = signal().categories === null ? 0.72 : 0.15 + 0.65 * found[1];
  return colour(found[0]) + Math.round(255 * strength).toString(16).padStart(2, "0");
}

function grey(canvas, longer) {
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

function tinted(canvas, block, longer) {
  const pen = grey(canvas, longer), [rows, columns] = block.grid;
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
  for (let row = 1; row < rows; row++) pen.fillRect(0, y(row), big.width, 1);
  for (let column = 1; column < columns; column++) pen.fillRect(x(column), 0, 1, big.height);
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
  const box = big.getBoundingClientRect(), [rows, columns] = block.grid;
  const row = Math.floor((event.clientY - box.top) / box.height * rows);
  const column = Math.floor((event.clientX - box.left) / box.width * columns);
  const inside = row >= 0 && row < rows && column >= 0 && column < columns;
  at("tip").hidden = !inside;
  if (!inside) return;
  const [sentence, values] = words(block, row * columns + column);
  at("tip").replaceChildren(make("b", { textContent: `row ${row}, column ${column}` }),
    make("div", { textContent: sentence }),
    make("div", { className: "parts" }, ...values.map(swatch)));
  at("tip").style.left = `${Math.min(event.clientX + 14, innerWidth - 350)}px`;
  at("tip").style.top = `${Math.min(event.clientY + 14, innerHeight - 110)}px`;
}

function largePicture(block) {
  const longer = LARGE * Math.max(devicePixelRatio, 1);
  if (!block) {
    at("heading").textContent = "this adapter shows nothing of its own";
    const scale = LARGE / Math.max(picture.width, picture.height);
    return at("large").replaceChildren(Object.assign(picture, { width: picture.width * scale }));
  }
  const [pen, x, y] = tinted(big, block, longer);
  lines(pen, x, y, block.grid);
  numbers(pen, x, y, block);
  Object.assign(big.style, { width: "100%", maxWidth: `${big.width * LARGE / longer}px` });
  big.onmousemove = (event) => point(event, block);
  big.onmouseleave = () => { at("tip").hidden = true; };
  at("large").replaceChildren(big);
}

picture.onload = () => {
  if (data.signals.length)
    data.first = make("figure", { className: "tile", style: "margin: 0" },
      make("img", { src: data.picture, alt: "what the network saw" }), "picture");
  start((canvas, block) => tinted(canvas, block, 300), largePicture);
};
picture.src = data.picture;
