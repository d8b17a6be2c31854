import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, mkdir, open, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { Credential } from "../../../../src/io/http/auth.ts";
import { type CredentialOptions, findCredentials } from "../../../../src/io/registry/credentials.ts";
import { failure } from "../../../support/registry-client.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const HUB = "https://index.docker.io/v1/";

function auth(user: string, password: string): { auth: string } {
  return { auth: Buffer.from(`${user}:${password}`).toString("base64") };
}

type Wish = Partial<CredentialOptions> & { readonly signal?: AbortSignal };

interface Machine {
  readonly home: string;
  readonly env: Record<string, string>;
  write(path: string, content: unknown): Promise<string>;
  /** A credential helper of this name that runs a shell script. */
  helper(name: string, script: string): Promise<void>;
  find(registry: string, repository?: string, wish?: Wish): Promise<Credential | undefined>;
}

/** A home folder and a PATH with nothing in it but what a test puts there. */
async function machine(t: TestContext): Promise<Machine> {
  const home = await temporaryFolder(t);
  const env: Record<string, string> = { PATH: `${home}/bin:/usr/bin:/bin`, XDG_RUNTIME_DIR: `${home}/run` };
  const write = async (path: string, content: unknown) => {
    const full = join(home, path);
    await mkdir(dirname(full), { recursive: true });
    await writeFile(full, typeof content === "string" ? content : JSON.stringify(content));
    return full;
  };
  return {
    home,
    env,
    write,
    async helper(name, script) {
      const path = await write(`bin/docker-credential-${name}`, `#!/bin/sh\n${script}\n`);
      await chmod(path, 0o755);
    },
    find: (registry, repository = "acme/app", { signal, ...options } = {}) =>
      findCredentials({ env, homeDirectory: home, ...options }).find(registry, repository, signal),
  };
}

/** A login file that is a pipe. */
function loginPipe({ home, env }: Machine): string {
  const pipe = join(home, "pipe");
  execFileSync("mkfifo", [pipe]);
  env["REGISTRY_AUTH_FILE"] = pipe;
  return pipe;
}

function user(credential: Credential | undefined): string | undefined {
  return credential?.kind === "password" ? `${credential.username}:${credential.password}` : credential?.kind;
}

describe("where credentials are found", () => {
  it("flags, DOCKER_AUTH_CONFIG, REGISTRY_AUTH_FILE, Docker, Podman, the old file: in this order", async (t) => {
    const m = await machine(t);
    assert.equal(await m.find("r.example"), undefined);
    const places: [string, (entry: object) => Promise<unknown>][] = [
      ["old", (entry) => m.write(".dockercfg", entry)],
      ["config", (entry) => m.write(".config/containers/auth.json", { auths: entry })],
      ["runtime", (entry) => m.write("run/containers/auth.json", { auths: entry })],
      ["docker", (entry) => m.write(".docker/config.json", { auths: entry })],
      ["named", async (entry) => (m.env["REGISTRY_AUTH_FILE"] = await m.write("named.json", { auths: entry }))],
      ["inline", async (entry) => (m.env["DOCKER_AUTH_CONFIG"] = JSON.stringify({ auths: entry }))],
    ];
    for (const [name, put] of places) {
      await put({ "r.example": auth(name, "pw") });
      assert.equal(user(await m.find("r.example")), `${name}:pw`);
    }
    const flags = { username: "flag", password: "pw" };
    assert.equal(user(await m.find("r.example", "a/b", { flags })), "flag:pw");
  });

  it("the next place is asked where one knows nothing of the registry", async (t) => {
    const m = await machine(t);
    m.env["DOCKER_AUTH_CONFIG"] = JSON.stringify({ auths: { "other.example": auth("no", "no") } });
    await m.write(".docker/config.json", { auths: { "r.example": {} } });
    await m.write(".config/containers/auth.json", { auths: { "r.example": auth("podman", "pw") } });
    assert.equal(user(await m.find("r.example")), "podman:pw");
  });

  it("flags that are for one registry are not for another", async (t) => {
    const m = await machine(t);
    const flags = { registry: "r.example", username: "u", password: "p" };
    assert.equal(user(await m.find("r.example", "a/b", { flags })), "u:p");
    assert.equal(await m.find("s.example", "a/b", { flags }), undefined);
    assert.equal((await m.find("r.example", "a", { flags: { token: "t" } }))?.kind, "registry-token");
  });

  it("a name without a password, or the other way round, is a wrong call", async (t) => {
    const m = await machine(t);
    assert.throws(() => m.find("r.example", "a", { flags: { username: "u" } }), /a name and a password/);
    assert.throws(() => m.find("r.example", "a", { flags: { password: "p" } }), /a name and a password/);
  });

  it("DOCKER_CONFIG is a folder, and a link to the file is followed, as Kubernetes mounts secrets", async (t) => {
    const m = await machine(t);
    const real = await m.write("secret/data", { auths: { "r.example": auth("u", "p") } });
    await mkdir(join(m.home, "d"));
    await symlink(real, join(m.home, "d", "config.json"));
    m.env["DOCKER_CONFIG"] = join(m.home, "d");
    const found = await m.find("r.example");
    assert.equal(found?.source, join(m.home, "d", "config.json"));
  });
});

describe("an entry of a credential file", () => {
  for (const [name, entry, wanted] of [
    ["auth", auth("u", "p"), "u:p"],
    ["auth with colons in the password", auth("u", "p:q:"), "u:p:q:"],
    ["auth with an empty password", auth("u", ""), "u:"],
    ["auth without padding", { auth: auth("us", "p").auth.replace(/=+$/, "") }, "us:p"],
    ["auth with NULs at the end", auth("u", "p\0\0"), "u:p"],
    ["auth with other letters than ASCII", auth("jürgen", "pä§"), "jürgen:pä§"],
    ["username and password", { username: "u", password: "p" }, "u:p"],
    [
      "an identity token beside auth",
      { ...auth("00000000-0000-0000-0000-000000000000", ""), identitytoken: "t" },
      "identity-token",
    ],
    ["a registry token", { registrytoken: "t" }, "registry-token"],
    ["nothing", {}, undefined],
    ["only an address", { email: "a@b" }, undefined],
  ] as const) {
    it(`with ${name} is read`, async (t) => {
      const m = await machine(t);
      await m.write(".docker/config.json", { auths: { "r.example": entry } });
      assert.equal(user(await m.find("r.example")), wanted);
    });
  }

  for (const [key, registry, matches] of [
    ["r.example", "r.example", true],
    ["R.Example", "r.example", true],
    ["https://r.example", "r.example", true],
    ["https://r.example/v1/", "r.example", true],
    ["http://r.example/v2/", "r.example", true],
    ["r.example/", "r.example", true],
    ["r.example:5000", "r.example:5000", true],
    ["r.example", "r.example:5000", false],
    ["r.example:443", "r.example", false],
    ["example", "r.example", false],
    ["r.example", "evil-r.example", false],
    ["r.example", "r.example.evil.test", false],
    ["r.exampl", "r.example", false],
    [HUB, "docker.io", true],
    ["docker.io", "docker.io", true],
    ["index.docker.io", "docker.io", true],
    [HUB, "evil-docker.io", false],
    ["docker.io", "mydocker.io", false],
  ] as const) {
    it(`under ${key} is ${matches ? "" : "not "}for ${registry}`, async (t) => {
      const m = await machine(t);
      await m.write(".docker/config.json", { auths: { [key]: auth("u", "p") } });
      assert.equal(user(await m.find(registry)), matches ? "u:p" : undefined);
    });
  }

  it("for a part of a registry goes before the one for all, on segment boundaries (containers-auth.json)", async (t) => {
    const m = await machine(t);
    const auths = { "r.example": auth("all", ""), "r.example/a": auth("a", ""), "r.example/a/b": auth("ab", "") };
    await m.write(".config/containers/auth.json", { auths });
    assert.equal(user(await m.find("r.example", "a/b/c")), "ab:");
    assert.equal(user(await m.find("r.example", "a/x")), "a:");
    assert.equal(user(await m.find("r.example", "a")), "a:");
    assert.equal(user(await m.find("r.example", "ab/c")), "all:");
  });

  for (const [name, content] of [
    ["no JSON", "{"],
    ["a list", "[]"],
    ["entries that are a list", '{"auths":[]}'],
    ["an entry that is a text", '{"auths":{"r.example":"s3cret"}}'],
    ["auth that is not base64", '{"auths":{"r.example":{"auth":"s3cret!"}}}'],
    ["auth without a colon", `{"auths":{"r.example":{"auth":"${Buffer.from("s3cret").toString("base64")}"}}}`],
    ["auth without a name", `{"auths":{"r.example":{"auth":"${Buffer.from(":s3cret").toString("base64")}"}}}`],
    ["a duplicate member", '{"auths":{},"auths":{"r.example":{"auth":"s3cret"}}}'],
    ["more than 1 MiB", `{"auths":{}${" ".repeat(LIMITS.credentialBytes)}}`],
    ["lists without end inside each other", `{"auths":${"[".repeat(1000)}${"]".repeat(1000)}}`],
  ] as const) {
    it(`in a file with ${name} is an error that names the file and nothing of its content`, async (t) => {
      const m = await machine(t);
      const path = await m.write(".docker/config.json", content);
      const thrown = await failure("configuration-invalid", m.find("r.example"));
      assert.ok(thrown.message.includes(path) || String(thrown.found).includes(path), thrown.message);
      assert.doesNotMatch(`${thrown.message}${thrown.found}`, /s3cret|czNjcmV0/);
    });
  }

  it("in a pipe are read, and one that nobody writes to keeps nobody waiting", async (t) => {
    const m = await machine(t);
    const pipe = loginPipe(m);
    assert.equal(await m.find("r.example"), undefined);
    const held = await open(pipe, "r+");
    const found = m.find("r.example");
    // More than a pipe holds: once it is written, somebody reads.
    await held.write(JSON.stringify({ auths: { "r.example": auth("u", "p") } }) + " ".repeat(200_000));
    await held.close();
    assert.equal(user(await found), "u:p");
  });

  it("in a pipe are not waited for when the command ends", async (t) => {
    const m = await machine(t);
    const pipe = loginPipe(m);
    const held = await open(pipe, "r+");
    const command = new AbortController();
    const found = failure("interrupted", m.find("r.example", "a", { signal: command.signal }));
    command.abort();
    await found;
    await held.close();
  });

  it("in a file that may not be read is an error, not the absence of one", async (t) => {
    const m = await machine(t);
    await mkdir(join(m.home, ".docker", "config.json"), { recursive: true });
    const error = await failure("configuration-invalid", m.find("r.example"));
    assert.match(error.found ?? "", /EISDIR/);
  });
});

const ANSWER = `read server; echo "{\\"ServerURL\\":\\"$server\\",\\"Username\\":\\"user of $server\\",\\"Secret\\":\\"$1 pw\\"}"`;

describe("a credential helper (docker-credential-helpers)", () => {
  it("gets the server on standard input, Docker Hub's as its URL, and no shell in between", async (t) => {
    const m = await machine(t);
    await m.helper("store", ANSWER);
    await m.write(".docker/config.json", { credsStore: "store" });
    assert.equal(user(await m.find("r.example:5000")), "user of r.example:5000:get pw");
    assert.equal(user(await m.find("docker.io")), `user of ${HUB}:get pw`);
  });

  it("for the registry goes before the one for all, and that before the file's entry", async (t) => {
    const m = await machine(t);
    await m.helper("one", ANSWER);
    await m.helper("all", 'echo "credentials not found in native keychain"; exit 1');
    const auths = { "r.example": auth("file", "pw"), "s.example": auth("file", "pw") };
    await m.write(".docker/config.json", { credHelpers: { "r.example": "one" }, credsStore: "all", auths });
    assert.equal(user(await m.find("r.example")), "user of r.example:get pw");
    assert.equal(user(await m.find("s.example")), "file:pw");
    assert.equal(await m.find("t.example"), undefined);
  });

  it("says by its user name that it has an identity token", async (t) => {
    const m = await machine(t);
    await m.helper("acr", 'echo \'{"ServerURL":"x","Username":"<token>","Secret":"refresh"}\'');
    await m.write(".docker/config.json", { credsStore: "acr" });
    const found = await m.find("r.example");
    assert.deepEqual(found, { kind: "identity-token", token: "refresh", source: "docker-credential-acr" });
  });

  it("is run once for all who ask, and not before", async (t) => {
    const m = await machine(t);
    await m.helper("counted", `echo x >> "${m.home}/count"\n${ANSWER}`);
    await m.write(".docker/config.json", { credsStore: "counted" });
    const source = findCredentials({ env: m.env, homeDirectory: m.home });
    await Promise.all([source.find("r.example", "a"), source.find("r.example", "a"), source.find("r.example", "a")]);
    const { readFile } = await import("node:fs/promises");
    assert.equal(await readFile(join(m.home, "count"), "utf8"), "x\n");
  });

  for (const [name, script, found] of [
    ["fails", 'echo "keychain is locked" >&2; exit 1', /exit status 1/],
    ["says something that is no JSON", "echo hello", /not strict JSON|character/],
    ["leaves the secret out", 'echo \'{"Username":"u"}\'', /without Username and Secret/],
    ["floods its output", "head -c 3000000 /dev/zero", /prints without end/],
    ["is killed", "kill -9 $$", /SIGKILL/],
  ] as const) {
    it(`that ${name} stops the search: no other account is used by accident (CVE-2021-41092)`, async (t) => {
      const m = await machine(t);
      await m.helper("bad", script);
      const auths = { "r.example": auth("other", "account") };
      await m.write(".docker/config.json", { credsStore: "bad", auths });
      await m.write(".config/containers/auth.json", { auths });
      const error = await failure("configuration-invalid", m.find("r.example"));
      assert.match(`${error.message} ${error.found}`, found);
      assert.match(error.message, /docker-credential-bad/);
    });
  }

  for (const [where, script] of [
    ["its answer", `echo '{"Username":"u","Secret":"hunter22"}'; exit 1`],
    ["its complaint", `echo "password=hunter22" >&2; exit 1`],
    ["something that is no JSON", "echo hunter22"],
  ] as const) {
    it(`that fails with the secret in ${where} is not quoted`, async (t) => {
      const m = await machine(t);
      await m.helper("talks", script);
      await m.write(".docker/config.json", { credsStore: "talks" });
      const error = await failure("configuration-invalid", m.find("r.example"));
      assert.doesNotMatch([error.message, error.found, error.wanted, error.next].join(" "), /hunter22/);
    });
  }

  it("is not waited for because of what it leaves running", async (t) => {
    const m = await machine(t);
    await m.helper("forks", `sleep 60 & ${ANSWER}`);
    await m.write(".docker/config.json", { credsStore: "forks" });
    assert.equal(user(await m.find("r.example")), "user of r.example:get pw");
  });

  it("that is not installed is named", async (t) => {
    const m = await machine(t);
    await m.write(".docker/config.json", { credsStore: "desktop" });
    const error = await failure("configuration-invalid", m.find("r.example"));
    assert.match(error.message, /docker-credential-desktop/);
    assert.match(error.found ?? "", /not installed/);
  });

  it("with a name that is none is not run", async (t) => {
    const m = await machine(t);
    for (const store of ["../evil", "a b", "$(touch x)", "a/b", ""]) {
      await m.write(".docker/config.json", { credHelpers: { "r.example": store }, credsStore: "x;y" });
      await failure("configuration-invalid", m.find("r.example"));
    }
  });

  it("that hangs ends with the command", async (t) => {
    const m = await machine(t);
    await m.helper("hangs", "exec sleep 60");
    await m.write(".docker/config.json", { credsStore: "hangs" });
    const signal = AbortSignal.timeout(100);
    await failure("interrupted", m.find("r.example", "a", { signal }));
  });
});
