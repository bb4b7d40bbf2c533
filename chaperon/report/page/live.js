
// ---- the live page: a message a second changes the data that all is drawn of
let RUN = "", NUMBER = -1;
let eventsSpoken = 0;
let spoken = 0, verdictSpoken = ""; // when something was last read aloud, and the verdict that was
const errorKey = (row) => JSON.stringify([row.scenario, row.series, row.error]);

function adoptState(state) {
  const zoom = DATA && zoomed() && state.run === RUN ? [AT[view.from], AT[view.to - 1]] : null;
  const opened = new Set([...lines.values()].filter((line) => line.detail).map((line) => line.dataset.key));
  RUN = state.run; NUMBER = state.n;
  document.documentElement.dataset.ready = "yes";
  if (!state.payload) { DATA = null; drawState(null); return; }
  adopt(state.payload);
  eventsSpoken = REPORT.happenings.length;
  document.title = `${REPORT.environment} · Chaperon`;
  if (zoom) {
    view.from = Math.max(AT.findIndex((at) => at >= zoom[0]), 0);
    view.to = Math.max(AT.findIndex((at) => at >= zoom[1]) + 1 || AT.length, view.from + 1);
  }
  REPORT.series.forEach((row, place) => {
    if (opened.has(keyOf(row))) { const line = lineOf(place); line.detail = detailRow(place, row); }
  });
  drawEmpty();
  draw();
  drawState(DATA.state);
  speakVerdict();
  fetchOpened();
}
function drawEmpty() { document.documentElement.dataset.empty = DATA ? "no" : "yes"; }

function apply(message) {
  NUMBER = message.n;
  if (message.final) { adoptState({ run: message.run, n: message.n, payload: message.final }); return; }
  if (!DATA) return;
  const whole = !zoomed(), before = Object.keys(DATA.series).length, kinds = new Set(REPORT.series.map((row) => row.kind)).size, first = !AT.length;
  if (message.point) addPoint(message.point);
  addRows(message);
  Object.assign(REPORT, message.tables);
  DATA.state = message.state;
  DATA.bounds = message.bounds;
  if (whole) { view.to = AT.length; byId("to").value = clockText(AT[AT.length - 1] + STEP); byId("from").value = clockText(AT[0]); }
  if (first || typeof uPlot === "undefined") drawCharts(); else refreshCharts();
  if (Object.keys(DATA.series).length !== before) fillChosen();
  if (new Set(REPORT.series.map((row) => row.kind)).size !== kinds) fillKinds();
  if (whole || !view.exact) drawRows();
  drawStretch();
  drawVerdict();
  drawAbout();
  speak();
  drawState(DATA.state);
}
// screen readers read aloud what is said: the verdict, or new events, at most once in five seconds
const verdictText = () => `${REPORT.verdict}${DATA.finished ? "" : " so far"}${REPORT.reasons.map((reason) => `, ${reason}`).join("")}`.slice(0, 300);
function speakVerdict() {
  spoken = Date.now();
  byId("said").textContent = verdictSpoken = verdictText();
}
function speak() {
  if (Date.now() - spoken < 5000) return;
  const events = REPORT.happenings.slice(eventsSpoken).map((event) => event.text).join("; ").slice(0, 300), verdict = verdictText();
  const said = [verdict === verdictSpoken ? "" : verdict, events].filter(Boolean).join("; ");
  if (!said) return;
  byId("said").textContent = said;
  [spoken, verdictSpoken, eventsSpoken] = [Date.now(), verdict, REPORT.happenings.length];
}

// one step of the charts: a new one, or the last one again with what came to it since
function addPoint(point) {
  let place = AT.indexOf(point.at);
  if (place < 0) { AT.push(point.at); place = AT.length - 1; }
  const put = (column, value, missing) => { while (column.length < place) column.push(missing); column[place] = value; };
  for (const name of new Set([...Object.keys(DATA.run), ...Object.keys(point.run)])) put(DATA.run[name] ||= [], point.run[name] || 0, 0);
  putColumns(DATA.requests, point.requests, put);
  for (const [name, columns] of Object.entries(DATA.series)) if (!point.series[name]) putColumns(columns, [0, 0], put);
  for (const [name, values] of Object.entries(point.series)) putColumns(DATA.series[name] ||= emptyColumns(), values, put);
  put(DATA.histograms.requests, point.heat, []);
  addParts(point.at, point.parts);
  for (const name of point.phases) {
    const last = DATA.phases.filter((phase) => phase.name === name).pop();
    if (last && last.to >= point.at) last.to = point.at + STEP;
    else DATA.phases.push({ name, from: point.at, to: point.at + STEP });
  }
}
const WORKERS_DRAWN = 8;
function addParts(at, { errors, ledger, workers }) {
  const { parts } = DATA;
  for (const [[scenario, series, error], count] of errors) (((parts.errors[scenario] ||= {})[series] ||= {})[error] ||= {})[at] = count;
  for (const [label, counts] of Object.entries(ledger)) (parts.ledger[label] ||= {})[at] = counts;
  for (const [name, figures] of Object.entries(workers)) {
    if (parts.workers[name] || Object.keys(parts.workers).length < WORKERS_DRAWN) (parts.workers[name] ||= {})[at] = figures;
  }
}
const COLUMN_NAMES = ["rate", "errors", "p50", "p95", "p99", "response_p50", "response_p95", "response_p99"];
function emptyColumns() { return Object.fromEntries(COLUMN_NAMES.slice(0, 5).map((name) => [name, []])); }
function putColumns(columns, values, put) {
  COLUMN_NAMES.forEach((name, n) => {
    if (n < values.length || columns[name]) put(columns[name] ||= [], n < values.length ? values[n] : null, n < 2 ? 0 : null);
  });
}

// intervals are of the last time that a row was fetched
const withIntervals = (row, before) => before && FETCHED.has(keyOf(row)) ? { ...row, intervals: before.intervals, design_effect: before.design_effect } : row;
// rows, errors and events of the tables; counts are of now, a row as it was made last
function addRows(message) {
  for (const [place, row] of Object.entries(message.rows)) REPORT.series[place] = withIntervals(row, REPORT.series[place]);
  for (const [place, [count, errors]] of Object.entries(message.counts)) if (REPORT.series[place]) Object.assign(REPORT.series[place], { count, errors });
  for (const row of REPORT.series) row.rate = message.lengths[row.scenario] ? row.count / message.lengths[row.scenario] : 0;
  for (const row of message.errors) {
    const place = REPORT.errors.findIndex((each) => errorKey(each) === errorKey(row));
    if (place < 0) REPORT.errors.push(row); else REPORT.errors[place] = row;
  }
  REPORT.errors.sort((a, b) => b.count - a.count);
  const [since, events] = message.events;
  REPORT.happenings.splice(since, Infinity, ...events);
}

// the stripe at the top: what the engine does, never what a button asked for
function drawState(state) {
  const headline = byId("headline");
  document.documentElement.dataset.state = state ? state.word : "none";
  drawButtons(state);
  if (!state) { headline.textContent = "no run yet"; return; }
  const of = state.length === null ? "" : ` of ${clockText(state.length)}`;
  const scaled = state.scale === 1 ? "" : ` · ${plainText(state.scale)} × the plan`;
  const figures = state.users === null ? "" : ` · ${countText(state.users)} ${state.users === 1 ? "user" : "users"} · ${plainText(Math.round(10 * state.rate) / 10)} req/s · p95 ${state.p95 === null && state.p95_at_least !== null ? "≥ " + timeText(state.p95_at_least) : timeText(state.p95)} · errors ${(100 * state.error_share).toFixed(1)} %`;
  headline.replaceChildren(element("strong", { class: "state is-" + state.word }, `${STATE_SIGNS[state.word]} ${state.word.toUpperCase()}`),
    ` ${clockText(state.elapsed)}${of}${scaled}${state.word === "ended" ? "" : figures}`);
}
const STATE_SIGNS = { starting: "○", running: "●", paused: "❚❚", stopping: "■", ended: "■" };
