
// ---- charts, on one time axis
const charts = []; // [uPlot, its box, title, number of series]
let reused = null; // those that the live page fills again with the data of now
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const CATEGORIES = ["#D55E00", "#E69F00", "#CC79A7", "#0072B2", "#56B4E9", "#009E73", "#8a6d3b", "#777777"];
const percent = (name) => ({ p50: css("--p50"), p95: css("--p95"), p99: css("--p99") })[name];

const LEFT_OF_PLOT = 64, RIGHT_OF_PLOT = 25, PADDING = [null, RIGHT_OF_PLOT, null, null]; // pixels: the vertical axis, and room for half of the last label of the horizontal one
function axis(values, extra) {
  return { stroke: css("--soft"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line"), width: 1 },
    size: LEFT_OF_PLOT, font: "11px system-ui", values, ...extra };
}
// words at the top of a chart: they stand in rows, none over another, and above all lines, whichever is drawn first
const ROW = 13, WORDS_FONT = () => `${11 * devicePixelRatio}px system-ui`;
function write(u, rows, left, text, colour) {
  u.ctx.font = WORDS_FONT();
  const width = u.ctx.measureText(text).width, apart = 4 * devicePixelRatio;
  const row = rows.find((n) => u.written.every((each) => each.row !== n || left >= each.left + each.width + apart || left + width + apart <= each.left));
  if (row === undefined) return false;
  u.written.push({ row, left, width, text, colour });
  return true;
}
function wordsOf(u) {
  u.ctx.save();
  u.ctx.font = WORDS_FONT();
  u.ctx.textAlign = "left"; u.ctx.textBaseline = "alphabetic";
  for (const { row, left, width, text, colour } of u.written) {
    const scale = devicePixelRatio, y = u.bbox.top + (12 + ROW * row) * scale;
    u.ctx.globalAlpha = 0.7;
    u.ctx.fillStyle = css("--bg");
    u.ctx.fillRect(left - scale, y - 10 * scale, width + 2 * scale, ROW * scale);
    u.ctx.globalAlpha = 1;
    u.ctx.fillStyle = colour;
    u.ctx.fillText(text, left, y);
  }
  u.ctx.restore();
}
// shaded below the grid, named above it
function phasesOf(u, words) {
  u.ctx.save();
  if (words) u.written = [];
  DATA.phases.forEach((phase, n) => {
    if (phase.name === "steady" || n > 40) return;
    const left = Math.max(u.valToPos(phase.from, "x", true), u.bbox.left), right = Math.min(u.valToPos(phase.to, "x", true), u.bbox.left + u.bbox.width);
    if (right <= left) return;
    u.ctx.fillStyle = css("--shade");
    if (!words) { u.ctx.fillRect(left, u.bbox.top, right - left, u.bbox.height); return; }
    write(u, [0], left + 4, phase.name, css("--soft"));
  });
  const end = endOfLoad(), x = end === null ? 0 : u.valToPos(end, "x", true), text = "end of load";
  if (words && end !== null && x >= u.bbox.left && x <= u.bbox.left + u.bbox.width + 1) {
    u.ctx.strokeStyle = css("--soft");
    u.ctx.lineWidth = devicePixelRatio;
    u.ctx.beginPath(); u.ctx.moveTo(x, u.bbox.top); u.ctx.lineTo(x, u.bbox.top + u.bbox.height); u.ctx.stroke();
    u.ctx.font = WORDS_FONT();
    write(u, [0, 1], Math.max(x - 4 * devicePixelRatio - u.ctx.measureText(text).width, u.bbox.left), text, css("--soft"));
  }
  u.ctx.restore();
}
// when the last visits were due, in seconds of the run; null where the charts end before
function endOfLoad() {
  const end = DATA.phases.reduce((last, phase) => Math.max(last, phase.to), 0), last = view.to - 1;
  return DATA.finished && end && AT[last] >= end ? end : null;
}
const FLAGGED = 50;
// what happened, numbered as in the list of events, the first of equal ones; a limit that broke at a moment has a flag without a number
function flags() {
  const broken = REPORT.limits.filter((limit) => limit.at !== null && limit.at !== undefined);
  return [...REPORT.events.slice(0, FLAGGED).map((event, n) => [event.first, String(n + 1), event.count > 1 ? `${event.count} × ${event.text}` : event.text]), ...broken.map((limit) => [limit.at, "✕", "broke: " + limit.limit])];
}
// short marks at the top for each of equal events, which have one flag
function ticksOf(u) {
  const repeated = new Set(REPORT.events.filter((event) => event.count > 1).map((event) => event.text));
  u.ctx.strokeStyle = css("--warn");
  u.ctx.beginPath();
  for (const event of REPORT.happenings) {
    const x = u.valToPos(event.at, "x", true);
    if (!repeated.has(event.text) || x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
    u.ctx.moveTo(x, u.bbox.top); u.ctx.lineTo(x, u.bbox.top + 6 * devicePixelRatio);
  }
  u.ctx.stroke();
}
function flagsOf(u, words) {
  const scale = devicePixelRatio, all = flags();
  u.ctx.save();
  ticksOf(u);
  u.ctx.font = WORDS_FONT();
  for (const [at, sign, text] of all) {
    const x = u.valToPos(at, "x", true);
    if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
    const colour = u.ctx.strokeStyle = css(sign === "✕" ? "--bad" : "--warn");
    u.ctx.setLineDash([4 * scale, 4 * scale]);
    u.ctx.beginPath(); u.ctx.moveTo(x, u.bbox.top); u.ctx.lineTo(x, u.bbox.top + u.bbox.height); u.ctx.stroke();
    if (!words) continue;
    const said = `${sign}${sign === "✕" ? " " : " · "}${text.length > 34 ? text.slice(0, 33) + "…" : text}`, width = u.ctx.measureText(said).width;
    const left = Math.max(u.bbox.left, Math.min(x + 3 * scale, u.bbox.left + u.bbox.width - width));
    if (!write(u, [0, 1, 2, 3], left, said, colour)) write(u, [4], x + 2 * scale, sign, colour);
  }
  u.ctx.restore();
}
function stallsOf(u) {
  u.ctx.save();
  u.ctx.fillStyle = css("--bad");
  chosen(DATA.run.stalls || []).forEach((stalls, n) => {
    if (stalls) u.ctx.fillRect(u.valToPos(AT[view.from + n], "x", true) - devicePixelRatio, u.bbox.top, 3 * devicePixelRatio, u.bbox.height);
  });
  u.ctx.restore();
}
function limitsOf(u, place) {
  const scale = devicePixelRatio;
  u.ctx.save();
  u.ctx.strokeStyle = u.ctx.fillStyle = css("--bad");
  u.ctx.font = `${11 * scale}px system-ui`;
  u.ctx.setLineDash([6 * scale, 4 * scale]);
  u.ctx.textAlign = "right"; u.ctx.textBaseline = "alphabetic";
  boundsOf(place).forEach(([limit, bound]) => {
    const y = u.valToPos(bound.bound, "y", true);
    if (y < u.bbox.top || y > u.bbox.top + u.bbox.height) return;
    u.ctx.beginPath(); u.ctx.moveTo(u.bbox.left, y); u.ctx.lineTo(u.bbox.left + u.bbox.width, y); u.ctx.stroke();
    u.ctx.fillText(limit.limit.slice(0, 60), u.bbox.left + u.bbox.width - 4 * scale, y - 3 * scale);
  });
  u.ctx.restore();
}
const TICKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];
// the limits on times of a series, with their bounds: a limit on one series is no line of a chart of all of them
function boundsOf(place) {
  const row = place === "requests" ? null : REPORT.series[place];
  return REPORT.limits.map((limit, n) => [limit, (DATA.bounds || [])[n]]).filter(([, bound]) => {
    if (!bound || !/^(p[\d.]+|max|mean|min)$/.test(bound.what)) return false;
    return row ? bound.series === row.name && (bound.scenario === null || bound.scenario === row.scenario) : bound.all;
  });
}
function placeOf(bound) {
  if (!bound || bound.series === null) return bound && bound.all ? "requests" : null;
  const found = REPORT.series.findIndex((row) => row.name === bound.series && (bound.scenario === null || bound.scenario === row.scenario));
  return found < 0 || !DATA.series[found] ? null : String(found);
}
let printing = false;
const PRINTED = 700, COLUMN_GAP = 24; // pixels of a chart on paper, and between two beside each other
const boxOf = (title, options) => element("div", { class: "chart" + (options.half ? " half" : "") }, element("h3", {}, title));
const widthOf = (box, options) => printing ? (options.half ? (PRINTED - COLUMN_GAP) / 2 : PRINTED) : Math.max(box.clientWidth, 280);
const heightOf = (height) => printing ? Math.round(0.55 * height) : height;

function chart(host, title, series, columns, options) {
  const again = reused && reused.find(([, box, name, count]) => name === title && count === series.length && box.isConnected);
  if (again) { refill(again, series, columns); host.append(again[1]); return again[0]; }
  const box = boxOf(title, options);
  host.append(box);
  if (typeof uPlot === "undefined") { box.append(...series.map((each, n) => spark(columns[n], each.label))); return null; }
  const made = new uPlot({
    width: widthOf(box, options), height: heightOf(options.height || 150), padding: PADDING,
    cursor: { sync: { key: "time" }, drag: { x: true, y: false, setScale: false } },
    scales: { x: { time: false }, y: { distr: options.log && view.log ? 3 : 1, range: options.range } },
    axes: [axis((u, ticks) => ticks.map(clockText), { size: 28, space: 60, incrs: TICKS }), axis((u, ticks) => ticks.map((tick) => tick === null ? "" : tickOf(options.text)(tick)))],
    series: [{ label: "time", value: (u, value) => value === null ? "" : momentText(value) },
      ...series.map((each) => ({ width: 1.5, points: { show: sparse(columns), size: 4 }, spanGaps: false, value: legendText(options.text), ...each }))],
    bands: options.bands || [],
    hooks: { drawClear: [(u) => phasesOf(u, false)], draw: [(u) => phasesOf(u, true), (u) => flagsOf(u, options.flags), wordsOf, ...(options.stalls ? [stallsOf] : []), ...(options.limits === undefined ? [] : [(u) => limitsOf(u, options.limits)])],
      setSelect: [(u) => { if (u.select.width > 2) zoomTo(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")); }] },
  }, [chosen(AT), ...columns.map(chosen)], box);
  charts.push([made, box, title, series.length]);
  return made;
}
// of a legend: without a cursor there is nothing beside the names
const legendText = (text) => (u, value, line, at) => at === null || at === undefined ? "" : value === null ? NONE : text(value);
// a line between neighbours shows no point that stands alone
function sparse(columns) { return columns.some((column) => { const known = chosen(column).filter((value) => value !== null).length; return known > 0 && known < Math.min(60, 0.7 * chosen(AT).length + 3); }); }
function momentText(second) {
  const started = new Date(REPORT.started);
  const wall = Number.isNaN(started.getTime()) ? "" : new Date(started.getTime() + second * 1e3).toLocaleTimeString("en-GB");
  return wall ? `${clockText(second)} · ${wall}` : clockText(second);
}
function stacked(columns) {
  const total = AT.map(() => 0);
  return columns.map((column) => column.map((value, n) => (total[n] += value || 0)));
}
function latency(host, title, columns, place) {
  const prefix = prefixOf(columns), names = ["p50", "p95", "p99"];
  const drawn = names.map((name) => columns[prefix + name].map((value) => value === null ? null : Math.max(value, 1e-6)));
  const bounds = boundsOf(place).map(([, bound]) => bound.bound).filter((bound) => bound > 0);
  chart(host, `${title}, ${prefix ? "from when due" : "from when sent"}: band from p50 to p95, p99${bounds.length ? "; limits dashed" : ""}`, [
    { label: "p50", stroke: percent("p50"), width: 1 }, { label: "p95", stroke: percent("p95"), width: 1.5 },
    { label: "p99", stroke: percent("p99"), width: 2 }], drawn,
  { text: timeText, log: true, limits: place, height: 200, bands: [{ series: [2, 1], fill: css("--p50") + "55" }] });
}
function drawCharts() {
  charts.splice(0).forEach(([made]) => made.destroy());
  byId("charts").replaceChildren();
  drawChartsIn(byId("charts"));
  for (const [place, line] of lines) {
    if (!line.detail) continue;
    const fresh = detailRow(place, REPORT.series[place]);
    line.detail.replaceWith(fresh);
    line.detail = fresh;
  }
}
// the same charts with the data of now: a box stays where it is, so that a cursor over it does
function refreshCharts() {
  reused = charts.filter(([, box]) => box.isConnected);
  const drawn = [[byId("charts"), drawChartsIn], ...[...lines.values()].filter((line) => line.detail && line.detail.draw).map((line) => [line.detail.host, line.detail.draw])];
  for (const [host, draw] of drawn) {
    const before = [...host.children];
    let n = 0;
    draw({ append(made) {
      const old = before[n++];
      if (!old) host.append(made); else if (old !== made) old.replaceWith(made);
    } });
    before.slice(n).forEach((old) => old.remove());
  }
  reused = null;
  charts.splice(0, Infinity, ...charts.filter(([made, box]) => box.isConnected || void made.destroy()));
}
function refill([made], series, columns) {
  series.forEach((each, n) => { if (each.value) made.series[n + 1].value = each.value; });
  made.setData([chosen(AT), ...columns.map(chosen)]);
}
function drawChartsIn(host) {
  const place = columnsOf(view.series) ? view.series : "requests", columns = columnsOf(place), all = place === "requests";
  if (!AT.length) { host.append(element("p", { class: "soft" }, "No second of the run was recorded.")); return; }
  byId("clock-choice").hidden = !columns.response_p50;
  const run = DATA.run, number = (value) => plainText(value), errors = columns.errors.map((count) => count / STEP);
  const rate = { label: all ? "requests" : "samples", stroke: css("--accent") }, failed = { label: "errors", stroke: css("--bad") };
  if (all) {
    chart(host, "Rate: requests and visits per second", [
      { label: "visits planned", stroke: css("--soft"), dash: [4, 4] }, { label: "visits done", stroke: CATEGORIES[5] }, rate, failed],
    [run.planned, run.done, columns.rate, errors], { text: number, flags: true });
  } else chart(host, `Rate of ${nameOf(place)} per second`, [rate, failed], [columns.rate, errors], { text: number, flags: true });
  const timed = columns.p50.some((value) => value !== null);
  if (timed) latency(host, `Time of ${nameOf(place)}`, columns, place);
  chart(host, "Load generator: delay of the start of visits (p99), a part of times from when due; red: its event loop stood still", [
    { label: "late", stroke: css("--warn"), fill: css("--warn") + "44" }], [run.late], { text: timeText, height: 90, stalls: true, range: (u, low, high) => [0, Math.max(high || 0, 1e-3)] });
  if (timed) heat(host, place);
  chart(host, "Busy users; visits in flight: due and not ended; visits dropped per second", [
    { label: "busy users", stroke: CATEGORIES[3] }, { label: "visits in flight", stroke: CATEGORIES[1] }, { label: "dropped", stroke: css("--bad") }],
  [run.users, run.in_flight, run.dropped], { text: number, half: true });
  const classes = Object.entries(errorColumns()), workers = Object.keys(DATA.parts.workers).map((name) => [name, workerColumn(name, "errors")]);
  const byWorker = workers.length > 1 && workers.some(([, failures]) => failures.some(Boolean));
  if (!byWorker || classes.length > 1) stack(host, "Errors per second by class, stacked: all series", classes);
  if (byWorker) stack(host, `Errors per second by worker (load generator), stacked: ${classes.length === 1 ? "all are " + classes[0][0].slice(0, 40) : "all requests"}`, workers);
  if (timed) distribution(host, place);
  stack(host, "HTTP responses per second by status, stacked: all series", Object.entries(BANDS).filter(([band]) => run["responses_" + band]).map(([band, colour]) => [band, run["responses_" + band].map((each) => each * STEP), colour]));
}
// a bar a step, from 0 on: a line would draw errors where there were none
const bars = () => typeof uPlot === "undefined" ? undefined : uPlot.paths.bars({ size: [0.9, 24] });
const fromZero = (u, low, high) => [0, high > 0 ? uPlot.rangeNum(0, high, 0.1, true)[1] : 1];
function stack(host, title, named) {
  if (!named.length) return;
  const columns = stacked(named.map(([, counts]) => counts.map((count) => count / STEP))), order = named.map((each, n) => n).reverse();
  chart(host, title, order.map((n) => ({ label: named[n][0].slice(0, 60), stroke: named[n][2] || CATEGORIES[n % 8], fill: (named[n][2] || CATEGORIES[n % 8]) + "cc", width: 0.5, paths: bars(),
    value: (u, value, s, at) => at === null || at === undefined ? "" : plainText(chosen(named[n][1])[at] / STEP) })), order.map((n) => columns[n]), { text: plainText, half: true, range: fromZero });
}
const BANDS = { "1xx": "#777777", "2xx": "#0072B2", "3xx": "#56B4E9", "4xx": "#E69F00", "5xx": "#D55E00" };
function zoomTo(from, to) {
  const first = AT.findIndex((at) => at + STEP > from), after = AT.findIndex((at) => at > to);
  if (first < 0) return;
  view.from = first; view.to = Math.max(after < 0 ? AT.length : after, first + 1);
  drawAll();
}
function spark(column, title) {
  const values = column, known = values.filter((value) => value !== null);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 120 20"); svg.setAttribute("class", "spark"); svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", title || "");
  if (!known.length) return svg;
  const low = Math.min(...known), span = Math.max(...known) - low || 1;
  let path = "", pen = false;
  values.forEach((value, n) => {
    if (value === null) { pen = false; return; }
    const x = values.length > 1 ? 119 * n / (values.length - 1) : 60, y = 19 - 18 * (value - low) / span;
    const alone = !pen && (n + 1 === values.length || values[n + 1] === null);
    path += `${pen ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}${alone ? "h.01" : ""}`; pen = true;
  });
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", path); line.setAttribute("fill", "none"); line.setAttribute("stroke", "currentColor"); line.setAttribute("stroke-linecap", "round");
  svg.append(line);
  return svg;
}
