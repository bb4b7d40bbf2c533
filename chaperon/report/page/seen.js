
// ---- what stands out, in words: the error that is most frequent, and the series that became slower or faster
const LEAST_STEPS = 30, LEAST_SAMPLES = 100, LEAST_RATIO = 1.5, ONE_WORKER = 0.8;
function errorSeen() {
  const row = REPORT.errors[0];
  if (!row) return null;
  const words = row.sample && row.sample !== row.error ? `: “${row.sample.replace(`${row.error}: `, "").slice(0, 160)}”` : "";
  return `most frequent error: ${countText(row.count)} × ${row.error} in ${row.series}, from ${clockText(row.first)} to ${clockText(row.last)}${words}`;
}
// the worker with nearly all errors, beside the others: a worker is a load generator, not a part of the target
function workerWithErrors() {
  const workers = REPORT.workers, all = sum(workers.map((worker) => worker.errors || 0));
  const worst = workers.reduce((most, worker) => !most || worker.errors > most.errors ? worker : most, null);
  return workers.length > 1 && all && worst.errors >= ONE_WORKER * all ? worst : null;
}
function workerSeen() {
  const worst = workerWithErrors();
  if (!worst) return null;
  const others = REPORT.workers.filter((worker) => worker !== worst), all = sum(REPORT.workers.map((worker) => worker.errors || 0));
  const share = worst.errors === all ? "all errors were" : `${Math.floor(100 * worst.errors / all)} % of all errors were`;
  const beside = others.length === 1 ? `worker ${others[0].name}` : `the ${others.length} other workers`, of = (rows, what) => countText(sum(rows.map((worker) => worker[what])));
  return `${share} seen by one load generator (no server of the target): worker ${worst.name}, ${of([worst], "errors")} of ${of([worst], "requests")} requests; ${beside}: ${of(others, "errors")} of ${of(others, "requests")}`;
}
// p95 of the first and of the last third, from merged histograms, and the moment from which most steps differ clearly from the first;
// with such a moment, p95 before it and from it on
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
  const around = since > 0 ? [of(0, since), of(since, AT.length)].map((part) => quantileOf(part, 0.95)) : null;
  const known = around && around.every((value) => value !== null);
  return { name: REPORT.series[place].name, before: known ? around[0] : before, after: known ? around[1] : after, ratio, since: known ? since : -1 };
}
function seen() {
  const found = [errorSeen(), workerSeen()];
  if (AT.length >= LEAST_STEPS) {
    const changes = Object.keys(DATA.histograms).filter((place) => place !== "requests" && DATA.series[place] && isRequest(REPORT.series[place])).map(changeSeen).filter(Boolean);
    const size = (change) => Math.abs(Math.log(change.ratio));
    for (const change of changes.sort((a, b) => size(b) - size(a)).slice(0, 2)) {
      const moment = change.since < 0 ? null : clockText(AT[change.since]), [before, after] = moment ? [`before ${moment}`, `from about ${moment} on`] : ["in the first third of the run", "in the last"];
      found.push(`${change.name} became ${change.ratio > 1 ? "slower" : "faster"}: p95 ≈ ${timeText(change.before)} ${before}, ≈ ${timeText(change.after)} ${after}`);
    }
  }
  return found.filter(Boolean);
}
