// The first script of the standalone executable: what bin/countersign.js is to the package. The scripts of the build and
// V8's code for them are in the executable itself.
"use strict";

const { writeSync } = require("node:fs");
const { getAsset, getAssetKeys, getRawAsset } = require("node:sea");
const { Script } = require("node:vm");

/** Commands through which whole images pass: as in bin/countersign.js, which says why. */
const MOVES_IMAGES = ["pull", "copy", "push"];

const names = new Set(getAssetKeys());
/** Most of what one command runs, another runs as well. */
const command = process.argv.find((argument, at) => at > 1 && names.has(`${argument}-cli.cjs.v8`)) ?? "verify";
const loaded = new Map();

function load(name) {
  const known = loaded.get(name);
  if (known !== undefined) return known.exports;
  const code = `${command}-${name.replace(/^.*\//, "")}.v8`;
  const script = new Script(Buffer.from(getRawAsset(name)).latin1Slice(), {
    filename: name,
    cachedData: names.has(code) ? Buffer.from(getRawAsset(code)) : undefined,
  });
  const module = { exports: {} };
  loaded.set(name, module);
  script.runInThisContext()(module, (id) => (id.startsWith("./") ? load(id) : require(id)), undefined);
  return module.exports;
}

function start() {
  const [flag, ...more] = process.argv.slice(2);
  if (more.length === 0 && (flag === "--version" || flag === "-V")) {
    return say(JSON.parse(getAsset("package.json", "utf8")).version);
  }
  if (MOVES_IMAGES.some((name) => process.argv.includes(name))) {
    require("node:v8").setFlagsFromString("--semi-space-growth-factor=1");
  }
  return run();
}

async function run() {
  await load("./cli.cjs").main();
  // As in bin/countersign.js, which says why, and why not sooner.
  process.once("exit", () => process.exit());
}

function say(line) {
  try {
    writeSync(1, `${line}\n`);
  } catch {
    process.exitCode = 2;
  }
}

start();
