// SPDX-License-Identifier: MIT
// Builds the page into one file, built/stats.html, and the policy that lets nothing else run in it,
// built/stats.csp. Equal sources give equal bytes. node build.mjs [DIRECTORY]
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "built");

const { outputFiles } = await build({
  absWorkingDir: here,
  entryPoints: ["src/main.jsx"],
  outdir: "out",
  bundle: true,
  write: false,
  minify: true,
  format: "esm",
  target: ["chrome110", "firefox115", "safari16"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  charset: "utf8",
});
const text = (ending) => outputFiles.find((file) => file.path.endsWith(ending)).text.trim();
const style = text(".css");
const script = text(".js");
if (script.includes("</script") || style.includes("</style")) throw new Error("it would end early");

const page = readFileSync(join(here, "src/page.html"), "utf8")
  .replace("/*STYLE*/", () => style)
  .replace("/*SCRIPT*/", () => script);
const hash = (content) => `'sha256-${createHash("sha256").update(content).digest("base64")}'`;
const policy = [
  "default-src 'none'",
  `script-src ${hash(script)}`,
  `style-src ${hash(style)}`,
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
];
mkdirSync(out, { recursive: true });
writeFileSync(join(out, "stats.html"), page);
writeFileSync(join(out, "stats.csp"), policy.join("; "));
