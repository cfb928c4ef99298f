/** No error about a configuration or a record tells a secret that stands in it: errors end in the journal and in tickets. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfiguration } from "../../src/config/configuration.ts";
import { JsoncError, parseJsonc } from "../../src/config/jsonc.ts";
import { parseVmRecord } from "../../src/config/vm_record_schema.ts";

const CANARY = "canary7f3a";

const otlp = (more: object) => ({ telemetry: { otlp: more } });

const CONFIGURATIONS: readonly (readonly [string, unknown])[] = [
  ["a header that is no text", otlp({ headers: { authorization: [CANARY] } })],
  ["a header with a control character", otlp({ headers: { authorization: `${CANARY}\n` } })],
  ["a header beside one that is wrong", otlp({ headers: { authorization: CANARY, "a b": "" } })],
  ["a header in the place of its name", otlp({ headers: { [`authorization: ${CANARY}`]: "" } })],
  ["headers as a text", otlp({ headers: `authorization=${CANARY}` })],
  ["headers as a list", otlp({ headers: [{ authorization: CANARY }] })],
  ["headers misspelt", otlp({ header: { authorization: CANARY } })],
  ["headers in another section", { headers: { authorization: CANARY } }],
  ["headers in another form", otlp({ headerss: `authorization=${CANARY}` })],
  ["an endpoint without a scheme", otlp({ endpoint: `user:${CANARY}@collector:4318` })],
  ["an endpoint of another scheme", otlp({ endpoint: `grpc://user:${CANARY}@collector:4318` })],
  ["an endpoint with a token", otlp({ metrics_endpoint: `collector/v1/metrics?token=${CANARY}` })],
  ["an endpoint that is no URL", otlp({ traces_endpoint: `http://user:${CANARY}@:x` })],
  ["an endpoint as a list", otlp({ endpoint: [`http://user:${CANARY}@collector`] })],
  ["an endpoint misspelt", otlp({ endpoin: `http://user:${CANARY}@collector` })],
  ["the section as a text", { telemetry: CANARY }],
  ["the section as a list", { telemetry: [otlp({ headers: { authorization: CANARY } })] }],
  ["an unknown key", { password: CANARY }],
  ["an unknown key whose name is near another", { log: { levels: CANARY, leve: CANARY } }],
  ["an unknown number of digits", { password: { pin: CANARY } }],
  ["an unknown key that holds its value", { [`password=${CANARY}`]: true }],
  ["a section where a number must stand", { recovery: { jitter: { password: CANARY } } }],
  ["a document in a list", [otlp({ headers: { authorization: CANARY } })]],
  ["a document that is a text", CANARY],
];

const record = (more: object) => ({ id: "vm-1", state: "running", vmm: "process", ...more });
const launch = (more: object) => record({ launch: { argv: ["/bin/sleep", "1"], ...more } });

const RECORDS: readonly (readonly [string, unknown])[] = [
  ["a variable that is no text", launch({ env: { TOKEN: [CANARY] } })],
  ["a variable with NUL", launch({ env: { TOKEN: `${CANARY}\0` } })],
  ["a variable whose name is wrong", launch({ env: { "API-TOKEN": CANARY } })],
  ["a variable that is metald's", launch({ env: { METALD_TOKEN: CANARY } })],
  ["a variable in the place of its name", launch({ env: { [`TOKEN=${CANARY}`]: "" } })],
  ["the environment as a list", launch({ env: [`TOKEN=${CANARY}`] })],
  ["the environment as a text", launch({ env: `TOKEN=${CANARY}` })],
  ["the environment misspelt", launch({ envs: { TOKEN: CANARY } })],
  ["the environment in another form", launch({ environment: `TOKEN=${CANARY}` })],
  ["the environment of no program", record({ env: { TOKEN: CANARY } })],
  ["the environment of a unit", record({ launch: { systemd_unit: "a.service", env: { TOKEN: CANARY } } })],
  ["the environment as a property", launch({ properties: { Environment: `TOKEN=${CANARY}` } })],
  ["a credential", launch({ properties: { SetCredential: [`token:${CANARY}\n`] } })],
  ["a credential in another form", launch({ properties: { SetCredential: { token: CANARY } } })],
  ["properties as a text", launch({ properties: `SetCredential=token:${CANARY}` })],
  ["an unknown key", launch({ password: CANARY })],
  ["an unknown key near a known one", launch({ pwd: CANARY })],
  ["an unknown key of a disk", record({ disks: [{ path: "/a", key: CANARY }] })],
  ["the launch as a text", record({ launch: CANARY })],
  ["the launch as a list", record({ launch: [{ env: { TOKEN: CANARY } }] })],
  ["a program where a list must stand", launch({ before_start: { env: { TOKEN: CANARY } } })],
  ["a document in a list", [launch({ env: { TOKEN: CANARY } })]],
  ["a document that is a text", CANARY],
];

/** Texts that end before they should, or never begin to be JSON. */
const BROKEN = [
  `{"password": ${CANARY}}`,
  `{"password": "${CANARY}`,
  `{"password": "${CANARY}\\q"}`,
  `{"password": "${CANARY}" "b"}`,
  `{"password=${CANARY}": 1, "password=${CANARY}": 2}`,
  `password = ${CANARY}`,
  `{"password": 'canary'} ${CANARY}`,
];

test("an error about a configuration tells no secret of it", () => {
  for (const [name, document] of CONFIGURATIONS) {
    const reading = readConfiguration(document);
    assert.ok(reading.kind === "invalid" && reading.errors.length > 0, `${name} is valid`);
    assert.ok(!reading.errors.join().includes(CANARY), `${name}: ${reading.errors.join("\n")}`);
  }
});

test("an error about a record tells no secret of it", () => {
  for (const [name, document] of RECORDS) {
    const reading = parseVmRecord("vm-1", JSON.stringify(document));
    assert.ok(reading.kind === "invalid" && reading.errors.length > 0, `${name} is valid`);
    assert.ok(!reading.errors.join().includes(CANARY), `${name}: ${reading.errors.join("\n")}`);
  }
});

test("an error about a text that is no JSON tells nothing of it but the place", () => {
  for (const text of BROKEN) {
    assert.throws(
      () => parseJsonc(text),
      (error: unknown) => error instanceof JsoncError && !error.message.includes(CANARY),
      text,
    );
  }
});

test("an error says that a value is not shown, and shows one that can be no secret", () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [otlp({ headers: CANARY }), "current value is (a text, not shown)"],
    [otlp({ headers: [CANARY] }), "current value is (a list, not shown)"],
    [{ password: CANARY }, "the key is unknown: current value is (a text, not shown)"],
    [{ pin: 1234 }, "the key is unknown: current value is (a number, not shown)"],
    [{ recovery: { jitter: { a: 1 } } }, "current value is (an object, not shown)"],
    [{ enabledd: false }, "did you mean enabled: current value is false"],
    [{ recovery: { max_retrys: 3 } }, "did you mean recovery.max_retries: current value is 3"],
    [{ health_check: { intervall: "1s" } }, 'did you mean health_check.interval: current value is "1s"'],
  ];
  for (const [document, end] of cases) {
    const reading = readConfiguration(document);
    assert.ok(reading.kind === "invalid");
    assert.ok(reading.errors[0]?.endsWith(end), reading.errors[0]);
  }
});

test("a key of any length costs no time and no line without end", () => {
  const reading = parseVmRecord("vm-1", JSON.stringify(record({ ["k".repeat(200_000)]: 1 })));
  assert.ok(reading.kind === "invalid");
  assert.ok(reading.errors.join().length < 500, String(reading.errors.join().length));
});
