
// ---- what a person can do with the run; the state shown is what the engine says afterwards
let ROLE = "read", buttons = null;
const KEYS = [["p", "pause or resume"], ["s", "stop, after a question"]];

function banner(text, kind) {
  const place = byId("banner");
  place.hidden = !text;
  place.className = kind || "";
  if (place.textContent !== text) place.textContent = text;
}
function makeButtons() {
  const button = (name, onclick, title) => element("button", { type: "button", id: name.toLowerCase(), onclick, title }, name);
  buttons = { pause: button("Pause", pauseOrResume, "Key: p"), scale: button("Scale", askScale), stop: button("Stop", askStop, "Key: s"),
    note: button("Note", askNote), save: button("Save", save, "Keep this page as a file") };
  document.querySelector(".controls").prepend(...Object.values(buttons));
  document.querySelector("#keys dl").prepend(...KEYS.flatMap(([key, text]) => [element("dt", {}, key), element("dd", {}, text)]));
  document.querySelector("header").after(element("p", { id: "banner", role: "status", hidden: true }));
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "p" && !buttons.pause.hidden) pauseOrResume();
    if (event.key === "s" && !buttons.stop.hidden) askStop();
  });
}
function drawButtons(state) {
  const going = ROLE === "control" && state !== null && ["running", "paused", "starting"].includes(state.word) && !CLOSED;
  for (const name of ["pause", "scale", "stop", "note"]) buttons[name].hidden = !going;
  buttons.pause.textContent = state && state.word === "paused" ? "Resume" : "Pause";
  buttons.save.hidden = !DATA;
}
async function control(action, values) {
  try {
    const answer = await ask("control", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ action, ...values }) });
    const said = await answer.json();
    if (!answer.ok) banner(said.error, "bad");
    else banner(`asked for: ${said.done}`, "soft"), setTimeout(() => { if (byId("banner").textContent.startsWith("asked for")) banner(""); }, 3000);
    return answer.ok;
  } catch (error) {
    banner("the server does not answer", "bad");
    return false;
  }
}
function pauseOrResume() { control(DATA.state.word === "paused" ? "resume" : "pause"); }

// a question in a dialog; fields are inputs with ids, done gets their values
function question(title, text, fields, word, done) {
  const dialog = element("dialog", { "aria-labelledby": "question" });
  const form = element("form", { method: "dialog" }, element("h2", { id: "question" }, title), text ? element("p", {}, text) : null, ...fields,
    element("p", { class: "answers" }, element("button", { value: "yes", class: "primary" }, word), element("button", { value: "no", type: "button", onclick: () => dialog.close() }, "Cancel")));
  form.addEventListener("submit", (event) => { event.preventDefault(); dialog.close(); done(Object.fromEntries(fields.map((field) => { const input = field.querySelector("input"); return [input.name, input.value]; }))); });
  dialog.append(form);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
const field = (label, attributes) => element("label", {}, label, element("input", attributes));
function askScale() {
  question("Scale the load", "Visits per second, or users, from now on as a multiple of what was planned.",
    [field("factor", { name: "factor", type: "number", min: "0.01", max: "1000", step: "any", value: String(DATA.state.scale), required: true })], "Scale", (given) => control("scale", { factor: Number(given.factor) }));
}
function askStop() { question("Stop the run?", "No further visit starts, and the verdict is ABORTED. Visits in flight have the grace time.", [], "Stop", () => control("stop")); }
function askNote() { question("Add a note to the report", "", [field("note", { name: "text", maxlength: 200, required: true })], "Add", (given) => control("note", { text: given.text })); }
