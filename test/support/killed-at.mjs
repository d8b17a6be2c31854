// Preloaded into a process (`--import`) that is to die at the n-th step on the disk, as by kill -9: COUNTERSIGN_TEST_DIE_AT=n,
// before it with `before`, after it with `after`. Without it, the number of steps is written to standard error at the end.
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const CALLS = ["open", "rename", "unlink", "link", "rm", "mkdir", "access"];
const METHODS = ["write", "writev", "writeFile", "sync", "chmod", "chown"];
const [when, at] = (process.env.COUNTERSIGN_TEST_DIE_AT ?? "never 0").split(" ");
let count = 0;

function die() {
  process.kill(process.pid, "SIGKILL");
  // The signal comes when the kernel gets to it: nothing more is done until then.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

function wrap(owner, name) {
  const original = owner[name];
  owner[name] = async function (...args) {
    count += 1;
    const mine = count === Number(at);
    if (mine && when === "before") die();
    const result = await Reflect.apply(original, this, args);
    if (mine && when === "after") die();
    return result;
  };
}

const handle = await promises.open("/dev/null", "w");
const prototype = Object.getPrototypeOf(handle);
await handle.close();
for (const name of METHODS) wrap(prototype, name);
for (const name of CALLS) wrap(promises, name);
syncBuiltinESMExports();
process.once("exit", () => process.stderr.write(`${count}\n`));
