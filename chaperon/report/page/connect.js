
// ---- the connection to the server: it asks for the whole state, then it is sent what changes
let TOKEN = "", CLOSED = false, socket = null, refusals = 0, polling = false;
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));
function ask(path, options = {}) {
  return fetch(HERE + path, { ...options, headers: { ...(options.headers || {}), Authorization: `Bearer ${TOKEN}` }, cache: "no-store" });
}
async function loadState() {
  const answer = await ask("state");
  if (!answer.ok) throw new Error(`${answer.status}`);
  adoptState(await answer.json());
  drawEmpty();
}
let loading = null; // one load at a time
function reload() { loading = loading || loadState().finally(() => { loading = null; }); return loading; }

async function receive(message) {
  if (message.closing) { CLOSED = true; ended(); return; }
  if (loading) { await loading; if (message.run === RUN && message.n <= NUMBER) return; }
  if (message.reload || message.run !== RUN || message.n !== NUMBER + 1) {
    if (message.final && message.run === RUN) apply(message); else await reload();
  } else apply(message);
}
function ended() {
  drawState(DATA ? DATA.state : null);
  banner("The process has ended. This page keeps its data; Save makes it a file.", "soft");
}
function open() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  let opened = false, queue = Promise.resolve();
  socket = new WebSocket(`${scheme}://${HERE.replace(/^https?:\/\//, "")}socket?run=${RUN}&after=${NUMBER}`, ["chaperon", `token.${TOKEN}`]);
  socket.onopen = () => { opened = true; refusals = 0; banner(""); };
  socket.onmessage = (event) => { const message = JSON.parse(event.data); queue = queue.then(() => receive(message)).catch(() => {}); };
  socket.onclose = () => { if (!opened) refusals += 1; again(); };
}
// after a lost connection: try again, until the process is known to have ended
async function again() {
  for (let tries = 0; !CLOSED; tries += 1) {
    if (tries || refusals) await pause(Math.min(500 * 2 ** tries, 5000));
    let answer = null;
    try { answer = await ask("hello"); } catch (error) { /* nobody listens */ }
    if (answer && answer.ok) {
      await reloadIfMissed();
      if (refusals > 1) poll(); else open();
      return;
    }
    if (answer && answer.status === 401) { CLOSED = true; banner("Another process serves this address by now. This page keeps its data; Save makes it a file.", "bad"); drawButtons(DATA && DATA.state); return; }
    if (DATA && DATA.finished) { CLOSED = true; ended(); return; }
    banner(`No connection to the process since ${new Date().toLocaleTimeString("en-GB")}; trying again. Save keeps what is here.`, "bad");
  }
}
async function reloadIfMissed() { try { await reload(); } catch (error) { /* again() is called when the socket closes */ } }
// where WebSockets do not get through, once a second
async function poll() {
  if (polling) return;
  polling = true;
  try {
    while (!CLOSED) {
      await pause(1000);
      const { messages } = await (await ask(`news?run=${RUN}&after=${NUMBER}`)).json();
      if (messages === null) await reload(); else for (const message of messages) await receive(message);
      banner("");
    }
  } catch (error) { polling = false; again(); return; }
  polling = false;
}
askExact = async (from, to) => {
  if (CLOSED || DATA.finished && !DATA.state) return;
  try {
    const { rows } = await (await ask(`state?from=${from}&to=${to}`)).json();
    if (!zoomed() || AT[view.from] !== from || AT[view.to - 1] + STEP !== to) return;
    view.exact = new Map(rows.map((row) => [keyOf(row), row]));
    drawRows();
    drawLimits();
  } catch (error) { /* the figures of the histograms stay */ }
};
// heat map, distribution and intervals of one row: of those that are opened, again every ten seconds
fetchRow = async (place) => {
  const row = REPORT.series[place];
  if (CLOSED || !row || UNTIMED.has(row.kind)) return;
  try {
    const { scenario, name, kind } = row, key = keyOf(row), found = await (await ask("row?" + new URLSearchParams({ scenario, name, kind }))).json();
    FETCHED.set(key, found.histograms);
    if (found.row && REPORT.series[place] && keyOf(REPORT.series[place]) === key && !DATA.finished) REPORT.series[place] = found.row;
    drawRows();
    if (typeof uPlot === "undefined") drawCharts(); else refreshCharts();
  } catch (error) { /* the next time */ }
};
const ROWS_EVERY = 10000;
async function fetchOpened() {
  const places = new Set([...lines].filter(([, line]) => line.detail).map(([place]) => String(place)));
  if (view.series !== "requests") places.add(view.series);
  for (const place of places) await fetchRow(place);
}
setInterval(() => { if (DATA && !DATA.finished && !CLOSED && !document.hidden) fetchOpened(); }, ROWS_EVERY);
async function connect() {
  document.documentElement.dataset.live = "yes";
  byId("verdict").setAttribute("aria-live", "off"); // it changes each second: what is read aloud is in "said"
  makeButtons();
  drawButtons(null);
  TOKEN = decodeURIComponent(location.hash.slice(1));
  if (!TOKEN) { document.documentElement.dataset.empty = "yes"; banner("This page needs the token that stands behind # in the URL that was printed.", "bad"); return; }
  try {
    const answer = await ask("hello");
    if (!answer.ok) { document.documentElement.dataset.empty = "yes"; banner("The token in the URL is not the one of this run.", "bad"); return; }
    const hello = await answer.json();
    ROLE = hello.role;
    if (ROLE === "read") document.documentElement.dataset.role = "read";
    TEMPLATE = await (await ask("template")).text();
    if (hello.launcher) showForm(hello.launcher);
    await reload();
    open();
  } catch (error) { banner("The server does not answer.", "bad"); again(); }
}
addEventListener("hashchange", () => location.reload());
if (!GIVEN) connect();
