/** An agent that has secrets, while all that can go wrong does: none of them is in what it says, exports or writes for others. */

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { it } from "node:test";
import { withHost } from "../host/test_host.ts";
import { waitFor } from "../host/wait.ts";
import { ACCEPTS, withCollector } from "./collector.ts";

const LONG = { timeout: 120_000 };
const CANARY = "canary7f3a";
const ENV = { TOKEN: CANARY };
const HEADERS = { authorization: `Bearer ${CANARY}1`, "x-api-key": `${CANARY}2` };
/** `user:password` of the endpoint, as the header that is made of them has it. */
const BASIC = btoa(`${CANARY}3:${CANARY}4`);

/** Each is wrong in its own way, or its VM cannot be started, and each has the secret. */
const RECORDS: Readonly<Record<string, object>> = {
  absent: { launch: { argv: ["/nonexistent/vmm"], env: ENV } },
  dies: { launch: { argv: ["/bin/false"], env: ENV } },
  tells: { launch: { argv: ["/bin/sh", "-c", "env; exit 1"], env: ENV } },
  user: { launch: { argv: ["/bin/sleep", "1000000"], env: ENV, user: "nobody-of-that-name" } },
  hook: { launch: { argv: ["/bin/sleep", "1000000"], env: ENV, before_start: [["/bin/false"]] } },
  cwd: { launch: { argv: ["/bin/sleep", "1000000"], env: ENV, cwd: "/nonexistent" } },
  variable: { launch: { argv: ["/bin/sleep", "1000000"], env: { "API-TOKEN": CANARY } } },
  environment: { launch: { argv: ["/bin/sleep", "1000000"], environment: ENV } },
  property: { launch: { argv: ["/bin/sleep", "1000000"], properties: { Environment: `TOKEN=${CANARY}` } } },
  unknown: { password: CANARY },
};

it("no secret of a configuration or a record is told by an agent, whatever goes wrong", LONG, async () => {
  const textfiles = mkdtempSync(join(tmpdir(), "metald-textfiles-"));
  try {
    await withCollector(async (collector) => {
      const repeated = `${HEADERS.authorization} ${HEADERS["x-api-key"]} ${BASIC} ${CANARY}3 ${CANARY}4 ${CANARY}5`;
      collector.behave({ kind: "answers", status: 401, body: `I do not know ${repeated}` });
      const endpoint = `${collector.url.replace("://", `://${CANARY}3:${CANARY}4@`)}/?token=${CANARY}5`;
      const path = join(textfiles, "metald.prom");
      const otlp = { endpoint, headers: HEADERS, interval: "200ms", health_check_spans: "all" };
      await withHost(
        async (host) => {
          const agent = host.startAgent();
          const valid: string[] = [];
          for (const [name, record] of Object.entries(RECORDS)) {
            const id = host.newId(name);
            host.writeRecord(id, { vmm: "process", ...record });
            if (/^(absent|dies|tells|user|hook|cwd)$/.test(name)) valid.push(id);
            else await agent.waitForLine({ msg: "vm record invalid", vm_id: id });
          }
          const killed = host.newId("killed");
          host.writeRecord(killed, { vmm: "process", launch: { argv: ["/bin/sleep", "1000000"], env: ENV } });
          await agent.waitForLine({ msg: "vm started", vm_id: killed });
          process.kill(await host.onlyProcess(killed), "SIGKILL");
          await agent.waitForLine({ msg: "vm recovery successful", vm_id: killed });
          for (const id of valid) await agent.waitForLine({ msg: "vm recovery attempt failed", vm_id: id });
          for (const exporter of ["otlp_metrics", "otlp_traces"]) {
            const line = await agent.waitForLine({ msg: "telemetry export failed", exporter });
            assert.match(line["error"] ?? "", /^it answered 401 I do not know/);
          }
          collector.behave(ACCEPTS);
          process.kill(await host.onlyProcess(killed), "SIGKILL");
          for (const exporter of ["otlp_metrics", "otlp_traces"]) {
            await agent.waitForLine({ msg: "telemetry export restored", exporter });
          }
          const configuration = { telemetry: { otlp: { ...otlp, endpoint: `${CANARY}@`, header: HEADERS } } };
          writeFileSync(join(host.directory, "config.jsonc"), JSON.stringify(configuration));
          process.kill(agent.pid, "SIGHUP");
          await waitFor("both errors are told", () => agent.linesWith({ msg: "configuration rejected" }).length === 2);
          writeFileSync(join(host.directory, "config.jsonc"), `{"password": ${CANARY}}`);
          process.kill(agent.pid, "SIGHUP");
          await waitFor("the third is told", () => agent.linesWith({ msg: "configuration rejected" }).length === 3);
          process.kill(agent.pid, "SIGUSR2");
          await agent.waitForLine({ msg: "vm state" });
          assert.equal(await agent.end("SIGTERM"), 0);

          assert.deepEqual(linesOf(agent.text()), []);
          const { received } = collector;
          assert.ok(received.some(({ path: to }) => to.startsWith("/v1/traces")));
          for (const { text } of received) assert.deepEqual(linesOf(text), []);
          assert.deepEqual(linesOf(readFileSync(path, "utf8")), []);
          const run = join(host.directory, "run");
          for (const name of readdirSync(run).filter((each) => each.endsWith(".json"))) {
            assert.deepEqual(linesOf(readFileSync(join(run, name), "utf8")), [], name);
          }
        },
        { telemetry: { otlp, textfile: { path, interval: "200ms" } } },
      );
    });
  } finally {
    rmSync(textfiles, { recursive: true, force: true });
  }
});

/** The lines that tell a secret. */
function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line.includes(CANARY) || line.includes(BASIC));
}
