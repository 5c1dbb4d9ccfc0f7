// SPDX-License-Identifier: MIT
// Figures as people read them: three digits, a unit, never a jumping width.

export function number(value) {
  if (value == null || Number.isNaN(value)) return "–";
  if (value >= 999.5e6) return `${digits(value / 1e9)}G`;
  if (value >= 999.5e3) return `${digits(value / 1e6)}M`;
  if (value >= 9999.5) return `${digits(value / 1e3)}k`;
  if (value >= 99.5 || Number.isInteger(value)) return Math.round(value).toLocaleString("en");
  return digits(value);
}

export function milliseconds(value) {
  if (value == null) return "–";
  if (value >= 59_950) return `${digits(value / 60_000)} min`;
  if (value >= 999.5) return `${digits(value / 1000)} s`;
  if (value < 0.0995) return `${Math.round(value * 1000)} µs`;
  return `${digits(value)} ms`;
}

export function bytes(value) {
  if (value == null) return "–";
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(value) : digits(value)} ${units[unit]}`;
}

export function percent(share) {
  if (share == null) return "–";
  if (share > 0 && share < 0.0005) return "<0.1 %";
  return `${share === 0 ? "0" : digits(share * 100)} %`;
}

export function duration(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function ago(at, now) {
  if (at == null) return "–";
  const seconds = Math.max(0, Math.round((now - Date.parse(at)) / 1000));
  if (seconds < 1) return "now";
  return `${duration(seconds * 1000)} ago`;
}

export function clock(at) {
  return new Date(at).toLocaleTimeString("en-GB");
}

// Three digits where there are decimals: 0.35, 1.24, 12.4, 124.
function digits(value) {
  if (value >= 99.95) return Math.round(value).toString();
  if (value >= 9.995) return value.toFixed(1);
  return value.toFixed(2);
}
