
// ---- the data of the page, and what is chosen of it
const DATA = JSON.parse(byId("data").textContent);
const REPORT = DATA.report, AT = DATA.at, STEP = DATA.step;
const UNTIMED = new Set(["check", "value", "count", "gauge"]);
const view = { from: 0, to: AT.length, log: true, filter: "", kind: "", sort: ["", 0], shown: 100, series: "requests", response: true };
const zoomed = () => view.from > 0 || view.to < AT.length;

// the columns of a series by its place, or of all requests; times from when they were due have a prefix of their own
const columnsOf = (place) => place === "requests" ? DATA.requests : DATA.series[place];
const nameOf = (place) => place === "requests" ? "all requests" : REPORT.series[place].name;
const prefixOf = (columns) => view.response && columns.response_p50 ? "response_" : "";

function chosen(column) { return column.slice(view.from, view.to); }

// a histogram is bucket, samples … with each bucket as the distance to the one before
function histogramOf(name, whole) {
  const total = new Map(), steps = DATA.histograms[name] || [];
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

// a row of the table, of the whole run or, approximately, of the stretch that is zoomed into
function figures(place, row) {
  if (!zoomed()) return row;
  const columns = place === "requests" ? DATA.requests : DATA.series[place];
  if (!columns) return null;
  const count = Math.round(sum(chosen(columns.rate)) * STEP), errors = sum(chosen(columns.errors));
  const cut = { ...row, count, errors, rate: count / (chosen(AT).length * STEP), response: null, approximate: true };
  const histogram = DATA.histograms[place] ? histogramOf(place) : null;
  for (const [name, share] of [["p50", 0.5], ["p95", 0.95], ["p99", 0.99], ["max", 1]]) {
    cut[name] = histogram ? quantileOf(histogram, share) : null;
  }
  return cut;
}
