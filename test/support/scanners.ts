import { mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { installScript } from "./programs.ts";

/** Scanners that print what a test wants, and behave as badly as it wants. What they print has the form of the real ones. */

export interface FakeScanner {
  /** Printed as it is; `undefined` prints nothing. */
  readonly result?: string | undefined;
  /** Said to people. */
  readonly lines?: readonly string[] | undefined;
  readonly status?: number | undefined;
  /** Lines of a shell that run before it prints anything. */
  readonly before?: readonly string[] | undefined;
  readonly version?: string | undefined;
}

export async function installTrivy(folder: string, fake: FakeScanner = {}): Promise<string> {
  const version = JSON.stringify({
    Version: fake.version ?? "0.70.0",
    VulnerabilityDB: { Version: 2, UpdatedAt: "2026-08-29T06:00:00Z" },
  });
  return await install(folder, "trivy", 'test "$1" = version', version, { result: TRIVY_CLEAN, ...fake });
}

export async function installGrype(folder: string, fake: FakeScanner = {}): Promise<string> {
  const version = JSON.stringify({ application: "grype", version: fake.version ?? "0.104.1" });
  return await install(folder, "grype", 'test "$1" = version', version, { result: GRYPE_CLEAN, ...fake });
}

export async function installOsv(folder: string, fake: FakeScanner = {}): Promise<string> {
  const version = `osv-scanner version: ${fake.version ?? "2.5.0"}\nosv-scalibr version: 0.4.5`;
  const usual = { result: OSV_CLEAN, lines: ["Loaded Debian local db from /db/Debian/all.zip"] };
  return await install(folder, "osv-scanner", 'test "$1" = --version', version, { ...usual, ...fake });
}

async function install(folder: string, name: string, asked: string, version: string, fake: FakeScanner) {
  const { result, lines = [], status = 0, before = [] } = fake;
  const [versionFile, resultFile] = [join(folder, `${name}.version`), join(folder, `${name}.result`)];
  await writeFile(versionFile, `${version}\n`);
  await writeFile(resultFile, result ?? "");
  return await installScript(
    folder,
    name,
    `if ${asked}; then cat '${versionFile}'; exit 0; fi`,
    ...before,
    ...lines.map((line) => `echo '${line}' >&2`),
    `cat '${resultFile}'`,
    `exit ${status}`,
  );
}

export const TRIVY_CLEAN = JSON.stringify({
  SchemaVersion: 2,
  ArtifactName: "image.tar",
  ArtifactType: "container_image",
  Metadata: { OS: { Family: "debian", Name: "12.1" } },
  Results: [{ Target: "image.tar (debian 12.1)", Class: "os-pkgs", Type: "debian" }],
});

export const TRIVY_VULNERABLE = JSON.stringify({
  SchemaVersion: 2,
  ArtifactName: "image.tar",
  ArtifactType: "container_image",
  Metadata: { OS: { Family: "debian", Name: "12.1" } },
  Results: [
    {
      Target: "image.tar (debian 12.1)",
      Class: "os-pkgs",
      Type: "debian",
      Vulnerabilities: [
        {
          VulnerabilityID: "CVE-2024-0001",
          PkgName: "acme-libc",
          InstalledVersion: "1.0-1",
          FixedVersion: "1.0-2",
          Status: "fixed",
          Severity: "CRITICAL",
        },
        { VulnerabilityID: "CVE-2024-0002", PkgName: "acme-libc", InstalledVersion: "1.0-1", Severity: "LOW" },
      ],
    },
  ],
});

export const GRYPE_CLEAN = JSON.stringify({
  matches: [],
  source: { type: "image", target: { userInput: "image" } },
  distro: { name: "debian", version: "12" },
  descriptor: {
    name: "grype",
    version: "0.104.1",
    db: { status: { schemaVersion: "v6.1.3", from: "https://db.example/v6.tar.zst", built: "2026-08-29T06:00:00Z" } },
  },
});

export const OSV_CLEAN = JSON.stringify({ results: [], image_metadata: { os: "Debian GNU/Linux 12 (bookworm)" } });

const INSTALLERS = { trivy: installTrivy, grype: installGrype, "osv-scanner": installOsv } as const;

const SECRETS = "env | grep -c -E 'TOKEN|PASSWORD|ONLY_FIXED' > $HOME/secrets";

/** How scanners of sessions behave. */
const BEHAVIOURS: Readonly<Record<string, FakeScanner>> = {
  clean: {},
  vulnerable: { result: TRIVY_VULNERABLE },
  failing: { status: 1, lines: ["FATAL database error: the database is 9 days old"] },
  empty: { result: "" },
  unasked: { lines: ["could not load db for Debian ecosystem: no offline version of the OSV database is available"] },
  hanging: { before: ["sleep 60"] },
  chatty: { before: ["exec yes"] },
  large: { result: largeResult() },
  curious: { before: ["pwd -P | grep -c /countersign- > $HOME/what", "ls >> $HOME/what", SECRETS] },
};

/** A scanner in a folder that comes first in PATH. @returns the new PATH. */
export async function installSessionScanner(folder: string, name: string, behaviour: string, path: string) {
  const [install, fake] = [INSTALLERS[name as keyof typeof INSTALLERS], BEHAVIOURS[behaviour]];
  if (fake === undefined) throw new Error(`no such behaviour: ${behaviour}`);
  await mkdir(folder, { recursive: true });
  await install(folder, fake);
  return path.split(delimiter).includes(folder) ? path : [folder, path].join(delimiter);
}

/** Trivy's, of more than what can be attested. */
function largeResult(): string {
  const Vulnerabilities = Array.from({ length: 8000 }, (_, at) => ({
    VulnerabilityID: `CVE-2024-${at}`,
    PkgName: "acme-libc",
    InstalledVersion: "1.0-1",
    Severity: "LOW",
    Description: "x".repeat(400),
  }));
  const Results = [{ Target: "image.tar (debian 12.1)", Class: "os-pkgs", Type: "debian", Vulnerabilities }];
  return JSON.stringify({ ...JSON.parse(TRIVY_CLEAN), Results });
}
