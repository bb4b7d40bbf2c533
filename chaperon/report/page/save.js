
// ---- saving the page as the report of a finished run, without the server
let TEMPLATE = null;
const HOLES = { title: "@title of the report@", data: "@data of the report@" };
function savedPage() {
  const { state, ...kept } = DATA; // the state of the engine is none of the report's
  const data = JSON.stringify(kept).replace(/[<>&\u2028\u2029]/g, (mark) => "\\u" + mark.charCodeAt(0).toString(16).padStart(4, "0"));
  const title = `${REPORT.verdict}${DATA.finished ? "" : " so far"} · ${REPORT.environment}`.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  return TEMPLATE.split(HOLES.title).join(title).replace(HOLES.data, () => data);
}
function savedName() {
  const words = `${REPORT.environment}-${REPORT.started}`.replace(/[^A-Za-z0-9_-]+/g, "-").replace(/^-+|-+$/g, "");
  return `chaperon-${words.slice(0, 80)}.html`;
}
function save() {
  if (!TEMPLATE || !DATA) return;
  const url = URL.createObjectURL(new Blob([savedPage()], { type: "text/html" }));
  const link = element("a", { href: url, download: savedName() });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}
