#!/usr/bin/env node
// Starts Countersign: from `src` in a checkout, from `dist` in the published package (Node strips no types inside
// node_modules). A Node that is too old hands over to the checkout's own runtime, the `node` package, where it is there.
// Kept to what an old Node can parse, and to the modules that `--version` needs: the rest is loaded on the way. A script
// and no module (package.json beside it), which starts sooner.
"use strict";

const fs = require("node:fs");
const { join } = require("node:path");

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];
const USAGE = 2;
const OTHERS_WRITE = 0o022;
/** Commands through which whole images pass. */
const MOVES_IMAGES = ["pull", "copy", "push"];
/** Of processor time, in microseconds. */
const LONG = 1_000_000;

function start() {
  const { version, engines } = JSON.parse(fs.readFileSync(join(__dirname, "../package.json"), "utf8"));
  const args = process.argv.slice(2);
  if (args.length === 1 && (args[0] === "--version" || args[0] === "-V")) return say(1, version);
  return isSupported(process.versions.node) ? run() : handOver(args, engines.node);
}

/** The range of `engines` in package.json, which a test compares with this. */
function isSupported(version) {
  const [major, minor, patch] = version.split(".").map(Number);
  if (major === 22) return minor > 22 || (minor === 22 && patch >= 2);
  if (major === 24) return minor >= 15;
  return major >= 26;
}

async function run() {
  if (MOVES_IMAGES.some((name) => process.argv.includes(name))) keepYoungGenerationSmall();
  const source = join(__dirname, "../src/cli/main.ts");
  await (fs.existsSync(source) ? runSource(source) : runBuild(join(__dirname, "../dist")));
  // Nothing is left to be done then, and to take V8's heap apart takes longer than to judge an image. It is the last to hear of
  // the end: whoever holds a lock lets go of it before, and Node prints what nobody caught after all have heard.
  process.once("exit", () => process.exit());
}

async function runSource(source) {
  const folder = compiledCode();
  if (folder !== undefined) require("node:module").enableCompileCache(folder);
  const { main } = await import(require("node:url").pathToFileURL(source).href);
  await main();
}

/**
 * Each chunk of an image is a buffer that lives for moments. V8 answers by growing its young generation, in which dead
 * buffers then lie for long while fresh memory is taken for the next ones. Kept at its first size, which has to be said
 * before it has grown, a 1 GiB pull takes a third less processor time and a quarter less memory. All others are spared
 * what it costs: V8 takes no code from caches that were made under other flags, as Node's of its own modules.
 */
function keepYoungGenerationSmall() {
  require("node:v8").setFlagsFromString("--semi-space-growth-factor=1");
}

/**
 * The build is scripts, and V8's code for them is kept for the next run. Node's own cache is made before the first
 * function runs, and leaves out all those that are compiled when they are called: a sixth of a short command's time.
 */
async function runBuild(dist) {
  const { Script } = require("node:vm");
  const loaded = new Map();
  const load = (name) => {
    const known = loaded.get(name);
    if (known !== undefined) return known.module.exports;
    const filename = join(dist, name);
    const text = fs.readFileSync(filename, "latin1");
    const kept = keptCode(name, text);
    const script = new Script(text, { filename, cachedData: kept.code });
    const module = { exports: {} };
    loaded.set(name, { module, script, kept });
    script.runInThisContext()(module, (id) => (id.startsWith("./") ? load(id) : require(id)), dist);
    return module.exports;
  };
  await load("./cli.cjs").main();
  // What was called by a run that came to its end is what the next one will call. In long runs V8 throws it away.
  if (process.exitCode || process.cpuUsage().user > LONG) return;
  // A script that was not taken before shows that the others ran new functions, too.
  const scripts = [...loaded.values()];
  if (scripts.every(({ script, kept }) => kept.code !== undefined && !script.cachedDataRejected)) return;
  for (const { script, kept } of scripts) kept.write(script);
}

/** A folder of the user's own: code from a cache in a shared temporary folder would be code from anyone. */
function compiledCode() {
  const { HOME, XDG_CACHE_HOME, NODE_COMPILE_CACHE, NODE_DISABLE_COMPILE_CACHE } = process.env;
  if (NODE_DISABLE_COMPILE_CACHE) return undefined;
  const caches = XDG_CACHE_HOME?.startsWith("/") ? XDG_CACHE_HOME : HOME && `${HOME}/.cache`;
  return NODE_COMPILE_CACHE || (caches && `${caches}/countersign/compile`) || undefined;
}

/**
 * A file for each script and each command, which runs functions of its own. It begins with the line that names the build
 * it was made from; V8 itself refuses what another version of it, or the same with other flags, has left.
 */
function keptCode(name, text) {
  const cache = compiledCode();
  if (cache === undefined) return { code: undefined, write() {} };
  const folder = join(cache, `${process.version}-${process.arch}`);
  const command = process.argv.find((argument, at) => at > 1 && /^[a-z][a-z-]*$/.test(argument)) || "none";
  const path = join(folder, `${command}-${name.replace(/^.*\//, "")}.v8`);
  const build = text.slice(0, text.indexOf("\n") + 1);
  const content = readOwn(path);
  const code = content?.latin1Slice(0, build.length) === build ? content.subarray(build.length) : undefined;
  return {
    code,
    write: (script) => write(folder, path, Buffer.concat([Buffer.from(build), script.createCachedData()])),
  };
}

/** What somebody else wrote, or could have, is no code to run: root's home may be another's. */
function isOwn({ uid, mode }) {
  return process.geteuid === undefined || (uid === process.geteuid() && (mode & OTHERS_WRITE) === 0);
}

function readOwn(path) {
  let file;
  try {
    // A pipe would keep the command waiting.
    file = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const status = fs.fstatSync(file);
    return status.isFile() && isOwn(status) ? fs.readFileSync(file) : undefined;
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) fs.closeSync(file);
  }
}

/** All of it or nothing. Where it cannot be written, the next run takes a little longer. */
function write(folder, path, content) {
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const temporary = `${path}.${process.pid}`;
    fs.writeFileSync(temporary, content, { mode: 0o600, flag: "wx", flush: true });
    fs.renameSync(temporary, path);
  } catch {}
}

function handOver(args, wanted) {
  const runtime = join(__dirname, "../node_modules/node/bin/node");
  if (!fs.existsSync(runtime) || fs.realpathSync(runtime) === fs.realpathSync(process.execPath)) return missing(wanted);
  const child = require("node:child_process").spawn(runtime, [__filename, ...args], { stdio: "inherit" });
  const forward = (signal) => {
    // A terminal sends its signals to both processes: passing them on would make one Ctrl-C two.
    if (signal === "SIGTERM" || !process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of SIGNALS) process.on(signal, forward);
  child.on("error", () => missing(wanted));
  child.on("exit", (code, signal) => {
    for (const name of SIGNALS) process.off(name, forward);
    process.exitCode = code === null ? 128 + require("node:os").constants.signals[signal] : code;
  });
}

function missing(wanted) {
  say(2, `countersign needs Node ${wanted}; this is ${process.versions.node}`);
  process.exitCode = USAGE;
}

/** Straight to the descriptor: making process.stdout takes longer than everything else here. */
function say(descriptor, line) {
  try {
    fs.writeSync(descriptor, `${line}\n`);
  } catch {
    process.exitCode = USAGE;
  }
}

start();
