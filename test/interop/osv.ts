import { crc32, gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { digestOf, OCI_MANIFEST, type PushedImage, pushBlob, pushJson, pushManifest } from "./images.ts";
import type { Workplace } from "./workplace.ts";

/** What OSV-Scanner needs to find something without a network: Debian's files in an image, and a database about them. */

const OS_RELEASE = [
  'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"',
  'NAME="Debian GNU/Linux"',
  'VERSION_ID="12"',
  "VERSION_CODENAME=bookworm",
  "ID=debian",
  "",
].join("\n");

export interface DebianOptions {
  /** Of the package acme-libc. */
  readonly version: string;
  readonly architecture?: string;
}

/** Pushes an image of Debian with one package in it. `name` is `repository:tag`. */
export async function pushDebian(address: string, name: string, options: DebianOptions): Promise<PushedImage> {
  const [repository = "", tag = ""] = name.split(":");
  const { version, architecture = "amd64" } = options;
  const tar = await tarOf({ "etc/os-release": OS_RELEASE, "var/lib/dpkg/status": dpkgStatus(version, architecture) });
  const layer = await pushBlob(address, repository, "application/vnd.oci.image.layer.v1.tar+gzip", gzipSync(tar));
  const platform = { os: "linux", architecture };
  const config = await pushJson(address, repository, "application/vnd.oci.image.config.v1+json", {
    ...platform,
    rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
    history: [{ created_by: "countersign interop" }],
  });
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] };
  const pushed = await pushManifest(address, repository, tag, manifest);
  return { ...pushed, descriptor: { ...pushed.descriptor, platform }, layers: [layer] };
}

function dpkgStatus(version: string, architecture: string): string {
  const fields = {
    Package: "acme-libc",
    Status: "install ok installed",
    Maintainer: "Acme <dev@example.com>",
    Architecture: architecture,
    Version: version,
    Description: "a library",
  };
  return `${Object.entries(fields)
    .map(([field, value]) => `${field}: ${value}`)
    .join("\n")}\n`;
}

async function tarOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name, mtime: new Date(0) }, content);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** An advisory (OSV schema 1.6): every version of acme-libc before 1.0-2 in Debian 12. */
const ADVISORY = {
  schema_version: "1.6.0",
  id: "DEBIAN-CVE-2024-0001",
  modified: "2024-01-02T00:00:00Z",
  published: "2024-01-01T00:00:00Z",
  aliases: ["CVE-2024-0001"],
  summary: "a made-up one",
  affected: [
    {
      package: { ecosystem: "Debian:12", name: "acme-libc" },
      ranges: [{ type: "ECOSYSTEM", events: [{ introduced: "0" }, { fixed: "1.0-2" }] }],
    },
  ],
  severity: [{ type: "CVSS_V3", score: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }],
};

/**
 * Writes a database in the scanner's own form: a zip of advisories for each ecosystem. The variable and the folder have
 * changed their names in 2.5. @returns the environment that leads to it.
 */
export function writeOsvDatabase(work: Workplace): Readonly<Record<string, string>> {
  const zip = zipOf(`${ADVISORY.id}.json`, Buffer.from(JSON.stringify(ADVISORY)));
  for (const program of ["osv-scanner", "osv-scalibr"]) work.write(`osv/${program}/Debian/all.zip`, zip);
  const folder = work.path("osv");
  return { OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY: folder, OSV_SCALIBR_LOCAL_DB_CACHE_DIRECTORY: folder };
}

/** APPNOTE.TXT, 4.3: one file, stored as it is; its header, the central directory, and where that is. */
function zipOf(name: string, content: Buffer): Buffer {
  const common = Buffer.alloc(26);
  common.writeUInt16LE(20, 0);
  common.writeUInt32LE(crc32(content), 10);
  common.writeUInt32LE(content.length, 14);
  common.writeUInt32LE(content.length, 18);
  common.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from("PK\u0003\u0004"), common, Buffer.from(name), content]);
  const madeBy = Buffer.from([20, 0]);
  const central = Buffer.concat([Buffer.from("PK\u0001\u0002"), madeBy, common, Buffer.alloc(14), Buffer.from(name)]);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(1, 4);
  end.writeUInt16LE(1, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(local.length, 12);
  return Buffer.concat([local, central, Buffer.from("PK\u0005\u0006"), end]);
}
