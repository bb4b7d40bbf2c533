
// ---- the heat map: how many requests took how long, over time
function heat(host) {
  const rows = chosen(DATA.histograms.requests).map((flat) => {
    const found = [];
    for (let n = 0, bucket = 0; n < flat.length; n += 2) found.push([bucket += flat[n], flat[n + 1]]);
    return found;
  });
  const buckets = rows.flat().map(([bucket]) => bucket);
  if (!buckets.length) return;
  const group = DATA.buckets.per_decade / 8; // eight bands a decade
  let low = Math.floor(buckets.reduce((a, b) => Math.min(a, b)) / group), high = Math.floor(buckets.reduce((a, b) => Math.max(a, b)) / group);
  const height = high - low + 1, canvas = element("canvas", { width: rows.length, height, role: "img",
    "aria-label": "Heat map of request times: darker where more requests took so long" });
  const ctx = canvas.getContext("2d"), pixels = ctx.createImageData(rows.length, height);
  const cells = rows.map((row) => { const cell = new Array(height).fill(0); row.forEach(([bucket, samples]) => { cell[Math.floor(bucket / group) - low] += samples; }); return cell; });
  const most = cells.reduce((max, cell) => cell.reduce((a, b) => Math.max(a, b), max), 1);
  const colour = /^#(..)(..)(..)/.exec(css("--accent")).slice(1).map((part) => parseInt(part, 16));
  cells.forEach((cell, x) => cell.forEach((samples, y) => {
    if (!samples) return;
    const at = 4 * ((height - 1 - y) * rows.length + x);
    pixels.data.set([...colour, 40 + 215 * Math.log1p(samples) / Math.log1p(most)], at);
  }));
  ctx.putImageData(pixels, 0, 0);
  canvas.style.imageRendering = "pixelated";
  host.append(element("div", { class: "chart" }, element("h3", {}, "Distribution of request times over time"), element("div", { class: "heat" },
    element("span", { class: "soft", style: null }, timeText(boundOf((high + 1) * group))), canvas, element("span", { class: "soft" }, timeText(boundOf(low * group))))));
}
