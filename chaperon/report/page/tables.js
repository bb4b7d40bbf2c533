
// ---- tables: their figures over the whole run are those of the JSON report
const TEXTS = new Set(["limit", "note", "class", "series", "words", "scenario", "worker"]);
function table(id, header, rows) {
  byId(id).classList.add("cards"); // on a narrow screen each row is a card: its cells carry their headings
  const headings = header.map((cell) => cell.textContent === undefined ? cell : cell.textContent);
  for (const row of rows) if (row.cells.length === headings.length) [...row.cells].forEach((each, n) => each.setAttribute("data-label", headings[n]));
  byId(id).replaceChildren(element("thead", {}, element("tr", {}, ...header.map((cell) => element("th", { scope: "col", class: TEXTS.has(cell) ? "text" : null }, cell)))), element("tbody", {}, ...rows));
}
const cell = (text, attributes) => element("td", attributes || {}, text);
// the marks of the console: ? too few independent samples, ~ a wide interval, * the generator's own delay, ≥ a lower bound
const MARKS = { "?": "too few samples that are independent of each other: neighbouring ones resemble each other", "~": "95 % interval wider than ±10 %, or under 20 s of samples",
  "*": "a tenth of it or more may be delay of the generator itself", "≥": "falls among samples that were cut before they ended", "≈": "approximate: from histograms", "±": "half of the 95 % interval" };
function percentileCell(row, name) {
  const bound = row.at_least && row.at_least[name], value = row[name], marked = [];
  const some = row.count > row.errors || row.censored; // percentiles are of good and censored samples
  const text = bound !== undefined && bound !== null && value === null ? "≥ " + timeText(bound) : value === null && some && !row.approximate ? UNKNOWN : timeText(value);
  const interval = row.intervals && !row.approximate ? row.intervals[name] : null;
  const asked = DATA.finished || interval || FETCHED.has(keyOf(row)); // while live a row has intervals once it was opened
  if (value !== null && !row.approximate && asked) {
    if ((row.own || []).includes(name)) marked.push("*");
    const wide = !interval || Math.max(value - interval[0], interval[1] - value) > 0.1 * value, blind = row.design_effect && row.design_effect[name] === null;
    if (wide || blind) marked.push("~");
  }
  const reason = text === UNKNOWN ? MARKS[UNKNOWN] : interval ? `95 % interval: ${timeText(interval[0])} to ${timeText(interval[1])}` : null;
  const around = name !== "p50" && value !== null && interval ? element("span", { class: "soft around" }, " " + aroundText(value, interval)) : null;
  return element("td", { "data-value": value === null ? "" : String(value), title: reason }, (row.approximate && value !== null ? "≈ " : "") + marked.join("") + text, around);
}
// the legend of the marks that the table shows
function drawMarks() {
  const shown = byId("rows").textContent, found = Object.entries(MARKS).filter(([mark]) => [...byId("rows").querySelectorAll("td[title], td[data-value]")].some((cell) => cell.textContent.includes(mark)));
  byId("marks").textContent = shown ? found.map(([mark, words]) => `${mark} ${words}`).join(" · ") : "";
}
const SIGNS = { PASS: "✓", FAIL: "✕", INVALID: "⚠", ABORTED: "■" };
function drawVerdict() {
  const verdict = byId("verdict"), passed = REPORT.verdict === "PASS";
  const word = (DATA.finished ? REPORT.verdict : `${REPORT.verdict} so far`) + (passed ? REPORT.reasons.map((reason) => `, ${reason}`).join("") : "");
  verdict.className = "is-" + REPORT.verdict;
  const balanced = REPORT.ledger.every((row) => row.planned === row.done + row.failed + row.interrupted + row.no_row + row.dropped + row.lost);
  const sound = workerWithErrors() ? "load generators on time, but their errors differ" : "load generator on time";
  const trust = [REPORT.verdict === "INVALID" ? null : sound, balanced ? "every planned visit is accounted for" : "planned visits are missing"].filter(Boolean).join(" · ");
  fill(verdict, [element("div", {}, element("span", { class: "word " + REPORT.verdict }, `${SIGNS[REPORT.verdict]} ${word}`), element("span", { class: "soft" }, DATA.finished ? `  in ${REPORT.duration.toFixed(1)} s · ${trust}` : "")),
    element("ul", {}, ...(passed ? [] : REPORT.reasons).map((reason) => element("li", {}, reason + precisionOf(reason))), ...seen().map((text) => element("li", { class: "seen" }, text)), ...REPORT.warnings.map((warning) => element("li", { class: "soft" }, "warning: " + warning)))]);
  byId("environment").textContent = REPORT.environment;
  if (DATA.state) { byId("target").textContent = [DATA.plan.target, loadText(DATA.plan.load)].filter(Boolean).join(" · "); return; }
  byId("target").textContent = DATA.plan.target || "";
  const requests = REPORT.requests || total(REPORT.series.filter(isRequest));
  byId("headline").textContent = [loadText(DATA.plan.load), `${countText(requests.count)} requests, ${rateText(requests.rate)}/s`, requests.p95 ? `p95 of all ${timeText(requests.p95)}` : null,
    `${shareText(requests.errors, requests.count)} of requests failed`, `started ${REPORT.started}`].filter(Boolean).join(" · ");
}
// of the limit that a reason is about: what its percentile is of, and how precisely it is known
function precisionOf(reason) {
  const place = REPORT.limits.findIndex((limit) => !limit.held && limit.value !== null && reason.startsWith("limit broke") && reason.includes(`: ${limit.limit}, but`));
  const bound = place < 0 ? null : (DATA.bounds || [])[place], of = placeOf(bound), row = of === null ? null : of === "requests" ? REPORT.requests : REPORT.series[of];
  const interval = row && bound.over === null && row.intervals && row[bound.what] === REPORT.limits[place].value ? row.intervals[bound.what] : null;
  return interval ? ` over the whole run (95 % interval: ${timeText(interval[0])} to ${timeText(interval[1])})` : "";
}
// a load in visits: "15/s" is the rate of visits, each with one request or many
const loadText = (text) => text && text.replace(/(\d)\/s\b/g, "$1 visits/s");
function isRequest(row) { return !UNTIMED.has(row.kind) && !["step", "call", "task", "visit", "trip"].includes(row.kind); }
function total(rows) {
  return { name: "all requests", kind: "", count: sum(rows.map((row) => row.count)), errors: sum(rows.map((row) => row.errors)), rate: sum(rows.map((row) => row.rate)) };
}
// how far a value is from its bound, as a share of it: less than 0 beyond it
function marginOf(limit, bound) {
  const value = limit.value === null ? limit.at_least : limit.value;
  if (!bound || value === null || value === undefined || !bound.bound) return null;
  return (bound.op.startsWith("<") ? 1 : -1) * (1 - value / bound.bound);
}
function marginText(margin) {
  if (margin === null) return "";
  const size = Math.abs(margin);
  return margin < 0 && size >= 1 ? `${plainText(Number((1 + size).toPrecision(2)))}× the bound` : `${Math.round(100 * size)} % ${margin < 0 ? "beyond" : "margin"}`;
}
function drawLimits() {
  byId("limits-section").hidden = !REPORT.limits.length;
  const bounds = DATA.bounds || [], limits = REPORT.limits.map((whole, n) => limitRow(whole, bounds[n]));
  const notes = limits.map((limit, n) => [limit.note, beyondAlone(limit, bounds[n])].filter(Boolean).join("; ")), noted = notes.some(Boolean);
  table("limits", ["limit", "state", "value", "of the bound", "margin", ...(noted ? ["note"] : [])], limits.map((limit, n) => {
    const bound = bounds[n], known = limit.held !== null, margin = known ? marginOf(limit, bound) : null, place = placeOf(bound);
    const used = margin === null ? null : bound.op.startsWith("<") ? 1 - margin : 1 / (1 + margin);
    const meter = used === null ? "" : meterOf(used, limit.held);
    const name = place === null ? limit.limit : element("button", { type: "button", class: "link", title: "show the charts of this series", onclick: () => chooseSeries(place) }, limit.limit);
    return element("tr", {}, element("td", { class: "text" }, name), cell(!known ? (limit.value === null ? UNKNOWN : "open until the end") : limit.held ? "✓ held" : "✕ broke" + (limit.at === null ? "" : ` at ${clockText(limit.at)}`), { class: !known ? null : limit.held ? "good" : "bad" }),
      cell(limit.shown, { "data-value": limit.value === null ? "" : String(limit.value) }), cell(meter), cell(marginText(margin)),
      ...(noted ? [cell(notes[n], { class: "text soft" })] : []));
  }));
  for (const bar of document.querySelectorAll(".meter i")) bar.style.width = `${100 * bar.dataset.share}%`;
  for (const mark of document.querySelectorAll(".meter b")) mark.style.left = `${100 * mark.dataset.share}%`;
}
// a bar as long as the value, with a mark at the bound; one far beyond ends at METER_MOST times the bound
const METER_MOST = 4;
function meterOf(used, held) {
  const whole = Math.max(1, Math.min(used, METER_MOST)), text = `${(100 * used).toFixed(0)} % of the bound`;
  return element("span", { class: "meter" + (held ? "" : " over"), title: text, role: "img", "aria-label": text }, element("i", { "data-share": Math.max(Math.min(used / whole, 1), 0) }), whole > 1 ? element("b", { "data-share": 1 / whole }) : null);
}
// the requests that alone are beyond a limit which all requests together hold, the worst first
function beyondAlone(limit, bound) {
  if (!limit.held || !bound || !bound.all || bound.over !== null || !["errors", "p50", "p95", "p99"].includes(bound.what)) return null;
  const of = (row) => bound.what === "errors" ? (bound.bound < 1 && row.count ? row.errors / row.count : null) : row[bound.what];
  const found = REPORT.series.map((row, place) => isRequest(row) ? figures(place, row) : null).filter((row) => row && of(row) !== null && of(row) !== undefined && !HOLDS[bound.op](of(row), bound.bound));
  if (!found.length) return null;
  const worst = found.sort((a, b) => of(b) - of(a)).slice(0, 3).map((row) => `${row.name} ${bound.what === "errors" ? shareText(row.errors, row.count) : timeText(of(row))}`);
  return `held by all requests together; beyond it alone: ${worst.join(", ")}${found.length > 3 ? `, and ${found.length - 3} more` : ""}`;
}
function chooseSeries(place) {
  view.series = place;
  byId("chosen").value = place;
  byId("first-note").hidden = true;
  drawCharts();
  fetchRow(place);
  byId("charts-section").scrollIntoView();
}
const COLUMNS = [["series", null], ["count", "count"], ["errors", "errors"], ["% failed", "share"], ["rate/s", "rate"], ["p50", "p50"], ["p95", "p95"], ["p99", "p99"], ["max", "max"], ["p95 over time", null]];
// a failing request in one line, as the table of the console has it
const BEGUN = new Set(["bad encoding", "body too large", "truncated"]);
function exchangeText(each, error) { return `${each.method} ${each.url} → ${each.status === null ? (BEGUN.has(error) ? "a response that was not read to its end" : "no response") : `${each.status} ${each.body}`.trim()}`; }
function exchangeFile(file) { return file ? element("div", {}, "see ", element("a", { href: file.link }, file.path)) : null; }
function sortValue(row, key) { const value = key === "share" ? row.errors / (row.count || 1) : row[key]; return value === null ? -1 : value; }
function drawRows() {
  const focused = document.activeElement;
  const places = REPORT.series.map((row, n) => [n, row]).filter(([, row]) => (!view.kind || row.kind === view.kind) && `${row.scenario} ${row.name}`.toLowerCase().includes(view.filter.toLowerCase()));
  const [key, direction] = view.sort;
  if (!DATA.finished) places.sort(([, a], [, b]) => order(a.scenario, b.scenario) || kindOrder(a.kind) - kindOrder(b.kind) || order(a.name, b.name));
  if (direction) places.sort(([, a], [, b]) => direction * (sortValue(a, key) - sortValue(b, key)));
  const header = COLUMNS.map(([title, sortKey]) => sortKey === null ? title : element("button", { type: "button", title: "sort", onclick: () => { view.sort = [sortKey, view.sort[0] === sortKey && view.sort[1] < 0 ? 1 : -1]; drawRows(); } }, title + (key === sortKey && direction ? (direction < 0 ? " ↓" : " ↑") : "")));
  const rows = [];
  let scenario = null;
  for (const [place, row] of places.slice(0, view.shown)) {
    if (!direction && row.scenario !== scenario) { scenario = row.scenario; rows.push(element("tr", { class: "group" }, element("td", { colspan: COLUMNS.length }, scenario))); }
    const line = lineOf(place);
    fillRow(line, place, figures(place, row) || { ...row, count: null, errors: null, rate: null, p50: null, p95: null, p99: null, max: null, at_least: null, approximate: true });
    rows.push(line, ...(line.detail ? [line.detail] : []));
  }
  table("rows", header, rows);
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  const more = places.length - view.shown;
  byId("more").hidden = more <= 0;
  byId("more").textContent = `${countText(more)} more series`;
  drawMarks();
  byId("series-note").textContent = zoomed() ? view.exact ? "figures of the chosen stretch, without warm-up" : "figures of the chosen stretch are approximate; warm-up is included" : `${countText(places.length)} of ${countText(REPORT.series.length)}`;
}
// rows of the table by place, so that the live page fills the same ones again; detail is the opened part of one
const lines = new Map();
const KINDS = ["step", "call", "task", "visit", "check", "value", "count", "gauge"];
const kindOrder = (kind) => KINDS.indexOf(kind) + 1, order = (a, b) => a < b ? -1 : a > b ? 1 : 0;
function fillRow(line, place, row) {
  const timed = !UNTIMED.has(row.kind), columns = DATA.series[place];
  const name = view.sort[1] ? `${row.name} · ${row.scenario}` : row.name, named = row.name === row.kind || row.name.startsWith(row.kind + " ");
  line.replaceChildren(element("td", { class: "name" }, name, named ? null : element("span", { class: "soft" }, "  " + row.kind)),
    cell(countText(row.count), { "data-value": row.count }), cell(countText(row.errors), { class: row.errors ? "bad" : null, "data-value": row.errors }), cell(shareText(row.errors, row.count)),
    cell(rateText(row.rate), { "data-value": row.rate }), ...["p50", "p95", "p99"].map((percentile) => timed ? percentileCell(row, percentile) : cell("")), cell(timed ? timeText(row.max) : "", { "data-value": row.max === null ? "" : row.max }),
    element("td", { class: "trend" }, ...(timed && columns ? trend(chosen(columns.p95)) : [])));
}
function lineOf(place) {
  if (lines.has(place)) return lines.get(place);
  const line = element("tr", { class: "row", tabindex: 0, "data-place": place, "data-key": keyOf(REPORT.series[place]) });
  lines.set(place, line);
  const toggle = () => { if (line.detail) { line.detail.remove(); line.detail = null; return; } line.detail = detailRow(place, REPORT.series[place]); line.after(line.detail); fetchRow(place); };
  line.addEventListener("click", toggle);
  line.addEventListener("keydown", (event) => {
    if (event.key === "Enter") toggle();
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (step) { let next = line[step]; while (next && !next.classList.contains("row")) next = next[step]; if (next) { next.focus(); event.preventDefault(); } }
  });
  return line;
}
// a line with the least and the greatest value beside it: each has an axis of its own
function trend(column) {
  const known = column.filter((value) => value !== null);
  if (!known.length) return [];
  const low = known.reduce((a, b) => Math.min(a, b)), high = known.reduce((a, b) => Math.max(a, b));
  return [spark(column, "p95 over time"), element("span", { class: "soft range" }, `${timeText(low)} – ${timeText(high)}`)];
}
function detailRow(place, row) {
  const columns = DATA.series[place], body = element("td", { colspan: COLUMNS.length }), line = element("tr", { class: "detail" }, body);
  const facts = [["bytes", countText(row.bytes)], ["min", UNTIMED.has(row.kind) ? plainText(row.min) : timeText(row.min)], ["mean", UNTIMED.has(row.kind) ? plainText(row.mean) : timeText(row.mean)], ["censored", countText(row.censored)], ["never begun", countText(row.never_begun)]];
  if (row.response) facts.push(["from when due", ["p50", "p95", "p99"].map((name) => `${name} ${timeText(row.response[name])}`).join(", ")]);
  if (row.design_effect && row.design_effect.p95) facts.push(["design effect of p95", plainText(Number(row.design_effect.p95.toPrecision(3)))]);
  const slowest = (row.slowest || []).map(([took, at]) => `${timeText(took)} at ${clockText(at)}`);
  body.append(element("p", { class: "soft" }, facts.map(([name, value]) => `${name} ${value}`).join(" · ")));
  if (slowest.length && !UNTIMED.has(row.kind)) body.append(element("p", { class: "soft" }, "slowest: " + slowest.join(", ")));
  if (columns) body.append(element("button", { type: "button", onclick: () => chooseSeries(String(place)) }, "show it in all charts above"));
  line.host = body.appendChild(element("div", { class: "charts" }));
  queueMicrotask(() => {
    if (!columns) { body.append(element("p", { class: "soft" }, "Charts are drawn of the busiest series.")); return; }
    line.draw = (host) => drawDetail(host, place, row, columns);
    line.draw(line.host);
  });
  return line;
}
function drawDetail(host, place, row, columns) {
  chart(host, "Rate and errors per second", [{ label: "rate", stroke: css("--accent") }, { label: "errors", stroke: css("--bad") }], [columns.rate, columns.errors.map((count) => count / STEP)], { text: plainText, height: 110 });
  if (!UNTIMED.has(row.kind)) { latency(host, "Time", columns, String(place)); heat(host, String(place)); distribution(host, String(place)); }
}
function drawErrors() {
  const rows = errorRows();
  byId("errors-section").hidden = !REPORT.errors.length;
  table("errors", ["class", "series", "count", "first – last", "words"], rows.slice(0, 200).map((row) => element("tr", {}, cell(row.error, { class: "text bad" }), cell(`${row.series} in ${row.scenario}`, { class: "text" }), cell(countText(row.count), { "data-value": row.count }), cell(`${clockText(row.first)} – ${clockText(row.last)}`), element("td", { class: "text soft" }, row.sample, ...row.exchanges.slice(0, 1).map((each) => element("div", {}, exchangeText(each, row.error))), exchangeFile(row.file)))));
}
function drawLedger() {
  const rows = ledgerRows(), fates = ["planned", "done", "failed", "interrupted", "no_row", "dropped", "lost"].filter((fate) => fate === "planned" || fate === "done" || REPORT.ledger.some((row) => row[fate]));
  table("ledger", ["scenario", ...fates.map((fate) => fate.replace("_", " ")), ""], rows.map((row) => element("tr", {}, cell(row.scenario, { class: "text" }), ...fates.map((fate) => cell(countText(row[fate]), { class: fate !== "planned" && fate !== "done" && row[fate] ? "bad" : null, "data-value": row[fate] })), cell(fateBar(row)))));
  for (const part of document.querySelectorAll(".fates i")) part.style.width = `${100 * part.dataset.share}%`;
}
function drawWorkers() {
  const rows = workerRows(), many = REPORT.workers.length > 1, left = REPORT.workers.length - rows.length;
  byId("workers-note").textContent = left ? `, without ${countText(left)} of which seconds are not kept` : "";
  table("workers", ["worker", "state", "visits", ...(many ? ["requests", "errors"] : []), "CPU", "late p99", "stalls", "loop lag", "descriptors", "last second"], rows.map((row) => element("tr", {}, cell(row.name, { class: "text" }),
    cell(row.lost ? `✕ lost${row.last === null || row.last === undefined ? "" : ` at ${clockText(row.last + 1)}`}${row.losses ? `, ${countText(row.losses)} visits` : ""}` : "✓", { class: row.lost ? "bad" : "good" }), cell(countText(row.visits), { "data-value": row.visits }),
    ...(many ? [cell(countText(row.requests)), cell(`${countText(row.errors)} (${shareText(row.errors, row.requests)}${row.errors ? " of its requests" : ""})`, { class: row.errors ? "bad" : null })] : []),
    ...healthCells(row, row.health || {}), cell(row.last === null ? NONE : clockText(row.last), { "data-value": row.last }))));
}
function drawEvents() {
  const events = [...REPORT.events.map((event, n) => [event, n]).filter(([event]) => !zoomed() || inStretch(event.first) || inStretch(event.last) || (event.first < AT[view.from] && event.last > AT[view.to - 1])).map(([event, n]) => `${n < FLAGGED ? n + 1 + " · " : ""}${eventText(event)}`), ...REPORT.notes.map((note) => `note: ${note}`)];
  byId("events-section").hidden = !events.length;
  byId("events").replaceChildren(...events.slice(0, 300).map((text) => element("li", {}, text)));
}
function drawAbout() {
  const facts = DATA.plan.facts || [], file = (facts.find(([name]) => name === "run file") || [])[1];
  const again = file ? `chaperon report ${shellWord(file)} --html again.html` : "keep the next run with --run-file RUN, then: chaperon report RUN --html again.html";
  const about = [["target", DATA.plan.target], ["load", loadText(DATA.plan.load)], ["scenarios", DATA.plan.scenarios.join(", ")], ["started", REPORT.started], ["length", `${REPORT.duration.toFixed(1)} s${DATA.finished ? "" : " so far"}`], ["seed", REPORT.seed], ["Chaperon", REPORT.chaperon], ...facts,
    ["precision", effectText(REPORT.requests)], ["charts", STEP === 1 ? "one point a second" : `one point each ${STEP} s`], ["to make this page again", again]].filter(([, value]) => value !== "" && value !== undefined && value !== null);
  const hash = (facts.find(([name]) => name === "SHA-256 of the run file") || [])[1];
  byId("made").textContent = [REPORT.environment, `started ${REPORT.started}`, `Chaperon ${REPORT.chaperon}`, HERE, file ? `run file ${file}` : "no run file", hash ? `SHA-256 ${hash}` : null].filter(Boolean).join(" · ");
  fill(byId("about"), about.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]));
}
function healthCells(row, health) {
  const used = health.descriptors === undefined ? NONE : countText(health.descriptors) + (health.descriptors_limit ? ` of ${countText(health.descriptors_limit)}` : "");
  return [cell(row.cpu.toFixed(2), { "data-value": row.cpu }), cell(timeText(row.late_p99), { "data-value": row.late_p99 }), cell(countText(health.stalls || 0), { class: health.stalls ? "bad" : null, "data-value": health.stalls || 0 }),
    cell(timeText(health.lag_max), { "data-value": health.lag_max }), cell(used)];
}
function drawStretch() { drawLimits(); drawErrors(); drawLedger(); drawWorkers(); drawEvents(); }
// equal events on one line, with their number and the moments of the first and the last one
function eventText(event) {
  const on = REPORT.workers.length > 1 && event.workers.length ? ` · ${event.workers.length > 1 ? `${event.workers.length} workers` : event.workers[0]}` : "";
  const took = event.longest ? `${event.count > 1 ? ", the longest " : " for "}${timeText(event.longest)}` : "";
  return event.count > 1 ? `${clockText(event.first)} – ${clockText(event.last)} · ${countText(event.count)} × ${event.text}${took}${on}` : `${clockText(event.first)} · ${event.text}${took}${on}`;
}
const FATES = ["done", "failed", "interrupted", "no_row", "dropped", "lost"];
function fateBar(row) {
  const whole = Math.max(row.planned, sum(FATES.map((fate) => row[fate])));
  const parts = FATES.filter((fate) => row[fate]).map((fate) => element("i", { class: "fate-" + fate, "data-share": row[fate] / whole, title: `${fate.replace("_", " ")}: ${shareText(row[fate], whole)}` }));
  return element("span", { class: "fates", role: "img", "aria-label": FATES.filter((fate) => row[fate]).map((fate) => `${fate} ${shareText(row[fate], whole)}`).join(", ") }, ...parts);
}
const shellWord = (text) => /^[\w.\/:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
function effectText(row) {
  const effect = row && row.design_effect ? row.design_effect.p95 : null;
  if (effect === null || effect === undefined) return "";
  return effect <= 1.05 ? "requests are independent of each other" : `times of neighbouring requests resemble each other: all ${countText(row.count)} requests determine p95 only as precisely as ${countText(Math.floor(row.count / effect))} independent ones would (design effect ${plainText(Number(effect.toPrecision(3)))}); its 95 % interval is as wide as that requires`;
}
