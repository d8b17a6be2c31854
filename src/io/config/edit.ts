import { type Document, isMap, parseDocument } from "yaml";
import { decodeUtf8, encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import type { NamedFile } from "./instances.ts";
import { API_VERSION, KIND, parseConfiguration } from "./parse.ts";

/** An instance as `trusted-root init` writes it down. */
export interface NewInstance {
  readonly name: string;
  readonly mirror: string;
  /** A file beside the configuration, or `sha256:HEX`. */
  readonly root: string;
  readonly makeDefault: boolean;
  /** Takes the place of one of the same name. */
  readonly replace: boolean;
}

/**
 * A configuration with one more instance; comments and everything else stay as they are.
 *
 * @throws CountersignError `configuration-invalid` for one that could not be read before, `destination-exists` for a name
 * that is taken.
 */
export function withInstance(bytes: Uint8Array | undefined, instance: NewInstance, file: NamedFile): Uint8Array {
  if (bytes !== undefined) parseConfiguration(bytes, file);
  const { name, mirror, root, makeDefault, replace } = instance;
  const document = parseDocument(
    bytes === undefined ? `apiVersion: ${API_VERSION}\nkind: ${KIND}\n` : decodeUtf8(bytes),
  );
  if (document.hasIn(["trust", "instances", name]) && !replace) {
    throw new CountersignError("destination-exists", "the configuration has an instance of this name already", {
      found: `${name} in ${file.label}`,
      next: "choose another name, or replace it with --force",
    });
  }
  for (const path of [["trust"], ["trust", "instances"]]) makeMapping(document, path);
  document.setIn(["trust", "instances", name], document.createNode({ tuf: { mirror, root } }));
  if (makeDefault) document.setIn(["trust", "default"], name);
  const written = encodeUtf8(document.toString());
  parseConfiguration(written, file);
  return written;
}

/** `trust:` with nothing behind it is no mapping yet. */
function makeMapping(document: Document.Parsed, path: readonly string[]): void {
  if (!isMap(document.getIn(path, true))) document.setIn(path, document.createNode({}));
}
