/** Each alert, on series on which it must fire and on series on which it must not. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { VM_PHASES } from "../../src/domain/event.ts";
import { INSTRUMENTS } from "../../src/observability/instrument_table.ts";
import { describeWhere } from "../host/requires.ts";
import { PROMTOOL, promtool, withYamlFile } from "./promtool.ts";

const RULES = fileURLToPath(new URL("../../src/assets/alerts.yaml", import.meta.url));

/** Series without `job` and `instance`, each with values a minute apart in the notation of promtool. */
type Series = Readonly<Record<string, string>>;

interface Case {
  readonly alert: string;
  readonly fires: readonly { readonly when: string; readonly series: Series; readonly at: string }[];
  readonly doesNot: readonly { readonly when: string; readonly series: Series; readonly at: string }[];
}

const vms = (state: string) => `unkey_metald_vms{state="${state}"}`;
const CHECKS = "unkey_metald_vm_health_checks_total";
const FAILURES = "unkey_metald_vm_health_check_failures_total";
const UNKNOWN = "unkey_metald_vm_health_checks_unknown_total";
const OLDEST = "unkey_metald_vm_orphaned_oldest_age_seconds";
const ATTEMPTS = "unkey_metald_vm_recovery_attempts_total";
const failed = (cause: string) => `unkey_metald_vm_recovery_failures_total{cause="${cause}"}`;
const lag = (le: string) => `unkey_metald_loop_lag_seconds_bucket{le="${le}"}`;

const CASES: readonly Case[] = [
  {
    alert: "MetaldManyVmsOrphaned",
    fires: [{ when: "six are orphaned", series: { unkey_metald_vms_orphaned: "0 6" }, at: "1m" }],
    doesNot: [{ when: "five are", series: { unkey_metald_vms_orphaned: "5x9" }, at: "9m" }],
  },
  {
    alert: "MetaldVmOrphanedLong",
    fires: [{ when: "one VM is lost for six minutes", series: { [OLDEST]: "0+60x6" }, at: "6m" }],
    doesNot: [
      { when: "several are lost in turn", series: { [OLDEST]: "60 120 180 60 120 180 240 120 60" }, at: "8m" },
      { when: "one is lost for five minutes", series: { [OLDEST]: "0+60x5" }, at: "5m" },
    ],
  },
  {
    alert: "MetaldRecoveryGivenUp",
    fires: [{ when: "one failed", series: { [vms("failed")]: "1" }, at: "0m" }],
    doesNot: [{ when: "one backs off", series: { [vms("failed")]: "0", [vms("backing_off")]: "1" }, at: "0m" }],
  },
  {
    alert: "MetaldVmBlocked",
    fires: [
      { when: "one is blocked", series: { [vms("blocked")]: "1x9" }, at: "2m" },
      { when: "one is unfenceable", series: { [vms("unfenceable")]: "2x9" }, at: "2m" },
    ],
    doesNot: [{ when: "one was, for a moment", series: { [vms("blocked")]: "1 0 0 0" }, at: "2m" }],
  },
  {
    alert: "MetaldVmIoPaused",
    fires: [{ when: "one is", series: { [vms("paused_io")]: "1" }, at: "0m" }],
    doesNot: [
      { when: "one is paused by somebody", series: { [vms("paused_io")]: "0", [vms("paused")]: "1" }, at: "0m" },
    ],
  },
  {
    alert: "MetaldVmHeldLong",
    fires: [{ when: "one is for over four hours", series: { unkey_metald_vms_held: "1x250" }, at: "245m" }],
    doesNot: [{ when: "nobody was between", series: { unkey_metald_vms_held: "1x200 0 1x45" }, at: "245m" }],
  },
  {
    alert: "MetaldBrakeEngaged",
    fires: [{ when: "it is", series: { unkey_metald_brake_engaged: "1" }, at: "0m" }],
    doesNot: [{ when: "it was released", series: { unkey_metald_brake_engaged: "1 0" }, at: "1m" }],
  },
  {
    alert: "MetaldStrayProcesses",
    fires: [{ when: "one runs for over half an hour", series: { unkey_metald_stray_processes: "1x40" }, at: "31m" }],
    doesNot: [{ when: "it ended before", series: { unkey_metald_stray_processes: "1x20 0x20" }, at: "31m" }],
  },
  {
    alert: "MetaldRecoveryFailureRate",
    fires: [{ when: "one of two fails", series: { [ATTEMPTS]: "0+2x30", [failed("timeout")]: "0+1x30" }, at: "20m" }],
    doesNot: [
      { when: "one of sixteen fails", series: { [ATTEMPTS]: "0+16x30", [failed("timeout")]: "0+1x30" }, at: "20m" },
      { when: "all were abandoned", series: { [ATTEMPTS]: "0+2x30", [failed("abandoned")]: "0+2x30" }, at: "20m" },
      { when: "there was none", series: { [ATTEMPTS]: "0x30", [failed("timeout")]: "0x30" }, at: "20m" },
    ],
  },
  {
    alert: "MetaldHealthCheckFailureRate",
    fires: [{ when: "one of eight fails", series: { [CHECKS]: "0+8x30", [FAILURES]: "0+1x30" }, at: "20m" }],
    doesNot: [{ when: "one of thirty-two fails", series: { [CHECKS]: "0+32x30", [FAILURES]: "0+1x30" }, at: "20m" }],
  },
  {
    alert: "MetaldProbesUnknown",
    fires: [{ when: "one of eight is", series: { [CHECKS]: "0+8x30", [UNKNOWN]: "0+1x30" }, at: "25m" }],
    doesNot: [{ when: "one of thirty-two is", series: { [CHECKS]: "0+32x30", [UNKNOWN]: "0+1x30" }, at: "25m" }],
  },
  {
    alert: "MetaldNoSuccessfulHealthCheck",
    fires: [
      {
        when: "all fail",
        series: { [CHECKS]: "0+2x30", [FAILURES]: "0+2x30", [UNKNOWN]: "0x30", [vms("suspect")]: "1x30" },
        at: "20m",
      },
      {
        when: "none is carried out",
        series: { [CHECKS]: "7x30", [FAILURES]: "0x30", [UNKNOWN]: "0x30", [vms("healthy")]: "1x30" },
        at: "20m",
      },
    ],
    doesNot: [
      {
        when: "one succeeds",
        series: { [CHECKS]: "0+2x30", [FAILURES]: "0+1x30", [UNKNOWN]: "0x30", [vms("healthy")]: "1x30" },
        at: "20m",
      },
      {
        when: "no VM runs",
        series: {
          [CHECKS]: "0x30",
          [FAILURES]: "0x30",
          [UNKNOWN]: "0x30",
          [vms("healthy")]: "0x30",
          [vms("stopped")]: "3x30",
        },
        at: "20m",
      },
    ],
  },
  {
    alert: "MetaldAgentGone",
    fires: [{ when: "nothing comes", series: { 'unkey_metald_build_info{version="1"}': "1x5 _x30" }, at: "20m" }],
    doesNot: [
      { when: "it is there", series: { 'unkey_metald_build_info{version="1"}': "1x30" }, at: "20m" },
      {
        when: "it was upgraded",
        series: {
          'unkey_metald_build_info{version="1"}': "1x5 stale _x30",
          'unkey_metald_build_info{version="2"}': "_x6 1x30",
        },
        at: "20m",
      },
    ],
  },
  {
    alert: "MetaldTextfileStale",
    fires: [
      {
        when: "the file is old",
        series: { 'node_textfile_mtime_seconds{file="/var/t/metald.prom"}': "0x9" },
        at: "3m",
      },
    ],
    doesNot: [
      {
        when: "the file is new",
        series: { 'node_textfile_mtime_seconds{file="/var/t/metald.prom"}': "0+60x9" },
        at: "9m",
      },
      { when: "another's is old", series: { 'node_textfile_mtime_seconds{file="/var/t/apt.prom"}': "0x9" }, at: "9m" },
    ],
  },
  {
    alert: "MetaldRegistryNotRead",
    fires: [
      { when: "for eleven minutes", series: { unkey_metald_registry_last_success_age_seconds: "0+60x11" }, at: "11m" },
    ],
    doesNot: [
      { when: "for ten minutes", series: { unkey_metald_registry_last_success_age_seconds: "0+60x10" }, at: "10m" },
    ],
  },
  {
    alert: "MetaldLogLinesDropped",
    fires: [{ when: "one was", series: { unkey_metald_log_lines_dropped_total: "0 0 1 1" }, at: "3m" }],
    doesNot: [{ when: "one was long ago", series: { unkey_metald_log_lines_dropped_total: "1x30" }, at: "20m" }],
  },
  {
    alert: "MetaldLoopLag",
    fires: [
      {
        when: "one timer in ten is half a second late",
        series: { [lag("0.25")]: "0+54x30", [lag("0.5")]: "0+60x30", [lag("+Inf")]: "0+60x30" },
        at: "15m",
      },
    ],
    doesNot: [
      {
        when: "all are on time",
        series: { [lag("0.25")]: "0+60x30", [lag("0.5")]: "0+60x30", [lag("+Inf")]: "0+60x30" },
        at: "15m",
      },
    ],
  },
  {
    alert: "MetaldExportFailing",
    fires: [{ when: "each fails", series: { unkey_metald_export_failures_total: "0+1x30" }, at: "15m" }],
    doesNot: [{ when: "one failed", series: { unkey_metald_export_failures_total: "0 1x30" }, at: "10m" }],
  },
];

describeWhere([PROMTOOL], "the alert rules", () => {
  it("are rules of Prometheus", () => {
    const { passed, output } = promtool(["check", "rules", RULES]);
    assert.ok(passed, output);
  });

  for (const { alert, fires, doesNot } of CASES) {
    for (const [firing, examples] of [
      [1, fires],
      [0, doesNot],
    ] as const) {
      for (const { when, series, at } of examples) {
        it(`${alert} ${firing === 1 ? "fires" : "does not fire"} when ${when}`, () => {
          const { passed, output } = evaluated(alert, series, at, firing);
          assert.ok(passed, output);
        });
      }
    }
  }

  it("tell the host, the number and the command to look with", () => {
    const series = withHost("unkey_metald_vms_orphaned");
    const annotations = {
      summary: "8 VMs are orphaned on host-a",
      description: /description: >-\n([\s\S]*?)\n\s+journalctl:/.exec(text())?.[1]?.trim().replaceAll(/\s+/g, " "),
      journalctl: 'journalctl -u metald --since "10 minutes ago" | grep "orphaned vm detected"',
    };
    const expected = {
      exp_labels: { job: "metald", instance: "host-a", severity: "critical" },
      exp_annotations: annotations,
    };
    const { passed, output } = tested({
      input_series: [{ series, values: "8x5" }],
      alert_rule_test: [{ eval_time: "2m", alertname: "MetaldManyVmsOrphaned", exp_alerts: [expected] }],
    });
    assert.ok(passed, output);
  });
});

it("every alert has its cases, a severity, a summary, a description and a command", () => {
  const rules = text()
    .split(/^ {6}- alert: /m)
    .slice(1);
  assert.deepEqual(
    rules.map((rule) => rule.slice(0, rule.indexOf("\n"))).sort(),
    CASES.map(({ alert }) => alert).sort(),
  );
  for (const rule of rules) {
    for (const part of [
      /severity: (critical|warning)/,
      /summary: "/,
      /description: >-/,
      /journalctl: (journal|system)ctl /,
    ]) {
      assert.match(rule, part);
    }
  }
});

it("the rules and their cases name only metrics and states that exist", () => {
  const names = new Set<string>(Object.keys(INSTRUMENTS));
  for (const [name] of `${text()}${JSON.stringify(CASES)}`.matchAll(/unkey_metald_\w+/g)) {
    assert.ok(names.has(name.replace(/_bucket$/, "")), name);
  }
  for (const [, states = ""] of text().matchAll(/state=~?"([^"]+)"/g)) {
    for (const state of states.split("|"))
      assert.ok(
        VM_PHASES.some((phase) => phase === state),
        state,
      );
  }
});

it("each command finds what it looks for among the lines that the agent writes", () => {
  const golden = readFileSync(new URL("../observability/golden/events.txt", import.meta.url), "utf8");
  const lines = [...golden.split("\n"), 'msg="telemetry export failed" exporter=textfile'];
  const patterns = [...text().matchAll(/grep (?:-i?E )?(?:"([^"]+)"|(\w+))/g)].map(
    ([, quoted, word]) => quoted ?? word ?? "",
  );
  assert.ok(patterns.length > 15);
  for (const pattern of patterns)
    assert.ok(
      lines.some((line) => new RegExp(pattern).test(line)),
      pattern,
    );
});

function text(): string {
  return readFileSync(RULES, "utf8");
}

function withHost(series: string): string {
  const labels = 'job="metald",instance="host-a"';
  return series.endsWith("}") ? `${series.slice(0, -1)},${labels}}` : `${series}{${labels}}`;
}

function evaluated(alert: string, series: Series, at: string, firing: 0 | 1) {
  return tested({
    input_series: Object.entries(series).map(([name, values]) => ({ series: withHost(name), values })),
    promql_expr_test: [
      {
        expr: `count(ALERTS{alertname="${alert}",alertstate="firing",instance="host-a"}) or vector(0)`,
        eval_time: at,
        exp_samples: [{ labels: "{}", value: firing }],
      },
    ],
  });
}

function tested(test: object) {
  const document = { rule_files: [RULES], evaluation_interval: "1m", tests: [{ interval: "1m", ...test }] };
  return withYamlFile(document, (path) => promtool(["test", "rules", path]));
}
