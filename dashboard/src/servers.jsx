// SPDX-License-Identifier: MIT
// Pools and their servers: what they do, and the controls of each.

import { useEffect, useState } from "preact/hooks";
import * as api from "./api.js";
import { Spark } from "./chart.jsx";
import { ago, bytes, clock, milliseconds, number, percent } from "./format.js";
import { Pieces } from "./pieces.jsx";

const AT_FIRST = 50; // servers of a pool that are shown at once

const TONE = {
  unhealthy: "bad",
  ejected: "bad",
  overloaded: "warn",
  draining: "calm",
  maintenance: "calm",
  unknown: "calm",
  healthy: "good",
};

export function Status({ status }) {
  return (
    <span class={`status ${TONE[status] ?? "calm"}`}>
      <i aria-hidden="true" />
      {status}
    </span>
  );
}

function address(server) {
  if (!server.port) return server.host;
  return server.host.includes(":") ? `[${server.host}]:${server.port}` : `${server.host}:${server.port}`;
}

function Health({ server, now }) {
  const [health, setHealth] = useState(null);
  useEffect(() => {
    let gone = false;
    api.health(server.serverId).then(
      (answer) => gone || setHealth(answer),
      () => {},
    );
    return () => {
      gone = true;
    };
  }, [server.serverId, server.status, server.lastHealthCheck]);
  if (!health) return <p class="note">…</p>;
  const { lastCheck, history } = health;
  return (
    <div>
      <p>
        {lastCheck ? (
          <>
            Last check {lastCheck.passed ? "passed" : "failed"} {ago(lastCheck.at, now)}, in{" "}
            {milliseconds(lastCheck.duration)}
            {lastCheck.detail ? `: ${lastCheck.detail}` : ""}
          </>
        ) : (
          "Never checked."
        )}
      </p>
      <ul class="past">
        {history
          .slice(-6)
          .reverse()
          .map((one) => (
            <li key={one.at + one.to}>
              <time dateTime={one.at}>{clock(one.at)}</time> <Status status={one.to} />{" "}
              <span class="note">{one.reason}</span>
            </li>
          ))}
      </ul>
    </div>
  );
}

function WeightForm({ server, actions }) {
  const [text, setText] = useState(null);
  const value = text ?? String(server.weight);
  const submit = async (event) => {
    event.preventDefault();
    await actions.setWeight(server, Number(value));
    setText(null);
  };
  return (
    <form class="weight" onSubmit={submit}>
      <label>
        Weight
        <input
          type="number"
          min="0"
          max="1000"
          step="1"
          required
          value={value}
          disabled={!actions.may}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <button type="submit" disabled={!actions.may || value === String(server.weight)}>
        Set
      </button>
    </form>
  );
}

const WANTED = [
  ["ready", "Ready", "takes clients"],
  ["drain", "Drain", "no new clients; sticky ones and open work go on"],
  ["maintenance", "Maintenance", "no new clients; sticky ones move away"],
];

// What an operator wants of a server, as its status tells.
export function wantedOf(server) {
  if (server.status === "draining") return "drain";
  return server.status === "maintenance" ? "maintenance" : "ready";
}

function Details({ server, live, actions, now }) {
  const wanted = wantedOf(server);
  const figures = [
    ["p50", milliseconds(server.latency.p50)],
    ["p90", milliseconds(server.latency.p90)],
    ["p99", milliseconds(server.latency.p99)],
    ["in", `${bytes(live?.in)}/s`],
    ["out", `${bytes(live?.out)}/s`],
    ["requests", number(server.totalRequests)],
    ["failures", number(server.failures)],
    ["load", server.load == null ? "–" : percent(server.load)],
    ["added", ago(server.addedAt, now)],
  ];
  return (
    <div class="details">
      <dl class="small-figures">
        {figures.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <div class="controls">
        <div class="segments" role="group" aria-label={`State of ${server.name}`}>
          {WANTED.map(([word, name, title]) => (
            <button
              key={word}
              type="button"
              aria-pressed={wanted === word}
              title={title}
              disabled={!actions.may}
              onClick={() => wanted !== word && actions.setState(server, word)}
            >
              {name}
            </button>
          ))}
        </div>
        <WeightForm server={server} actions={actions} />
      </div>
      <Health server={server} now={now} />
    </div>
  );
}

function Row({ server, live, share, actions, open, onToggle, now }) {
  const id = `details-${server.key}`;
  const isOut = wantedOf(server) !== "ready";
  return (
    <>
      <tr class={`row ${TONE[server.status] ?? ""} ${open ? "open" : ""}`} data-server={server.name}>
        <th scope="row">
          <button
            type="button"
            class="toggle"
            aria-expanded={open}
            aria-controls={id}
            onClick={onToggle}
          >
            <svg viewBox="0 0 10 10" aria-hidden="true">
              <path d="M3 1.5 6.5 5 3 8.5" />
            </svg>
            <span class="server-name">{server.name}</span>
            {server.backup && <span class="tag">backup</span>}
          </button>
          {server.name !== address(server) && <span class="address">{address(server)}</span>}
        </th>
        <td data-label="Status">
          <Status status={server.status} />
        </td>
        <td class="figure" data-label="Open">
          {number(server.activeConnections)}
        </td>
        <td class="figure with-spark" data-label="Per second">
          <Spark rates={live?.rates ?? []} />
          <span class="rate">{number(live?.rate ?? 0)}</span>
        </td>
        <td class="figure" data-label="Share">
          <span class="bar" aria-hidden="true">
            <i style={{ width: `${Math.round(share * 100)}%` }} />
          </span>
          <span class="share">{Math.round(share * 100)} %</span>
        </td>
        <td class="figure" data-label="Response">
          {milliseconds(server.responseTime)}
        </td>
        <td class="figure" data-label="p99">
          {milliseconds(server.latency.p99)}
        </td>
        <td class={`figure ${server.failures > 0 ? "some" : ""}`} data-label="Failures">
          {number(server.failures)}
        </td>
        <td class="figure" data-label="Weight">
          {server.weight}
        </td>
        <td class="action">
          <button
            type="button"
            class="quiet"
            disabled={!actions.may}
            aria-label={`${isOut ? "Make ready" : "Drain"}: ${server.pool}/${server.name}`}
            onClick={() => actions.setState(server, isOut ? "ready" : "drain")}
          >
            {isOut ? "Ready" : "Drain"}
          </button>
        </td>
      </tr>
      <tr class="more" id={id} hidden={!open}>
        {open && (
          <td colSpan="10">
            <Details server={server} live={live} actions={actions} now={now} />
          </td>
        )}
      </tr>
    </>
  );
}

export function Pool({ pool, servers, lives, algorithms, actions, now }) {
  const [open, setOpen] = useState(new Set());
  const [all, setAll] = useState(false);
  const [filter, setFilter] = useState("");
  const rates = servers.map((one) => lives.get(one.key)?.rate ?? 0);
  const total = rates.reduce((sum, rate) => sum + rate, 0);
  const wanted = servers.filter(
    (one) => !filter || `${one.name} ${address(one)} ${one.status}`.includes(filter.toLowerCase()),
  );
  const shown = all || filter ? wanted : wanted.slice(0, AT_FIRST);
  const toggle = (key) => {
    const next = new Set(open);
    if (!next.delete(key)) next.add(key);
    setOpen(next);
  };
  const draw = (server) => (
    <Row
      key={server.key}
      server={server}
      live={lives.get(server.key)}
      share={total > 0 ? (lives.get(server.key)?.rate ?? 0) / total : 0}
      actions={actions}
      open={open.has(server.key)}
      onToggle={() => toggle(server.key)}
      now={now}
    />
  );
  const { usable } = pool.servers;
  const tone = usable === 0 ? "bad" : usable < pool.servers.total ? "warn" : "good";
  return (
    <section class="pool" aria-labelledby={`pool-${pool.name}`} data-pool={pool.name}>
      <header>
        <h2 id={`pool-${pool.name}`}>{pool.name}</h2>
        <span class={`count ${tone}`}>
          {usable} of {pool.servers.total} usable
        </span>
        <span class="note">
          {pool.listeners.length > 0 ? `from ${pool.listeners.join(", ")}` : "no listener uses it"}
        </span>
        <span class="grow" />
        {servers.length > 12 && (
          <input
            type="search"
            class="filter"
            placeholder="Filter"
            aria-label={`Filter the servers of ${pool.name}`}
            value={filter}
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
        )}
        <label class="algorithm">
          <span class="hidden">Algorithm of {pool.name}</span>
          <select
            value={pool.algorithm}
            disabled={!actions.may}
            onChange={(event) => {
              const { value } = event.currentTarget;
              // It shows what holds, not what is wished for.
              event.currentTarget.value = pool.algorithm;
              actions.setAlgorithm(pool, value);
            }}
          >
            {algorithms.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
      </header>
      <div class="table">
        <table>
          <thead>
            <tr>
              <th scope="col">Server</th>
              <th scope="col">Status</th>
              <th scope="col" class="figure">
                Open
              </th>
              <th scope="col" class="figure">
                Per second
              </th>
              <th scope="col" class="figure">
                Share
              </th>
              <th scope="col" class="figure">
                Response
              </th>
              <th scope="col" class="figure">
                p99
              </th>
              <th scope="col" class="figure">
                Failures
              </th>
              <th scope="col" class="figure">
                Weight
              </th>
              <th scope="col">
                <span class="hidden">Drain</span>
              </th>
            </tr>
          </thead>
          <Pieces rows={shown} columns="10" draw={draw} />
        </table>
        {servers.length === 0 && <p class="empty">No servers.</p>}
      </div>
      {shown.length < wanted.length && (
        <button type="button" class="quiet all" onClick={() => setAll(true)}>
          Show all {wanted.length} servers
        </button>
      )}
    </section>
  );
}
