
// ---- the page as a whole
function drawAll() {
  view.exact = null;
  byId("zoom-out").hidden = !zoomed();
  byId("from").value = AT.length ? clockText(AT[view.from]) : "";
  byId("to").value = AT.length ? clockText(AT[view.to - 1] + STEP) : "";
  for (const note of document.querySelectorAll(".stretch")) note.hidden = !zoomed();
  drawCharts();
  drawRows();
  drawStretch();
  if (zoomed()) askExact(AT[view.from], AT[view.to - 1] + STEP);
}
let askExact = () => {}; // the live page asks its server for the figures of a stretch
function toggleClock() { view.response = !view.response; byId("clock").value = view.response ? "due" : "sent"; drawCharts(); }
function toggleKeys() { const keys = byId("keys"); if (keys.open) keys.close(); else keys.showModal(); }
// "1:30" or "90" as seconds; NaN for anything else
function secondsOf(text) { return /^\d+(:\d+)*$/.test(text.trim()) ? text.trim().split(":").reduce((total, part) => 60 * total + Number(part), 0) : NaN; }
function zoomToFields() {
  const from = secondsOf(byId("from").value), to = secondsOf(byId("to").value);
  if (from < to) zoomTo(from, to - STEP); else drawAll();
}
function fillChosen() {
  const places = Object.keys(DATA.series).sort((a, b) => a - b), scenarios = new Set(REPORT.series.map((row) => row.scenario));
  const named = (row) => `${row.name}${scenarios.size > 1 ? " in " + row.scenario : ""}`.slice(0, 80);
  byId("chosen").replaceChildren(element("option", { value: "requests" }, "all requests"), ...places.filter((place) => REPORT.series[place]).map((place) => element("option", { value: place }, named(REPORT.series[place]))));
  byId("chosen").value = view.series;
}
function toggleLog() { view.log = !view.log; byId("log").checked = view.log; drawCharts(); }
function fillKinds() {
  const kinds = [...new Set(REPORT.series.map((row) => row.kind))];
  byId("kind").replaceChildren(element("option", { value: "" }, "all"), ...kinds.map((kind) => element("option", { value: kind }, kind)));
  byId("kind").value = view.kind;
}
function draw() {
  fillKinds();
  fillChosen();
  drawVerdict();
  drawAbout();
  drawAll();
}
// the charts begin with the series of the first limit that broke, whose times are diluted among all requests; without requests, with visits
function chooseFirst() {
  const broken = REPORT.limits.map((limit, n) => limit.held ? null : placeOf((DATA.bounds || [])[n])).find((place) => place !== null && place !== "requests");
  if (broken !== undefined) {
    view.series = broken;
    byId("first-note").hidden = false;
    byId("first-note").replaceChildren(`A limit on ${nameOf(broken)} broke: times and rate are those of ${nameOf(broken)}. `, element("button", { type: "button", class: "link", onclick: () => chooseSeries("requests") }, "Show all requests"));
    return;
  }
  const visits = REPORT.series.findIndex((row) => row.kind === "visit");
  if (visits >= 0 && DATA.series[visits] && DATA.requests.rate.length && !DATA.requests.rate.some(Boolean)) view.series = String(visits);
}
function start() {
  byId("kind").addEventListener("change", (event) => { view.kind = event.target.value; drawRows(); });
  byId("filter").addEventListener("input", (event) => { view.filter = event.target.value; drawRows(); });
  byId("more").addEventListener("click", () => { view.shown += 200; drawRows(); });
  byId("zoom-out").addEventListener("click", () => { view.from = 0; view.to = AT.length; drawAll(); });
  byId("log").addEventListener("change", toggleLog);
  byId("clock").addEventListener("change", toggleClock);
  byId("chosen").addEventListener("change", (event) => { view.series = event.target.value; byId("first-note").hidden = true; drawCharts(); fetchRow(view.series); });
  for (const field of ["from", "to"]) byId(field).addEventListener("change", zoomToFields);
  byId("help").addEventListener("click", toggleKeys);
  addEventListener("beforeprint", () => printAs(true));
  addEventListener("afterprint", () => printAs(false));
  byId("theme").addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    setTheme(dark ? "light" : "dark");
    if (DATA) drawCharts();
  });
  document.addEventListener("keydown", (event) => {
    if (!DATA || document.querySelector("dialog[open]:not(#keys)") || event.target.matches("input:not([type=checkbox]), select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") { byId("filter").focus(); event.preventDefault(); }
    if (event.key === "l") toggleLog();
    if (event.key === "r" && !byId("clock-choice").hidden) toggleClock();
    if (event.key === "?") toggleKeys();
    if (event.key === "Escape" && zoomed()) byId("zoom-out").click();
  });
  followWidth();
  try { setTheme(sessionStorage.getItem("theme") || ""); } catch (error) { /* a file may have no storage */ }
  if (typeof uPlot === "undefined") {
    byId("chart-note").hidden = false;
    byId("chart-note").textContent = "This page was made without the chart library uPlot, which an install from PyPI has: lines are shown small.";
  }
  if (!GIVEN) return;
  adopt(GIVEN);
  chooseFirst();
  draw();
  document.documentElement.dataset.ready = "yes";
}
// charts are as wide as their place, whatever changes it: the window, a scroll bar, a viewport that gets its size late
function followWidth() {
  let width = byId("charts").clientWidth, waiting = 0;
  new ResizeObserver(() => {
    const now = byId("charts").clientWidth;
    if (printing || !now || now === width) return;
    width = now;
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (DATA) drawCharts(); }, 100);
  }).observe(byId("charts"));
}
// on paper: light, and charts as wide as the page
function printAs(paper) {
  const root = document.documentElement;
  printing = paper;
  if (paper) { root.dataset.screen = root.dataset.theme || ""; root.dataset.theme = "light"; }
  else if (root.dataset.screen) root.dataset.theme = root.dataset.screen;
  else delete root.dataset.theme;
  if (DATA) drawCharts();
}
function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  try { if (theme) sessionStorage.setItem("theme", theme); } catch (error) { /* as above */ }
}
start();
