
// ---- charts, on one time axis
const charts = [];
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const CATEGORIES = ["#D55E00", "#E69F00", "#CC79A7", "#0072B2", "#56B4E9", "#009E73", "#8a6d3b", "#777777"];
const percent = (name) => ({ p50: css("--p50"), p95: css("--p95"), p99: css("--p99") })[name];

function axis(values, extra) {
  return { stroke: css("--soft"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line"), width: 1 },
    size: 64, font: "11px system-ui", values, ...extra };
}
function phasesOf(u) {
  u.ctx.save();
  DATA.phases.forEach((phase, n) => {
    if (phase.name === "steady" || n > 40) return;
    const left = u.valToPos(phase.from, "x", true), right = u.valToPos(phase.to, "x", true);
    u.ctx.fillStyle = css("--shade");
    u.ctx.fillRect(left, u.bbox.top, right - left, u.bbox.height);
    u.ctx.fillStyle = css("--soft");
    u.ctx.font = `${11 * devicePixelRatio}px system-ui`;
    u.ctx.fillText(phase.name, left + 4, u.bbox.top + 12 * devicePixelRatio, Math.max(right - left - 8, 1));
  });
  u.ctx.restore();
}
function flagsOf(u) {
  u.ctx.save();
  u.ctx.strokeStyle = css("--warn");
  u.ctx.setLineDash([4, 4]);
  for (const event of REPORT.happenings.slice(0, 50)) {
    const x = u.valToPos(event.at, "x", true);
    u.ctx.beginPath(); u.ctx.moveTo(x, u.bbox.top); u.ctx.lineTo(x, u.bbox.top + u.bbox.height); u.ctx.stroke();
  }
  u.ctx.restore();
}
function limitsOf(u, of) {
  u.ctx.save();
  u.ctx.strokeStyle = css("--bad");
  u.ctx.setLineDash([6, 4]);
  for (const [text, bound] of LIMIT_LINES) {
    if (of === null ? !overAll(text) : !text.includes(`(${of})`) && !text.includes(`("${of}")`)) continue;
    const y = u.valToPos(bound, "y", true);
    if (y < u.bbox.top || y > u.bbox.top + u.bbox.height) continue;
    u.ctx.beginPath(); u.ctx.moveTo(u.bbox.left, y); u.ctx.lineTo(u.bbox.left + u.bbox.width, y); u.ctx.stroke();
  }
  u.ctx.restore();
}
const TICKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];
const UNITS = { us: 1e-6, ms: 1e-3, s: 1, m: 60 };
// a limit on one series is no line of a chart of all of them
const overAll = (text) => !text.includes("(");
const LIMIT_LINES = REPORT.limits.flatMap((limit) => {
  const found = /\bp[\d.]+.*<=?\s*([\d.]+)\s*(us|ms|s|m)\b/.exec(limit.limit);
  return found ? [[limit.limit, Number(found[1]) * UNITS[found[2]]]] : [];
});

function chart(host, title, series, columns, options) {
  const box = element("div", { class: "chart" }, element("h3", {}, title));
  host.append(box);
  if (typeof uPlot === "undefined") { box.append(...series.map((each, n) => spark(columns[n], each.label))); return null; }
  const made = new uPlot({
    width: Math.max(box.clientWidth, 280), height: options.height || 150,
    cursor: { sync: { key: "time" }, drag: { x: true, y: false, setScale: false } },
    scales: { x: { time: false }, y: { distr: options.log && view.log ? 3 : 1, range: options.range } },
    axes: [axis((u, ticks) => ticks.map(clockText), { size: 28, space: 60, incrs: TICKS }), axis((u, ticks) => ticks.map((tick) => tick === null ? "" : options.text(tick)))],
    series: [{ label: "at", value: (u, value) => value === null ? "" : momentText(value) },
      ...series.map((each) => ({ width: 1.5, points: { show: AT.length < 3 }, spanGaps: false, value: (u, value) => value === null ? NONE : options.text(value), ...each }))],
    bands: options.bands || [],
    hooks: { drawClear: [phasesOf], draw: [flagsOf, ...(options.limits === undefined ? [] : [(u) => limitsOf(u, options.limits)])],
      setSelect: [(u) => { if (u.select.width > 2) zoomTo(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")); }] },
  }, [chosen(AT), ...columns.map(chosen)], box);
  charts.push([made, box]);
  return made;
}
function momentText(second) {
  const started = new Date(REPORT.started);
  const wall = Number.isNaN(started.getTime()) ? "" : new Date(started.getTime() + second * 1e3).toLocaleTimeString("en-GB");
  return `${clockText(second)} · ${wall}`;
}
function stacked(columns) {
  const total = AT.map(() => 0);
  return columns.map((column) => column.map((value, n) => (total[n] += value || 0)));
}
function latency(host, title, columns, prefix, of) {
  const names = ["p50", "p95", "p99"];
  const drawn = names.map((name) => columns[prefix + name].map((value) => value === null ? null : Math.max(value, 1e-6)));
  chart(host, title, [
    { label: "p50", stroke: percent("p50"), width: 1 }, { label: "p95", stroke: percent("p95"), width: 1.5 },
    { label: "p99", stroke: percent("p99"), width: 2 }], drawn,
  { text: timeText, log: true, limits: of, height: 200, bands: [{ series: [2, 1], fill: css("--p50") + "55" }] });
}
function drawCharts() {
  const host = byId("charts");
  charts.splice(0).forEach(([made]) => made.destroy());
  host.replaceChildren();
  if (!AT.length) { host.append(element("p", { class: "soft" }, "No second of the run was recorded.")); return; }
  const run = DATA.run, number = (value) => plainText(value);
  chart(host, "Rate: requests and visits per second", [
    { label: "visits planned", stroke: css("--soft"), dash: [4, 4] }, { label: "visits done", stroke: CATEGORIES[5] },
    { label: "requests", stroke: css("--accent") }, { label: "errors", stroke: css("--bad") }],
  [run.planned, run.done, DATA.requests.rate, DATA.requests.errors.map((count) => count / STEP)], { text: number });
  if (DATA.requests.p50.some((value) => value !== null)) {
    latency(host, "Time of all requests: band from p50 to p95, p99; limits on all of them dashed", DATA.requests, "", null);
    heat(host);
  }
  chart(host, "Generator: how late visits started (p99) – what it adds to response times is its own", [
    { label: "late", stroke: css("--warn"), fill: css("--warn") + "44" }], [run.late], { text: timeText, height: 90, range: (u, low, high) => [0, Math.max(high || 0, 1e-3)] });
  chart(host, "Users, visits in flight, dropped per second", [
    { label: "users", stroke: CATEGORIES[3] }, { label: "in flight", stroke: CATEGORIES[4] }, { label: "dropped", stroke: css("--bad") }],
  [run.users, run.in_flight, run.dropped], { text: number });
  const classes = Object.keys(DATA.classes);
  if (classes.length) {
    const columns = stacked(classes.map((name) => DATA.classes[name].map((count) => count / STEP)));
    const order = classes.map((name, n) => n).reverse();
    chart(host, "Errors per second by class, stacked", order.map((n) => ({ label: classes[n].slice(0, 60), stroke: CATEGORIES[n % 8], fill: CATEGORIES[n % 8] + "cc", width: 1,
      value: (u, value, s, at) => at === null ? NONE : plainText(chosen(DATA.classes[classes[n]])[at] / STEP) })), order.map((n) => columns[n]), { text: number });
  }
}
function zoomTo(from, to) {
  const first = AT.findIndex((at) => at + STEP > from), after = AT.findIndex((at) => at > to);
  if (first < 0) return;
  view.from = first; view.to = Math.max(after < 0 ? AT.length : after, first + 1);
  drawAll();
}
function spark(column, title) {
  const values = column.map((value) => value === null ? null : value), known = values.filter((value) => value !== null);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 120 20"); svg.setAttribute("class", "spark"); svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", title || "");
  if (!known.length) return svg;
  const low = Math.min(...known), span = Math.max(...known) - low || 1;
  let path = "", pen = false;
  values.forEach((value, n) => {
    if (value === null) { pen = false; return; }
    const x = values.length > 1 ? 119 * n / (values.length - 1) : 60, y = 19 - 18 * (value - low) / span;
    path += `${pen ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`; pen = true;
  });
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path); line.setAttribute("fill", "none"); line.setAttribute("stroke", "currentColor");
  svg.append(line);
  return svg;
}
