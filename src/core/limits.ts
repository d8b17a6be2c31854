/**
 * Every limit, in one table. Sizes are bytes, times are milliseconds. A test feeds each of them one more than it allows.
 * Reaching a limit is `limit-reached` (undetermined), never a silent cut.
 */
const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND = 1000;

export const LIMITS = {
  /** A manifest or index. Registries must take 4 MiB (distribution-spec, "Pushing Manifests"). */
  manifestBytes: 4 * MIB,
  /** An image configuration. */
  configBytes: 4 * MIB,
  /** A Sigstore bundle or a legacy payload. */
  signatureBytes: 4 * MIB,
  /** A statement that is made: in base64, with what proves its signer beside it, it has to be a signature that is read. */
  statementBytes: 2944 * KIB,
  /** JSON nesting: objects and arrays inside each other. */
  jsonDepth: 64,
  /** Characters of what a peer sent that are repeated in an error. */
  messageCharacters: 1024,
  /** Layers of an image manifest, entries of an index. */
  layers: 4096,
  indexEntries: 4096,
  /** Indexes inside indexes. */
  indexDepth: 4,
  /** All the manifests below one image, and their bytes together: they are held in memory while it is moved. */
  treeManifests: 8192,
  treeBytes: 32 * MIB,
  /** What is attached to what is attached: a signature of an SBOM is one level deeper than the SBOM. */
  attachedDepth: 4,
  /** Annotations on one object. */
  annotations: 1024,
  /** Referrers listings: pages, entries and bytes over all pages; and how many candidates are fetched for one subject. */
  referrerPages: 64,
  referrerEntries: 10_000,
  referrerBytes: 16 * MIB,
  candidates: 1_000,
  /** All the bytes of candidate signatures read for one subject: of their manifests and of their blobs. */
  candidateBytes: 64 * MIB,
  /** The same for all the platforms of one index together. */
  indexCandidates: 10_000,
  indexCandidateBytes: 256 * MIB,
  /** A file that is signed, or held to verify it; larger ones are verified by their digests. */
  fileBytes: 128 * MIB,
  /** Subjects and digests of an in-toto statement. */
  statementSubjects: 1024,
  subjectDigests: 32,
  /** Log entries and timestamps in a bundle. */
  bundleLogEntries: 32,
  bundleTimestamps: 32,
  /** Hashes of an inclusion proof: a tree of 2^63 leaves has 63. */
  proofHashes: 64,
  /** Signatures of a checkpoint: its log's, and those of witnesses. */
  checkpointLines: 100,
  /** Certificates in a bundle's chain. */
  bundleCertificates: 16,
  /** Values inside one value of a certificate or a timestamp. */
  derParts: 1024,
  /** A trust root; its logs and authorities, and the certificates of one of them. */
  trustedRootBytes: 4 * MIB,
  trustedRootEntries: 256,
  trustedRootCertificates: 16,
  /** Signatures of certificates that are checked to find the way from one of them to a trust root. */
  chainSignatures: 64,
  /** A signing certificate, and a name or claim in it. */
  certificateBytes: 64 * KIB,
  certificateTextBytes: 4 * KIB,
  /** A pattern that an identity has to match. */
  patternCharacters: 4 * KIB,
  /** Its compiled form, in instructions: matching takes time in proportion. */
  patternInstructions: 10_000,
  /** A condition on a statement: its text, how deep it nests, and the work of evaluating it, in steps (`Meter`). */
  conditionCharacters: 4 * KIB,
  conditionDepth: 128,
  conditionWork: 3_000_000,
  /** A text that a pattern in a condition is held against, and the different patterns that one evaluation compiles. */
  matchedCharacters: 64 * KIB,
  matchedPatterns: 64,
  /** A time or a span of time as a text. */
  timeCharacters: 64,
  /** A signing configuration (with a trust root in it, perhaps), and the services of one kind in it. */
  signingConfigBytes: 4 * MIB,
  services: 64,
  /** Answers of a certificate authority, a log and a timestamp authority. */
  authorityAnswerBytes: 1 * MIB,
  logAnswerBytes: 1 * MIB,
  timestampAnswerBytes: 64 * KIB,
  /** A log answers when an entry is in its tree and a checkpoint over it is signed: at least this long is waited. */
  integrationMs: 20 * SECOND,
  /** Life that a certificate must have left to sign one more image with it. */
  certificateLeftMs: 60 * SECOND,
  /** Attestations that GitHub keeps about one digest: pages, and bytes of one. */
  githubPages: 34,
  githubPageBytes: 32 * MIB,
  /** Tags of a repository, over all pages. */
  tags: 100_000,
  tagPages: 1_000,
  /** HTTP. */
  redirects: 10,
  errorBodyBytes: 64 * KIB,
  tokenBytes: 128 * KIB,
  headerBytes: 64 * KIB,
  tries: 6,
  retryBaseMs: 500,
  retryCapMs: 30 * SECOND,
  retryAfterMs: 120 * SECOND,
  /** The latest that a host may ask us to come back: a quota by the month has been renewed by then. */
  retryAfterSaneMs: 31 * 24 * 60 * 60 * SECOND,
  /** Refusals that do not count as tries, because a host that is shared by many lets others through; and waiting for them. */
  sparedTries: 60,
  sparedMs: 600 * SECOND,
  connectMs: 10 * SECOND,
  /** No byte for this long is the end; fewer than `idleBytes` in that time is no progress either. */
  idleMs: 60 * SECOND,
  idleBytes: 16 * KIB,
  /** A manifest, a listing, a token: all of it within this time, however steadily it trickles. */
  smallReadMs: 300 * SECOND,
  /** Connections to one host at most (how many are used is up to the number of workers), and how long an unused one is kept. */
  connections: 32,
  keepAliveMs: 30 * SECOND,
  /** An interrupted blob is continued without counting a try when at least this much had arrived. */
  resumeBytes: 1 * MIB,
  /** A blob up to this size is sent along with the first request of its upload. */
  smallUploadBytes: 64 * KIB,
  /** One piece of a blob for registries that refuse it as a whole. */
  uploadChunkBytes: 8 * MIB,
  /** A registry's `Warning` header. */
  warningBytes: 4 * KIB,
  /** Rounds of merge and read-back when several writers share a list. */
  mergeRounds: 8,
  /** Between writing such a list and reading it back: a writer who had read before us has written by then. */
  settleMs: 100,
  /** The same where writing took longer: that may have been a wait that the registry asked for. */
  settleMostMs: 3 * SECOND,
  /** Credential files and helper output. */
  credentialBytes: 1 * MIB,
  helperMs: 30 * SECOND,
  /** A container engine's own pull, load or save; its answers to questions; what it prints. */
  engineMs: 60 * 60 * SECOND,
  engineAnswerMs: 60 * SECOND,
  engineOutputBytes: 4 * MIB,
  /** An identity token; a name in it (subject, issuer, address, audience); how many audiences it may have. */
  identityTokenBytes: 32 * KIB,
  identityNameCharacters: 1024,
  tokenAudiences: 64,
  /** A file with a token, or with what gets one. */
  identityFileBytes: 64 * KIB,
  /** Keys that a token issuer publishes. */
  issuerKeys: 64,
  /** A person signing in: in a browser that we opened, and on another device. */
  signInMs: 120 * SECOND,
  deviceSignInMs: 15 * 60 * SECOND,
  /** Google's metadata server is close by or not there. */
  metadataMs: 2 * SECOND,
  metadataTries: 2,
  /** How far the clock of a token's issuer may be ahead of ours. */
  clockSkewMs: 60 * SECOND,
  /** A key file, and how long a pipe may take to give one. */
  keyFileBytes: 64 * KIB,
  keyReadMs: 120 * SECOND,
  /** What a user writes to name a key. */
  keyReferenceBytes: 4 * KIB,
  /** One answer of a KMS plug-in or of a token, which may wait for somebody to touch it; and what either prints. */
  keyServiceMs: 60 * SECOND,
  keyServiceBytes: 1 * MIB,
  /** Rounds to derive an encrypted PKCS#8 key from its password: PBKDF2's iterations, or scrypt's N times r times p. */
  keyDerivations: 10_000_000,
  /** A password that opens one. */
  passwordBytes: 4 * KIB,
  /** Decompressed layers: the ratio counts only after the first `bombFloorBytes`. */
  bombRatio: 1000,
  bombFloorBytes: 16 * MIB,
  layerBytes: 64 * 1024 * MIB,
  zstdWindowLog: 27,
  /** Layers with a larger zstd window are decompressed one at a time: each needs that much memory. */
  zstdSharedWindowLog: 23,
  /** Tar archives: entries, and the length of a name. */
  tarEntries: 100_000,
  tarNameBytes: 4096,
  /** What precedes one entry of a tar archive: extended headers and long names. */
  tarExtensionBytes: 1 * MIB,
  /** All the manifests that are read to find out what refers to a digest in a layout. */
  layoutScanBytes: 256 * MIB,
  /** A list of withdrawn digests, how many are in it, and why one of them is. */
  withdrawnBytes: 4 * MIB,
  withdrawnDigests: 10_000,
  withdrawnReasonCharacters: 1024,
  /** The list of what is in an air-gap kit. */
  kitListBytes: 4 * MIB,
  /** Trust material that a kit brings is warned about when this much of its time or less is left. */
  trustWarningMs: 3 * 24 * 60 * 60 * SECOND,
  /** Waiting for another writer of the same file; signs of life of a holder, and how long without one is its end. */
  lockWaitMs: 30 * SECOND,
  lockHeartbeatMs: 10 * SECOND,
  lockStaleMs: 10 * 60 * SECOND,
  /** Content kept on disk to spare requests: one entry, all of them, and how many. */
  cacheEntryBytes: 4 * MIB,
  cacheBytes: 256 * MIB,
  cacheEntries: 20_000,
  /** Entries that wait for the disk. */
  cacheWrites: 16,
  /** How long it is remembered what a registry lacks, and what a repository holds. */
  capabilityMs: 24 * 60 * 60 * SECOND,
  /** Repositories of one registry of which it is remembered that they hold the empty configuration. */
  rememberedRepositories: 64,
  /** The file that it is remembered in. */
  capabilityBytes: 32 * KIB,
  /**
   * TUF metadata, role by role. tuf-js takes time with the square of the entries of a file, be it signed or not: sizes and
   * counts are kept well below what hurts.
   */
  tufRootBytes: 64 * KIB,
  tufTimestampBytes: 16 * KIB,
  tufSnapshotBytes: 256 * KIB,
  tufTargetsBytes: 256 * KIB,
  tufKeys: 64,
  tufSignatures: 64,
  tufFiles: 500,
  tufDelegations: 128,
  tufPatterns: 1024,
  /** New root versions taken in one refresh; the next one goes on from there. */
  tufRootSteps: 256,
  /** Roles that are looked into for one target: `targets`, `tagSigners` and one hash bin of each. */
  tufSearchedRoles: 61,
  /** A target that is fetched: a trust root, a signing configuration. */
  tufTargetBytes: 4 * MIB,
  /** What is kept of one repository, and what is known of its versions. */
  tufStateBytes: 32 * MIB,
  tufMarksBytes: 64 * KIB,
  /** Trust material that was confirmed this recently is not asked for again. */
  trustRefreshMs: 24 * 60 * 60 * SECOND,
  /** A scan: vulnerabilities, places that were looked at, and names, scores and versions of one vulnerability. */
  scanVulnerabilities: 50_000,
  scanTargets: 10_000,
  scanDetails: 10_000,
  /** Statements of a VEX document, and the products and their parts that they are about. */
  vexStatements: 10_000,
  vexProducts: 50_000,
  /** What one document may say of one vulnerability in one image, in products and parts. */
  vexClaims: 1_000,
  /** How far the clock of a scanner, or of who writes VEX, may be ahead of ours. */
  scanSkewMs: 5 * 60 * SECOND,
  /** Vulnerabilities that a message names. */
  vulnerabilitiesNamed: 5,
  /** The configuration file, and the trust instances in it. */
  configurationBytes: 64 * KIB,
  trustInstances: 64,
  /** Mappings and lists inside each other in a file of settings. */
  yamlDepth: 64,
  /** A policy; the identities that one role or requirement names; requirements inside each other. */
  policyBytes: 1 * MIB,
  policyMembers: 1_000,
  policyDepth: 16,
  /** What is wrong with a policy and said at once. */
  policyProblems: 100,
  /** The requirements of one threshold: who meets which is a matching. */
  policyAlternatives: 64,
  /** Somebody else's policy that is converted; the documents in one file of them; the parts of a rule that is written out. */
  foreignPolicyBytes: 1 * MIB,
  foreignDocuments: 1_000,
  convertedClauses: 256,
  /** An image pattern; and the steps in which those of a policy are compared, to find two that are equally specific. */
  imagePatternCharacters: 512,
  patternComparisons: 20_000_000,
  /** Recorded evidence of one image; the cases below one folder, how deep they lie, and what is said of one to expect. */
  recordedBytes: 128 * MIB,
  policyCases: 10_000,
  policyCaseDepth: 16,
  expectationBytes: 64 * KIB,
  /** Pairs of lines that are compared to show a difference. */
  diffComparisons: 4_000_000,
  /** What a scanner prints: its result, and what it says to people. */
  scanResultBytes: 64 * MIB,
  scannerTalkBytes: 4 * MIB,
  /** One scan, with what it downloads before; and a scanner's answer to a question about itself. */
  scanMs: 30 * 60 * SECOND,
  scannerAnswerMs: 60 * SECOND,
  /** An audit that is read from a file; images, problems, places of one image, signers and reasons of one in it. */
  auditBytes: 256 * MIB,
  auditEntries: 1_000_000,
  /**
   * Rounds in which an audit tries again what may pass; how many in a row may bring nothing; and images of a registry that fail
   * one after the other before the rest of them waits for the next round.
   */
  auditRounds: 1_000,
  auditVainRounds: 2,
  auditMisses: 16,
  /** Judgements and repositories that an audit has at hand: for one that was forgotten, it asks again. */
  auditJudgements: 10_000,
  auditStores: 1_000,
  /** Between two rounds; who asks for more is not asked again. */
  auditPauseMs: 5 * 60 * SECOND,
  /** Parts of an audit. */
  auditShards: 10_000,
  /** A journal, one result in it; how old a run may be that is gone on with, and what a loss of power may cost of it. */
  journalBytes: 512 * MIB,
  auditRecordBytes: 16 * MIB,
  journalAgeMs: 24 * 60 * 60 * SECOND,
  journalSyncMs: SECOND,
  /** Repositories of a registry, pages of their list, and how many lists of tags are asked for at once. */
  repositories: 100_000,
  catalogPages: 1_000,
  listingWorkers: 8,
  /** What is kept of a cluster's logins: one file of contexts, and how long a program may take to log in. */
  kubeconfigBytes: 4 * MIB,
  clusterLoginMs: 120 * SECOND,
  /** Objects of a cluster: how many are asked for at once, the bytes of such a page, and how many pages of one kind. */
  clusterPage: 250,
  clusterPageBytes: 64 * MIB,
  clusterPages: 100_000,
  /** How often a list is started again because the cluster no longer knows its next page. */
  clusterRestarts: 5,
  /** Objects that stand between a pod and what made it, and custom resources' kinds. */
  clusterOwners: 2_000_000,
  /**
   * Variables in files that name images: values inside each other, how many are put into one text, and how long it may
   * grow; a part of a text that is looked for in its file character by character.
   */
  variableDepth: 16,
  variableUses: 256,
  expandedCharacters: 64 * KIB,
  locatedCharacters: 4 * KIB,
  /** A CODEOWNERS file, GitHub reads 3 MB; and a pattern in it. */
  codeownersCharacters: 3 * MIB,
  codeownersPatternCharacters: 1 * KIB,
  /** A file that images are looked for in, and what is read of standard input; what lies below one folder, and how deep. */
  sourceFileBytes: 16 * MIB,
  sourceEntries: 200_000,
  sourceFolderDepth: 64,
  /** A Dockerfile; and all of those inside one Compose file together. */
  dockerfileCharacters: 1 * MIB,
  inlineCharacters: 64 * KIB,
  /** What one place in a file of CI can become, by matrices and rules. */
  imageAlternatives: 1_000,
  /** Images that one such file names, each as often as it does. */
  fileImages: 100_000,
  /**
   * A file that names images, in UTF-16 units; the tokens and values that YAML in it is made of, those counted again that an
   * alias repeats; values inside each other; documents, and what is wrong with them and said.
   */
  sourceCharacters: 16 * MIB,
  sourceTokens: 3_000_000,
  sourceValues: 1_000_000,
  sourceDepth: 128,
  sourceDocuments: 20_000,
  sourceProblems: 100,
  /** A path to images in custom resources, as it is given. */
  imagePathCharacters: 1 * KIB,
  /**
   * An audit that is shared through a queue: its secret, at least; the readable part of a queue's name; registries, each of
   * which has a queue; audits that a worker looks at; what is said of an audit and of one image; images that are sent or
   * fetched at once; entries that are kept of what happened.
   */
  queueSecretCharacters: 32,
  queueHostCharacters: 64,
  queueRegistries: 128,
  queueAudits: 8,
  queueRunBytes: 64 * MIB,
  queueResultBytes: 4 * MIB,
  queueBatch: 200,
  queueEvents: 100,
  /**
   * How often it is looked what has become of it, how many looks there are between two signs of life, and how long nothing
   * may happen.
   */
  queuePollMs: 500,
  queueKeepPolls: 4,
  queueIdleMs: 30 * 60 * SECOND,
  /** The queue's server: until it answers at first, and how long it may be gone after that. */
  queueConnectMs: 10 * SECOND,
  queueOutageMs: 120 * SECOND,
  /** How long an image is a worker's that is not heard of, when that is looked for, and how many workers it may cost. */
  queueLockMs: 15 * SECOND,
  queueStalledMs: 10 * SECOND,
  queueStalls: 5,
  /** How often an image is tried that was undetermined for a reason that may pass, and the first wait between. */
  queueTries: 5,
  queueBackoffMs: 2 * SECOND,
  /** What nobody is at work on any more is forgotten after this long. */
  queueKeepMs: 24 * 60 * 60 * SECOND,
  /** A lock file of pins; a file that is replaced together with others, and the record of which ones are to be. */
  lockFileBytes: 64 * MIB,
  replacedFileBytes: 64 * MIB,
  intentBytes: 16 * MIB,
  /** Keys of roles that one user may have on a machine. */
  ringKeys: 1_000,
  /**
   * Docker Content Trust's metadata: a file (five thousand tags take about a megabyte), all of one repository's; roles, keys,
   * tags in a role; roots between the one that is known and the newest; key files that are looked through, and root keys among them.
   */
  dctFileBytes: 8 * MIB,
  dctRepositoryBytes: 64 * MIB,
  dctRoles: 128,
  dctKeys: 256,
  dctTags: 50_000,
  dctRoots: 256,
  dctKeyFiles: 10_000,
  dctRootKeys: 16,
  /**
   * Signed tags: signers of a repository; hash bins of a role, in bits; files that a snapshot lists; other names of a repository,
   * and a name; a pattern of paths and the asterisks in one part of it; identities that one binding demands; a text in metadata.
   */
  tagSigners: 30,
  tagBinBits: 8,
  tagRoleFiles: 1_000,
  tagAliases: 64,
  tagRepositoryCharacters: 512,
  tagPatternCharacters: 256,
  tagPatternStars: 4,
  bindingIdentities: 16,
  tagTextCharacters: 4 * KIB,
  /** A role's file that publishers write, with room for its signatures in what is read of one; entries of a bin, on average. */
  tagRoleBytes: 192 * KIB,
  tagBinEntries: 100,
  /** What a head carries in itself; bins up to which it is one manifest; bins in one set; heads before it that it names. */
  tagEmbeddedBytes: 24 * KIB,
  tagSmallHeadBins: 16,
  tagBinSetFiles: 64,
  tagHeadHistory: 10,
  /** Heads that were replaced and are looked at, one before the other. */
  oldHeads: 2_000,
  /** Files of metadata that are read or written at once. */
  tagWorkers: 8,
  /**
   * Clients of signed tags: how far the clock may stand before what was seen, how long it takes until a time alone is worth being
   * kept, and how much is kept of a repository's roles.
   */
  tagClockSlackMs: 10 * 60 * SECOND,
  tagClockKeptMs: 60 * 60 * SECOND,
  tagKeptBytes: 2 * MIB,
  /** A file of pinned roots. */
  pinsFileBytes: 4 * MIB,
  /** What a publisher remembers of one repository's roles. */
  publisherMemoryBytes: 4 * MIB,
  /**
   * Publishing trust metadata: heads that are written until one stays, and steps of all kinds on the way; how
   * long ago what is written on may have been seen, what is waited beyond that for those who read before us, and how often
   * somebody slow starts over; pauses between tries.
   */
  publishTries: 10,
  publishSteps: 60,
  publishWindowMs: 10 * SECOND,
  publishSettleMs: 5 * SECOND,
  publishDelays: 3,
  publishPauseMs: 100,
  publishPauseCapMs: 5 * SECOND,
} as const;
