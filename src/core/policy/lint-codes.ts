/** How bad it is: an error accepts what nobody meant or can never be met; a warning may; a note is for tidiness. */
export type LintSeverity = "error" | "warning" | "note";

interface Lint {
  readonly severity: LintSeverity;
  readonly meaning: string;
  readonly next: string;
}

/** What may be wrong with a policy that can be used. A closed list: scripts rely on the codes. */
export const LINTS = {
  "key-published": {
    severity: "error",
    meaning: "The private half of a key is published as an example: anybody can sign with it.",
    next: "put your own key in its place: countersign key generate",
  },
  "threshold-unmeetable": {
    severity: "error",
    meaning: "A threshold asks for more people than have different keys.",
    next: "give everybody a key of their own",
  },
  "time-unproven": {
    severity: "error",
    meaning: "A time is asked for, and nothing beside the signatures of a key without a trust root can prove one.",
    next: "give the identity trust: NAME, or leave out the maxAge or the window",
  },
  "trust-unknown": {
    severity: "error",
    meaning: "A trust root is neither below trust nor an instance of the configuration of this machine.",
    next: "name one below trust, or set the instance up: countersign trusted-root init",
  },
  "pattern-open": {
    severity: "error",
    meaning: "A pattern says who may sign, and everybody does.",
    next: "name the subject, or as much of it as is always the same",
  },
  "pattern-unanchored": {
    severity: "warning",
    meaning:
      "A pattern is met by others too: what follows a name without a slash, or precedes it, may belong to somebody else.",
    next: "write the whole name of the owner and the slash behind it before anything that varies",
  },
  "pattern-dot": {
    severity: "warning",
    meaning: "A dot in a pattern stands for any character.",
    next: "write \\. for a dot",
  },
  "issuer-pattern": {
    severity: "warning",
    meaning: "The issuer is a pattern: whoever runs any issuer that it matches says who somebody is.",
    next: "name each issuer, in an identity of its own",
  },
  "host-open": {
    severity: "warning",
    meaning: "An image pattern leaves open the end of the registry's name, or the registry: others may own those.",
    next: "write the registry out",
  },
  "tag-escaped": {
    severity: "warning",
    meaning: "A rule is for a tag; the same image by its digest falls under another rule.",
    next: "make the rule one for the repository, or let the other ask for as much",
  },
  "warn-mode": {
    severity: "warning",
    meaning: "A rule only warns: the door opens for what it refuses.",
    next: "set mode: enforce when the warnings are dealt with",
  },
  "exception-expired": {
    severity: "warning",
    meaning: "An exception has expired and lets nothing through any more.",
    next: "remove it",
  },
  "exception-long": {
    severity: "warning",
    meaning: "An exception lasts longer than a year.",
    next: "let it end sooner, and look at it again then",
  },
  "exception-elsewhere": {
    severity: "warning",
    meaning: "An exception is for images that the rule is not about.",
    next: "move it to the rule that they fall under",
  },
  "list-ageless": {
    severity: "warning",
    meaning:
      "A list of withdrawn digests may be of any age: whoever can replace it can put back an old one that names fewer.",
    next: "give it maxAge, and have it issued again more often than that: countersign policy withdraw --refresh",
  },
  "no-rules": {
    severity: "warning",
    meaning: "There is no rule: every image is refused.",
    next: "add a rule",
  },
  "pattern-shadowed": {
    severity: "note",
    meaning: "An image pattern adds nothing: another pattern of the same rule matches as much.",
    next: "leave it out",
  },
  "patterns-uncompared": {
    severity: "note",
    meaning: "There are more image patterns than are compared with each other: nothing is said of how they relate.",
    next: "look at parts of the policy by themselves",
  },
  "deny-overruled": {
    severity: "note",
    meaning: "A rule closes a place, and a more specific one opens a part of it.",
    next: "remove the rule that opens it, unless it is meant as an exception",
  },
  "same-person": {
    severity: "note",
    meaning: "Somebody is named in several places where different people are counted, and counts once.",
    next: "see that there are enough others",
  },
  unused: {
    severity: "note",
    meaning: "Nothing names it.",
    next: "remove it, or name it where it was meant",
  },
} as const satisfies Record<string, Lint>;

export type LintCode = keyof typeof LINTS;
