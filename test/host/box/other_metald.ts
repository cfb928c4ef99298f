/**
 * metald from another entry point: another binary of the same version.
 * @module
 */

import "../../../src/main.ts";
