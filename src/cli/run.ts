/**
 * `metald run`: the agent in the foreground, from its configuration to its exit code.
 *
 * - SIGTERM, SIGINT: stop; a second one ends it at once
 * - SIGHUP: read the configuration again; a bad one is reported and changes nothing
 * - SIGUSR2: log the full state, believe the registry, sweep now
 *
 * SIGUSR1 is left alone: Deno opens a debugger's port on it.
 * @module
 */

import process from "node:process";
import type { Configuration } from "../config/configuration.ts";
import type { Surroundings } from "../config/launcher_choice.ts";
import type { ConfigurationSource } from "../config/load.ts";
import { wallMs } from "../domain/time.ts";
import { unreachable } from "../domain/unreachable.ts";
import { reportToLog } from "../observability/log_event.ts";
import type { LevelName } from "../observability/log_record.ts";
import { type StdoutLog, stdoutLog } from "../observability/stdout_log.ts";
import { createTelemetry, type Telemetry } from "../observability/telemetry.ts";
import type { Control, ControlRequest } from "../ports/control.ts";
import type { FleetObserver } from "../ports/fleet_observer.ts";
import type { Report } from "../ports/report.ts";
import { loadChecked } from "./checked_configuration.ts";
import { EXIT_CODE, type ExitCode } from "./exit_code.ts";
import type { Output } from "./output.ts";
import { reloaded } from "./reload.ts";

/** A service manager that was promised 5 s must not wait longer, whatever hangs. */
const STOP_WITHIN_MS = 4_700;
const FLUSH_WITHIN_MS = 200;
/** For the last export. */
const EXPORT_WITHIN_MS = 1_000;

const LEVELS = { debug: "DEBUG", info: "INFO", warn: "WARN", error: "ERROR" } as const satisfies Record<
  Configuration["settings"]["log"]["level"],
  LevelName
>;

export interface AgentContext {
  readonly configuration: Configuration;
  readonly control: Control;
  readonly fleetObserver: FleetObserver;
  readonly report: Report;
  /** Aborts when the agent must stop. */
  readonly signal: AbortSignal;
}

export type AgentEnd =
  | { readonly kind: "stopped" }
  | { readonly kind: "locked"; readonly detail: string }
  | { readonly kind: "lock_unavailable"; readonly error: string };

export interface RunOptions {
  readonly version: string;
  readonly source: ConfigurationSource;
  readonly surroundings: Surroundings;
  readonly output: Output;
  readonly startAgent: (context: AgentContext) => Promise<AgentEnd>;
  /** Tells whoever asked for a reload what came of it: errors, or the keys that have changed. */
  readonly publishReload: (outcome: {
    readonly errors: readonly string[];
    readonly changed: readonly string[];
  }) => void;
}

/** Does not come back after a second signal, nor when something fails that nobody waits for: that ends the process. */
export async function run(options: RunOptions): Promise<ExitCode> {
  const { source, surroundings, output } = options;
  const loaded = loadChecked(source, surroundings);
  if (loaded.kind === "rejected") {
    for (const error of loaded.errors) output.complain(error);
    return EXIT_CODE.configuration;
  }
  const { configuration } = loaded;
  const log = openLog(configuration, (count) => report({ type: "log_lines_dropped", count }));
  const telemetry = openTelemetry(options, configuration, log);
  const logLine = reportToLog(log, telemetry.follow);
  const report: Report = (event) => {
    telemetry.report(event);
    logLine(event);
  };
  const failed = (error: unknown): Promise<ExitCode> => reportBug(log, error);
  const end = (error: unknown): void => {
    failed(error).then(process.exit, process.exit);
  };
  process.on("uncaughtException", end);
  process.on("unhandledRejection", end);

  const requests = requestChannel();
  const stop = new AbortController();
  stopOnSignals(stop, output);
  reloadOnSignal({ options, configuration, path: loaded.path, log, report, send: requests.send });
  process.on("SIGUSR2", () => requests.send({ kind: "inspect" }));

  let ended: AgentEnd;
  try {
    const { fleetObserver } = telemetry;
    const context = { configuration, control: requests.control, fleetObserver, report, signal: stop.signal };
    ended = await options.startAgent(context);
    await telemetry.stop(EXPORT_WITHIN_MS);
  } catch (error) {
    return await failed(error);
  }
  await log.flush(FLUSH_WITHIN_MS);
  switch (ended.kind) {
    case "stopped":
      return EXIT_CODE.ok;
    case "locked":
      output.complain(`Cannot run as one registry has one agent: ${ended.detail}`);
      return EXIT_CODE.locked;
    case "lock_unavailable":
      output.complain(ended.error);
      return EXIT_CODE.cannotCreate;
    default:
      return unreachable(ended);
  }
}

function openLog(configuration: Configuration, onDropped: (count: number) => void): StdoutLog {
  const { level, format } = configuration.settings.log;
  return stdoutLog({ level: LEVELS[level], format, now: () => wallMs(Date.now()), onDropped });
}

function openTelemetry({ version }: RunOptions, { settings }: Configuration, log: StdoutLog): Telemetry {
  const { telemetry, registryPath } = settings;
  return createTelemetry({ ...telemetry, environment: process.env, version, registryPath, log });
}

/** A bug ends the agent: the service manager starts another, which reads everything from the host. */
async function reportBug(log: StdoutLog, error: unknown): Promise<ExitCode> {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  log.log({ levelName: "CRITICAL", component: "reliability", msg: "agent failed by a bug", fields: { error: text } });
  await log.flush(FLUSH_WITHIN_MS);
  return EXIT_CODE.software;
}

function stopOnSignals(stop: AbortController, output: Output): void {
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(EXIT_CODE.ok);
    stop.abort();
    const timer = setTimeout(() => {
      output.complain("stopped before everything under way had ended; the next start looks after it");
      process.exit(EXIT_CODE.ok);
    }, STOP_WITHIN_MS);
    timer.unref();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

interface ReloadContext {
  readonly options: RunOptions;
  readonly configuration: Configuration;
  /** Where the configuration in force was read; undefined: there was no file. */
  readonly path: string | undefined;
  readonly log: StdoutLog;
  readonly report: Report;
  readonly send: (request: ControlRequest) => void;
}

function reloadOnSignal({ options, configuration, path, log, report, send }: ReloadContext): void {
  let inForce = configuration.document;
  let readFrom = path;
  process.on("SIGHUP", () => {
    // A file that was there must be there: the defaults are not what somebody meant who lost it.
    const source = { ...options.source, path: options.source.path ?? readFrom };
    const loaded = loadChecked(source, options.surroundings);
    if (loaded.kind === "rejected") {
      for (const error of loaded.errors) report({ type: "configuration_rejected", error });
      options.publishReload({ errors: loaded.errors, changed: [] });
      return;
    }
    const { policy, settings, document } = loaded.configuration;
    const reload = reloaded(inForce, document);
    inForce = reload.inForce;
    readFrom = loaded.path;
    log.setLevel(LEVELS[settings.log.level]);
    send({ kind: "reload", policy, changed: reload.changed });
    options.publishReload({ errors: [], changed: reload.changed });
  });
}

interface RequestChannel {
  readonly control: Control;
  readonly send: (request: ControlRequest) => void;
}

function requestChannel(): RequestChannel {
  const subscribers = new Set<(request: ControlRequest) => void>();
  /** What came before anybody listened: a reload during the start must not be lost. */
  let early: ControlRequest[] = [];
  return {
    control: {
      subscribe(onRequest) {
        subscribers.add(onRequest);
        for (const request of early) onRequest(request);
        early = [];
        return () => subscribers.delete(onRequest);
      },
    },
    send(request) {
      if (subscribers.size === 0) early = [...early.filter(({ kind }) => kind !== request.kind), request];
      for (const onRequest of subscribers) onRequest(request);
    },
  };
}
