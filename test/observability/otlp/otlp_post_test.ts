import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { PostOutcome } from "../../../src/observability/otlp/collector_answer.ts";
import type { SignalTarget } from "../../../src/observability/otlp/otlp_plan.ts";
import { post } from "../../../src/observability/otlp/otlp_post.ts";
import { PEM_BYTES_MAX, readTlsFiles } from "../../../src/observability/otlp/tls_files.ts";
import { describeWhere, type Requirement } from "../../host/requires.ts";
import { type Behaviour, withCollector } from "../../telemetry/collector.ts";

const LIMITS = { timeoutMs: 400, signal: new AbortController().signal };
const PATIENT = { ...LIMITS, timeoutMs: 30_000 };

function targetAt(url: string, over: Partial<SignalTarget> = {}): SignalTarget {
  return {
    url: new URL("/v1/metrics", url),
    headers: {},
    compression: "none",
    tls: { certificate: undefined, clientCertificate: undefined, clientKey: undefined },
    timeoutMs: 10_000,
    intervalMs: 60_000,
    ...over,
  };
}

function answers(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Behaviour {
  return { kind: "answers", status, body, headers };
}

const CASES: readonly { name: string; behaviour: Behaviour; expected: PostOutcome["kind"]; error?: RegExp }[] = [
  { name: "an empty object", behaviour: answers(200, "{}"), expected: "accepted" },
  { name: "nothing", behaviour: answers(200, ""), expected: "accepted" },
  { name: "an empty partial success", behaviour: answers(200, '{"partialSuccess":{}}'), expected: "accepted" },
  {
    name: "rejected points",
    behaviour: answers(200, '{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"too old"}}'),
    expected: "partial",
    error: /rejected 3: too old/,
  },
  { name: "a login page", behaviour: answers(200, "<html>log in</html>"), expected: "refused", error: /log in/ },
  { name: "half a JSON", behaviour: answers(200, '{"partialSuccess":'), expected: "refused" },
  { name: "a wrong request", behaviour: answers(400, "bad"), expected: "refused", error: /answered 400 bad/ },
  { name: "no permission", behaviour: answers(401, ""), expected: "refused", error: /answered 401/ },
  { name: "no such path", behaviour: answers(404, ""), expected: "refused" },
  { name: "too large", behaviour: answers(413, ""), expected: "too_large" },
  { name: "a redirect", behaviour: answers(307, "", { location: "http://127.0.0.1:1/" }), expected: "refused" },
  { name: "a bug of its own", behaviour: answers(500, "oops"), expected: "refused" },
  { name: "too many requests", behaviour: answers(429, ""), expected: "retryable" },
  { name: "a bad gateway", behaviour: answers(502, ""), expected: "retryable" },
  { name: "no service", behaviour: answers(503, ""), expected: "retryable" },
  { name: "a gateway's timeout", behaviour: answers(504, ""), expected: "retryable" },
  { name: "silence", behaviour: { kind: "black_hole" }, expected: "retryable", error: /no answer within/ },
  { name: "an answer that drips", behaviour: { kind: "drips" }, expected: "retryable", error: /no answer within/ },
  { name: "an answer without end", behaviour: { kind: "floods" }, expected: "refused", error: /longer than 65536/ },
  { name: "a closed connection", behaviour: { kind: "hangs_up" }, expected: "retryable" },
];

describe("one request to a collector", () => {
  for (const { name, behaviour, expected, error } of CASES) {
    it(`that is answered by ${name} is ${expected}`, async () => {
      await withCollector(async (collector) => {
        collector.behave(behaviour);
        const isSilent = behaviour.kind === "black_hole" || behaviour.kind === "drips";
        const outcome = await post(targetAt(collector.url), "{}", isSilent ? LIMITS : PATIENT);
        assert.equal(outcome.kind, expected, JSON.stringify(outcome));
        if (error !== undefined) assert.match("error" in outcome ? outcome.error : "", error);
        assert.equal(collector.received.length, 1);
      });
    });
  }

  it("that nobody takes is retryable, and says why", async () => {
    let url = "";
    await withCollector(async (collector) => {
      url = collector.url;
    });
    const outcome = await post(targetAt(url), "{}", PATIENT);
    assert.equal(outcome.kind, "retryable");
    assert.match("error" in outcome ? outcome.error : "", /ECONNREFUSED|refused|Unable to connect/i);
  });

  it("ends when the agent stops", async () => {
    await withCollector(async (collector) => {
      collector.behave({ kind: "black_hole" });
      const stop = new AbortController();
      const outcome = post(targetAt(collector.url), "{}", { timeoutMs: 30_000, signal: stop.signal });
      stop.abort();
      assert.deepEqual(await outcome, { kind: "refused", error: "the agent stops" });
      assert.equal((await post(targetAt(collector.url), "{}", { ...PATIENT, signal: stop.signal })).kind, "refused");
    });
  });

  it("has exactly the content type of JSON, the headers it was given, and one connection of its own", async () => {
    await withCollector(async (collector) => {
      const target = targetAt(`${collector.url}/?token=x`, { headers: { "x-scope": "team a" } });
      await post(target, '{"a":"\u00e4"}', PATIENT);
      const [request] = collector.received;
      assert.equal(request?.method, "POST");
      assert.equal(request.headers["content-type"], "application/json");
      assert.equal(request.headers["x-scope"], "team a");
      assert.equal(request.headers.connection, "close");
      assert.equal(request.text, '{"a":"\u00e4"}');
    });
  });

  it("tells no secret that the collector repeats", async () => {
    await withCollector(async (collector) => {
      const headers = { authorization: "Bearer t0ken", "x-api-key": "k3y-of-ours" };
      const target = targetAt(collector.url.replace("://", "://us3r:p%40ssword@"), { headers });
      const secrets = ["t0ken", "k3y-of-ours", "us3r", "p@ssword", "p%40ssword", "qu3ry"];
      for (const status of [200, 401, 503]) {
        collector.behave(answers(status, `${"x".repeat(100)} ${secrets.join(" ")} ${btoa("us3r:p@ssword")}`));
        const outcome = await post({ ...target, url: new URL("?token=qu3ry", target.url) }, "{}", PATIENT);
        const said = "error" in outcome ? outcome.error : "";
        assert.match(said, /\(not shown\)/);
        for (const secret of [...secrets, btoa("us3r:p@ssword")]) assert.ok(!said.includes(secret), said);
      }
    });
  });

  it("shows at most some hundred characters of what the collector said", async () => {
    await withCollector(async (collector) => {
      collector.behave(answers(400, "x".repeat(60_000)));
      const outcome = await post(targetAt(collector.url), "{}", PATIENT);
      assert.ok("error" in outcome && outcome.error.length < 400);
    });
  });

  it("is understood before secrets are taken out of what is said of it", async () => {
    await withCollector(async (collector) => {
      const target = targetAt(collector.url, { headers: { "x-flag": "true", "x-tenant": "1234" } });
      collector.behave(answers(200, '{"partialSuccess":{},"well":true}'));
      assert.deepEqual(await post(target, "{}", PATIENT), { kind: "accepted" });
      collector.behave(answers(200, '{"partialSuccess":{"rejectedDataPoints":1234,"errorMessage":"of 1234"}}'));
      const outcome = await post(target, "{}", PATIENT);
      assert.deepEqual(outcome, { kind: "partial", error: "it rejected (not shown): of (not shown)" });
    });
  });

  it("with a header that cannot be sent is refused, and what it would say is not told", async () => {
    await withCollector(async (collector) => {
      const headers = { authorization: "t0ken\n" };
      const outcome = await post(targetAt(collector.url, { headers }), "{}", PATIENT);
      assert.equal(outcome.kind, "refused");
      assert.ok("error" in outcome && !outcome.error.includes("t0ken"));
      assert.equal(collector.received.length, 0);
    });
  });

  it("asks for an answer that is not compressed", async () => {
    await withCollector(async (collector) => {
      await post(targetAt(collector.url), "{}", PATIENT);
      assert.equal(collector.received[0]?.headers["accept-encoding"], "identity");
    });
  });

  it("is compressed where that was asked for", async () => {
    await withCollector(async (collector) => {
      const json = JSON.stringify({ text: "x".repeat(10_000) });
      await post(targetAt(collector.url, { compression: "gzip" }), json, PATIENT);
      const [request] = collector.received;
      assert.equal(request?.headers["content-encoding"], "gzip");
      assert.ok(Number(request.headers["content-length"]) < 1_000);
      assert.equal(request.text, json);
    });
  });
});

const OPENSSL: Requirement = {
  what: "openssl (Debian: openssl)",
  met: () => spawnSync("openssl", ["version"]).status === 0,
};

describeWhere([OPENSSL], "a collector behind TLS", () => {
  it("is believed by the authority's file only, and is shown the client's certificate", async () => {
    const directory = mkdtempSync(join(tmpdir(), "metald-tls-"));
    try {
      makeCertificates(directory);
      const path = (name: string) => join(directory, name);
      const pem = (name: string) => readFileSync(path(name), "utf8");
      const files = { key: pem("server.key"), cert: pem("server.pem"), ca: pem("ca.pem") };
      await withCollector(async (collector) => {
        const tls = {
          certificate: path("ca.pem"),
          clientCertificate: path("client.pem"),
          clientKey: path("client.key"),
        };
        assert.deepEqual(await post(targetAt(collector.url, { tls }), "{}", PATIENT), { kind: "accepted" });
        const unknown = { ...tls, certificate: undefined };
        assert.notEqual((await post(targetAt(collector.url, { tls: unknown }), "{}", PATIENT)).kind, "accepted");
        const anonymous = { ...tls, clientCertificate: undefined, clientKey: undefined };
        assert.notEqual((await post(targetAt(collector.url, { tls: anonymous }), "{}", PATIENT)).kind, "accepted");
        const absent = { ...tls, certificate: path("none.pem") };
        const outcome = await post(targetAt(collector.url, { tls: absent }), "{}", PATIENT);
        assert.match("error" in outcome ? outcome.error : "", /none\.pem/);
        assert.equal(collector.received.length, 1);
      }, files);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

describe("a file of TLS", () => {
  it("that is no regular file, or is too large, is refused by its name and costs no time and no memory", async () => {
    const directory = mkdtempSync(join(tmpdir(), "metald-tls-"));
    try {
      const path = (name: string) => join(directory, name);
      execFileSync("mkfifo", [path("pipe")]);
      writeFileSync(path("large"), "x");
      truncateSync(path("large"), PEM_BYTES_MAX + 1);
      writeFileSync(path("full"), "x");
      truncateSync(path("full"), PEM_BYTES_MAX);
      const url = new URL("https://127.0.0.1:1/");
      for (const file of [path("pipe"), path("large"), directory, "/dev/zero", path("none")]) {
        for (const name of ["certificate", "clientCertificate", "clientKey"] as const) {
          const none = { certificate: undefined, clientCertificate: undefined, clientKey: undefined };
          const outcome = await post(targetAt(url.href, { tls: { ...none, [name]: file } }), "{}", PATIENT);
          assert.equal(outcome.kind, "refused", file);
          assert.ok("error" in outcome && outcome.error.includes(file), file);
        }
      }
      const tls = { certificate: path("full"), clientCertificate: undefined, clientKey: undefined };
      assert.equal((await readTlsFiles({ url, tls })).ca?.length, PEM_BYTES_MAX);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

function makeCertificates(directory: string): void {
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: directory, stdio: "pipe" });
  const key = (name: string) => [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-keyout",
    name,
  ];
  openssl("req", "-x509", ...key("ca.key"), "-out", "ca.pem", "-days", "2", "-subj", "/CN=test authority");
  writeFileSync(join(directory, "extensions"), "subjectAltName=IP:127.0.0.1\n");
  for (const name of ["server", "client"]) {
    openssl("req", ...key(`${name}.key`), "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    const authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
    openssl(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      ...authority,
      "-out",
      `${name}.pem`,
      "-days",
      "2",
      "-extfile",
      "extensions",
    );
  }
}
