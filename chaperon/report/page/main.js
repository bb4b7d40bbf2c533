
// ---- the page as a whole
function drawAll() {
  byId("zoom-out").hidden = !zoomed();
  byId("zoom-note").textContent = zoomed() ? `${clockText(AT[view.from])} to ${clockText(AT[view.to - 1] + STEP)}` : "drag in a chart to zoom";
  drawCharts();
  drawRows();
}
function toggleLog() { view.log = !view.log; byId("log").setAttribute("aria-pressed", view.log); drawCharts(); }
function start() {
  const kinds = [...new Set(REPORT.series.map((row) => row.kind))];
  byId("kind").replaceChildren(element("option", { value: "" }, "all"), ...kinds.map((kind) => element("option", { value: kind }, kind)));
  byId("kind").addEventListener("change", (event) => { view.kind = event.target.value; drawRows(); });
  byId("filter").addEventListener("input", (event) => { view.filter = event.target.value; drawRows(); });
  byId("more").addEventListener("click", () => { view.shown += 200; drawRows(); });
  byId("zoom-out").addEventListener("click", () => { view.from = 0; view.to = AT.length; drawAll(); });
  byId("log").addEventListener("click", toggleLog);
  byId("theme").addEventListener("click", () => {
    const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    setTheme(dark ? "light" : "dark");
    drawCharts();
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") { byId("filter").focus(); event.preventDefault(); }
    if (event.key === "l") toggleLog();
    if (event.key === "Escape" && zoomed()) byId("zoom-out").click();
  });
  let width = innerWidth, waiting = 0;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(drawCharts, 100);
  });
  try { setTheme(sessionStorage.getItem("theme") || ""); } catch (error) { /* a file may have no storage */ }
  if (typeof uPlot === "undefined") {
    byId("chart-note").hidden = false;
    byId("chart-note").textContent = "This page was made without the chart library uPlot, which an install from PyPI has: lines are shown small.";
  }
  drawVerdict();
  drawLimits();
  drawRest();
  drawAll();
  document.documentElement.dataset.ready = "yes";
}
function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  try { if (theme) sessionStorage.setItem("theme", theme); } catch (error) { /* as above */ }
}
start();
