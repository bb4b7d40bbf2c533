
// ---- numbers and elements, as the console prints them
const UNKNOWN = "?", NONE = "–";
function timeText(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  for (const [bound, digits] of [[1e-2, 2], [0.1, 1], [1, 0]]) {
    if (seconds < bound) return (seconds * 1e3).toFixed(digits) + "ms";
  }
  return seconds < 100 ? seconds.toFixed(2) + "s" : Math.round(seconds).toLocaleString("en-US") + "s";
}
// a round time, at a tick of an axis
function tickText(seconds) { return seconds < 1 ? `${Number((1e3 * seconds).toPrecision(3))}ms` : `${Number(seconds.toPrecision(3)).toLocaleString("en-US")}s`; }
const tickOf = (text) => text === timeText ? tickText : text;
function countText(number) {
  return number === null || number === undefined ? NONE : number.toLocaleString("en-US", { maximumFractionDigits: 0 });
}
function rateText(number) {
  return number === null ? NONE : number.toLocaleString("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
}
function plainText(number) {
  if (number === null || number === undefined) return NONE;
  return Number.isInteger(number) ? countText(number) : number.toLocaleString("en-US", { maximumSignificantDigits: 4 });
}
function shareText(part, whole) {
  return whole ? (100 * part / whole).toFixed(part && part / whole < 0.001 ? 2 : 1) + " %" : NONE;
}
function clockText(second) {
  const minutes = Math.floor(second / 60), rest = String(Math.floor(second % 60)).padStart(2, "0");
  return minutes < 60 ? `${minutes}:${rest}` : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}
// per cent around a value, of an interval that need not be symmetric
function aroundText(value, interval) {
  if (!interval || !value) return "";
  const share = 100 * Math.max(value - interval[0], interval[1] - value) / value;
  return `±${share < 0.95 ? share.toFixed(1) : Math.ceil(share)}%`;
}
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}
// only what differs is exchanged, so that a selection of text in the rest stays
function fill(host, children) {
  const before = [...host.children];
  children.forEach((made, n) => { if (!before[n]) host.append(made); else if (!before[n].isEqualNode(made)) before[n].replaceWith(made); });
  before.slice(children.length).forEach((each) => each.remove());
}
const HERE = location.href.replace(/[?#].*$/, ""); // without the token
const byId = (id) => document.getElementById(id);
