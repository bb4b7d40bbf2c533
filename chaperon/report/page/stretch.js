
// ---- the tables of the stretch that is zoomed into, added up from their steps
const WORKER = { requests: 0, errors: 1, visits: 2, cpu: 3, late_p99: 4, stalls: 5 }; // places of figures in a step
const CLASSES = 7, OTHER = "other"; // classes of errors with a colour of their own; the others are drawn as one
const classOrder = []; // the classes in the order in which they got their colours
const stepsOf = (row) => ((DATA.parts.errors[row.scenario] || {})[row.series] || {})[row.error] || {};
const inStretch = (moment) => !zoomed() || (moment >= AT[view.from] && moment < AT[view.to - 1] + STEP);

// a column for each class of errors
function errorColumns() {
  const found = new Map();
  for (const row of Object.values(DATA.parts.errors).flatMap((series) => Object.values(series)).flatMap((classes) => Object.entries(classes))) {
    const [name, steps] = row;
    if (!found.has(name)) found.set(name, new Map());
    for (const [at, count] of Object.entries(steps)) found.get(name).set(at, (found.get(name).get(at) || 0) + count);
  }
  const totals = [...found].map(([name, steps]) => [name, sum([...steps.values()])]).sort((a, b) => b[1] - a[1]);
  for (const [name] of totals) if (classOrder.length < CLASSES && !classOrder.includes(name)) classOrder.push(name);
  const columns = {};
  for (const [name, steps] of found) {
    const drawn = classOrder.includes(name) ? name : OTHER, column = columns[drawn] ||= AT.map(() => 0);
    AT.forEach((at, n) => { column[n] += steps.get(String(at)) || 0; });
  }
  const order = [...classOrder, OTHER];
  return Object.fromEntries(Object.entries(columns).sort(([a], [b]) => order.indexOf(a) - order.indexOf(b)));
}
function workerColumn(name, figure) { const steps = DATA.parts.workers[name]; return AT.map((at) => (steps[at] || [])[WORKER[figure]] || 0); }

function errorRows() {
  if (!zoomed()) return REPORT.errors.map((row, n) => ({ ...row, file: DATA.exchange_files[n] }));
  const rows = REPORT.errors.map((row, n) => {
    const steps = stepsOf(row), moments = chosen(AT).filter((at) => steps[at]);
    return { ...row, file: DATA.exchange_files[n], count: sum(moments.map((at) => steps[at])), first: Math.max(row.first, moments[0]), last: Math.min(row.last, moments[moments.length - 1] + STEP) };
  });
  return rows.filter((row) => row.count).sort((a, b) => b.count - a.count);
}
function ledgerRows() {
  if (!zoomed()) return REPORT.ledger;
  return REPORT.ledger.map((row) => {
    const steps = DATA.parts.ledger[row.scenario] || {}, counts = chosen(AT).map((at) => steps[at]).filter(Boolean);
    return { ...row, ...Object.fromEntries(["planned", ...FATES].map((fate, n) => [fate, sum(counts.map((each) => each[n]))])) };
  });
}
// workers have steps where they are among those with most errors; the others are left out while zoomed
function workerRows() {
  if (!zoomed()) return REPORT.workers;
  return REPORT.workers.filter((row) => DATA.parts.workers[row.name]).map((row) => {
    const steps = DATA.parts.workers[row.name], found = chosen(AT).map((at) => steps[at]).filter(Boolean);
    const of = (figure) => found.map((each) => each[WORKER[figure]]), most = (figure) => of(figure).reduce((a, b) => Math.max(a, b), 0);
    return { ...row, visits: sum(of("visits")), requests: sum(of("requests")), errors: sum(of("errors")), cpu: most("cpu"), late_p99: most("late_p99"),
      health: { ...row.health, stalls: sum(of("stalls")), lag_max: null, descriptors: undefined } };
  });
}
const LIMITED = { errors: (row) => row.count ? row.errors / row.count : null, rate: (row) => row.rate, count: (row) => row.count, max: (row) => row.max };
const LIMIT_TEXTS = { errors: (value) => `${(100 * value).toPrecision(3)} %`, rate: (value) => `${rateText(value)}/s`, count: countText };
const HOLDS = { "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b, "==": (a, b) => a === b };
// a limit judged on the stretch; its value is null where that cannot be known
function limitRow(limit, bound) {
  if (!zoomed()) return limit;
  const unknown = { ...limit, value: null, at_least: null, shown: UNKNOWN, held: null, at: null, note: "not known for a stretch" };
  const place = bound && bound.over === null ? placeOf(bound) : null, row = place === null ? null : figures(place, place === "requests" ? REPORT.requests : REPORT.series[place]);
  if (!row || UNTIMED.has(row.kind) && !["errors", "rate", "count"].includes(bound.what)) return unknown;
  const share = /^p([\d.]+)$/.exec(bound.what), known = share ? row[bound.what] : LIMITED[bound.what] ? LIMITED[bound.what](row) : null;
  const value = known === undefined || known === null ? share && histogramOf(place).length ? quantileOf(histogramOf(place), share[1] / 100) : null : known;
  if (value === null) return unknown;
  const exact = view.exact && place !== "requests" && known !== undefined;
  return { ...limit, value, at_least: null, shown: (exact ? "" : "≈ ") + (LIMIT_TEXTS[bound.what] || timeText)(value), held: HOLDS[bound.op](value, bound.bound), at: null, note: null };
}
