// SPDX-License-Identifier: MIT
// What the graphs show: rates and percentiles between one look at lb's counters and the next.

export const SPAN = 300; // points, about one a second

// The time that a share of the counted ones does not exceed; `counts` is a Map from a bucket's upper
// bound in microseconds to its count, and `bounds` tells where each bucket begins.
function quantile(counts, total, share) {
  let left = share * total;
  let last = 0;
  for (const [begin, end, count] of counts) {
    last = end;
    if (left <= count) return (begin + ((end - begin) * left) / count) / 1000;
    left -= count;
  }
  return last / 1000;
}

// [[begin, end, new ones]] of a histogram [[begin, end, count]] since an earlier one.
function since(now, before) {
  const old = new Map(before.map(([begin, , count]) => [begin, count]));
  return now
    .map(([begin, end, count]) => [begin, end, count - (old.get(begin) ?? 0)])
    .filter(([, , count]) => count > 0);
}

function merged(histograms) {
  const all = new Map();
  for (const [begin, end, count] of histograms.flat()) {
    all.set(begin, [begin, end, (all.get(begin)?.[2] ?? 0) + count]);
  }
  return [...all.values()].sort((one, other) => one[0] - other[0]);
}

function errors5xx(listener) {
  return listener.byStatus?.["5xx"] ?? 0;
}

// One point of the graphs of these listeners: `now` and `before` are answers, `seconds` lie between.
function point(now, before, names, seconds) {
  const old = new Map(before.listeners.map((one) => [one.name, one]));
  const sum = { requests: 0, in: 0, out: 0, open: 0, wrong: 0, failures: 0 };
  const times = [];
  const pools = new Set();
  for (const one of now.listeners) {
    if (names && !names.has(one.name)) continue;
    const was = old.get(one.name);
    one.pools.forEach((pool) => pools.add(pool));
    sum.open += one.activeConnections;
    if (!was) continue;
    // Datagrams have no requests; their sessions count as such, which says little about the load.
    sum.requests += one.totalRequests - was.totalRequests;
    sum.in += one.bytesIn - was.bytesIn;
    sum.out += one.bytesOut - was.bytesOut;
    sum.wrong += errors5xx(one) - errors5xx(was);
    times.push(since(one.times, was.times));
  }
  const oldServers = new Map(before.servers.map((one) => [one.key, one]));
  for (const server of now.servers) {
    const was = oldServers.get(server.key);
    if (was && pools.has(server.pool)) sum.failures += server.failures - was.failures;
  }
  const all = merged(times);
  const total = all.reduce((count, bucket) => count + bucket[2], 0);
  const rate = (value) => Math.max(0, value) / seconds;
  return {
    requests: rate(sum.requests),
    p50: total > 0 ? quantile(all, total, 0.5) : null,
    p90: total > 0 ? quantile(all, total, 0.9) : null,
    p99: total > 0 ? quantile(all, total, 0.99) : null,
    open: sum.open,
    in: rate(sum.in),
    out: rate(sum.out),
    wrong: rate(sum.wrong),
    failures: rate(sum.failures),
  };
}

export const SERIES = ["requests", "p50", "p90", "p99", "open", "in", "out", "wrong", "failures"];

// The last answers of lb, and graphs of all listeners together and of each one. A listener's graph
// begins when it is first seen.
export class History {
  constructor() {
    this.clear();
  }

  clear() {
    this.last = null;
    this.graphs = new Map(); // "" and names of listeners: {times, SERIES...}
    this.servers = new Map(); // by key: {rate, in, out, failures, rates: [...]}
  }

  // What happens until the next answer is left out: it would make one wrong rate of it all.
  skip() {
    this.gap = true;
  }

  // One more answer, heard at `at` (ms).
  add(answer, at) {
    // While a name's old address drains, two servers have its id.
    for (const one of answer.servers) one.key = `${one.serverId}-${one.addedAt}`;
    const before = this.last;
    this.last = { ...answer, heard: at };
    // A rate has two ends.
    const gap = this.gap || !before;
    this.gap = false;
    if (before && answer.uptimeMs < before.uptimeMs) {
      this.clear(); // lb began anew
      this.last = { ...answer, heard: at };
      return;
    }
    if (gap) return;
    // By lb's own clock: the way to here may have taken longer this time than the last time.
    const seconds = (answer.uptimeMs - before.uptimeMs) / 1000;
    if (seconds <= 0) return;
    this.push("", point(answer, before, null, seconds), at);
    for (const one of answer.listeners) {
      this.push(one.name, point(answer, before, new Set([one.name]), seconds), at);
    }
    for (const name of [...this.graphs.keys()]) {
      if (name && !answer.listeners.some((one) => one.name === name)) this.graphs.delete(name);
    }
    this.addServers(answer, before, seconds);
  }

  push(name, values, at) {
    let graph = this.graphs.get(name);
    if (!graph) {
      graph = { times: [] };
      for (const key of SERIES) graph[key] = [];
      this.graphs.set(name, graph);
    }
    graph.times.push(at / 1000);
    for (const key of SERIES) graph[key].push(values[key]);
    if (graph.times.length > SPAN) {
      graph.times.shift();
      for (const key of SERIES) graph[key].shift();
    }
  }

  addServers(answer, before, seconds) {
    const old = new Map(before.servers.map((one) => [one.key, one]));
    const next = new Map();
    for (const server of answer.servers) {
      const was = old.get(server.key);
      const rate = (key) => (was ? Math.max(0, server[key] - was[key]) / seconds : 0);
      const rates = this.servers.get(server.key)?.rates ?? [];
      rates.push(rate("totalRequests"));
      if (rates.length > 60) rates.shift();
      next.set(server.key, {
        // Of three seconds, so that a figure can be read before it changes.
        rate: rates.slice(-3).reduce((sum, one) => sum + one, 0) / Math.min(3, rates.length),
        in: rate("bytesIn"),
        out: rate("bytesOut"),
        failures: rate("failures"),
        rates,
      });
    }
    this.servers = next;
  }
}
