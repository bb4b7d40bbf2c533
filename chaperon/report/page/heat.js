
// ---- how many requests took how long: over time as a heat map, and as a distribution
function heat(host, place) {
  const rows = chosen(histogramSteps(place)).map((flat) => {
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
  const box = boxOf(`Times of ${nameOf(place)}, log axis`, { half: true }), tall = heightOf(HEAT_HEIGHT), scale = element("div", { class: "scale" }), times = element("div", { class: "times" });
  const label = (at, text, side) => { const made = element("span", { class: "soft" }, text); made.style[side] = `${100 * at}%`; return made; };
  scale.append(...heatTicks(boundOf(low * group), boundOf((high + 1) * group), tall).map(([at, text]) => label(at, text, "bottom")));
  const first = AT[view.from], span = AT[view.to - 1] + STEP - first, apart = TICKS.find((each) => span / each <= 6) || span;
  for (let at = Math.ceil(first / apart) * apart; at < first + span; at += apart) times.append(label((at - first) / span, clockText(at), "left"));
  const plot = element("div", { class: "plot" }, canvas, times, element("div", { class: "soft key" }, "1 ", element("i", {}), ` ${countText(most)} requests in a band ${STEP === 1 ? "and second" : `each ${STEP} s`}`));
  box.append(element("div", { class: "heat" }, scale, plot));
  host.append(box);
  scale.style.height = canvas.style.height = `${tall}px`;
  scale.style.width = `${LEFT_OF_PLOT}px`;
  plot.style.width = `${widthOf(box, { half: true }) - LEFT_OF_PLOT - RIGHT_OF_PLOT}px`;
}
const HEAT_HEIGHT = 120, APART = 12; // pixels of the map, and from one label of its axis to the next at least
// round times between two, powers of ten first, with their places as shares of the height
function heatTicks(low, high, tall) {
  const found = [], span = Math.log10(high / low);
  for (const digit of [1, 5, 2]) {
    for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
      const time = digit * 10 ** power, at = Math.log10(time / low) / span;
      if (at >= 0.05 && at <= 0.97 && found.every(([other]) => Math.abs(other - at) * tall >= APART)) found.push([at, tickText(time)]);
    }
  }
  return found;
}
function distribution(host, place) {
  const whole = histogramOf(place, true);
  if (!whole.length || typeof uPlot === "undefined") return;
  const group = DATA.buckets.per_decade / 16, grouped = (histogram) => {
    const total = sum(histogram.map(([, samples]) => samples)), found = new Map();
    histogram.forEach(([bucket, samples]) => { const at = Math.floor(bucket / group); found.set(at, (found.get(at) || 0) + 100 * samples / total); });
    return found;
  };
  const low = Math.floor(whole[0][0] / group) - 1, high = Math.floor(whole[whole.length - 1][0] / group) + 1;
  const places = Array.from({ length: high - low + 1 }, (each, n) => low + n), column = (shares) => places.map((at) => shares.get(at) || 0);
  const lines = [{ label: "whole run", stroke: css("--accent"), fill: zoomed() ? undefined : css("--accent") + "22", width: 1.5, points: { show: false } }], columns = [column(grouped(whole))];
  if (zoomed()) { lines.push({ label: "chosen stretch", stroke: css("--warn"), width: 2, points: { show: false } }); columns.push(column(grouped(histogramOf(place)))); }
  curve(host, `Distribution of times of ${nameOf(place)}: share of requests in each band`, places.map((at) => boundOf((at + 0.5) * group)), lines, columns,
    { across: timeText, text: (value) => `${plainText(Number(value.toFixed(2)))} %`, log: true, half: true, named: "took" });
}
// a chart whose horizontal axis is no time of the run
function curve(host, title, across, lines, columns, options) {
  const box = boxOf(title, options);
  host.append(box);
  const made = new uPlot({
    width: widthOf(box, options), height: heightOf(options.height || 150), padding: PADDING, cursor: { drag: { x: false, y: false } },
    scales: { x: { time: false, distr: options.log ? 3 : 1, range: options.range }, y: { range: options.vertical } },
    axes: [axis((u, ticks) => ticks.map((tick) => tick === null ? "" : tickOf(options.across)(tick)), { size: 28, space: 60, ...(options.splits ? { splits: () => options.splits, filter: (u, splits) => splits } : {}) }),
      axis((u, ticks) => ticks.map((tick) => tick === null ? "" : tickOf(options.text)(tick)), options.upright ? { splits: (u, n, low, high) => options.upright(u, low, high), filter: (u, splits) => splits } : {})],
    series: [{ label: options.named || "time", value: (u, value) => value === null ? "" : options.across(value) }, ...lines.map((line) => ({ value: legendText(options.text), ...line }))],
    bands: options.bands || [], hooks: options.hooks || {},
  }, [across, ...columns], box);
  charts.push([made, box]);
}
