
// ---- tables: their figures over the whole run are those of the JSON report
const TEXTS = new Set(["limit", "note", "class", "series", "words", "scenario", "worker"]);
function table(id, header, rows) {
  byId(id).replaceChildren(element("thead", {}, element("tr", {}, ...header.map((cell) => element("th", { scope: "col", class: TEXTS.has(cell) ? "text" : null }, cell)))), element("tbody", {}, ...rows));
}
const cell = (text, attributes) => element("td", attributes || {}, text);
function percentileCell(row, name) {
  const bound = row.at_least && row.at_least[name], value = row[name];
  const text = bound !== undefined && bound !== null && value === null ? "≥ " + timeText(bound) : value === null && row.count && !row.approximate ? UNKNOWN : timeText(value);
  const interval = row.intervals && !row.approximate ? row.intervals[name] : null;
  return cell((row.approximate && value !== null ? "≈ " : "") + text, { "data-value": value === null ? "" : String(value), title: interval ? `95 % interval: ${timeText(interval[0])} to ${timeText(interval[1])}` : null });
}
const SIGNS = { PASS: "✓", FAIL: "✕", INVALID: "⚠", ABORTED: "■" };
function drawVerdict() {
  const verdict = byId("verdict"), word = DATA.finished ? REPORT.verdict : `${REPORT.verdict} so far`;
  verdict.className = "is-" + REPORT.verdict;
  const balanced = REPORT.ledger.every((row) => row.planned === row.done + row.failed + row.interrupted + row.no_row + row.dropped + row.lost);
  const trust = [REPORT.verdict === "INVALID" ? null : "generator sound", balanced ? "ledger balances" : "the ledger does not balance"].filter(Boolean).join(" · ");
  verdict.replaceChildren(element("div", {}, element("span", { class: "word " + REPORT.verdict }, `${SIGNS[REPORT.verdict]} ${word}`), element("span", { class: "soft" }, `  in ${REPORT.duration.toFixed(1)} s · ${trust}`)),
    element("ul", {}, ...REPORT.reasons.map((reason) => element("li", {}, reason)), ...REPORT.warnings.map((warning) => element("li", { class: "soft" }, "warning: " + warning))));
  byId("environment").textContent = `${REPORT.environment} · ${DATA.plan.load}`;
  const requests = total(REPORT.series.filter(isRequest));
  byId("headline").textContent = `${countText(requests.count)} requests · ${shareText(requests.errors, requests.count)} errors · started ${REPORT.started}`;
}
function isRequest(row) { return !UNTIMED.has(row.kind) && !["step", "call", "task", "visit", "trip"].includes(row.kind); }
function total(rows) {
  return { name: "all requests", kind: "", count: sum(rows.map((row) => row.count)), errors: sum(rows.map((row) => row.errors)), rate: sum(rows.map((row) => row.rate)) };
}
function drawLimits() {
  byId("limits-section").hidden = !REPORT.limits.length;
  table("limits", ["limit", "value", "", "", "note"], REPORT.limits.map((limit) => {
    const line = LIMIT_LINES.find(([text]) => text === limit.limit), share = line && limit.value !== null ? limit.value / line[1] : null;
    const meter = share === null ? "" : element("span", { class: "meter" + (share > 1 ? " over" : ""), title: `${(100 * share).toFixed(0)} % of the bound` }, element("i", { "data-share": Math.min(share, 1) }));
    return element("tr", {}, cell(limit.limit, { class: "text" }), cell(limit.shown, { "data-value": limit.value === null ? "" : String(limit.value) }), cell(meter),
      cell(limit.held ? "✓ held" : "✕ broke" + (limit.at === null ? "" : ` at ${limit.at} s`), { class: limit.held ? "good" : "bad" }), cell(limit.note || "", { class: "text soft" }));
  }));
  for (const bar of document.querySelectorAll(".meter i")) bar.style.width = `${100 * bar.dataset.share}%`;
}
const COLUMNS = [["series", null], ["count", "count"], ["errors", "errors"], ["%", "share"], ["rate/s", "rate"], ["p50", "p50"], ["p95", "p95"], ["p99", "p99"], ["max", "max"], ["p95 over time", null]];
// a failing request in one line, as the table of the console has it
function exchangeText(each) { return `${each.method} ${each.url} → ${each.status === null ? "no response" : `${each.status} ${each.body}`.trim()}`; }
function exchangeFile(file) { return file ? element("div", {}, "see ", element("a", { href: file.link }, file.path)) : null; }
function sortValue(row, key) { const value = key === "share" ? row.errors / (row.count || 1) : row[key]; return value === null ? -1 : value; }
function drawRows() {
  const places = REPORT.series.map((row, n) => [n, row]).filter(([, row]) => (!view.kind || row.kind === view.kind) && `${row.scenario} ${row.name}`.toLowerCase().includes(view.filter.toLowerCase()));
  const [key, direction] = view.sort;
  if (direction) places.sort(([, a], [, b]) => direction * (sortValue(a, key) - sortValue(b, key)));
  const header = COLUMNS.map(([title, sortKey]) => sortKey === null ? title : element("button", { type: "button", title: "sort", onclick: () => { view.sort = [sortKey, view.sort[0] === sortKey && view.sort[1] < 0 ? 1 : -1]; drawRows(); } }, title + (key === sortKey && direction ? (direction < 0 ? " ↓" : " ↑") : "")));
  const rows = [];
  let scenario = null;
  for (const [place, row] of places.slice(0, view.shown)) {
    if (!direction && row.scenario !== scenario) { scenario = row.scenario; rows.push(element("tr", { class: "group" }, element("td", { colspan: COLUMNS.length }, scenario))); }
    rows.push(seriesRow(place, figures(place, row) || { ...row, count: null, errors: null, rate: null, p50: null, p95: null, p99: null, max: null, at_least: null, approximate: true }));
  }
  table("rows", header, rows);
  const more = places.length - view.shown;
  byId("more").hidden = more <= 0;
  byId("more").textContent = `${countText(more)} more series`;
  byId("series-note").textContent = zoomed() ? "figures of the chosen stretch are approximate; warm-up is included" : `${countText(places.length)} of ${countText(REPORT.series.length)}`;
}
function seriesRow(place, row) {
  const timed = !UNTIMED.has(row.kind), columns = DATA.series[place];
  const name = view.sort[1] ? `${row.name} · ${row.scenario}` : row.name;
  const line = element("tr", { class: "row", tabindex: 0, "data-place": place, "data-key": JSON.stringify([row.scenario, row.name, row.kind]) }, element("td", { class: "name" }, name, element("span", { class: "soft" }, "  " + row.kind)),
    cell(countText(row.count), { "data-value": row.count }), cell(countText(row.errors), { class: row.errors ? "bad" : null, "data-value": row.errors }), cell(shareText(row.errors, row.count)),
    cell(rateText(row.rate), { "data-value": row.rate }), ...["p50", "p95", "p99"].map((percentile) => timed ? percentileCell(row, percentile) : cell("")), cell(timed ? timeText(row.max) : "", { "data-value": row.max === null ? "" : row.max }),
    element("td", {}, timed && columns ? spark(chosen(columns.p95), "p95 over time") : ""));
  const toggle = () => { const open = line.nextSibling; if (open && open.classList && open.classList.contains("detail")) { open.remove(); return; } line.after(detailRow(place, REPORT.series[place])); };
  line.addEventListener("click", toggle);
  line.addEventListener("keydown", (event) => {
    if (event.key === "Enter") toggle();
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (step) { let next = line[step]; while (next && !next.classList.contains("row")) next = next[step]; if (next) { next.focus(); event.preventDefault(); } }
  });
  return line;
}
function detailRow(place, row) {
  const columns = DATA.series[place], body = element("td", { colspan: COLUMNS.length }), line = element("tr", { class: "detail" }, body);
  const facts = [["bytes", countText(row.bytes)], ["min", UNTIMED.has(row.kind) ? plainText(row.min) : timeText(row.min)], ["mean", UNTIMED.has(row.kind) ? plainText(row.mean) : timeText(row.mean)], ["censored", countText(row.censored)], ["never begun", countText(row.never_begun)]];
  if (row.response) facts.push(["from when due", ["p50", "p95", "p99"].map((name) => `${name} ${timeText(row.response[name])}`).join(", ")]);
  body.append(element("p", { class: "soft" }, facts.map(([name, value]) => `${name} ${value}`).join(" · ")));
  queueMicrotask(() => {
    if (!columns) { body.append(element("p", { class: "soft" }, "Charts are drawn of the busiest series.")); return; }
    chart(body, "Rate and errors per second", [{ label: "rate", stroke: css("--accent") }, { label: "errors", stroke: css("--bad") }], [columns.rate, columns.errors.map((count) => count / STEP)], { text: plainText, height: 110 });
    if (!UNTIMED.has(row.kind)) latency(body, columns.response_p50 ? "Time from when it was due" : "Time", columns, columns.response_p50 ? "response_" : "", row.name);
  });
  return line;
}
function drawRest() {
  byId("errors-section").hidden = !REPORT.errors.length;
  table("errors", ["class", "series", "count", "first – last", "words"], REPORT.errors.slice(0, 200).map((row, n) => element("tr", {}, cell(row.error, { class: "text bad" }), cell(`${row.series} in ${row.scenario}`, { class: "text" }), cell(countText(row.count), { "data-value": row.count }), cell(`${row.first.toFixed(1)} – ${row.last.toFixed(1)} s`), element("td", { class: "text soft" }, row.sample, ...row.exchanges.slice(0, 1).map((each) => element("div", {}, exchangeText(each))), exchangeFile(DATA.exchange_files[n])))));
  const fates = ["planned", "done", "failed", "interrupted", "no_row", "dropped", "lost"].filter((fate) => fate === "planned" || fate === "done" || REPORT.ledger.some((row) => row[fate]));
  table("ledger", ["scenario", ...fates.map((fate) => fate.replace("_", " "))], REPORT.ledger.map((row) => element("tr", {}, cell(row.scenario, { class: "text" }), ...fates.map((fate) => cell(countText(row[fate]), { class: fate !== "planned" && fate !== "done" && row[fate] ? "bad" : null, "data-value": row[fate] })))));
  table("workers", ["worker", "visits", "CPU", "late p99", "state"], REPORT.workers.map((row) => element("tr", {}, cell(row.name, { class: "text" }), cell(countText(row.visits), { "data-value": row.visits }), cell(row.cpu.toFixed(2)), cell(timeText(row.late_p99)), cell(row.lost ? `✕ lost, ${countText(row.losses)} visits` : "✓", { class: row.lost ? "bad" : "good" }))));
  const events = [...REPORT.happenings.map((event) => `${clockText(event.at)} · ${event.text}${event.worker && REPORT.workers.length > 1 ? ` · ${event.worker}` : ""}`), ...Object.entries(REPORT.notes).map(([text, times]) => `note: ${countText(times)} ${text}`)];
  byId("events-section").hidden = !events.length;
  byId("events").replaceChildren(...events.slice(0, 300).map((text) => element("li", {}, text)));
  const about = [["load", DATA.plan.load], ["scenarios", DATA.plan.scenarios.join(", ")], ["started", REPORT.started], ["length", `${REPORT.duration.toFixed(1)} s`], ["seed", REPORT.seed], ["Chaperon", REPORT.chaperon], ["charts", STEP === 1 ? "one point a second" : `one point each ${STEP} s`], ["make it again", "chaperon report RUNFILE, if the run was kept with --run-file"]];
  byId("about").replaceChildren(...about.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]));
}
