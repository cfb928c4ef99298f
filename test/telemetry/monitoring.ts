/**
 * A real Prometheus that scrapes a real node_exporter every second, with the alert rules of metald.
 * @module
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Requirement } from "../host/requires.ts";
import { waitFor } from "../host/wait.ts";
import { freePort } from "./free_port.ts";

export const PROMETHEUS: Requirement = {
  what: "prometheus and prometheus-node-exporter (Debian: packages of these names)",
  met: () => ["prometheus", "prometheus-node-exporter"].every((each) => spawnSync(each, ["--version"]).status === 0),
};

const RULES = fileURLToPath(new URL("../../src/assets/alerts.yaml", import.meta.url));

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Rule {
  readonly name: string;
  readonly query: string;
  /** `ok` once it was evaluated without an error. */
  readonly health: string;
}

export interface Monitoring {
  /** An instant query, now. */
  query(expression: string): Promise<readonly Sample[]>;
  /** The value of an expression with one series. */
  value(expression: string): Promise<number>;
  /** The rules as Prometheus has read them. */
  rules(): Promise<readonly Rule[]>;
  /** As a variable of a dashboard asks for them. */
  labelValues(label: string, metric: string): Promise<readonly string[]>;
}

/** @param textfileDirectory where `*.prom` files are read from */
export async function withMonitoring(textfileDirectory: string, body: (monitoring: Monitoring) => Promise<void>) {
  const directory = mkdtempSync(join(tmpdir(), "metald-prometheus-"));
  const children: ChildProcess[] = [];
  try {
    const [exporterPort, prometheusPort] = [await freePort(), await freePort()];
    const configPath = join(directory, "prometheus.yml");
    const configuration = {
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: [RULES],
      scrape_configs: [{ job_name: "node", static_configs: [{ targets: [`127.0.0.1:${exporterPort}`] }] }],
    };
    writeFileSync(configPath, JSON.stringify(configuration));
    const start = (program: string, ...args: string[]): void => {
      children.push(spawn(program, args, { cwd: directory, stdio: "ignore" }));
    };
    start(
      "prometheus-node-exporter",
      "--collector.disable-defaults",
      "--collector.textfile",
      `--collector.textfile.directory=${textfileDirectory}`,
      `--web.listen-address=127.0.0.1:${exporterPort}`,
    );
    start(
      "prometheus",
      `--config.file=${configPath}`,
      `--storage.tsdb.path=${join(directory, "data")}`,
      `--web.listen-address=127.0.0.1:${prometheusPort}`,
      "--log.level=error",
    );
    const url = `http://127.0.0.1:${prometheusPort}`;
    await waitFor("Prometheus is ready", async () => (await answerOf(`${url}/-/ready`))?.status === 200);
    const query = async (expression: string): Promise<readonly Sample[]> => {
      const { result } = await dataOf(`${url}/api/v1/query?query=${encodeURIComponent(expression)}`);
      return result.map((each: { metric: Sample["labels"]; value: [number, string] }) => ({
        labels: each.metric,
        value: Number(each.value[1]),
      }));
    };
    await body({
      query,
      value: async (expression) => {
        const samples = await query(expression);
        return samples.length === 1 ? (samples[0]?.value ?? Number.NaN) : Number.NaN;
      },
      rules: async () => {
        const { groups } = await dataOf(`${url}/api/v1/rules`);
        return groups.flatMap((group: { rules: readonly Rule[] }) => group.rules);
      },
      labelValues: async (label, metric) => await dataOf(`${url}/api/v1/label/${label}/values?match[]=${metric}`),
    });
  } finally {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) continue;
      const exited = once(child, "exit");
      process.kill(child.pid, "SIGKILL");
      await exited;
    }
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What the HTTP API says, which the caller knows the shape of. */
async function dataOf(url: string) {
  const answer = await answerOf(url);
  const parsed = JSON.parse(answer?.text ?? "null");
  if (parsed?.status !== "success") throw new Error(`Cannot ask ${url}: ${answer?.text}`);
  return parsed.data;
}

/** Undefined: nobody answered. */
function answerOf(url: string): Promise<{ readonly status: number; readonly text: string } | undefined> {
  return new Promise((resolve) => {
    get(url, { agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    }).on("error", () => resolve(undefined));
  });
}
