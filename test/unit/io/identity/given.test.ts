import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { describe, it } from "node:test";
import { CountersignError } from "../../../../src/core/errors.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { type GivenOptions, givenToken } from "../../../../src/io/identity/given.ts";
import { presentTime, quietlyRejected, unsignedToken } from "../../../support/identity.ts";
import { token as makeToken, type TokenOptions } from "../../../support/sigstore/oidc.ts";
import { temporaryFolder } from "../../../support/temp.ts";

function token(options: TokenOptions = {}): string {
  return makeToken({ at: Date.now(), ...options });
}

function read(given: string, others: Partial<GivenOptions> = {}) {
  const stdin = Readable.from([]);
  return givenToken(given, { stdin, workingDirectory: ".", audience: "sigstore", now: presentTime, ...others });
}

describe("--identity-token", () => {
  it("is a token", async () => {
    const text = token();
    for (const given of [text, `${text}\n`]) {
      const found = await read(given);
      assert.equal(found.source, "--identity-token");
      assert.equal(found.token.reveal(), text);
      assert.equal(found.token.subjectForProof, "dev@example.com");
    }
  });

  it("is a file that holds one, found from the working directory", async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "token.jwt"), `${token()}\n`);
    await writeFile(join(folder, "a.b.c"), token());
    for (const given of ["token.jwt", "./token.jwt", join(folder, "token.jwt"), "a.b.c"]) {
      assert.equal((await read(given, { workingDirectory: folder })).source, given);
    }
  });

  it("is - for standard input", async () => {
    const text = token();
    const stdin = Readable.from([text.slice(0, 10), Buffer.from(text.slice(10)), "\n"]);
    const found = await read("-", { stdin });
    assert.equal(found.source, "standard input");
    assert.equal(found.token.reveal(), text);
  });

  it("is never repeated where it is neither: it may be any other secret", async () => {
    const text = token();
    const [header = "", claims = "", signature = ""] = text.split(".");
    for (const given of [
      "",
      "ghp_0123456789abcdefghijklmnopqrstuvwxyz",
      claims,
      `${claims}.${signature}`,
      `${signature}/${signature}`,
      `${claims}\0`,
      "x".repeat(300),
      `${"y".repeat(200)}/`.repeat(30),
      `${text} ${text}`,
      `Bearer ${text}`,
      `"${text}"`,
      `${header}.${claims}`,
    ]) {
      const error = await quietlyRejected(() => read(given), "token-invalid", [given.trim(), text]);
      assert.match(error.message, /--identity-token is neither a token nor a file/, given);
    }
  });

  it("is told to be a bad token where it is written like one", async () => {
    const text = token();
    const [header, claims] = text.split(".");
    for (const [given, found] of [
      [`${header}.${claims}.`, /an empty signature/],
      [`${header}.${claims}.A`, /no base64url/],
      [`${text}.a.b`, /encrypted/],
      [unsignedToken({ iss: "a" }, { alg: "none" }), /none/],
      [unsignedToken({ iss: "https://a.example.com" }), /nothing/],
      [token({ audience: "other" }), /other/],
      [token({ expiresIn: -5 }), /valid until/],
      [token({ emailVerified: false }), /not verified/],
      [token({ claims: { filler: "x".repeat(LIMITS.identityTokenBytes) } }), /characters/],
    ] as const) {
      const error = await quietlyRejected(() => read(given), "token-invalid", [given]);
      assert.match(error.message, /^--identity-token: /);
      assert.match(error.found ?? "", found);
    }
  });

  it("is refused as a file where that holds no token, by the file's name", async (t) => {
    const folder = await temporaryFolder(t);
    await mkdir(join(folder, "folder"));
    await writeFile(join(folder, "bad"), "a password that is no token");
    await writeFile(join(folder, "old"), token({ expiresIn: -5 }));
    await writeFile(join(folder, "bytes"), Uint8Array.of(0xff));
    await writeFile(join(folder, "huge"), "x".repeat(LIMITS.identityFileBytes + 1));
    for (const [name, code] of [
      ["bad", "token-invalid"],
      ["old", "token-invalid"],
      ["bytes", "token-invalid"],
      ["huge", "limit-reached"],
      ["folder", "disk-error"],
    ] as const) {
      const work = () => read(name, { workingDirectory: folder });
      const error = await quietlyRejected(work, code, ["a password that is no token"]);
      assert.ok(error.message.includes(name), error.message);
    }
    await quietlyRejected(() => read("bad/below", { workingDirectory: folder }), "token-invalid", ["bad/below/and"]);
  });

  it("is refused on standard input where that is empty, no token, or without end", async () => {
    await quietlyRejected(() => read("-"), "token-invalid", []);
    const secret = "a password that is no token";
    await quietlyRejected(() => read("-", { stdin: Readable.from([secret]) }), "token-invalid", [secret]);
    const endless = Readable.from(
      (function* () {
        for (;;) yield "x".repeat(1000);
      })(),
    );
    await quietlyRejected(() => read("-", { stdin: endless }), "limit-reached", []);
  });

  it("ends when the command is stopped while it waits for standard input", async () => {
    const controller = new AbortController();
    const stdin = new Readable({ read: () => undefined });
    const stopped = new CountersignError("interrupted", "interrupted");
    setTimeout(() => controller.abort(stopped), 20);
    await quietlyRejected(() => read("-", { stdin, signal: controller.signal }), "interrupted", []);
    await quietlyRejected(() => read("-", { stdin, signal: controller.signal }), "interrupted", []);
  });
});
