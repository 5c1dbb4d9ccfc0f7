// SPDX-License-Identifier: MIT
// A headless Chromium for the tests (tests/integration/lbtest/browser.py): one command as JSON a
// line on standard input, one answer a line on standard output. node drive.mjs CHROMIUM
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const LIMIT = 30_000;
const browser = await chromium.launch({
  executablePath: process.argv[2],
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});
let page = null;
let heard = null; // what the page has asked for and complained about

const commands = {
  // trusting: any certificate will do.
  async open({ url, width = 1280, height = 900, scheme = "light", trusting = false }) {
    await page?.context().close();
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: scheme,
      reducedMotion: "reduce",
      ignoreHTTPSErrors: trusting,
    });
    context.setDefaultTimeout(LIMIT);
    page = await context.newPage();
    heard = { console: [], requests: [] };
    page.on("console", (message) => heard.console.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => heard.console.push(`error: ${error.stack}`));
    page.on("request", (request) => heard.requests.push(request.url()));
    await page.goto(url);
  },
  heard: () => heard,
  text: ({ selector }) => page.locator(selector).first().innerText(),
  click: ({ selector }) => page.locator(selector).first().click(),
  fill: ({ selector, text }) => page.locator(selector).first().fill(text),
  press: ({ key }) => page.keyboard.press(key),
  type: ({ text }) => page.keyboard.type(text),
  // Until an element is there and shows this text, if one is given.
  see: ({ selector, text }) =>
    page.locator(selector, text ? { hasText: text } : {}).first().waitFor({ timeout: LIMIT }),
  gone: ({ selector }) => page.locator(selector).first().waitFor({ state: "detached" }),
  resize: ({ width, height }) => page.setViewportSize({ width, height }),
  evaluate: ({ script }) => page.evaluate(script),
  screenshot: ({ path }) => page.screenshot({ path }),
  // What a reader with other senses or means would stumble over, by the rules of axe.
  async barriers() {
    const source = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
    await page.evaluate(readFileSync(source, "utf8"));
    const { violations } = await page.evaluate("axe.run()");
    return violations.map(
      (one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => node.html).join(" ").slice(0, 300)}`,
    );
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { command, ...more } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ answer: (await commands[command](more)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.message }));
  }
}
await browser.close();
