import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { wallMs } from "../../../src/domain/time.ts";
import { createExportState } from "../../../src/observability/export_state.ts";
import { createFleetMetrics } from "../../../src/observability/fleet_metrics.ts";
import { MeterProvider } from "../../../src/observability/metrics/meter_provider.ts";
import { prometheusText } from "../../../src/observability/textfile/prometheus_text.ts";
import { textfileExport } from "../../../src/observability/textfile/textfile_export.ts";
import { writeTextfile } from "../../../src/observability/textfile/textfile_writer.ts";
import { describeWhere, type Requirement } from "../../host/requires.ts";
import { PROMTOOL, promtool } from "../../telemetry/promtool.ts";

function provider(): MeterProvider {
  return new MeterProvider(() => wallMs(1_700_000_000_000));
}

describe("the text format", () => {
  it("has help, type and samples without a time, and ends in a line feed", async () => {
    const meters = provider();
    const meter = meters.getMeter("test");
    const counter = meter.createCounter("c_total", { description: "What\nis \\ counted." });
    counter.add(2.5);
    counter.add(1, { reason: 'a "b" \\ c\nd' });
    meter.createUpDownCounter("u").add(-3);
    const histogram = meter.createHistogram("h_seconds", { advice: { explicitBucketBoundaries: [0.1, 1] } });
    for (const value of [0.1, 0.5, 7]) histogram.record(value, { result: "success" });
    assert.equal(
      prometheusText(await meters.collect()),
      [
        "# HELP c_total What\\nis \\\\ counted.",
        "# TYPE c_total counter",
        "c_total 2.5",
        'c_total{reason="a \\"b\\" \\\\ c\\nd"} 1',
        "# HELP u ",
        "# TYPE u gauge",
        "u -3",
        "# HELP h_seconds ",
        "# TYPE h_seconds histogram",
        'h_seconds_bucket{result="success",le="0.1"} 1',
        'h_seconds_bucket{result="success",le="1"} 2',
        'h_seconds_bucket{result="success",le="+Inf"} 3',
        'h_seconds_sum{result="success"} 7.6',
        'h_seconds_count{result="success"} 3',
        "",
      ].join("\n"),
    );
  });

  it("is empty when there is nothing to say", () => {
    assert.equal(prometheusText([]), "");
  });
});

describeWhere([PROMTOOL], "the agent's textfile", () => {
  it("is without fault for promtool check metrics", async () => {
    const meters = provider();
    const fleet = createFleetMetrics({ meter: meters.getMeter("metald"), version: "0.1.0", monotonic: () => 0 });
    fleet.report({ type: "probe_finished", vmId: "vm-1", outcome: "failure", durationMs: 3 });
    fleet.loopLag(2);
    const { passed, output } = promtool(["check", "metrics"], prometheusText(await meters.collect()));
    assert.ok(passed, output);
    assert.equal(output, "");
  });
});

describe("the file", () => {
  it("is replaced as a whole, readable for everybody, with no temporary file left", async () => {
    const directory = mkdtempSync(join(tmpdir(), "metald-textfile-"));
    try {
      const path = join(directory, "metald.prom");
      writeFileSync(join(directory, ".metald.prom.tmp"), "what an agent left that was killed");
      await writeTextfile(path, "a 1\n");
      const { ino } = statSync(path);
      await writeTextfile(path, "a 2\n");
      assert.equal(readFileSync(path, "utf8"), "a 2\n");
      assert.notEqual(statSync(path).ino, ino);
      assert.equal(statSync(path).mode & 0o777, 0o644);
      assert.deepEqual(readdirSync(directory), ["metald.prom"]);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it("that cannot be replaced leaves no temporary file, and an absent directory is named", async () => {
    const directory = mkdtempSync(join(tmpdir(), "metald-textfile-"));
    try {
      mkdirSync(join(directory, "metald.prom"));
      await assert.rejects(writeTextfile(join(directory, "metald.prom"), "a 1\n"));
      assert.deepEqual(readdirSync(directory), ["metald.prom"]);
      await assert.rejects(writeTextfile(join(directory, "none", "metald.prom"), "a 1\n"), /none/);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

const MOUNTS: Requirement = {
  what: "root that may mount a tmpfs",
  met: () => process.geteuid?.() === 0 && spawnSync("unshare", ["--mount", "true"]).status === 0,
};

describeWhere([MOUNTS], "the file on a file system of its own", () => {
  it("costs one line when it is full or becomes read-only, one when it is well again, and never half a file", async () => {
    const directory = mkdtempSync(join(tmpdir(), "metald-textfile-"));
    const mount = (...args: string[]) => execFileSync("mount", args);
    mount("-t", "tmpfs", "-o", "size=64k", "metald-test", directory);
    try {
      const path = join(directory, "metald.prom");
      const said: string[] = [];
      const meters = provider();
      const counter = meters.getMeter("test").createCounter("c_total", { description: "x".repeat(20_000) });
      const onOutcome = createExportState({
        exporter: "textfile",
        target: path,
        log: { log: ({ msg, fields }) => said.push(`${msg} ${fields["error"] ?? ""}`), setLevel: assert.fail },
        monotonic: () => 0,
        onFailed: () => counter.add(1),
      });
      const { run } = textfileExport({ path, intervalMs: 1, meters, onOutcome });
      const twice = async (): Promise<string[]> => {
        for (let n = 0; n < 2; n += 1) await run({ timeoutMs: 1_000, signal: new AbortController().signal });
        return said.splice(0);
      };
      counter.add(1);
      assert.deepEqual(await twice(), []);
      writeFileSync(join(directory, "filler"), "x".repeat(36 * 1024));
      const full = await twice();
      assert.ok(full.length === 1 && /^telemetry export failed .*ENOSPC/.test(full[0] ?? ""), full.join("\n"));
      assert.match(readFileSync(path, "utf8"), /^c_total 1$/m);
      assert.deepEqual(readdirSync(directory).sort(), ["filler", "metald.prom"]);
      rmSync(join(directory, "filler"));
      assert.deepEqual(await twice(), ["telemetry export restored "]);
      mount("-o", "remount,ro", directory);
      const readOnly = await twice();
      assert.ok(
        readOnly.length === 1 && /^telemetry export failed .*EROFS/.test(readOnly[0] ?? ""),
        readOnly.join("\n"),
      );
      mount("-o", "remount,rw", directory);
      assert.deepEqual(await twice(), ["telemetry export restored "]);
      assert.match(readFileSync(path, "utf8"), /^c_total 5$/m);
    } finally {
      execFileSync("umount", [directory]);
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
