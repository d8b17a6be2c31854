import { type Digest, digestOf } from "../oci/digest.ts";
import type { Identity, ImagePattern, Place, PolicyDocument } from "./document.ts";
import { formatPolicy } from "./format.ts";
import { NAME } from "./parse-scope.ts";

/** Nothing of it is written. */
const NOWHERE: Place = { label: "", line: 1, column: 1 };
const NO_DIGEST: Digest = digestOf(new Uint8Array());

/** Somebody who is to be named, and what is said of them. */
export type NewIdentity =
  | { readonly kind: "file" | "pem"; readonly text: string; readonly calledAfter: string }
  | { readonly kind: "identity"; readonly identity: Identity; readonly calledAfter: string };

export interface StarterWishes {
  readonly signers: readonly NewIdentity[];
  readonly images: readonly string[];
  /** The JSON Schema's file name, for editors. */
  readonly schema: string | undefined;
}

/** A first policy: one rule, by which any of these may have signed, and what else there is in comments. */
export function starterPolicy({ signers, images, schema }: StarterWishes): string {
  const identities = new Map<string, Identity>();
  for (const signer of signers) {
    const name = nameFrom(signer.calledAfter, identities);
    identities.set(name, identityOf(signer, name));
  }
  const patterns = images.map((text): ImagePattern => ({ text, place: NOWHERE }));
  const by = [...identities.keys()];
  const document: PolicyDocument = {
    label: "",
    digest: NO_DIGEST,
    identities,
    roles: new Map(),
    trust: new Map(),
    withdrawn: [],
    rules: [
      {
        name: `images are signed by ${by.join(" or ")}`,
        images: patterns,
        require: {
          kind: "signature",
          by,
          threshold: 1,
          annotations: {},
          nameBinding: false,
          place: NOWHERE,
        },
        mode: "enforce",
        platforms: "index",
        signedAs: [],
        exceptions: [],
        place: NOWHERE,
      },
    ],
  };
  const comments = [...(schema === undefined ? [] : [`yaml-language-server: $schema=${schema}`]), ...HEADING];
  return `${formatPolicy(document, { comments })}${MORE}`;
}

function identityOf(signer: NewIdentity, name: string): Identity {
  if (signer.kind === "identity") return { ...signer.identity, name };
  const source =
    signer.kind === "pem" ? { kind: signer.kind, pem: signer.text } : { kind: signer.kind, path: signer.text };
  return { kind: "keys", name, keys: [{ source, window: {}, place: NOWHERE }], proof: {}, place: NOWHERE };
}

/** `alice` for `keys/alice.pub` or `alice@example.com`; with a number behind it where that is taken. */
function nameFrom(text: string, taken: ReadonlyMap<string, unknown>): string {
  const plain = text
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, NAME_LENGTH);
  const name = NAME.test(plain) ? plain : "signer";
  if (!taken.has(name)) return name;
  let number = 2;
  while (taken.has(`${name}-${number}`)) number += 1;
  return `${name}-${number}`;
}

const NAME_LENGTH = 40;

const HEADING = [
  "Whom is trusted for what: countersign verify --policy FILE IMAGE",
  "What no rule matches is refused. countersign policy check FILE says what is wrong with it.",
];

const MORE = `
# Images: registry.example/acme/app (one repository), registry.example/acme/ (all below it),
# registry.example/*/app (* within a part, ** across), each but the second also with :tag or @digest.
# The most specific one decides.
#
# More that a rule can say:
#
#   - name: two people and a build that can be traced
#     images: registry.example/acme/payments
#     require:
#       all:
#         - signature: {by: maintainers, threshold: 2}       # a role below: roles: {maintainers: [alice, bob]}
#         - attestation:
#             type: slsaprovenance1
#             by: release                                    # identities: release: {github: {repository: acme/app}}
#             where: predicate.buildDefinition.buildType == "https://actions.github.io/buildtypes/workflow/v1"
#     mode: warn                                             # says what it would refuse, and lets it through
#
#   - images: registry.example/old/
#     require: {never: "this registry was closed"}
`;
