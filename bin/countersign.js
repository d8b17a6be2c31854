#!/usr/bin/env node
// Starts Countersign: from `src` in a checkout, from `dist` in the published package (Node strips no types inside
// node_modules). A Node that is too old hands over to the checkout's own runtime, the `node` package, where it is there.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";

const WANTED = "^22.22.2 || ^24.15.0 || >=26";

function isSupported(version) {
  const [major, minor, patch] = version.split(".").map(Number);
  if (major === 22) return minor > 22 || (minor === 22 && patch >= 2);
  if (major === 24) return minor >= 15;
  return major >= 26;
}

async function start() {
  const nodeModule = await import("node:module");
  nodeModule.default.enableCompileCache?.();
  const source = new URL("../src/cli/main.ts", import.meta.url);
  const entry = existsSync(source) ? source : new URL("../dist/cli.js", import.meta.url);
  const { main } = await import(entry.href);
  await main();
}

function handOver() {
  const runtime = fileURLToPath(new URL("../node_modules/.bin/node", import.meta.url));
  if (!existsSync(runtime)) {
    console.error(`countersign needs Node ${WANTED}; this is ${process.versions.node}`);
    process.exitCode = 2;
    return;
  }
  const child = spawn(runtime, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: "inherit" });
  const forward = (signal) => child.kill(signal);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, forward);
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.off(name, forward);
  });
}

if (isSupported(process.versions.node)) await start();
else handOver();
