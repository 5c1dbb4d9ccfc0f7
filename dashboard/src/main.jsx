// SPDX-License-Identifier: MIT
// The page: a head that tells whether all is well, figures, graphs, pools, events.

import { render } from "preact";
import { useEffect, useLayoutEffect, useReducer, useState } from "preact/hooks";
import "uplot/dist/uPlot.min.css";
import "./style.css";
import * as api from "./api.js";
import { Chart } from "./chart.jsx";
import { ConfirmDialog, TokenDialog } from "./dialogs.jsx";
import { Events } from "./events.jsx";
import { bytes, duration, milliseconds, number, percent } from "./format.js";
import { Pool, wantedOf } from "./servers.jsx";
import { Store } from "./store.js";

const perSecond = (show) => (value) => (value == null ? "–" : `${show(value)}/s`);

const CHARTS = [
  {
    id: "requests",
    name: "Requests per second",
    show: number,
    least: 1,
    lines: [{ key: "requests", name: "requests", colour: "--blue", fill: true }],
  },
  {
    id: "latency",
    name: "Latency",
    show: milliseconds,
    least: 0.1,
    lines: [
      { key: "p50", name: "p50", colour: "--teal" },
      { key: "p90", name: "p90", colour: "--blue" },
      { key: "p99", name: "p99", colour: "--violet" },
    ],
  },
  {
    id: "open",
    name: "Open connections",
    show: number,
    least: 1,
    lines: [{ key: "open", name: "open", colour: "--teal", fill: true }],
  },
  {
    id: "bytes",
    name: "Traffic",
    show: perSecond(bytes),
    scale: bytes,
    least: 1000,
    lines: [
      { key: "in", name: "in", colour: "--teal" },
      { key: "out", name: "out", colour: "--blue", fill: true },
    ],
  },
  {
    id: "errors",
    name: "Errors per second",
    show: number,
    least: 1,
    lines: [
      { key: "wrong", name: "5xx", colour: "--amber" },
      { key: "failures", name: "server failures", colour: "--red", fill: true },
    ],
  },
];

const THEMES = ["auto", "light", "dark"];

const dark = matchMedia("(prefers-color-scheme: dark)");

function useTheme() {
  const [theme, setTheme] = useState(() => localStorage.getItem("lb-theme") ?? "auto");
  const [isDark, setDark] = useState(dark.matches);
  useEffect(() => {
    const changed = () => setDark(dark.matches);
    dark.addEventListener("change", changed);
    return () => dark.removeEventListener("change", changed);
  }, []);
  const colours = theme === "auto" ? (isDark ? "dark" : "light") : theme;
  // Before the graphs are drawn anew, which ask for colours.
  useLayoutEffect(() => {
    document.documentElement.dataset.theme = colours;
    localStorage.setItem("lb-theme", theme);
  }, [theme, colours]);
  const next = () => setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
  return { theme, next, colours };
}

const LINK_WORDS = {
  connecting: "connecting",
  live: "live",
  lost: "no answer from lb",
  locked: "locked",
};

function Head({ store, theme, onToken }) {
  const { data, link, paused } = store;
  const shown = link === "live" && paused ? "paused" : link;
  return (
    <header class="head">
      <h1>
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path d="M3 12h6M9 12c4 0 3-7 8-7h4M9 12h12M9 12c4 0 3 7 8 7h4" />
        </svg>
        lb
      </h1>
      {data && (
        <>
          <span class={`verdict ${data.status}`} role="status">
            <i aria-hidden="true" />
            {data.status}
          </span>
          <span class="note up">up {duration(data.uptimeMs)}</span>
          <span class="note version">version {data.version}</span>
        </>
      )}
      <span class="grow" />
      <span class={`link ${shown}`} role="status">
        <i aria-hidden="true" />
        <span>{shown === "paused" ? "paused" : LINK_WORDS[link]}</span>
      </span>
      <button type="button" class="quiet" aria-pressed={paused} onClick={() => store.pause(!paused)}>
        {paused ? "Resume" : "Pause"}
      </button>
      {data?.changes === "token" && (
        <button type="button" class="quiet" onClick={onToken}>
          {api.hasToken() ? "Forget token" : "Token"}
        </button>
      )}
      <button
        type="button"
        class="quiet"
        onClick={theme.next}
        aria-label={`Colours: ${theme.theme}`}
        title="Colours: auto, light, dark"
      >
        <svg class="half" viewBox="0 0 12 12" aria-hidden="true">
          <circle cx="6" cy="6" r="5" />
          <path d="M6 1a5 5 0 0 1 0 10z" />
        </svg>
        <span class="theme-name">{theme.theme}</span>
      </button>
    </header>
  );
}

function Figures({ graph, data }) {
  const last = (key) => graph?.[key]?.at(-1);
  // Where requests are few, not every second has one.
  const known = (key) => graph?.[key]?.slice(-10).findLast((value) => value != null);
  const usable = data.servers.filter((one) => one.usable).length;
  const total = data.listeners.reduce((sum, one) => sum + one.totalRequests, 0);
  const asked = last("requests") ?? 0;
  const wrong = (last("wrong") ?? 0) + (last("failures") ?? 0);
  const tiles = [
    ["Requests", graph ? `${number(asked)}/s` : "–", `${number(total)} in all`],
    ["Median", milliseconds(known("p50")), "to the first byte"],
    ["Slowest 1 %", milliseconds(known("p99")), "p99, to the first byte"],
    ["Open", number(last("open") ?? data.activeConnections), `of at most ${data.mostConnections.toLocaleString("en")}`],
    ["Traffic out", graph ? `${bytes(last("out"))}/s` : "–", graph ? `in ${bytes(last("in"))}/s` : ""],
    ["Errors", percent(asked > 0 ? Math.min(1, wrong / asked) : 0), `${number(wrong)}/s`, wrong > 0 && "bad"],
    [
      "Servers",
      `${usable}/${data.servers.length}`,
      usable === data.servers.length ? "all usable" : `${data.servers.length - usable} not usable`,
      usable < data.servers.length && "warn",
    ],
  ];
  return (
    <dl class="figures">
      {tiles.map(([name, value, more, tone]) => (
        <div key={name} class={tone || ""}>
          <dt>{name}</dt>
          <dd>
            <b>{value}</b>
            <span>{more}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Toasts({ store }) {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {store.toasts.map((toast) => (
        <div key={toast.id} class={`toast ${toast.kind}`}>
          <span>{toast.text}</span>
          {toast.undo && (
            <button
              type="button"
              onClick={() => {
                store.dismiss(toast.id);
                toast.undo();
              }}
            >
              Undo
            </button>
          )}
          <button type="button" aria-label="Dismiss" onClick={() => store.dismiss(toast.id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  );
}

const STATE_WORDS = {
  ready: (server) => `${server.name} takes clients again.`,
  drain: (server) =>
    `${server.name} drains: no new clients` +
    (server.activeConnections > 0 ? `, ${server.activeConnections} open go on.` : "."),
  maintenance: (server) => `${server.name} is in maintenance.`,
};

function makeActions(store, ask) {
  const askForToken = (wrong) =>
    ask("token", { why: wrong ? "That token is not the right one." : "Changes need a token." });
  const change = (make) => store.change(make, askForToken);
  const setState = async (server, state, canUndo = true) => {
    const others = store.data.servers.filter(
      (one) => one.pool === server.pool && one.usable && one.key !== server.key,
    );
    if (state !== "ready" && server.usable && others.length === 0) {
      const question = {
        title: `Leave ${server.pool} without a server?`,
        text: `${server.name} is the last usable one: new clients of the pool would be refused.`,
        action: state === "drain" ? "Drain it" : "Take it out",
      };
      if (!(await ask("confirm", question))) return;
    }
    if (!(await change(() => api.setState(server.serverId, state)))) return;
    const undo = () => setState(server, wantedOf(server), false);
    store.toast(STATE_WORDS[state](server), "done", canUndo ? undo : null);
  };
  return {
    may: store.data?.changes !== "no",
    setState,
    async setWeight(server, weight) {
      if (!(await change(() => api.setWeight(server.serverId, weight)))) return;
      const undo = () => change(() => api.setWeight(server.serverId, server.weight));
      store.toast(`${server.name} has weight ${weight}.`, "done", undo);
    },
    async setAlgorithm(pool, algorithm) {
      if (!(await change(() => api.setAlgorithm(pool.name, algorithm)))) return;
      const undo = () => change(() => api.setAlgorithm(pool.name, pool.algorithm));
      store.toast(`${pool.name} is balanced by ${algorithm}.`, "done", undo);
    },
  };
}

function Listeners({ listeners, chosen, onChoose }) {
  return (
    <div class="segments listeners" role="group" aria-label="Graphs of">
      {[null, ...listeners].map((one) => {
        const name = one?.name ?? "";
        return (
          <button
            key={name}
            type="button"
            aria-pressed={chosen === name}
            onClick={() => onChoose(name)}
            title={one ? `${one.protocol}, ${one.addresses.join(" ")}` : undefined}
          >
            {one ? one.name : "All listeners"}
            {one && <span class="protocol">{one.protocol}</span>}
          </button>
        );
      })}
    </div>
  );
}

function App() {
  const [, changed] = useReducer((count) => count + 1, 0);
  const [store] = useState(() => new Store(changed));
  const [question, setQuestion] = useState(null);
  const [listener, setListener] = useState("");
  const theme = useTheme();
  useEffect(() => {
    store.start();
    globalThis.lbReady = true;
  }, []);
  useEffect(() => {
    const verdict = store.link === "live" ? store.data.status : LINK_WORDS[store.link];
    document.title = verdict === "healthy" ? "lb" : `${verdict} – lb`;
  });
  const ask = (kind, more) =>
    new Promise((resolve) => {
      const onDone = (answer) => {
        setQuestion(null);
        resolve(answer);
      };
      setQuestion({ kind, ...more, onDone });
    });
  const token = async () => {
    if (api.hasToken()) api.setToken("");
    else await ask("token", { why: "Changes need a token." });
    store.poll();
    changed();
  };

  const anotherToken = () => {
    api.setToken("");
    return token();
  };

  const { data } = store;
  const now = data?.heard ?? Date.now();
  const chosen = data?.listeners.some((one) => one.name === listener) ? listener : "";
  const graph = store.history.graphs.get(chosen);
  const actions = makeActions(store, ask);
  return (
    <>
      <a class="skip" href="#pools">
        Skip to the servers
      </a>
      <Head store={store} theme={theme} onToken={token} />
      <main class={store.link === "lost" ? "stale" : ""}>
        {store.link === "locked" && (
          <section class="locked">
            <h2>This lb shows itself to those who have its token.</h2>
            <button type="button" class="main" onClick={anotherToken}>
              {api.hasToken() ? "Another token" : "Enter the token"}
            </button>
          </section>
        )}
        {data && (
          <>
            <Figures graph={graph} data={data} />
            {data.listeners.length > 1 && (
              <Listeners listeners={data.listeners} chosen={chosen} onChoose={setListener} />
            )}
            <div class="charts">
              {CHARTS.map((chart) => (
                <Chart key={`${chart.id} ${chosen}`} chart={chart} graph={graph} theme={theme.colours} />
              ))}
              <Events events={store.events} />
            </div>
            <div id="pools" tabIndex="-1">
              {data.changes === "no" && (
                <p class="note hint">
                  Nothing can be changed here: this lb has no admin.token, which changes over TCP need.
                </p>
              )}
              {data.pools.map((pool) => (
                <Pool
                  key={pool.name}
                  pool={pool}
                  servers={data.servers.filter((one) => one.pool === pool.name)}
                  lives={store.history.servers}
                  algorithms={data.algorithms}
                  actions={actions}
                  now={now}
                />
              ))}
            </div>
          </>
        )}
      </main>
      <p class="hidden" role="log">
        {store.announcement}
      </p>
      <Toasts store={store} />
      {question?.kind === "token" && <TokenDialog why={question.why} onDone={question.onDone} />}
      {question?.kind === "confirm" && <ConfirmDialog {...question} />}
    </>
  );
}

render(<App />, document.getElementById("page"));
