import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { type Pkcs11Uri, parsePkcs11Uri } from "./pkcs11-uri.ts";

/** What a `KEY` on the command line names. */
export type KeyReference =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "variable"; readonly name: string }
  | PluginReference
  | TokenReference;

/** `awskms://alias/release`: a key that the program `sigstore-kms-awskms` knows as `alias/release`. */
export interface PluginReference {
  readonly kind: "plugin";
  readonly plugin: string;
  readonly id: string;
  /** As the user wrote it. */
  readonly label: string;
}

/** `pkcs11:token=release;object=signing`: a key in a hardware token. */
export interface TokenReference {
  readonly kind: "pkcs11";
  readonly uri: Pkcs11Uri;
}

/** Sigstore's plug-ins (sigstore/sigstore, pkg/signature/kms/cliplugin): the name becomes a part of a program's name. */
const PLUGIN_NAME = /^[a-z0-9-]{1,64}$/;

/** Schemes that name content and no program: taking them for plug-ins would only confuse. */
const ADDRESSES: ReadonlySet<string> = new Set(["http", "https", "file", "ftp", "oci"]);

/**
 * Reads a `KEY`. Nothing is opened or run. What follows a scheme may be secret and is never repeated.
 *
 * @throws CountersignError `key-invalid` or `unsupported`.
 */
export function parseKeyReference(text: string): KeyReference {
  if (Buffer.byteLength(text) > LIMITS.keyReferenceBytes) {
    throw new CountersignError("key-invalid", "the name of the key is too long", {
      found: `${Buffer.byteLength(text)} bytes`,
      wanted: `at most ${LIMITS.keyReferenceBytes} bytes`,
    });
  }
  if (/^pkcs11:/i.test(text)) return { kind: "pkcs11", uri: parsePkcs11Uri(text) };
  const end = text.indexOf("://");
  if (end < 0) return { kind: "file", path: text };
  const [scheme, rest] = [text.slice(0, end), text.slice(end + "://".length)];
  return scheme === "env" ? { kind: "variable", name: rest } : pluginReference(scheme, rest);
}

function pluginReference(scheme: string, id: string): PluginReference {
  if (ADDRESSES.has(scheme.toLowerCase())) {
    throw new CountersignError("unsupported", "keys of this kind are not supported", {
      found: `a reference that starts with ${scheme.toLowerCase()}://`,
      wanted: "a file, env://NAME, pkcs11:… or a KMS: awskms://, gcpkms://, azurekms://, hashivault://",
      next: "save the public key to a file, and give that",
    });
  }
  if (!PLUGIN_NAME.test(scheme)) {
    throw new CountersignError("key-invalid", "this names no kind of key", {
      found: `${scheme.slice(0, 64)}://…`,
      wanted: "lower-case letters, digits and hyphens before ://, as in awskms://",
    });
  }
  if (id === "") {
    throw new CountersignError("key-invalid", "this names a key service and no key", {
      found: `${scheme}://`,
      wanted: `${scheme}:// and the key's name there`,
    });
  }
  return { kind: "plugin", plugin: scheme, id, label: `${scheme}://${id}` };
}
