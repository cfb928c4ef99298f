/**
 * The `launch` of a record: how its VM is started.
 * @module
 */

import { z } from "zod";
import type { Launch } from "../domain/vm_record.ts";
import { absolutePath, duration, isAbsolutePath, isArgument, list, section } from "./leaves.ts";
import { unitProperties } from "./unit_properties.ts";

const argument = z.custom<string>(isArgument, "it must be a text without NUL");
const programPath = z.custom<string>(isAbsolutePath, "it must be the absolute path of a program");
const listOfTexts = { error: "it must be a list of a program and its arguments" };
const program = z.tuple([programPath], argument, listOfTexts);

/** A VMM that puts itself into the background leaves its parent, and with it the agent's knowledge of how it ended. */
const foregroundArgument = argument.refine(
  (text) => !/^--?daemonize(=|$)/.test(text),
  "the program must stay in the foreground",
);
/** It is run by env(1), which takes for a variable what contains an equals sign. */
const vmmPath = programPath.refine((path) => !path.includes("="), 'the path of the program must not contain "="');
const foregroundProgram = z.tuple([vmmPath], foregroundArgument, listOfTexts);

const environment = z.record(
  z.custom<string>(
    (name) => typeof name === "string" && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !name.startsWith("METALD_"),
    "it must be a variable's name that does not begin with METALD_",
  ),
  argument,
  {
    error: (issue) =>
      issue.code === "invalid_key"
        ? "its name must be [A-Za-z_][A-Za-z0-9_]* and not begin with METALD_"
        : "it must be an object",
  },
);

/** A program. */
export const argvLaunch = section({
  argv: foregroundProgram,
  env: environment.default({}),
  cwd: absolutePath.default("/"),
  user: z
    .custom<string>(
      (value) => typeof value === "string" && /^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/.test(value),
      "it must be the name of a user",
    )
    .exactOptional(),
  cleanup: list(absolutePath).default([]),
  before_start: list(program).default([]),
  after_stop: list(program).default([]),
  hook_timeout: duration("10ms", "1d").prefault("10s"),
  properties: unitProperties.exactOptional(),
}).transform(
  (launch): Launch => ({
    kind: "argv",
    argv: launch.argv,
    env: launch.env,
    cwd: launch.cwd,
    user: launch.user,
    cleanup: launch.cleanup,
    beforeStart: launch.before_start,
    afterStop: launch.after_stop,
    hookTimeoutMs: launch.hook_timeout,
    ...(launch.properties === undefined ? {} : { properties: launch.properties }),
  }),
);

/** A unit of systemd that somebody else wrote. */
export const unitLaunch = section({
  systemd_unit: z
    .custom<string>(
      (value) => typeof value === "string" && /^[A-Za-z0-9:_.\\@-]{1,247}\.service$/.test(value),
      'it must be the name of a systemd unit that ends in ".service"',
    )
    .refine((unit) => !/^metald[.-]/.test(unit), "it must not be a unit of metald, which a stop of this VM would end"),
}).transform((launch): Launch => ({ kind: "unit", unit: launch.systemd_unit }));
