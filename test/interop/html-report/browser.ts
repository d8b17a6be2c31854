import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, type TestContext } from "node:test";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import type { Audit } from "../../../src/core/audit/audit.ts";
import { auditHtml } from "../../../src/report/audit/html.ts";
import { temporaryFolder } from "../../support/temp.ts";
import { findPeer } from "../peers.ts";

const IN_PAGE = readFileSync(new URL("in-page.js", import.meta.url), "utf8");
const FLAGS = [
  ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
  ...["--disable-component-update", "--disable-sync"],
];

/** For what is waited for in a page; longer than it takes on a busy machine, where half a minute, the usual, may not do. */
const TIMEOUT_MS = 300_000;

export interface PageOptions {
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: "light" | "dark";
  readonly javaScript?: boolean;
  /** Behind the address of the page: `#verdict=refused`. */
  readonly hash?: string;
  readonly change?: (html: string) => string;
}

/** A page in a profile of its own, which knows nobody, and what it said and asked for. */
export interface OpenPage {
  readonly page: Page;
  /** Errors and whatever else was written to the console. */
  readonly said: readonly string[];
  /** Addresses of all that was asked for, but the page itself and what is in it. */
  readonly asked: readonly string[];
  /** Calls a function of in-page.js. */
  ask<Answer>(name: string): Promise<Answer>;
}

/** Writes the audit's page to a file and opens it from there. */
type OpenReport = (t: TestContext, audit: Audit, options?: PageOptions) => Promise<OpenPage>;

/** Starts a browser before the tests of the calling suite and ends it after them. */
export function useBrowser(): OpenReport {
  let browser: Browser | undefined;
  before(async () => {
    browser = await startBrowser();
  });
  after(() => browser?.close());
  return async (t, audit, options = {}) => {
    if (browser === undefined) throw new Error("the browser runs while tests do");
    return await openReport(browser, t, audit, options);
  };
}

async function openReport(browser: Browser, t: TestContext, audit: Audit, options: PageOptions): Promise<OpenPage> {
  const file = join(await temporaryFolder(t), "audit.html");
  const html = auditHtml(audit, { version: "0.0.0" });
  await writeFile(file, options.change?.(html) ?? html);
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1280, height: options.height ?? 900 },
    colorScheme: options.scheme ?? "light",
    javaScriptEnabled: options.javaScript ?? true,
  });
  t.after(() => context.close());
  context.setDefaultTimeout(TIMEOUT_MS);
  const page = await context.newPage();
  const [said, asked]: [string[], string[]] = [[], []];
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(error.message));
  const address = pathToFileURL(file).href;
  page.on("request", (request) => {
    if (!request.url().startsWith(address) && !request.url().startsWith("data:")) asked.push(request.url());
  });
  await page.goto(`${address}${options.hash ?? ""}`);
  const ask = async <Answer>(name: string): Promise<Answer> => page.evaluate(`${IN_PAGE};globalThis.${name}()`);
  return { page, said, asked, ask };
}

function startBrowser(): Promise<Browser> {
  const executablePath = findPeer("chromium");
  if (executablePath === undefined) throw new Error("chromium is not installed");
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}
