import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTcpTarget } from "../../src/config/tcp_target.ts";

test("parseTcpTarget reads addresses and names with a port", () => {
  assert.deepEqual(parseTcpTarget("10.0.0.2:22"), { host: "10.0.0.2", port: 22 });
  assert.deepEqual(parseTcpTarget("[::1]:22"), { host: "::1", port: 22 });
  assert.deepEqual(parseTcpTarget("guest-1.internal:65535"), { host: "guest-1.internal", port: 65_535 });
});

test("parseTcpTarget refuses what is no host or no port", () => {
  const wrong = ["", ":22", "host", "host:", "host:0", "host:65536", "host:ssh", "::1:22", "[10.0.0.2]:22", "[::g]:1"];
  for (const text of [...wrong, "10.0.0.300:22", "a b:22", "http://h:80", "h:022"]) {
    assert.equal(parseTcpTarget(text), undefined, text);
  }
});
