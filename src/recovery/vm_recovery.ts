/**
 * The life of one VM as a pure function: what is seen turns one state into the next, and into what is to be reported.
 *
 *     pending -> starting -> verifying -> healthy -> suspect -> orphaned -> (backing_off) -> fencing -> starting -> ...
 *
 * What is to be done follows from the state alone (`work_wanted.ts`), so that a missed event can delay an act and never lose it.
 * Acts are carried out elsewhere (`restart.ts`, `stop.ts`) and come back here as what they saw.
 * @module
 */

import { unreachable } from "../domain/unreachable.ts";
import { CLEAN_SHEET } from "../health/vm_health.ts";
import { attemptBegan, restartBegan, restartEnded, stopEnded } from "./act_progress.ts";
import type { Step } from "./draft.ts";
import { Draft } from "./draft.ts";
import type { Observation } from "./observation.ts";
import { recordChanged } from "./record_change.ts";
import { probed } from "./saw_probe.ts";
import { looked } from "./saw_processes.ts";
import type { Situation, Vm } from "./vm.ts";

export function nextVm(vm: Vm, observation: Observation, situation: Situation): Step {
  const draft = new Draft(vm, situation);
  switch (observation.type) {
    case "looked":
      looked(draft, observation.look);
      break;
    case "probed":
      probed(draft, observation);
      break;
    case "record_changed":
      recordChanged(draft, observation);
      break;
    case "restart_began":
      restartBegan(draft);
      break;
    case "attempt_began":
      attemptBegan(draft, observation);
      break;
    case "ending_main":
      draft.set({ endingMain: true });
      break;
    case "launched":
      draft.set({ main: observation.main, health: CLEAN_SHEET, noGuestCount: 0 });
      draft.enter({ name: "verifying", since: situation.now });
      break;
    case "restart_ended":
      restartEnded(draft, observation.outcome);
      break;
    case "stop_began":
      draft.enter({ name: "stopping", since: situation.now });
      break;
    case "stop_ended":
      stopEnded(draft, observation.outcome);
      break;
    default:
      return unreachable(observation);
  }
  return { vm: draft.vm, events: draft.events };
}
