
// ---- the data of the page, and what is chosen of it
const GIVEN = JSON.parse(byId("data").textContent); // null in the live page, which asks its server
let DATA = null, REPORT = null, AT = [], STEP = 1;
const UNTIMED = new Set(["check", "value", "count", "gauge"]);
const view = { from: 0, to: 0, exact: null, log: true, filter: "", kind: "", sort: ["", 0], shown: 100, series: "requests", response: true };
const zoomed = () => view.from > 0 || view.to < AT.length;

// the columns of a series by its place, or of all requests; times from when they were due have a prefix of their own
const columnsOf = (place) => place === "requests" ? DATA.requests : DATA.series[place];
const nameOf = (place) => place === "requests" ? "all requests" : REPORT.series[place].name;
const prefixOf = (columns) => view.response && columns.response_p50 ? "response_" : "";

function adopt(payload) {
  DATA = payload; REPORT = DATA.report; AT = DATA.at; STEP = DATA.step;
  view.from = 0; view.to = AT.length; view.exact = null;
  if (view.series !== "requests" && !DATA.series[view.series]) view.series = "requests";
  lines.clear();
  classOrder.length = 0;
}
function chosen(column) { return column.slice(view.from, view.to); }

// histograms of rows that were opened while live, which are fetched; by key, so that they outlast the order of the rows
const FETCHED = new Map();
let fetchRow = () => {}; // the live page asks its server
function histogramSteps(place) {
  if (DATA.histograms[place]) return DATA.histograms[place];
  const found = place === "requests" || !REPORT.series[place] ? null : FETCHED.get(keyOf(REPORT.series[place]));
  return found ? AT.map((at, n) => found[n] || []) : [];
}
// a histogram is bucket, samples … with each bucket as the distance to the one before
function histogramOf(name, whole) {
  const total = new Map(), steps = histogramSteps(name);
  for (const flat of whole ? steps : chosen(steps)) {
    let bucket = 0;
    for (let n = 0; n < flat.length; n += 2) {
      bucket += flat[n];
      total.set(bucket, (total.get(bucket) || 0) + flat[n + 1]);
    }
  }
  return [...total].sort((a, b) => a[0] - b[0]);
}
function boundOf(bucket) { return DATA.buckets.shortest * 10 ** (bucket / DATA.buckets.per_decade); }
function quantileOf(histogram, share) {
  const count = histogram.reduce((sum, [, samples]) => sum + samples, 0);
  if (!count) return null;
  let left = share * count;
  for (const [bucket, samples] of histogram) {
    if (left <= samples) return boundOf(bucket - 1 + left / samples);
    left -= samples;
  }
  return boundOf(histogram[histogram.length - 1][0]);
}
function sum(column) { return column.reduce((total, value) => total + (value || 0), 0); }

// what the server of the live page says of the chosen stretch
function exactRow(row) {
  const found = view.exact.get(keyOf(row)) || { count: 0, errors: 0, rate: 0, p50: null, p95: null, p99: null, max: null };
  return { ...row, ...found, at_least: null, response: null, intervals: null, design_effect: null, own: [] };
}
const keyOf = (row) => JSON.stringify([row.scenario, row.name, row.kind]);

// a row of the table, of the whole run or, approximately, of the stretch that is zoomed into
function figures(place, row) {
  if (!zoomed()) return row;
  if (view.exact && place !== "requests") return exactRow(row);
  const columns = place === "requests" ? DATA.requests : DATA.series[place];
  if (!columns) return null;
  const count = Math.round(sum(chosen(columns.rate)) * STEP), errors = sum(chosen(columns.errors));
  const cut = { ...row, count, errors, rate: count / (chosen(AT).length * STEP), response: null, approximate: true };
  const histogram = histogramSteps(place).length ? histogramOf(place) : null;
  for (const [name, share] of [["p50", 0.5], ["p95", 0.95], ["p99", 0.99], ["max", 1]]) {
    cut[name] = histogram ? quantileOf(histogram, share) : null;
  }
  return cut;
}
