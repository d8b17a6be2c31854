import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { releasedTags } from "../../../../src/core/dct/released.ts";
import { verifyDct } from "../../../../src/core/dct/verify.ts";
import type { JsonObject } from "../../../../src/core/json.ts";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { instant } from "../../../../src/core/time.ts";
import { readDockerCache } from "../../../../src/io/notary/cache.ts";
import { gatherFromCache, gatherFromServer } from "../../../../src/io/notary/gather.ts";
import { NotaryServer } from "../../../../src/io/notary/server.ts";
import { rejectedBy } from "../../../support/codes.ts";
import {
  type NotaryBehaviour,
  type NotaryFiles,
  notaryServer,
  REAL_CACHE,
  realServerFiles,
  serverFiles,
} from "../../../support/dct/notary-server.ts";
import {
  type DctMade,
  dctFile,
  dctRepository,
  GUN,
  listedIn,
  rootDctKey,
  rootParts,
} from "../../../support/dct/publisher.ts";
import { reply } from "../../../support/http-server.ts";
import { DAY, NOW } from "../../../support/sigstore/times.ts";

/** When the real data was made, within the life of its timestamps. */
const THEN = instant(Date.UTC(2026, 10, 24));
const REAL_ROOT = readFileSync(join(REAL_CACHE, "tuf", GUN, "metadata", "root.json"));

async function opened(t: TestContext, files: NotaryFiles, behaviour: NotaryBehaviour = {}): Promise<NotaryServer> {
  const http = await notaryServer(GUN, files, behaviour);
  t.after(() => http.close());
  const server = new NotaryServer({
    server: new URL(`http://${http.host}`),
    gun: GUN,
    registry: "registry.example",
    credentials: { find: () => Promise.resolve(undefined), searched: [] },
    env: {},
    homeDirectory: "/nonexistent",
    userAgent: "test",
    tries: 1,
  });
  t.after(() => server.close());
  return server;
}

function rootAfter(made: DctMade, version: number): Uint8Array {
  const root = rootDctKey();
  const parts = rootParts({ root, targets: made.targetsKey, ...made.online });
  return dctFile({ _type: "Root", expires: new Date(NOW + DAY).toISOString(), version, ...parts }, made.root, root);
}

describe("what a real Notary and its client have", () => {
  it("is verified from the client's root on, over two rotations", async (t) => {
    const untrusted = await gatherFromServer(await opened(t, realServerFiles()), GUN, REAL_ROOT);
    const repository = verifyDct(untrusted, THEN);
    assert.deepEqual(
      repository.roots.map(({ version }) => version),
      [2, 3, 4],
    );
    assert.deepEqual(repository.lapses, []);
    assert.deepEqual(
      releasedTags(repository).map(({ tag, role, signers }) => [tag, role, ...signers]),
      [
        ["1.0", "targets"],
        ["2.0", "targets/releases", "alice"],
        ["latest", "targets/releases"],
      ],
    );
  });

  it("is verified from the client's folder alone, and says when that got old", async () => {
    const cache = await readDockerCache(REAL_CACHE, GUN);
    assert.ok(cache);
    const repository = verifyDct(gatherFromCache(cache, GUN), instant(Date.UTC(2027, 0, 1)));
    assert.deepEqual(
      releasedTags(repository).map(({ tag }) => tag),
      ["1.0", "2.0"],
    );
    assert.deepEqual(
      repository.lapses.map(({ what }) => what),
      ["timestamp"],
    );
  });
});

describe("a Notary server", () => {
  it("is asked for files by their hashes, so that a publish in between is no torn read", async (t) => {
    const made = dctRepository({ tags: { "1.0": "ab".repeat(32) } });
    const plain = new Map([...serverFiles(made)].filter(([name]) => name !== "targets" && name !== "root"));
    const untrusted = await gatherFromServer(await opened(t, plain), GUN, undefined);
    assert.deepEqual([...untrusted.targets.keys()], ["targets"]);
  });

  it("may have no files by hash", async (t) => {
    const plain = new Map([...realServerFiles()].filter(([name]) => !/\.[0-9a-f]{64}$/.test(name)));
    assert.ok(verifyDct(await gatherFromServer(await opened(t, plain), GUN, REAL_ROOT), THEN));
  });

  const made = dctRepository();
  const known = made.roots[0] ?? new Uint8Array();
  const older = rootAfter(made, 1);
  const third = rootAfter(made, 3);
  const lists = (root: Uint8Array) => serverFiles(withRoot(made, root), [known, root]);
  const cases: readonly (readonly [string, () => NotaryFiles, Uint8Array | undefined, ReasonCode, RegExp])[] = [
    ["nothing of the repository", () => new Map(), known, "signed-tags-missing", /no trust data/],
    ["no snapshot", () => without(serverFiles(made), "snapshot"), known, "role-vanished", /snapshot/],
    ["a root that is older than the known one", () => lists(older), rootAfter(made, 2), "rollback", /version 1/],
    ["two roots of one version", () => lists(older), known, "forked", /version 1/],
    ["a root too few", () => without(lists(third), "2.root"), known, "root-version-gap", /2\.root\.json/],
    ["a root too many to walk", () => lists(rootAfter(made, 1000)), known, "limit-reached", /999/],
    [
      "a timestamp that is none",
      () => new Map([["timestamp", Buffer.from("<html>")]]),
      known,
      "metadata-malformed",
      /JSON/,
    ],
  ];
  for (const [what, files, root, code, about] of cases) {
    it(`is refused where it has ${what}`, async (t) => {
      const server = await opened(t, files());
      const error = await rejectedBy(() => gatherFromServer(server, GUN, root), code);
      assert.match([error.message, error.found, error.wanted].join("\n"), about);
    });
  }

  const failures: readonly (readonly [string, number, ReasonCode])[] = [
    ["cannot be read by this account", 403, "denied"],
    ["fails", 500, "server-error"],
    ["asks to be left alone", 429, "throttled"],
    ["answers with something else", 204, "protocol-error"],
    ["leads elsewhere", 302, "redirect-refused"],
  ];
  for (const [what, status, code] of failures) {
    it(`that ${what} does not count as one without trust data`, async (t) => {
      const instead: NotaryBehaviour["instead"] = (_name, response) => {
        reply(response, status, {}, { location: "http://127.0.0.1:1/" });
        return true;
      };
      const server = await opened(t, serverFiles(made), { instead });
      await rejectedBy(() => gatherFromServer(server, GUN, known), code);
    });
  }

  it("is refused where a file has no end", async (t) => {
    const instead: NotaryBehaviour["instead"] = (_name, response) => {
      response.writeHead(200).end(Buffer.alloc(9 * 1024 * 1024, 0x20));
      return true;
    };
    const server = await opened(t, serverFiles(made), { instead });
    await rejectedBy(() => gatherFromServer(server, GUN, known), "limit-reached");
  });

  function without(files: NotaryFiles, name: string): NotaryFiles {
    return new Map([...files].filter(([each]) => each !== name && !each.startsWith(`${name}.`)));
  }

  /** The same repository with another newest root. */
  function withRoot(before: DctMade, root: Uint8Array): DctMade {
    const keys = { root: before.root, targetsKey: before.targetsKey };
    const edit = (signed: JsonObject): JsonObject => {
      return { ...signed, meta: { ...(signed["meta"] as JsonObject), ...listedIn({ root }) } };
    };
    return { ...dctRepository({ ...keys, edit: { snapshot: edit } }), roots: before.roots };
  }
});

describe("Docker's own cache", () => {
  it("is none where it never had the repository", async () => {
    assert.equal(await readDockerCache(REAL_CACHE, "registry.example/acme/other"), undefined);
    assert.equal(await readDockerCache("/nonexistent", GUN), undefined);
  });

  for (const role of ["root", "targets"]) {
    it(`is refused without ${role}`, async () => {
      const cache = await readDockerCache(REAL_CACHE, GUN);
      assert.ok(cache);
      const files = new Map([...cache.files].filter(([each]) => each !== role));
      await rejectedBy(async () => gatherFromCache({ ...cache, files }, GUN), "role-vanished");
    });
  }

  for (const role of ["timestamp", "snapshot"]) {
    it(`has files that count each for itself where it lacks ${role}, as Docker leaves it after a push`, async () => {
      const cache = await readDockerCache(REAL_CACHE, GUN);
      assert.ok(cache);
      const files = new Map([...cache.files].filter(([each]) => each !== role));
      const repository = verifyDct(gatherFromCache({ ...cache, files }, GUN), THEN);
      assert.equal(repository.listings, undefined);
      assert.deepEqual(
        releasedTags(repository).map(({ tag }) => tag),
        ["1.0", "2.0"],
      );
    });
  }
});
