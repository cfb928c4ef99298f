/**
 * An agent that does nothing but launch one VM and wait to be killed. Prints the pid of the VM.
 *
 * Arguments: the state directory, a file to keep open, the program and its arguments.
 * @module
 */

import { openSync } from "node:fs";
import { createDirectLauncher } from "../../../src/adapters/launcher/direct_launcher.ts";
import { processRecord } from "./vm_record.ts";

const [stateDir = "", openFile = "", ...argv] = process.argv.slice(2);
openSync(openFile, "r");
const launcher = createDirectLauncher({ stateDir });
const outcome = await launcher.launch({ record: processRecord("vm-orphan", argv), incarnation: 1 });
process.stdout.write(`${outcome.kind === "launched" ? outcome.process.pid : JSON.stringify(outcome)}\n`);
setInterval(() => {}, 60_000);
