// SPDX-License-Identifier: MIT
// The rows of a long table in pieces. One that is far from what is looked at is an empty row as high
// as it would be, so that a thousand servers cost what a screen of them does.

import { useEffect, useRef, useState } from "preact/hooks";

const ROWS = 25;
const NEAR = "600px 0px"; // of the window

let rowHeight = 33; // px, as last seen

function Piece({ rows, columns, draw }) {
  const place = useRef();
  const measured = useRef({ rows: 0, height: 0 });
  const [isNear, setNear] = useState(false);

  useEffect(() => {
    const tbody = place.current;
    const observer = new IntersectionObserver(
      (entries) => {
        const { isIntersecting, boundingClientRect } = entries.at(-1);
        // Who is at work in it goes on.
        if (!isIntersecting && tbody.contains(document.activeElement)) return;
        if (!isIntersecting && isNear) {
          measured.current = { rows: rows.length, height: boundingClientRect.height };
          rowHeight = tbody.firstElementChild?.offsetHeight ?? rowHeight;
        }
        setNear(isIntersecting);
      },
      { rootMargin: NEAR },
    );
    observer.observe(tbody);
    return () => observer.disconnect();
  }, [isNear, rows.length]);

  const { rows: then, height } = measured.current;
  const unseen = then === rows.length ? height : rows.length * rowHeight;
  return (
    <tbody ref={place}>
      {isNear ? (
        rows.map(draw)
      ) : (
        <tr class="unseen" aria-hidden="true">
          <td colSpan={columns} style={{ height: unseen }} />
        </tr>
      )}
    </tbody>
  );
}

export function Pieces({ rows, columns, draw }) {
  const pieces = [];
  for (let begin = 0; begin < rows.length; begin += ROWS) {
    pieces.push(<Piece key={begin} rows={rows.slice(begin, begin + ROWS)} columns={columns} draw={draw} />);
  }
  return pieces;
}
