// SPDX-License-Identifier: MIT
// What happened, the latest first.

import { clock } from "./format.js";
import { Status } from "./servers.jsx";

function Words({ event }) {
  if (event.kind === "reload") {
    return (
      <>
        <b>configuration {event.to}</b> <span class="note">{event.reason}</span>
      </>
    );
  }
  return (
    <>
      <b>
        {event.pool}/{event.server}
      </b>{" "}
      <Status status={event.to} /> <span class="note">{event.reason}</span>
    </>
  );
}

export function Events({ events }) {
  return (
    <section class="events" aria-labelledby="events">
      <h2 id="events">Events</h2>
      <ol tabIndex="0" aria-label="Events, the latest first">
        {events.map((event) => (
          <li key={event.key}>
            <time dateTime={event.at}>{clock(event.at)}</time>
            <span>
              <Words event={event} />
            </span>
          </li>
        ))}
        {events.length === 0 && <li class="note">Nothing has happened yet.</li>}
      </ol>
    </section>
  );
}
