/** The agent, node_exporter and Prometheus together: what an operator's queries and alerts see of real deaths. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import dashboard from "../../src/assets/dashboard.json" with { type: "json" };
import { describeWhere } from "../host/requires.ts";
import { withHost } from "../host/test_host.ts";
import { waitFor } from "../host/wait.ts";
import { type Monitoring, PROMETHEUS, type Sample, withMonitoring } from "./monitoring.ts";

const LONG = { timeout: 120_000 };
const VMS = 7;
const EVERY_SECOND = { retry_interval: "200ms", max_retry_interval: "1s", rearm_interval: "1s", max_retries: 2 };

const ORPHANED = "unkey_metald_vm_orphaned_total";
const RECOVERY_RATIO =
  "rate(unkey_metald_vm_recovery_success_total[5m]) / rate(unkey_metald_vm_recovery_attempts_total[5m])";
const CHECK_FAILURES = "rate(unkey_metald_vm_health_check_failures_total[5m])";
const ALERT = 'ALERTS{alertname="MetaldManyVmsOrphaned",alertstate="firing"}';

describeWhere([PROMETHEUS], "the agent, seen by Prometheus through a textfile", () => {
  it("is counted right by the documented queries, and its orphan alert fires and resolves", LONG, async () => {
    const textfiles = mkdtempSync(join(tmpdir(), "metald-textfiles-"));
    const telemetry = { textfile: { path: join(textfiles, "metald.prom"), interval: "500ms" } };
    try {
      await withMonitoring(textfiles, (monitoring) =>
        withHost(
          async (host) => {
            const guest = await startGuest();
            const broken = join(host.directory, "broken");
            const program = `test -e ${broken} && exit 1; exec sleep 1000000`;
            const record = { vmm: "process", launch: { argv: ["/bin/sh", "-c", program] } };
            const ids = Array.from({ length: VMS }, () => host.newId("counted"));
            for (const id of ids) host.writeRecord(id, record);
            const unwell = host.newId("unwell");
            host.writeRecord(unwell, { ...record, health_check: { guest: { tcp: `127.0.0.1:${guest.port}` } } });
            const agent = host.startAgent();
            for (const id of [...ids, unwell]) await agent.waitForLine({ msg: "vm started", vm_id: id });
            await seen(monitoring, "all run", `unkey_metald_vms{state="healthy"}`, VMS + 1);
            guest.close();
            await seen(monitoring, "nothing was orphaned", `sum(${ORPHANED}{reason="process_dead"})`, 0);
            assert.deepEqual(
              await monitoring.query('ALERTS{alertstate="firing"}'),
              [],
              "nothing fires while all is well",
            );

            writeFileSync(broken, "");
            for (const id of ids) process.kill(await host.onlyProcess(id), "SIGKILL");
            await seen(monitoring, "all are orphaned", "unkey_metald_vms_orphaned >= 7", undefined);
            await seen(monitoring, "the alert fires", ALERT, 1);
            rmSync(broken);
            for (const id of ids) await agent.waitForLine({ msg: "vm recovery successful", vm_id: id });
            await seen(monitoring, "all run again", `unkey_metald_vms{state="healthy"}`, VMS);
            await waitFor("the alert resolves", async () => Number.isNaN(await monitoring.value(ALERT)));

            const died = agent.linesWith({ msg: "orphaned vm detected", reason: "process_dead" }).length;
            assert.equal(died, VMS);
            await seen(monitoring, "each death is counted", `sum(${ORPHANED}{reason="process_dead"})`, died);
            const attempts = agent.linesWith({ msg: "attempting vm recovery" }).length;
            const successes = agent.linesWith({ msg: "vm recovery successful" }).length;
            assert.ok(successes === VMS && attempts > successes);
            await seen(monitoring, "each attempt is counted", "unkey_metald_vm_recovery_attempts_total", attempts);
            const ratio = await monitoring.value(RECOVERY_RATIO);
            assert.ok(Math.abs(ratio - successes / attempts) < 1e-9, `${ratio}, not ${successes} / ${attempts}`);

            await seen(monitoring, "the unwell one is blocked", `unkey_metald_vms{state="blocked"}`, 1);
            const rate = await monitoring.value(CHECK_FAILURES);
            assert.ok(rate > 0, String(rate));
            const failures = await monitoring.value("unkey_metald_vm_health_check_failures_total");
            assert.ok(failures >= agent.linesWith({ msg: "vm health check failed" }).length, String(failures));
            const series = await monitoring.value('count({__name__=~"unkey_metald_.*"})');
            assert.ok(series > 100 && series <= 300, `${series} series`);
            assert.deepEqual(await monitoring.query("node_textfile_scrape_error == 1"), []);
            await tellSomething(monitoring);

            assert.equal(await agent.end("SIGTERM"), 0);
          },
          { recovery: EVERY_SECOND, telemetry },
        ),
      );
    } finally {
      rmSync(textfiles, { recursive: true, force: true });
    }
  });
});

/** Each panel of the dashboard shows a number of this host, and each alert compares one. */
async function tellSomething(monitoring: Monitoring): Promise<void> {
  const instances = await monitoring.labelValues("instance", "unkey_metald_build_info");
  assert.equal(instances.length, 1);
  const targets = dashboard.panels.flatMap((panel) => ("targets" in panel ? panel.targets : []));
  assert.ok(targets.length > 20);
  for (const { expr } of targets) {
    const asked = expr.replaceAll("$__rate_interval", "1m").replaceAll("$instance", instances.join("|"));
    assert.ok((await monitoring.query(asked)).some(isNumber), `the dashboard shows nothing of ${asked}`);
  }
  const rules = await monitoring.rules();
  assert.ok(rules.length > 15);
  for (const { name, query, health } of rules) {
    assert.equal(health, "ok", name);
    const compared = query.replaceAll(/ (?:>|==|<=) [\d.]+/g, "").replace(" unless ", " and ");
    assert.ok((await monitoring.query(compared)).some(isNumber), `${name} compares nothing: ${compared}`);
  }
}

function isNumber({ value }: Sample): boolean {
  return Number.isFinite(value);
}

/** What a guest probe connects to, until it is closed. */
async function startGuest(): Promise<{ readonly port: number; readonly close: () => void }> {
  const server = createServer((socket) => socket.on("error", () => undefined).resume());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Cannot go on as the server has no port");
  server.unref();
  return { port: address.port, close: () => server.close() };
}

/** @param value undefined: any */
function seen(monitoring: Monitoring, what: string, expression: string, value: number | undefined) {
  let last = Number.NaN;
  return waitFor(
    `Prometheus sees that ${what}`,
    async () => {
      last = await monitoring.value(expression);
      return value === undefined ? !Number.isNaN(last) : last === value;
    },
    () => `${expression} is ${last}`,
  );
}
