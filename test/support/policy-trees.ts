import fc from "fast-check";
import type { JsonValue } from "../../src/core/json.ts";
import { CLAIMS } from "../../src/core/trust/identity.ts";

/** Policies that can be used, as the JSON that they could be written in: JSON is YAML. */
export function policyTrees(): fc.Arbitrary<JsonValue> {
  return fc
    .uniqueArray(name, { minLength: 3, maxLength: 5 })
    .chain(([first = "a", second = "b", third = "c", ...more]) =>
      fc.record(
        {
          apiVersion: fc.constant("countersign/v1"),
          kind: fc.constant("Policy"),
          identities: fc
            .tuple(...[first, second, ...more].map((one) => identity.map((who) => [one, who] as const)))
            .map(Object.fromEntries),
          roles: fc.constant({ [third]: [first, second] }),
          trust: fc.record({ lab: trust }, { requiredKeys: [] }),
          withdrawn: fc.array(withdrawn([first, second, third]), { maxLength: 2 }),
          rules: rules([first, second, third]),
        },
        { requiredKeys: ["apiVersion", "identities", "roles", "rules"] },
      ),
    ) as fc.Arbitrary<JsonValue>;
}

/** Names that other readers of YAML would take for something else are names too, in quotes. */
const name = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,12}$/),
  fc.constantFrom(
    "yes",
    "No",
    "null",
    "true",
    "1e3",
    "0x1f",
    "12",
    "1.5",
    "2026-01-01",
    "constructor",
    "toString",
    "1_000",
  ),
);

/** Anything that a text can be, and what YAML gives a meaning to. */
const text = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 20, unit: "binary" }),
    fc.string({ minLength: 1, maxLength: 20 }),
    fc.constantFrom(
      "a: b",
      "- a",
      "# no",
      "a #b",
      "'",
      '"',
      "it's",
      "null",
      "1",
      "true",
      " a",
      "a ",
      "a\nb",
      "a\n\nb\n",
      "\n",
      "@a",
      "[a",
      "a\\b",
      "\u0085",
      "\u2028",
      "\u{1f600}",
      "-----BEGIN PUBLIC KEY",
    ),
  )
  .filter((one) => one.isWellFormed());
const line = text.filter((one) => !/[\u0000-\u001f\u007f]|-----BEGIN |^[a-z][a-z0-9+.-]*:\/\/|^pkcs11:/i.test(one));

const time = fc
  .date({ min: new Date("2020-01-01"), max: new Date("2040-01-01"), noInvalidDate: true })
  .chain((at) => fc.constantFrom(at.toISOString(), at.toISOString().slice(0, 10)));
const duration = fc
  .tuple(fc.integer({ min: 1, max: 999_999 }), fc.constantFrom(..."smhdw"))
  .map((parts) => parts.join(""));
const digest = fc.stringMatching(/^sha256:[0-9a-f]{64}$/);
const demands = { logs: fc.nat(16), certificateLogs: fc.nat(16), timestamps: fc.nat(16) };
const optional = { requiredKeys: [] };

function orList(one: fc.Arbitrary<string>): fc.Arbitrary<JsonValue> {
  return fc.oneof(one, fc.uniqueArray(one, { minLength: 1, maxLength: 3 }));
}

// --- who --------------------------------------------------------------------------------------------------------------

const PEM =
  "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
const key = fc.oneof(line, fc.constant(PEM), fc.constant(PEM.trimEnd()));
const window = fc.oneof(
  fc.constant({}),
  time.map((trustedFrom) => ({ trustedFrom })),
  time.map((distrustedSince) => ({ distrustedSince })),
  fc.constant({ trustedFrom: "2019-01-01", distrustedSince: "2041-01-01T00:00:00.25+02:00" }),
);
const common = fc.record(
  { trust: fc.constantFrom("lab", "sigstore"), proof: fc.record(demands, optional) },
  { requiredKeys: ["trust"] },
);
const claims = fc.dictionary(
  fc.constantFrom(...Object.keys(CLAIMS)),
  fc.oneof(
    text,
    text.map((pattern) => ({ pattern })),
  ),
  { maxKeys: 2 },
);

const identity: fc.Arbitrary<object> = fc
  .tuple(
    fc.oneof(
      fc.tuple(key, window).map(([one, when]) => ({ key: one, ...when })),
      fc
        .array(
          fc.tuple(key, window).map(([one, when]) => ({ key: one, ...when })),
          { minLength: 1, maxLength: 3 },
        )
        .map((keys) => ({ keys })),
      fc.tuple(keyless(), window).map(([one, when]) => ({ keyless: one, ...when })),
      fc.tuple(github(), window).map(([one, when]) => ({ github: one, ...when })),
    ),
    common,
  )
  .map(([who, more]) => ({ ...who, ...more }));

function keyless(): fc.Arbitrary<object> {
  const either = (exact: string, pattern: string) =>
    fc.tuple(fc.constantFrom(exact, pattern), text).map(([field, value]) => ({ [field]: value }));
  return fc
    .tuple(either("subject", "subjectPattern"), either("issuer", "issuerPattern"), fc.record({ claims }, optional))
    .map((parts) => Object.assign({}, ...parts));
}

function github(): fc.Arbitrary<object> {
  const source = fc.constantFrom({ owner: "acme" }, { repository: "acme/app" }, { repository: "12/1.5" });
  const more = fc.record(
    { workflow: fc.constant("release.yml"), ref: fc.constantFrom("refs/heads/main", "refs/tags/*", "refs/**"), claims },
    optional,
  );
  return fc.tuple(source, more).map((parts) => Object.assign({}, ...parts));
}

const trust = fc
  .tuple(
    fc.oneof(
      line.map((trustedRoot) => ({ trustedRoot })),
      fc.constant({ instance: "private" }),
    ),
    fc.record(demands, optional),
  )
  .map((parts) => Object.assign({}, ...parts));

function withdrawn(names: readonly string[]): fc.Arbitrary<object> {
  const source = fc.oneof(
    line.map((file) => ({ file })),
    fc.constant({ artifact: "oci://registry.example/policies/withdrawn:latest" }),
  );
  const more = fc.record({ by: orList(fc.constantFrom(...names)), maxAge: duration }, { requiredKeys: ["by"] });
  return fc.tuple(source, more).map((parts) => Object.assign({}, ...parts));
}

// --- what -------------------------------------------------------------------------------------------------------------

function rules(names: readonly string[]): fc.Arbitrary<readonly object[]> {
  return fc.array(rule(names), { maxLength: 4 }).map((all) =>
    // Each for a place of its own: nothing decides between patterns that are alike.
    all.map((one, at) => ({
      ...one,
      images: [`r${at}.example/acme/`, `r${at}.example/*/app:1`].slice(0, 1 + (at % 2)),
    })),
  );
}

function rule(names: readonly string[]): fc.Arbitrary<object> {
  return fc.oneof(
    fc.tuple(evidenceRule(names), tagTerms).map(([one, terms]) => ({ ...one, ...terms })),
    boundRule,
  );
}

/** With a requirement beside. */
const tagTerms = fc.oneof(
  fc.constant({}),
  fc.record({ signedTag: fc.constant("optional"), digestPulls: fc.constantFrom("listed", "signed", "any") }),
  fc.record(
    {
      signedTag: fc.constant("required"),
      maxBindingAge: fc.constantFrom("90d", "36h", "1w"),
      digestPulls: fc.constantFrom("listed", "signed", "any"),
    },
    { requiredKeys: ["signedTag"] },
  ),
);

/** The signed tag alone. */
const boundRule = fc.record(
  { signedTag: fc.constant("required"), maxBindingAge: fc.constant("2d"), digestPulls: fc.constant("listed") },
  { requiredKeys: ["signedTag"] },
);

function evidenceRule(names: readonly string[]): fc.Arbitrary<object> {
  return fc.record(
    {
      name: text,
      require: requirement(names),
      mode: fc.constantFrom("enforce", "warn"),
      platforms: fc.constantFrom("index", "each"),
      signedAs: fc.array(
        fc.constantFrom("docker.io/acme/app", { prefix: "mirror.example/", signedPrefix: "docker.io/" }),
        { minLength: 1, maxLength: 2 },
      ),
      exceptions: fc.array(exception, { maxLength: 2 }),
    },
    { requiredKeys: ["require"] },
  );
}

const account = { owner: text, reason: text, expires: time };
const exception = fc.oneof(
  fc.record({ digest, ...account }),
  fc.record({ digests: fc.array(digest, { minLength: 1, maxLength: 2 }), ...account }),
  fc.record({ images: fc.constantFrom("r.example/a", "r.example/*/b"), ...account }),
);

function requirement(names: readonly string[]): fc.Arbitrary<object> {
  const [first = ""] = names;
  const by = orList(fc.constantFrom(...names));
  const who = { by, maxAge: duration };
  const evidence = fc.oneof(
    fc.record({
      signature: fc.record(
        {
          ...who,
          threshold: fc.constant(1),
          annotations: fc.dictionary(
            text.filter((one) => one !== "__proto__"),
            text.map(String),
            { maxKeys: 2 },
          ),
          nameBinding: fc.boolean(),
        },
        { requiredKeys: ["by"] },
      ),
    }),
    fc.record({
      attestation: fc.record(
        { ...who, type: orList(fc.constantFrom("vsa", "spdxjson", "https://example.com/t")), where: orList(text) },
        { requiredKeys: ["by", "type"] },
      ),
    }),
    fc.record({
      vulnerabilities: fc.record(
        {
          scannedBy: by,
          maxAge: duration,
          severityAtMost: fc.constantFrom("none", "high"),
          fixableOnly: fc.boolean(),
          vex: fc.record(who, { requiredKeys: ["by"] }),
          except: fc.array(fc.record({ id: fc.constantFrom("CVE-1", "1"), ...account }), { maxLength: 2 }),
        },
        { requiredKeys: ["scannedBy", "maxAge", "severityAtMost"] },
      ),
    }),
  );
  const leaf = fc.oneof(
    evidence,
    text.map((never) => ({ never })),
    fc.constant({ threshold: { count: 1, of: [{ signature: { by: first } }] } }),
  );
  const list = fc.array(leaf, { minLength: 1, maxLength: 3 });
  return fc.oneof(
    leaf,
    list.map((of) => ({ all: of })),
    list.map((of) => ({ any: of })),
    list.map((of) => ({ all: [{ any: of }] })),
  );
}
