/**
 * The tables of a store. They are made to be asked by people in SQL, so they are a contract as JSON documents are: columns are
 * added, and what changes its meaning makes a new version. Times are RFC 3339 in UTC with whole seconds, so that they sort
 * as text and SQLite's date functions read them.
 */

/** `PRAGMA user_version`. */
export const STORE_VERSION = 1;

/** `PRAGMA application_id`: "CSAU". */
export const STORE_ID = 0x43_53_41_55;

export const SCHEMA = `
CREATE TABLE runs (               -- one audit
  id INTEGER PRIMARY KEY,
  digest TEXT NOT NULL UNIQUE,    -- of its document: the same audit is kept once
  at TEXT NOT NULL,               -- its reference time
  scope TEXT NOT NULL,            -- its sources, as a JSON list: runs of one scope are a history
  plan TEXT NOT NULL,             -- the digest of what was looked at
  standard TEXT NOT NULL,         -- the digest of everything that decides a verdict
  wanted TEXT NOT NULL,           -- the same in words
  policy TEXT,
  policy_digest TEXT,
  images INTEGER NOT NULL,
  accepted INTEGER NOT NULL,
  refused INTEGER NOT NULL,
  undetermined INTEGER NOT NULL,
  document BLOB NOT NULL          -- gzip of what -o json prints
) STRICT;
CREATE INDEX runs_by_scope ON runs (scope, at);

CREATE TABLE images (
  id INTEGER PRIMARY KEY,
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  image TEXT NOT NULL,            -- as it is referred to, normalised
  name TEXT NOT NULL,             -- with tag and digest
  repository TEXT NOT NULL,       -- with its registry
  tag TEXT,
  digest TEXT,                    -- NULL where it could not be resolved
  verdict TEXT NOT NULL,          -- accepted, refused, undetermined
  reason TEXT,                    -- the code that decided; NULL where it was accepted
  rule TEXT,                      -- of the policy: policy.yaml:12
  pinned INTEGER NOT NULL,        -- 1 where the reference names a digest
  drift INTEGER NOT NULL,         -- 1 where its tag names another one
  tag_digest TEXT,
  scanned_at TEXT
) STRICT;
CREATE INDEX images_by_run ON images (run);
CREATE INDEX images_by_name ON images (image, run);
CREATE INDEX images_by_digest ON images (digest);

CREATE TABLE signers (            -- whose signatures were accepted
  image INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
  kind TEXT NOT NULL,             -- key, identity
  signer TEXT NOT NULL,           -- fingerprint, or issuer and subject with a space between
  name TEXT NOT NULL,
  called TEXT,                    -- by the policy
  format TEXT NOT NULL,
  signed_at TEXT                  -- NULL where nothing proves a time
) STRICT;
CREATE INDEX signers_by_image ON signers (image);
CREATE INDEX signers_by_signer ON signers (signer);

CREATE TABLE reasons (
  image INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
  position INTEGER NOT NULL,      -- from 0, nearest to acceptance first
  warning INTEGER NOT NULL,       -- 1 where it did not decide
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  found TEXT,
  wanted TEXT,
  place TEXT                      -- of what was wanted: policy.yaml:14
) STRICT;
CREATE INDEX reasons_by_image ON reasons (image);

CREATE TABLE uses (               -- where an image is named
  image INTEGER NOT NULL REFERENCES images ON DELETE CASCADE,
  kind TEXT NOT NULL,             -- kubernetes, compose, dockerfile, cluster, ...
  written TEXT NOT NULL,          -- as it stands there
  source TEXT NOT NULL,           -- file, cluster, registry
  line INTEGER,
  col INTEGER,
  owner TEXT NOT NULL,            -- who answers for it: stated, else the namespace, else the folder
  workload_kind TEXT,
  namespace TEXT,
  workload TEXT,
  container TEXT
) STRICT;
CREATE INDEX uses_by_image ON uses (image);

CREATE TABLE problems (           -- what could not be read
  run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
  source TEXT NOT NULL,
  line INTEGER,
  col INTEGER,
  code TEXT NOT NULL,
  message TEXT NOT NULL,
  found TEXT
) STRICT;
CREATE INDEX problems_by_run ON problems (run);

-- The last run of each scope.
CREATE VIEW latest_runs AS
  SELECT * FROM runs AS r WHERE NOT EXISTS
    (SELECT 1 FROM runs AS newer WHERE newer.scope = r.scope AND (newer.at, newer.id) > (r.at, r.id));

-- Its images: what is known now.
CREATE VIEW latest AS
  SELECT r.at, r.scope, i.* FROM latest_runs AS r JOIN images AS i ON i.run = r.id;

-- Pinned images whose tag names something else now.
CREATE VIEW drift AS
  SELECT at, scope, image, digest, tag_digest, verdict FROM latest WHERE drift = 1;

-- Where the images of the last runs are used.
CREATE VIEW used AS
  SELECT l.at, l.scope, l.image, l.digest, l.verdict, l.reason, u.owner, u.workload_kind, u.namespace, u.workload,
    u.container, u.source, u.line
  FROM latest AS l JOIN uses AS u ON u.image = l.id;

-- Who signed what, in all runs: when it was first and last seen.
CREATE VIEW signed AS
  SELECT s.signer, s.name, s.called, s.kind, i.repository, i.digest, s.signed_at, min(r.at) AS first_seen,
    max(r.at) AS last_seen
  FROM signers AS s JOIN images AS i ON i.id = s.image JOIN runs AS r ON r.id = i.run
  GROUP BY s.signer, i.repository, i.digest, s.signed_at;

-- What is refused now, and since which run without a break. A run that could not look breaks nothing.
CREATE VIEW refused_since AS
  SELECT l.image, l.digest, l.reason, l.scope,
    (SELECT min(r.at) FROM images AS i JOIN runs AS r ON r.id = i.run
      WHERE i.image = l.image AND r.scope = l.scope AND i.verdict = 'refused' AND r.at > coalesce(
        (SELECT max(q.at) FROM images AS j JOIN runs AS q ON q.id = j.run
          WHERE j.image = l.image AND q.scope = l.scope AND j.verdict = 'accepted'), '')) AS since
  FROM latest AS l WHERE l.verdict = 'refused';

-- What has no signature now, and since which run without a break.
CREATE VIEW unsigned_since AS
  SELECT l.image, l.digest, l.scope,
    (SELECT min(r.at) FROM images AS i JOIN runs AS r ON r.id = i.run
      WHERE i.image = l.image AND r.scope = l.scope AND i.reason = 'unsigned' AND r.at > coalesce(
        (SELECT max(q.at) FROM images AS j JOIN runs AS q ON q.id = j.run
          WHERE j.image = l.image AND q.scope = l.scope AND j.verdict <> 'undetermined'
            AND j.reason IS NOT 'unsigned'), '')) AS since
  FROM latest AS l WHERE l.reason = 'unsigned';

PRAGMA application_id = ${STORE_ID};
PRAGMA user_version = ${STORE_VERSION};
`;
