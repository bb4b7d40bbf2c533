
// ---- what stands out, in words: the error that is most frequent, and the series that became slower or faster
const LEAST_STEPS = 30, LEAST_SAMPLES = 100, LEAST_RATIO = 1.5;
function errorSeen() {
  const row = REPORT.errors[0];
  if (!row) return null;
  const workers = REPORT.workers.filter((worker) => worker.errors), worst = [...workers].sort((a, b) => b.errors - a.errors)[0];
  const share = worst ? worst.errors / sum(workers.map((worker) => worker.errors)) : 0;
  const where = REPORT.workers.length > 1 && share >= 0.8 ? `; ${share === 1 ? "all errors are" : `${Math.floor(100 * share)} % of all errors are`} on ${worst.name}` : "";
  return `most frequent error: ${countText(row.count)} × ${row.error} in ${row.series}, from ${clockText(row.first)} to ${clockText(row.last)}${where}`;
}
// p95 of the first and of the last third, from merged histograms, and the moment from which most steps differ clearly from the first
function changeSeen(place) {
  const steps = DATA.histograms[place], columns = DATA.series[place], third = Math.floor(AT.length / 3);
  const of = (from, to) => { const total = new Map(); for (const flat of steps.slice(from, to)) for (let n = 0, bucket = 0; n < flat.length; n += 2) total.set(bucket += flat[n], (total.get(bucket) || 0) + flat[n + 1]); return [...total].sort((a, b) => a[0] - b[0]); };
  const parts = [of(0, third), of(AT.length - third, AT.length)];
  if (parts.some((part) => sum(part.map(([, samples]) => samples)) < LEAST_SAMPLES)) return null;
  const [before, after] = parts.map((part) => quantileOf(part, 0.95)), ratio = after / before;
  if (Math.max(ratio, 1 / ratio) < LEAST_RATIO) return null;
  const size = Math.max(ratio, 1 / ratio), clear = Math.min(Math.max(size ** 0.25, 1.3), Math.sqrt(size));
  const beyond = (value) => value !== null && (ratio > 1 ? value > before * clear : value < before / clear);
  const since = columns.p95.findIndex((value, n) => { const next = columns.p95.slice(n, n + 10).filter((each) => each !== null); return beyond(value) && next.filter(beyond).length >= 0.8 * next.length; });
  return { name: REPORT.series[place].name, before, after, ratio, since };
}
function seen() {
  const found = [errorSeen()];
  if (AT.length >= LEAST_STEPS) {
    const changes = Object.keys(DATA.histograms).filter((place) => place !== "requests" && DATA.series[place] && isRequest(REPORT.series[place])).map(changeSeen).filter(Boolean);
    const size = (change) => Math.abs(Math.log(change.ratio));
    for (const change of changes.sort((a, b) => size(b) - size(a)).slice(0, 2)) {
      found.push(`${change.name} became ${change.ratio > 1 ? "slower" : "faster"}: p95 ≈ ${timeText(change.before)} in the first third of the run, ≈ ${timeText(change.after)} in the last${change.since < 0 ? "" : `, from about ${clockText(AT[change.since])} on`}`);
    }
  }
  return found.filter(Boolean);
}
