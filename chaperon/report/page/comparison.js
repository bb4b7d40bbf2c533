
// ---- the page of a comparison
const SIGNS = { slower: "✕", faster: "✓", same: "✓", unknown: "?" };
const WORDS = { SLOWER: ["✕", "FAIL"], FASTER: ["✓", "PASS"], SAME: ["✓", "PASS"], UNKNOWN: ["?", "INVALID"], "NOT COMPARABLE": ["⚠", "INVALID"] };
const LETTERS = ["A", "B"];
const many = () => COMPARISON.first.length > 1 || COMPARISON.second.length > 1;
const cell = (text, attributes) => element("td", attributes || {}, text);
const raw = (value) => value === null || value === undefined ? "" : String(value);
const isShare = (figure) => /^(service |response )?errors/.test(figure.figure);
const valueText = (figure, value) => value === null || value === undefined ? NONE : isShare(figure) ? `${(100 * value).toFixed(2)} %` : timeText(value);
function shiftText(share) { const size = 100 * share; return `${size > 0 ? "+" : ""}${Math.abs(size) >= 0.95 || size === 0 ? Math.round(size) : size.toFixed(1)} %`; }
function pointsText(share) { return `${share > 0 ? "+" : ""}${(100 * share).toFixed(2)} points`; }
// rounded up where it is not whole, as in the sentences: what is said to be seen is seen
const seenText = (figure) => figure.detectable === null || figure.detectable === undefined ? NONE : isShare(figure) ? `${(100 * figure.detectable).toFixed(2)} points` : `${Math.ceil(100 * figure.detectable - 1e-6).toLocaleString("en-US")} %`;
function changeText(figure) {
  if (figure.difference === null || figure.difference === undefined) return NONE;
  // measured, without an interval: how far chance goes is unknown
  if (figure.low === null || figure.low === undefined) return isShare(figure) ? pointsText(figure.difference) : shiftText(figure.difference);
  if (isShare(figure)) return `${pointsText(figure.low).replace(" points", "")} to ${pointsText(figure.high)}`;
  return `${shiftText(figure.low).replace(" %", "")} to ${shiftText(figure.high)}`;
}
function drawVerdict() {
  const [sign, kind] = WORDS[COMPARISON.change], verdict = byId("verdict");
  verdict.className = "is-" + kind;
  const gated = COMPARISON.figures.filter((figure) => figure.gated);
  verdict.replaceChildren(element("div", {}, element("span", { class: "word " + kind }, `${sign} ${COMPARISON.change}`), element("span", { class: "soft" }, `  exit code ${COMPARISON.exit_code} · ${COMPARISON.phase === null ? "all but the warm-up is compared" : `phase ${COMPARISON.phase} is compared`}`)),
    element("ul", {}, ...COMPARISON.refused.map((reason) => element("li", {}, reason)), ...gated.map((figure) => element("li", { "data-change": figure.change }, `${SIGNS[figure.change]} ${figure.sentence}`)), ...COMPARISON.warnings.map((warning) => element("li", { class: "soft" }, "warning: " + warning))));
}
function drawSides() {
  const sides = [COMPARISON.first, COMPARISON.second];
  byId("title").replaceChildren(...sides.map((runs, side) => element("span", { class: "side" }, element("b", { class: "letter side-" + LETTERS[side] }, LETTERS[side]), " " + runs.map((run) => run.file).join(", "))));
  const rows = sides.flatMap((runs, side) => runs.map((run) => element("tr", {}, element("td", {}, element("b", { class: "letter side-" + LETTERS[side] }, LETTERS[side])), cell(run.file, { class: "text" }), cell(run.environment, { class: "text" }), cell(run.started), cell(`${Math.round(run.compared_seconds)} s`), cell(run.loads.map((each) => each.load).join(" + "), { class: "text" }), cell(run.verdict), cell(String(run.seed)))));
  byId("runs").replaceChildren(head(["", "run", "environment", "started", "compared", "load", "verdict", "seed"], ["run", "environment", "load"]), element("tbody", {}, ...rows));
}
function head(names, texts) { return element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col", class: (texts || []).includes(name) ? "text" : null }, name)))); }
// an interval against its margin: what lies in the shaded part is allowed
function intervalBar(figure) {
  if (figure.low === null || figure.low === undefined) return "";
  const log = (share) => isShare(figure) ? share : Math.log1p(share), margin = log(figure.margin);
  const reach = 1.15 * Math.max(Math.abs(log(figure.low)), Math.abs(log(figure.high)), 1.5 * margin) || 1, x = (value) => (100 + 98 * value / reach).toFixed(1);
  const svg = (tag, attributes) => { const made = document.createElementNS("http://www.w3.org/2000/svg", tag); for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value); return made; };
  const box = svg("svg", { viewBox: "0 0 200 16", class: "interval " + figure.change, role: "img", "aria-label": `${changeText(figure)}, allowed ${isShare(figure) ? pointsText(figure.margin) : shiftText(figure.margin)}` });
  box.append(svg("rect", { x: x(-margin), y: 0, width: x(margin) - x(-margin), height: 16, class: "allowed" }), svg("line", { x1: 100, x2: 100, y1: 0, y2: 16, class: "zero" }),
    svg("line", { x1: x(log(figure.low)), x2: x(log(figure.high)), y1: 8, y2: 8, class: "span" }), svg("circle", { cx: x(log(figure.difference)), cy: 8, r: 3.5, class: "dot" }));
  return box;
}
function drawGates() {
  const gated = COMPARISON.figures.filter((figure) => figure.gated);
  byId("gates-section").hidden = !gated.length;
  byId("gates").replaceChildren(head(["figure", "", "A", "B", "change", "against the margin", "margin", "seen from"], ["figure"]), element("tbody", {}, ...gated.map((figure) => element("tr", { "data-figure": figure.figure }, cell(figure.figure, { class: "text" }), cell(`${SIGNS[figure.change]} ${figure.change}`, { class: figure.change }),
    cell(valueText(figure, figure.first), { "data-value": raw(figure.first) }), cell(valueText(figure, figure.second), { "data-value": raw(figure.second) }), cell(changeText(figure)), cell(intervalBar(figure)),
    cell(figure.margin === null || figure.margin === undefined ? NONE : isShare(figure) ? pointsText(figure.margin) : shiftText(figure.margin)), cell(seenText(figure), { title: "a change as large as this would have been seen" })))));
}
const colourOf = (second) => css(second ? "--side-b" : "--side-a");
// one line a run, of its side's colour; several runs a side are thin lines
function overlay(host, title, values, options) {
  const runs = DATA.runs.map((run) => [run, values(run)]).filter(([, column]) => column);
  if (!runs.length) return;
  chart(host, title, runs.map(([run]) => ({ label: `${LETTERS[Number(run.second)]}${many() ? " " + run.name.split("/").pop() : ""}`, stroke: colourOf(run.second), width: many() ? 1 : 1.8 })), runs.map(([, column]) => column), options);
}
function chartsOf(host, group, small) {
  const name = nameOfGroup(group), columns = (run) => run.groups[group], some = DATA.runs.map(columns).find(Boolean);
  if (!some) { host.append(element("p", { class: "soft" }, "Charts are drawn of the busiest series.")); return; }
  const height = small ? 110 : 150, prefix = prefixOf(some);
  if (some.p50.some((value) => value !== null)) {
    overlay(host, `${view.percentile} of ${name} over the time of each run, from when ${prefix ? "due" : "sent"}`, (run) => columns(run) && columns(run)[prefix + view.percentile].map((value) => value === null ? null : Math.max(value, 1e-6)), { text: timeText, log: true, height: small ? 140 : 200 });
    shiftChart(host, group, small ? 150 : 200);
  }
  overlay(host, `Rate of ${name} per second`, (run) => columns(run) && columns(run).rate, { text: plainText, height });
  if (DATA.runs.some((run) => columns(run) && columns(run).errors.some(Boolean))) overlay(host, `Errors of ${name} per second`, (run) => columns(run) && columns(run).errors.map((count) => count / STEP), { text: plainText, height });
}
// the axis of quantiles is stretched towards the slowest requests: 50, 90, 99 and 99.9 % are apart
const stretch = (q) => -Math.log10(1 - q), unstretch = (x) => 1 - 10 ** -x;
const RATIOS = [-0.9, -0.75, -0.5, -0.4, -0.3, -0.2, -0.15, -0.1, -0.05, -0.02, 0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5, 9, 19, 49, 99];
const SHOWN_QUANTILES = [0.05, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999];
function shiftChart(host, group, height) {
  const points = DATA.shift[group];
  if (points === undefined || typeof uPlot === "undefined") return;
  if (points.length < 2) { host.append(element("p", { class: "soft" }, "Too few samples for a quantile-shift curve.")); return; }
  const across = points.map(([q]) => stretch(q)), line = (place) => points.map((point) => point[place]);
  const ratio = (log) => shiftText(Math.expm1(log));
  curve(host, `By how much each quantile of ${nameOfGroup(group)} is slower in B, with its 95 % interval`, across,
    [{ label: "low", stroke: css("--p50"), width: 1 }, { label: "high", stroke: css("--p50"), width: 1 }, { label: "B against A", stroke: css("--accent"), width: 2, points: { show: true, size: 5 } }],
    [line(2), line(3), line(1)],
    { across: (x) => `p${Number((100 * unstretch(x)).toFixed(1))}`, text: ratio, named: "quantile", height, splits: SHOWN_QUANTILES.map(stretch), bands: [{ series: [2, 1], fill: css("--p50") + "44" }],
      upright: (u, low, high) => RATIOS.map(Math.log1p).filter((log) => log >= low && log <= high).reduce((kept, log) => apart(u, kept, log), []),
      vertical: (u, low, high) => { const margin = 0.1 * (high - low) + 0.01; return [Math.min(low - margin, -0.02), Math.max(high + margin, 0.02)]; },
      hooks: { drawClear: [(u) => { const y = u.valToPos(0, "y", true); u.ctx.save(); u.ctx.strokeStyle = css("--fg"); u.ctx.beginPath(); u.ctx.moveTo(u.bbox.left, y); u.ctx.lineTo(u.bbox.left + u.bbox.width, y); u.ctx.stroke(); u.ctx.restore(); }] } });
}
function drawCharts() {
  const host = byId("charts");
  charts.splice(0).forEach(([made]) => made.destroy());
  host.replaceChildren();
  if (!AT.length) { host.append(element("p", { class: "soft" }, "No second of the runs was recorded.")); return; }
  chartsOf(host, view.group, false);
}
// ticks that do not overlap; 0 stays in any case
function apart(u, kept, log) {
  const near = kept.length && Math.abs(u.valToPos(log, "y") - u.valToPos(kept[kept.length - 1], "y")) < 13;
  if (near && log === 0) kept.pop();
  return near && log !== 0 ? kept : [...kept, log];
}
const STATISTICS = ["p50", "p95", "p99", "errors"];
function sortValue(group, [what, field]) { const figure = figuresOf(group)[what]; return figure && figure[field] !== null && figure[field] !== undefined ? figure[field] : -Infinity; }
function drawRows() {
  const all = DATA.groups.filter((each) => Object.keys(figuresOf(each.group)).length);
  const compared = all.filter((each) => Object.values(figuresOf(each.group)).some((figure) => raw(figure.first) || raw(figure.second)));
  const groups = compared.filter((each) => each.name.toLowerCase().includes(view.filter.toLowerCase())), [key, direction] = view.sort;
  if (direction) groups.sort((a, b) => direction * (sortValue(a.group, key) - sortValue(b.group, key)));
  const sorter = (title, place) => { const id = place.join(); return element("button", { type: "button", title: "sort", onclick: () => { view.sort = [place, direction < 0 && key.join() === id ? 1 : -1]; drawRows(); } }, title + (direction && key.join() === id ? (direction < 0 ? " ↓" : " ↑") : "")); };
  const header = ["series", ...STATISTICS.flatMap((what) => [sorter(`${what} A`, [what, "first"]), sorter("B", [what, "second"]), sorter("change", [what, "difference"])])];
  byId("rows").replaceChildren(head(header), element("tbody", {}, ...groups.slice(0, view.shown).map((each) => groupRow(each))));
  byId("more").hidden = groups.length <= view.shown;
  byId("more").textContent = `${countText(groups.length - view.shown)} more series`;
  byId("series-note").textContent = `${countText(groups.length)} of ${countText(compared.length)}; only what is above decides${all.length > compared.length ? `; ${countText(all.length - compared.length)} without a value on either side` : ""}`;
}
function groupRow(each) {
  const figures = figuresOf(each.group);
  const cells = STATISTICS.flatMap((what) => {
    const figure = figures[what];
    if (!figure) return [cell(NONE), cell(NONE), cell("")];
    return [cell(valueText(figure, figure.first), { "data-figure": figure.figure, "data-field": "first", "data-value": raw(figure.first) }), cell(valueText(figure, figure.second), { "data-figure": figure.figure, "data-field": "second", "data-value": raw(figure.second) }),
      element("td", { class: figure.change, title: figure.sentence, "data-figure": figure.figure, "data-field": "difference", "data-value": raw(figure.difference) }, figure.difference === null || figure.difference === undefined ? UNKNOWN : `${SIGNS[figure.change]} ${changeText(figure).replace(" points", "")}`)];
  });
  const line = element("tr", { class: "row", tabindex: 0, "data-group": each.group }, element("td", { class: "name" }, each.name), ...cells);
  const toggle = () => { const open = line.nextSibling; if (open && open.classList && open.classList.contains("detail")) { open.remove(); return; } line.after(detailRow(each.group, figures)); };
  line.addEventListener("click", toggle);
  line.addEventListener("keydown", (event) => {
    if (event.key === "Enter") toggle();
    const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
    if (step) { let next = line[step]; while (next && !next.classList.contains("row")) next = next[step]; if (next) { next.focus(); event.preventDefault(); } }
  });
  return line;
}
function detailRow(group, figures) {
  const body = element("td", { colspan: 1 + 3 * STATISTICS.length }), line = element("tr", { class: "detail" }, body);
  body.append(element("ul", {}, ...Object.values(figures).map((figure) => element("li", {}, `${SIGNS[figure.change]} ${figure.sentence}`))));
  queueMicrotask(() => chartsOf(body, group, true));
  return line;
}
function drawAll() {
  byId("zoom-out").hidden = !zoomed();
  drawCharts();
  drawRows();
}
function toggleLog() { view.log = !view.log; byId("log").checked = view.log; drawCharts(); }
function toggleKeys() { const keys = byId("keys"); if (keys.open) keys.close(); else keys.showModal(); }
function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  try { if (theme) sessionStorage.setItem("theme", theme); } catch (error) { /* a file may have no storage */ }
}
function printAs(paper) {
  const root = document.documentElement;
  printing = paper;
  if (paper) { root.dataset.screen = root.dataset.theme || ""; root.dataset.theme = "light"; }
  else if (root.dataset.screen) root.dataset.theme = root.dataset.screen;
  else delete root.dataset.theme;
  drawCharts();
}
function start() {
  byId("chosen").replaceChildren(...DATA.groups.filter((each) => DATA.runs.some((run) => run.groups[each.group])).map((each) => element("option", { value: each.group }, each.name.slice(0, 80))));
  const requests = DATA.runs.some((run) => run.groups[""] && run.groups[""].rate.some(Boolean)), other = DATA.groups.find((each) => each.group !== "");
  if (!requests && other) view.group = other.group;
  byId("chosen").value = view.group;
  byId("chosen").addEventListener("change", (event) => { view.group = event.target.value; drawCharts(); });
  byId("percentile").addEventListener("change", (event) => { view.percentile = event.target.value; drawCharts(); });
  byId("filter").addEventListener("input", (event) => { view.filter = event.target.value; drawRows(); });
  byId("more").addEventListener("click", () => { view.shown += 200; drawRows(); });
  byId("zoom-out").addEventListener("click", () => { view.from = 0; view.to = AT.length; drawAll(); });
  byId("log").addEventListener("change", toggleLog);
  byId("help").addEventListener("click", toggleKeys);
  byId("theme").addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    setTheme(dark ? "light" : "dark");
    drawAll();
  });
  addEventListener("beforeprint", () => printAs(true));
  addEventListener("afterprint", () => printAs(false));
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input:not([type=checkbox]), select") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") { byId("filter").focus(); event.preventDefault(); }
    if (event.key === "l") toggleLog();
    if (event.key === "?") toggleKeys();
    if (event.key === "Escape" && zoomed()) byId("zoom-out").click();
  });
  let width = innerWidth, waiting = 0;
  addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; clearTimeout(waiting); waiting = setTimeout(drawCharts, 100); } });
  try { setTheme(sessionStorage.getItem("theme") || ""); } catch (error) { /* as above */ }
  byId("lines-note").textContent = many() ? "one thin line a run, in the colour of its side; seconds count from the start of each run" : "seconds count from the start of each run";
  byId("chart-note").hidden = typeof uPlot !== "undefined";
  drawSides(); drawVerdict(); drawGates(); drawAll();
  document.documentElement.dataset.ready = "yes";
}
start();
