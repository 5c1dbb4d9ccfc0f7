// SPDX-License-Identifier: MIT
// One graph over the last five minutes. What is drawn is told in words, too.

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";

const HEIGHT = 132;
const SHORTEST = 60; // seconds that a graph shows, though it has fewer

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Above the highest value, so that a flat line is not drawn at the top, and never a range of nothing.
function rangeOf(least) {
  return (_, low, high) => [0, Math.max(least, high * 1.15 || 0)];
}

// How long ago it was, at round distances from now.
function marksOf(plot, index, low, high) {
  const step = high - low > 90 ? 60 : 15;
  const count = Math.min(6, Math.floor((high - low) / step) + 1) || 0;
  return Array.from({ length: count }, (_, mark) => high - (count - 1 - mark) * step);
}

function agoOf(plot, marks) {
  const now = marks.at(-1) ?? 0;
  return marks.map((mark) => {
    const seconds = Math.round(now - mark);
    if (seconds === 0) return "now";
    return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
  });
}

// "10.0 ms" is "10 ms" at a scale.
const terse = (text) => text.replace(/\.0+(?!\d)/, "");

function options(chart, width, onCursor) {
  const grid = { stroke: () => colour("--grid"), width: 1 };
  const axis = {
    stroke: () => colour("--faint"),
    font: "11px system-ui, sans-serif",
    ticks: { show: false },
  };
  return {
    width,
    height: HEIGHT,
    padding: [8, 14, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: "lb" },
      y: false,
      drag: { x: false, y: false },
      points: { size: 6 },
    },
    scales: {
      x: { time: true, range: (_, low, high) => [Math.min(low, high - SHORTEST), high ?? 0] },
      y: { range: rangeOf(chart.least) },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 24,
        gap: 7,
        splits: marksOf,
        values: agoOf,
      },
      {
        ...axis,
        grid,
        size: 58,
        gap: 6,
        space: 36,
        values: (_, marks) => marks.map((mark) => (mark === 0 ? "0" : terse((chart.scale ?? chart.show)(mark)))),
      },
    ],
    series: [
      {},
      ...chart.lines.map((line) => ({
        label: line.name,
        stroke: () => colour(line.colour),
        fill: line.fill ? () => `${colour(line.colour)}1f` : undefined,
        width: 1.5,
        points: { show: false },
        spanGaps: false,
      })),
    ],
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx)] },
  };
}

const EMPTY = { times: [] };

export function Chart({ chart, graph = EMPTY, theme }) {
  const place = useRef();
  const plot = useRef();
  const [cursor, setCursor] = useState(null);
  const { times } = graph;
  const values = chart.lines.map((line) => graph[line.key] ?? []);

  useEffect(() => {
    const made = new uPlot(
      options(chart, place.current.clientWidth, setCursor),
      [times, ...values],
      place.current,
    );
    plot.current = made;
    const observer = new ResizeObserver(([entry]) =>
      made.setSize({ width: Math.floor(entry.contentRect.width), height: HEIGHT }),
    );
    observer.observe(place.current);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, [theme]);

  useEffect(() => plot.current.setData([times, ...values]));

  const at = cursor ?? times.length - 1;
  const shown = values.map((line) => line[at]);
  const words = chart.lines
    .map((line, index) => {
      const known = values[index].filter((value) => value != null);
      const now = values[index].at(-1);
      if (known.length === 0) return `${line.name}: nothing yet`;
      return `${line.name}: now ${chart.show(now)}, at most ${chart.show(Math.max(...known))}`;
    })
    .join("; ");

  return (
    <figure class="chart" data-chart={chart.id}>
      <figcaption>
        <span class="chart-name">{chart.name}</span>
        <span class="chart-values" aria-hidden="true">
          {chart.lines.map((line, index) => (
            <span key={line.key} class="chart-value">
              <i class="swatch" style={{ background: `var(${line.colour})` }} />
              {chart.lines.length > 1 && <span class="chart-line">{line.name}</span>}
              <b>{chart.show(shown[index])}</b>
            </span>
          ))}
        </span>
      </figcaption>
      <div class="plot" ref={place} role="img" aria-label={`${chart.name}. ${words}`} />
    </figure>
  );
}

// The last minute of a server, as small as a word.
export function Spark({ rates }) {
  const most = Math.max(1, ...rates);
  const step = 60 / 59;
  const points = rates
    .map((rate, index) => {
      const x = 60 - (rates.length - 1 - index) * step;
      return `${x.toFixed(1)},${(15 - (rate / most) * 13).toFixed(1)}`;
    })
    .join(" ");
  return (
    <svg class="spark" viewBox="0 0 60 16" preserveAspectRatio="none" aria-hidden="true">
      <polyline points={points} />
    </svg>
  );
}
