import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseQueueAddress } from "../../../../src/io/queue/address.ts";
import { thrownBy } from "../../../support/codes.ts";

describe("the address of a queue", () => {
  it("is a host, with Redis' own port and first database where nothing is said", () => {
    const { host, port, database, tls, username, password } = parseQueueAddress("redis://queue.example");
    assert.deepEqual([host, port, database, tls], ["queue.example", 6379, 0, false]);
    assert.deepEqual([username, password], [undefined, undefined]);
  });

  it("has user, password, port and database, spelled as in every URL", () => {
    const address = parseQueueAddress("rediss://audit%40ci:p%2Fw%3A%25@queue.example:6380/7");
    assert.deepEqual([address.username, address.password], ["audit@ci", "p/w:%"]);
    assert.deepEqual([address.port, address.database, address.tls], [6380, 7, true]);
  });

  it("may have a password without a user, and be an address of IPv6", () => {
    const address = parseQueueAddress("redis://:secret@[2001:db8::1]:6379/");
    assert.deepEqual([address.username, address.password], [undefined, "secret"]);
    assert.deepEqual([address.host, address.database], ["2001:db8::1", 0]);
  });

  it("is named without user and password", () => {
    assert.equal(parseQueueAddress("redis://me:hunter2@queue.example/1").name, "redis://queue.example:6379/1");
    assert.equal(parseQueueAddress("rediss://me:hunter2@[::1]").name, "rediss://[::1]:6379/0");
  });

  const refused = [
    "",
    "queue.example",
    "queue.example:6379",
    "http://me:hunter2@queue.example",
    "unix:///hunter2/redis.sock",
    "redis:///0",
    "redis://me:hunter2@",
    "redis://me:hunter2@/0",
    "redis://me:hunter2@queue.example/cache",
    "redis://me:hunter2@queue.example/0/1",
    "redis://me:hunter2@queue.example/-1",
    "redis://me:hunter2@queue.example/123456",
    "redis://me:hunter2@queue.example?password=hunter2",
    "redis://me:hunter2@queue.example/0#hunter2",
    "redis://me:hunter2%@queue.example",
    "redis://me:hunter2@queue.example:99999",
    "redis://me:hunter2@que ue.example",
    "redis://me:hunter2@-queue.example",
    "redis://me:hunter2@queue%2e.example%0d%0a",
    "redis://one.example,two.example",
  ];
  for (const text of refused) {
    it(`is none, and what could be a password is not repeated: ${text}`, () => {
      const { message, found, wanted, next } = thrownBy(() => parseQueueAddress(text), "usage");
      assert.doesNotMatch([message, found, wanted, next].join(), /hunter2/);
    });
  }
});
