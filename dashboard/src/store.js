// SPDX-License-Identifier: MIT
// Asks lb once a second, hears its events, and tells the page when there is something new.

import * as api from "./api.js";
import { History } from "./history.js";

const PERIOD = 1000;
const HIDDEN_PERIOD = 5000;
const TIMEOUT = 5000;
const MOST_EVENTS = 200;
const MOST_HISTORIES = 40; // servers whose past is asked for at the beginning

export class Store {
  constructor(changed) {
    this.changed = changed;
    this.history = new History();
    this.events = [];
    this.announcement = ""; // the last event, for those who hear the page
    this.link = "connecting"; // live, lost, locked (a token is needed to read)
    this.paused = false;
    this.problem = "";
    this.toasts = [];
    this.number = 0;
    this.askedPast = false;
  }

  start() {
    this.poll();
    this.listen();
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.poll();
    });
  }

  get data() {
    return this.history.last;
  }

  async poll() {
    clearTimeout(this.timer);
    if (this.polling) return;
    this.polling = true;
    const began = performance.now();
    try {
      const answer = await api.stats(AbortSignal.timeout(TIMEOUT));
      this.link = "live";
      this.problem = "";
      if (!this.paused) this.history.add(answer, Date.now());
      if (!this.askedPast) this.askPast(answer.servers);
    } catch (error) {
      this.link = error.status === 401 ? "locked" : "lost";
      this.problem = error.status ? error.message : "no answer";
    }
    this.polling = false;
    this.changed();
    const period = document.hidden ? HIDDEN_PERIOD : PERIOD;
    this.timer = setTimeout(() => this.poll(), Math.max(100, period - (performance.now() - began)));
  }

  async listen() {
    for (;;) {
      try {
        await api.events(AbortSignal.timeout(3_600_000), (event) => {
          this.announcement = event.server
            ? `${event.pool}/${event.server} is ${event.to}`
            : `configuration ${event.to}`;
          this.addEvents([event]);
          this.poll();
        });
      } catch {
        // The poll tells what is wrong.
      }
      await new Promise((done) => setTimeout(done, 2000));
    }
  }

  // What had happened to the servers before this page was opened.
  async askPast(servers) {
    this.askedPast = true;
    for (const server of servers.slice(0, MOST_HISTORIES)) {
      try {
        const { history } = await api.health(server.serverId);
        this.addEvents(
          history.map((one) => ({
            kind: "health",
            pool: server.pool,
            server: server.name,
            ...one,
          })),
        );
      } catch {
        return;
      }
    }
  }

  addEvents(more) {
    const known = new Set(this.events.map((one) => one.key));
    for (const one of more) {
      one.key = [one.at, one.kind, one.pool, one.server, one.to].join(" ");
      if (!known.has(one.key)) this.events.push(one);
    }
    this.events.sort((one, other) => other.at.localeCompare(one.at));
    this.events.length = Math.min(this.events.length, MOST_EVENTS);
    this.changed();
  }

  pause(paused) {
    this.paused = paused;
    if (!paused) this.history.skip();
    this.poll();
    this.changed();
  }

  toast(text, kind = "done", undo = null) {
    const toast = { id: (this.number += 1), text, kind, undo };
    this.toasts = [...this.toasts.slice(-2), toast];
    setTimeout(() => this.dismiss(toast.id), kind === "done" ? 8000 : 12_000);
    this.changed();
  }

  dismiss(id) {
    this.toasts = this.toasts.filter((one) => one.id !== id);
    this.changed();
  }

  // Makes a change. Where a token is needed, asks for one (`askForToken` resolves to whether there
  // is one now) and tries again.
  async change(make, askForToken) {
    for (;;) {
      try {
        await make();
        this.poll();
        return true;
      } catch (error) {
        if (error.status === 401) {
          const wrong = api.hasToken();
          api.setToken("");
          if (await askForToken(wrong)) continue;
          return false;
        }
        this.toast(error.status ? error.message : "lb did not answer", "wrong");
        return false;
      }
    }
  }
}
