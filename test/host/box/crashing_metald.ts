/**
 * A version of metald that passes each check before it is started and then ends at once: what an upgrade must survive.
 * @module
 */

import process from "node:process";
import { ASSETS, isAssetName } from "../../../src/cli/assets.ts";

const [command, name = ""] = process.argv.slice(2);
if (command === "version") console.log("metald 99.0.0");
else if (command === "assets" && isAssetName(name)) process.stdout.write(ASSETS[name]);
else if (command === "run") {
  console.log("crashes at start, as it is meant to");
  process.exit(70);
}
