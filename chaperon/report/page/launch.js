
// ---- starting runs from the page, where the command allows it: a form, and the load drawn before it is sent
let launchForm = null, failureShown = "";
function showForm(launcher) {
  if (ROLE !== "control") return;
  const entry = element("select", { id: "launch-only", "aria-label": "Entry" }, element("option", { value: "" }, "all entries"), ...launcher.entries.map((each) => element("option", { value: each.label }, `${each.label}: ${each.load}`)));
  const load = element("input", { id: "launch-load", size: 40, placeholder: launcher.entries.map((each) => each.load).join(" + "), "aria-label": "Load, as --load takes it" });
  const limit = element("input", { id: "launch-limit", size: 30, placeholder: launcher.limits.join(", ") || "p95 < 300ms", "aria-label": "One more limit" });
  const drawn = element("div", { id: "launch-plan" }), said = element("p", { id: "launch-said", role: "status" });
  const begin = element("button", { type: "submit", class: "primary", id: "start" }, "Start");
  const values = () => ({ only: entry.value, load: load.value, limit: limit.value });
  launchForm = element("form", { id: "launch", "aria-label": "Start a run" }, element("h2", {}, `Start a run of ${launcher.name}`),
    element("p", {}, element("label", {}, "entry ", entry), element("label", {}, " load ", load), element("label", {}, " limit ", limit), " ", begin), said, drawn);
  let waiting = 0;
  const redraw = async () => {
    const answer = await ask("plan?" + new URLSearchParams(values())), plan = await answer.json();
    said.textContent = plan.error || "";
    said.className = plan.error ? "bad" : "";
    begin.disabled = Boolean(plan.error);
    if (!plan.error) drawPlan(drawn, plan);
  };
  for (const field of [entry, load, limit]) field.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(redraw, 300); });
  launchForm.addEventListener("submit", async (event) => { event.preventDefault(); begin.disabled = true; await control("start", values()); setTimeout(() => { begin.disabled = false; watchStart(said); }, 1500); });
  document.querySelector("main").before(launchForm);
  redraw().catch(() => {});
}
// a run that could not start leaves no run on the page: its reason is asked for
async function watchStart(said) {
  const { launcher } = await (await ask("hello")).json();
  if (launcher && launcher.failure) { said.textContent = launcher.failure; said.className = "bad"; banner(launcher.failure, "bad"); }
}
function drawPlan(host, plan) {
  host.replaceChildren(...plan.loads.map((load) => {
    const levels = load.points.map(([, level]) => level), high = Math.max(...levels, 1e-9);
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    svg.setAttribute("viewBox", "0 0 240 60"); svg.setAttribute("preserveAspectRatio", "none"); svg.setAttribute("class", "plan"); svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", `${load.label}: up to ${plainText(Math.max(...levels))} ${load.unit}`);
    line.setAttribute("points", levels.map((level, n) => `${(240 * n / (levels.length - 1)).toFixed(1)},${(58 - 56 * level / high).toFixed(1)}`).join(" "));
    line.setAttribute("fill", "none"); line.setAttribute("stroke", "currentColor"); line.setAttribute("vector-effect", "non-scaling-stroke");
    svg.append(line);
    const until = load.points[load.points.length - 1][0];
    return element("figure", {}, element("figcaption", {}, `${load.label}: up to ${plainText(Math.max(...levels))} ${load.unit}, ${clockText(load.points[0][0])} to ${clockText(until)}; ${load.words}`), svg);
  }));
}
