import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { VARIABLES } from "../../src/cli/variables.ts";
import { filesBelow } from "./source-files.ts";

/** Read under one name and documented under another, or no setting of ours. */
const ELSEWHERE: readonly string[] = [
  "no_proxy",
  "https_proxy",
  "http_proxy",
  // Set by a web server for its CGI programs; there HTTP_PROXY is a request's header (CVE-2016-5385).
  "REQUEST_METHOD",
  // The system's: where its programs are.
  "PATH",
  "SystemRoot",
  // Flags, read before the command line is parsed.
  "COUNTERSIGN_DEBUG",
  "COUNTERSIGN_OUTPUT",
  "COUNTERSIGN_OUTPUT_FILE",
];

describe("the list of environment variables", () => {
  it("has every variable that the source reads", () => {
    const text = filesBelow("src", [".ts"])
      .map((file) => file.text)
      .join("\n");
    const read = new Set([...text.matchAll(/\benv\["([A-Za-z_]+)"\]/g)].map(([, name = ""]) => name));
    const listed = new Set([...VARIABLES.map((variable) => variable.name), ...ELSEWHERE]);
    assert.deepEqual(
      [...read].filter((name) => !listed.has(name)),
      [],
    );
  });

  it("hides everything that may hold a password or a token", () => {
    const open = VARIABLES.filter((variable) => !variable.secret).map((variable) => variable.name);
    assert.deepEqual(
      open.filter((name) => /PASS|TOKEN|SECRET|AUTH_CONFIG|^HTTPS?_PROXY/.test(name)),
      [],
    );
  });

  it("names each variable once", () => {
    assert.equal(new Set(VARIABLES.map((variable) => variable.name)).size, VARIABLES.length);
  });
});
