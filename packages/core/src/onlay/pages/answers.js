// What an answer draws: bars, maps of numbers, maps of labels.
"use strict";

// The elements that show it; its names are its own, since viewers bring scripts beside this.
const answered = (() => {
  const EMPTY = 255; // a cell without a number
  const WIDE = 320; // CSS pixels of a map at most

  function piece(drawn) {
    const name = drawn.title ? [make("figcaption", { textContent: drawn.title })] : [];
    const own = drawn.kind === "bars" ? [bars(drawn)] : raster(drawn);
    return make("figure", { className: `piece ${drawn.kind}` }, ...name, ...own);
  }

  function bars({ rows }) {
    const lines = rows.map(([name, text, length]) => {
      const bar = make("span", { className: "bar" });
      bar.style.width = `${100 * length}%`;
      return make("tr", {}, make("th", { textContent: name }), make("td", {}, bar),
        make("td", { textContent: text }));
    });
    return make("table", { className: "bars" }, ...lines);
  }

  const tinted = {
    labels: ({ legend }, cell) => cell < legend.length ? inked(legend[cell]) : null,
    numbers: (drawn, cell) => cell === EMPTY ? null : ramp(VIRIDIS, cell / (EMPTY - 1)),
  };

  const inked = ([, , index, own]) => own ?? data.colours[index % data.colours.length];

  function raster(drawn) {
    const [height, width] = drawn.size, canvas = make("canvas", { width, height });
    const pen = canvas.getContext("2d"), picture = pen.createImageData(width || 1, height || 1);
    const cells = Uint8Array.from(atob(drawn.cells), (letter) => letter.charCodeAt(0));
    const colours = Array.from({ length: 256 }, (_, cell) => tinted[drawn.kind](drawn, cell));
    const found = colours.map((hex) => hex ? [...bytes(hex), 255] : [0, 0, 0, 0]);
    cells.forEach((cell, i) => picture.data.set(found[cell], 4 * i));
    pen.putImageData(picture, 0, 0);
    canvas.style.maxWidth = `${width < WIDE ? width * Math.floor(WIDE / width) : WIDE}px`;
    return [canvas, drawn.kind === "labels" ? named(drawn.legend) : ranged(drawn.range)];
  }

  function named(legend) {
    const chips = legend.map((row) => {
      const [name, share] = row, box = make("span", { className: "swatch" });
      box.style.background = inked(row);
      return make("span", { className: "chip" }, box, `${name} `,
        make("small", { textContent: share }));
    });
    return make("div", { className: "legend" }, ...chips);
  }

  function ranged([low, high]) {
    const bar = make("span", { className: "scale" });
    bar.style.background = `linear-gradient(to right, ${VIRIDIS})`;
    return make("div", { className: "legend" },
      make("span", { className: "range" }, low, bar, high));
  }

  // Maps lie beside the input itself, where there is a picture of it.
  function beside(input) {
    const maps = input.answer.some((drawn) => drawn.kind !== "bars");
    if (!maps || !viewer.bare) return [];
    const caption = make("figcaption", { textContent: "picture" });
    return [make("figure", { className: "piece" }, caption, viewer.bare(input))];
  }

  return (input) => input.answer.length
    ? [make("div", { className: "answer" }, ...beside(input), ...input.answer.map(piece))] : [];
})();
