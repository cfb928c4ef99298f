/** The installed service's telemetry: its hardening must let the textfile and the variables of OpenTelemetry through. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { CONFIGURATION, waitForLog, withMetald } from "../host/box/metald_box.ts";
import { NAMESPACED_HOST } from "../host/box/permitted.ts";
import { describeWhere } from "../host/requires.ts";
import { waitFor } from "../host/wait.ts";

const LONG = { timeout: 180_000 };
const DIRECTORY = "/var/lib/prometheus/node-exporter";

describeWhere([NAMESPACED_HOST], "metald.service with telemetry", () => {
  it(
    "writes node_exporter's file so that others can read it, and pushes where its environment says",
    LONG,
    async () => {
      await withMetald("host", async (box) => {
        await box.shell(`mkdir -p ${DIRECTORY}`);
        const textfile = { path: `${DIRECTORY}/metald.prom`, interval: "500ms" };
        await box.write(CONFIGURATION, JSON.stringify({ telemetry: { textfile } }), "600");
        const variables = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://127.0.0.1:9/x\nOTEL_EXPORTER_OTLP_TIMEOUT=100\n";
        await box.write("/etc/metald/environment", variables, "600");
        await box.output(["systemctl", "restart", "metald"]);
        const text = await waitFor("the file is there", async () => {
          const { code, stdout } = await box.run(["cat", textfile.path]);
          return code === 0 && stdout;
        });
        assert.match(text, /^unkey_metald_build_info\{version="[^"]+"\} 1$/m);
        assert.equal((await box.output(["stat", "-c", "%a", textfile.path])).trim(), "644");
        await waitForLog(box, 'msg="telemetry export failed"', "exporter=otlp_metrics", "target=http://127.0.0.1:9/x");
      });
    },
  );
});
