import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { grype } from "../../../../src/io/scanners/grype.ts";
import { osvScanner } from "../../../../src/io/scanners/osv.ts";
import { type Dialect, InstalledScanner, scannerEnvironment } from "../../../../src/io/scanners/scanner.ts";
import { trivy } from "../../../../src/io/scanners/trivy.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { installScript } from "../../../support/programs.ts";
import { installGrype, installOsv, installTrivy, TRIVY_CLEAN } from "../../../support/scanners.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "countersign-scanners-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function open(dialect: Dialect, env: Readonly<Record<string, string>> = {}): Promise<InstalledScanner> {
  const PATH = [folder, process.env["PATH"]].join(":");
  return await InstalledScanner.open(dialect, folder, { env: { PATH, ...env } });
}

async function scan(dialect: Dialect, extra: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
  return await (await open(dialect, env)).scan(folder, "image", extra);
}

describe("a scanner", () => {
  it("is named with its version, as Trivy names itself", async () => {
    await installTrivy(folder);
    await installGrype(folder);
    await installOsv(folder);
    const uris = [];
    for (const dialect of [trivy, grype, osvScanner]) uris.push((await open(dialect)).uri);
    assert.deepEqual(uris, [
      "pkg:github/aquasecurity/trivy@0.70.0",
      "pkg:github/anchore/grype@0.104.1",
      "pkg:github/google/osv-scanner@2.5.0",
    ]);
  });

  it("gives its result as it prints it, with the flags it ran with and what it says of its database", async () => {
    await installTrivy(folder);
    await installGrype(folder);
    const said = await scan(trivy, ["--offline-scan"]);
    assert.equal(Buffer.from(said.bytes).toString(), TRIVY_CLEAN);
    assert.deepEqual(said.database, { version: "2", lastUpdate: "2026-08-29T06:00:00Z" });
    assert.equal(
      said.parameters.join(" "),
      "image --scanners vuln --offline-scan --input image --format json --exit-code 0",
    );
    assert.deepEqual((await scan(grype)).database, {
      uri: "https://db.example/v6.tar.zst",
      version: "v6.1.3",
      lastUpdate: "2026-08-29T06:00:00Z",
    });
  });

  it("has no database told where another one was asked than it would speak of", async () => {
    await installTrivy(folder);
    for (const flag of ["--cache-dir=/elsewhere", "--server=http://127.0.0.1:4954", "--config=/etc/trivy.yaml", "-c"]) {
      assert.equal((await scan(trivy, [flag])).database, undefined, flag);
    }
    assert.equal((await scan(trivy, [], { TRIVY_SERVER: "http://127.0.0.1:4954" })).database, undefined);
  });
});

describe("OSV-Scanner", () => {
  it("downloads its databases unless the user says where it looks", async () => {
    await installOsv(folder);
    const downloads = (parameters: readonly string[]): boolean => parameters.includes("--download-offline-databases");
    assert.ok(downloads((await scan(osvScanner)).parameters));
    for (const flag of ["--offline", "--offline=true", "--offline-vulnerabilities"]) {
      assert.equal(downloads((await scan(osvScanner, [flag])).parameters), false, flag);
    }
  });

  it("has finished when it found vulnerabilities, and with no other exit code than 0 and 1", async () => {
    await installOsv(folder, { status: 1 });
    assert.ok(await scan(osvScanner));
    for (const status of [2, 127, 128, 130]) {
      await installOsv(folder, { status });
      await rejectedBy(() => scan(osvScanner), "scanner-error");
    }
  });

  it("is not believed where a database is missing, although it prints an empty list and exits with 0", async () => {
    const lines = [
      "Loaded npm local db from /db/npm/all.zip",
      "could not load db for Debian ecosystem: unable to fetch OSV database: no offline version of the OSV database is available",
    ];
    await installOsv(folder, { lines });
    const error = await rejectedBy(() => scan(osvScanner), "scanner-error");
    assert.match(error.found ?? "", /could not load db for Debian/);
  });

  it("is not believed where osv.dev did not answer, although it prints an empty list, exits with 0 and says nothing", async () => {
    await installOsv(folder, { lines: ['Scanning local image tarball "image"'] });
    const error = await rejectedBy(() => scan(osvScanner, ["--offline-vulnerabilities"]), "scanner-error");
    assert.match(error.found ?? "", /no database that it had loaded/);
  });
});

describe("a result that is none", () => {
  const results: readonly (readonly [which: string, result: string | undefined])[] = [
    ["nothing", undefined],
    ["blanks", " \n"],
    ["text", "Total: 0 (CRITICAL: 0)"],
    ["a list", "[]"],
    ["JSON that is cut off", '{"results":['],
    ["JSON with a member twice", '{"results":[],"results":[]}'],
    ["two documents", `${TRIVY_CLEAN}${TRIVY_CLEAN}`],
    ["an empty object", "{}"],
    ["a table in a list", '{"results":{},"matches":{},"ArtifactType":"container_image","Results":{}}'],
  ];
  for (const [which, result] of results) {
    it(`is ${which}`, async () => {
      await installTrivy(folder, { result });
      await installGrype(folder, { result });
      await installOsv(folder, { result });
      for (const dialect of [trivy, grype, osvScanner]) await rejectedBy(() => scan(dialect), "scanner-error");
    });
  }

  it("is Trivy's that recognised nothing in the image", async () => {
    for (const Results of [undefined, null, []]) {
      await installTrivy(folder, { result: JSON.stringify({ ArtifactType: "container_image", Results }) });
      await rejectedBy(() => scan(trivy), "scanner-error");
    }
  });

  it("is a scan of a folder", async () => {
    await installTrivy(folder, { result: JSON.stringify({ ArtifactType: "filesystem", Results: [{}] }) });
    await rejectedBy(() => scan(trivy), "scanner-error");
    await installGrype(folder, { result: JSON.stringify({ matches: [], source: { type: "directory" } }) });
    await rejectedBy(() => scan(grype), "scanner-error");
  });

  it("is a scanner's that failed, whose last words are told", async () => {
    await installGrype(folder, { status: 1, lines: ["working", "failed to load vulnerability db: too old"] });
    const error = await rejectedBy(() => scan(grype), "scanner-error");
    assert.match(error.found ?? "", /too old/);
    await installTrivy(folder, { status: 2 });
    assert.match((await rejectedBy(() => scan(trivy), "scanner-error")).found ?? "", /exit status 2/);
  });
});

describe("a scanner that is not used", () => {
  it("is one that is not installed", async () => {
    const open = () => InstalledScanner.open(trivy, folder, { env: { PATH: folder } });
    const error = await rejectedBy(open, "scanner-error");
    assert.match(error.message, /trivy is not installed/);
  });

  it("is one in the current folder, that a checkout could have brought", async () => {
    await installTrivy(folder);
    for (const PATH of ["", ".", ":", "bin"]) {
      await rejectedBy(() => InstalledScanner.open(trivy, folder, { env: { PATH } }), "scanner-error");
    }
  });

  const versions: readonly (readonly [which: string, lines: readonly string[]])[] = [
    ["says nothing", ["true"]],
    ["says something else", ["echo hello"]],
    ["fails", ["exit 1"]],
    ["says a version that is none", [`echo '{"Version":"1 0\\n","version":""}'`]],
    ["says a version of any length", [`echo '{"Version":"${"1".repeat(100)}","version":"${"1".repeat(100)}"}'`]],
  ];
  for (const [which, lines] of versions) {
    it(`is one that ${which} when asked for its version`, async () => {
      for (const dialect of [trivy, grype, osvScanner]) {
        await installScript(folder, dialect.name, ...lines);
        await rejectedBy(() => open(dialect), "scanner-error");
      }
    });
  }
});

describe("a scanner's environment", () => {
  it("has where its database is and how the network is reached, and no secret of ours or of others", () => {
    const env = {
      PATH: "/bin",
      HOME: "/nowhere",
      https_proxy: "http://proxy.example",
      NO_PROXY: "localhost",
      XDG_CACHE_HOME: "/cache",
      TRIVY_CACHE_DIR: "/trivy",
      TRIVY_DB_REPOSITORY: "mirror.example/trivy-db",
      GRYPE_DB_CACHE_DIR: "/grype",
      COSIGN_PASSWORD: "secret",
      COUNTERSIGN_KEY: "cosign.key",
      COUNTERSIGN_REGISTRY_PASSWORD: "secret",
      SIGSTORE_ID_TOKEN: "secret",
      GITHUB_TOKEN: "secret",
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: "secret",
      AWS_SECRET_ACCESS_KEY: "secret",
      VAULT_TOKEN: "secret",
      LD_PRELOAD: "/etc/evil.so",
    };
    const kept = Object.keys(scannerEnvironment(env, trivy.variables));
    assert.deepEqual(kept, [
      "PATH",
      "HOME",
      "https_proxy",
      "NO_PROXY",
      "XDG_CACHE_HOME",
      "TRIVY_CACHE_DIR",
      "TRIVY_DB_REPOSITORY",
      "NO_COLOR",
    ]);
  });

  it("has nothing that narrows what is found or changes what is printed", () => {
    const env = {
      TRIVY_SEVERITY: "CRITICAL",
      TRIVY_IGNORE_UNFIXED: "true",
      TRIVY_IGNOREFILE: "/etc/ignore",
      TRIVY_OUTPUT: "/etc/out",
      TRIVY_FORMAT: "table",
      TRIVY_CONFIG: "/etc/trivy.yaml",
      GRYPE_ONLY_FIXED: "true",
      GRYPE_CONFIG: "/etc/grype.yaml",
      GRYPE_FAIL_ON_SEVERITY: "low",
      GRYPE_OUTPUT: "table",
    };
    for (const { variables } of [trivy, grype, osvScanner]) {
      assert.deepEqual(scannerEnvironment(env, variables), { NO_COLOR: "1" });
    }
  });
});
