
// ---- the data of the page of a comparison, and what is chosen of it
const DATA = JSON.parse(byId("data").textContent);
const COMPARISON = DATA.comparison, AT = DATA.at, STEP = DATA.step;
// charts.js draws flags and limits of one run; a comparison has none
const REPORT = { started: "", limits: [], happenings: [], events: [], series: [] };
const view = { from: 0, to: AT.length, log: true, filter: "", sort: ["", 0], shown: 100, group: "", percentile: "p95", response: true };
const zoomed = () => view.from > 0 || view.to < AT.length;
function chosen(column) { return column.slice(view.from, view.to); }
const prefixOf = (columns) => view.response && columns.response_p50 ? "response_" : "";
const nameOfGroup = (group) => (DATA.groups.find((each) => each.group === group) || { name: group || "all requests" }).name;
// the figures of a series by their statistic
function figuresOf(group) {
  const found = {};
  for (const figure of COMPARISON.figures) if (DATA.figures[figure.figure] === group) found[/p[\d.]+|errors/.exec(figure.figure)[0]] = figure;
  return found;
}
