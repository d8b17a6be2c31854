import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { TIERING } from "../../../../src/io/http/undici.ts";

function node(...args: readonly string[]): string {
  return execFileSync(process.execPath, args, { encoding: "utf8", cwd: import.meta.dirname });
}

/** Twenty responses by one connection; then what V8 says of its flags, before and after. */
const TALK = `
  import { createServer } from "node:http";
  import { cachedDataVersionTag } from "node:v8";
  import { openPool } from "../../../../src/io/http/undici.ts";
  const server = createServer((_, response) => response.end("{}")).listen(0, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  const before = cachedDataVersionTag();
  const origin = "http://127.0.0.1:" + server.address().port;
  const refused = openPool("http://127.0.0.1:1", { connect: {} });
  await refused.request({ path: "/", method: "GET" }).catch(() => undefined);
  const pool = openPool(origin, { connections: 1, connect: {} });
  for (let at = 0; at < 20; at++) await (await pool.request({ path: "/", method: "GET" })).body.dump();
  await Promise.all([pool.close(), refused.close()]);
  server.close();
  console.log(before === cachedDataVersionTag() ? "flags as before" : "other flags");
`;

describe("the parser of responses", () => {
  it("is never optimised, whichever connection comes first, and V8's flags are as before: code caches stay good", () => {
    const output = node("--trace-wasm-compilation-times", "--input-type=module", "--eval", TALK);
    assert.match(output, /using Liftoff/);
    assert.doesNotMatch(output, /using TurboFan/);
    assert.match(output, /^flags as before$/m);
  });

  it("is given a budget that V8 has, and then the default of it", () => {
    const [, value] = new RegExp(`default: ${TIERING.flag}=(\\d+)`).exec(node("--v8-options")) ?? [];
    assert.equal(Number(value), TIERING.byDefault);
    assert.ok(Number.parseInt(process.versions.node, 10) <= TIERING.newestNode, "look whether a newer V8 has the flag");
  });
});
