import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, it } from "node:test";
import { FLAGS, NEWEST_NODE } from "../../../../src/io/http/v8-flags.ts";

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

/** Whether V8 makes bytecode of a regular expression to begin with. */
const REGULAR_EXPRESSIONS = `
  import { cachedDataVersionTag } from "node:v8";
  import { compileAddressTest, FLAGS, underFlag } from "../../../../src/io/http/v8-flags.ts";
  const before = cachedDataVersionTag();
  const isInterpreted = (pattern) => {
    pattern.test("some text");
    return %RegexpHasBytecode(pattern, true);
  };
  const usually = isInterpreted(/ab+c/);
  const under = underFlag(FLAGS.compileRegExpsAtOnce, () => isInterpreted(/ab+d/));
  compileAddressTest();
  console.log("usually " + usually + ", under the flag " + under + ", then " + isInterpreted(/ab+e/));
  console.log(before === cachedDataVersionTag() ? "flags as before" : "other flags");
`;

describe("the parser of responses", () => {
  it("is never optimised, whichever connection comes first, and V8's flags are as before: code caches stay good", () => {
    const output = node("--trace-wasm-compilation-times", "--input-type=module", "--eval", TALK);
    assert.match(output, /using Liftoff/);
    assert.doesNotMatch(output, /using TurboFan/);
    assert.match(output, /^flags as before$/m);
  });
});

describe("a regular expression", () => {
  it("is never interpreted where V8 is told so, and the flags are as before", () => {
    const output = node("--allow-natives-syntax", "--input-type=module", "--eval", REGULAR_EXPRESSIONS);
    assert.equal(output, "usually true, under the flag false, then true\nflags as before\n");
  });
});

describe("V8's flags that are changed for one call", () => {
  for (const { during, byDefault } of Object.values(FLAGS)) {
    it(`are flags, with the defaults that are put back: ${byDefault}`, () => {
      assert.match(node("--v8-options"), new RegExp(`default: ${byDefault}$`, "m"));
      assert.doesNotThrow(() => node(during, "--eval", "0"));
      assert.ok(Number.parseInt(process.versions.node, 10) <= NEWEST_NODE, "look whether a newer V8 has the flags");
    });
  }
});
