/**
 * The agent's spans, from what it reports: the loss of a VM, each attempt to bring it back, and checks that failed.
 *
 * All that follows from one loss is one trace, and its id stands on the log lines of that recovery, so that a person who has one
 * finds the other.
 * @module
 */

import { ROOT_CONTEXT, type Span, SpanStatusCode, TraceFlags, type Tracer, trace } from "@opentelemetry/api";
import type { RecoveryEvent, ReliabilityEvent } from "../domain/event.ts";
import type { VmId } from "../domain/vm_record.ts";

/** Losses beyond that have no trace. */
const LOSSES_MAX = 10_000;

export interface FleetTracesOptions {
  readonly tracer: Tracer;
  /** Milliseconds since 1970, with a fraction. */
  readonly now: () => number;
  readonly healthCheckSpans: "failures" | "all";
}

/** To be called with each event once, in order. Returns the id of the trace that it belongs to; undefined: to none. */
export type Follow = (event: ReliabilityEvent) => string | undefined;

interface Loss {
  /** What the trace began with. */
  readonly first: Span;
  attempt: Span | undefined;
}

export function followFleet({ tracer, now, healthCheckSpans }: FleetTracesOptions): Follow {
  const losses = new Map<VmId, Loss>();
  let justChecked: { readonly vmId: VmId; readonly span: Span; readonly endedAt: number } | undefined;

  function startSpan(name: string, vmId: VmId, options: { parent?: Span; agoMs?: number } = {}): Span {
    const { parent, agoMs } = options;
    const context = parent === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, parent);
    return tracer.startSpan(name, { startTime: now() - (agoMs ?? 0), attributes: { vm_id: vmId } }, context);
  }

  function detected(event: Extract<RecoveryEvent, { type: "orphan_detected" }>): void {
    const { vmId, reason, detect, evidence, detectionDelayMs } = event;
    forget(vmId);
    if (losses.size >= LOSSES_MAX) return;
    const span = startSpan("detect_orphaned_vms", vmId, { agoMs: detectionDelayMs ?? 0 });
    span.setAttributes({ reason, source: detect, evidence });
    span.end(now());
    losses.set(vmId, { first: span, attempt: undefined });
  }

  function attempting(event: Extract<RecoveryEvent, { type: "recovery_attempting" }>): void {
    const { vmId, attempt, reason, action } = event;
    const loss = losses.get(vmId);
    loss?.attempt?.end(now());
    const span = startSpan("recovery_attempt", vmId, loss === undefined ? {} : { parent: loss.first });
    span.setAttributes({ attempt, reason, action });
    // An earlier agent may have detected the loss: then its trace begins here.
    if (loss !== undefined) loss.attempt = span;
    else if (losses.size < LOSSES_MAX) losses.set(vmId, { first: span, attempt: span });
  }

  function failed(event: Extract<RecoveryEvent, { type: "attempt_failed" }>): void {
    const { vmId, cause, error } = event;
    const loss = losses.get(vmId);
    if (loss?.attempt === undefined) return;
    loss.attempt.setAttribute("cause", cause).setStatus({ code: SpanStatusCode.ERROR, message: error });
    loss.attempt.end(now());
    loss.attempt = undefined;
  }

  function forget(vmId: VmId): void {
    losses.get(vmId)?.attempt?.end(now());
    losses.delete(vmId);
  }

  function checked(event: Extract<ReliabilityEvent, { type: "probe_finished" }>): string | undefined {
    const { vmId, outcome, durationMs } = event;
    if (outcome !== "failure" && healthCheckSpans === "failures") return undefined;
    const parent = losses.get(vmId)?.first;
    const span = startSpan("vm_health_check", vmId, { agoMs: durationMs, ...(parent === undefined ? {} : { parent }) });
    span.setAttribute("outcome", outcome);
    if (outcome === "failure") span.setStatus({ code: SpanStatusCode.ERROR });
    justChecked = { vmId, span, endedAt: now() };
    return traceIdOf(span);
  }

  /** What a failed check failed by is the event after it, if it is told at all. */
  function endCheck(next: ReliabilityEvent): string | undefined {
    if (justChecked === undefined) return undefined;
    const { vmId, span, endedAt } = justChecked;
    justChecked = undefined;
    const isOfCheck = next.type === "health_check_failed" && next.vmId === vmId;
    if (isOfCheck) {
      span.setAttribute("layer", next.layer).setStatus({ code: SpanStatusCode.ERROR, message: next.error });
    }
    span.end(endedAt);
    return isOfCheck ? traceIdOf(span) : undefined;
  }

  function traceOf(vmId: VmId | undefined): string | undefined {
    const loss = vmId === undefined ? undefined : losses.get(vmId);
    return loss === undefined ? undefined : traceIdOf(loss.first);
  }

  return (event) => {
    const checkTraceId = endCheck(event);
    if (checkTraceId !== undefined) return checkTraceId;
    switch (event.type) {
      case "probe_finished":
        return checked(event);
      case "orphan_detected":
        detected(event);
        return traceOf(event.vmId);
      case "recovery_attempting":
        attempting(event);
        return traceOf(event.vmId);
      case "attempt_failed":
        failed(event);
        return traceOf(event.vmId);
      case "recovery_successful": {
        const traceId = traceOf(event.vmId);
        losses.get(event.vmId)?.attempt?.setStatus({ code: SpanStatusCode.OK });
        forget(event.vmId);
        return traceId;
      }
      case "health_restored":
      case "vm_stopped":
      case "vm_started":
      case "vm_deleted": {
        const traceId = traceOf(event.vmId);
        forget(event.vmId);
        return traceId;
      }
      default:
        return "vmId" in event ? traceOf(event.vmId) : undefined;
    }
  };
}

/** A trace that is not exported is nowhere to be found. */
function traceIdOf(span: Span): string | undefined {
  const { traceId, traceFlags } = span.spanContext();
  return (traceFlags & TraceFlags.SAMPLED) === 0 ? undefined : traceId;
}
