/**
 * A span that records, within the limits of the specification: https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits
 * The specification lets texts be of any length; here they are as long as in the log, as an error may hold what a VMM answered and
 * two thousand spans may wait.
 * @module
 */

import {
  type Attributes,
  type Exception,
  type Link,
  type Span,
  type SpanContext,
  type SpanKind,
  type SpanStatus,
  SpanStatusCode,
  type TimeInput,
} from "@opentelemetry/api";
import { bounded } from "../printable.ts";
import type { FinishedSpan, SpanEvent } from "./finished_span.ts";

const ATTRIBUTES_MAX = 128;
const EVENTS_MAX = 128;
const LINKS_MAX = 128;

export interface SpanBeginning {
  readonly scope: FinishedSpan["scope"];
  readonly context: SpanContext;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: SpanKind;
  readonly startTime: TimeInput | undefined;
  readonly attributes: Attributes | undefined;
  readonly links: readonly Link[];
  /** Milliseconds since 1970, with a fraction. */
  readonly now: () => number;
  readonly onEnd: (span: FinishedSpan) => void;
}

export class RecordingSpan implements Span {
  readonly #beginning: SpanBeginning;
  readonly #startedAt: number;
  readonly #attributes: Record<string, unknown> = {};
  readonly #events: SpanEvent[] = [];
  readonly #links: Link[] = [];
  #attributeCount = 0;
  #droppedAttributes = 0;
  #droppedEvents = 0;
  #droppedLinks = 0;
  #name: string;
  #status: SpanStatus = { code: SpanStatusCode.UNSET };
  #ended = false;

  constructor(beginning: SpanBeginning) {
    this.#beginning = beginning;
    this.#name = beginning.name;
    this.#startedAt = instantOf(beginning.startTime, beginning.now);
    this.setAttributes(beginning.attributes ?? {});
    this.addLinks([...beginning.links]);
  }

  spanContext(): SpanContext {
    return this.#beginning.context;
  }

  isRecording(): boolean {
    return !this.#ended;
  }

  setAttribute(key: string, value: unknown): this {
    if (this.#ended || key === "" || value === undefined || value === null) return this;
    if (!Object.hasOwn(this.#attributes, key)) {
      if (this.#attributeCount >= ATTRIBUTES_MAX) {
        this.#droppedAttributes += 1;
        return this;
      }
      this.#attributeCount += 1;
    }
    this.#attributes[key] = typeof value === "string" ? bounded(value) : value;
    return this;
  }

  setAttributes(attributes: Attributes): this {
    for (const [key, value] of Object.entries(attributes)) this.setAttribute(key, value);
    return this;
  }

  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    if (this.#ended) return this;
    if (this.#events.length >= EVENTS_MAX) {
      this.#droppedEvents += 1;
      return this;
    }
    const isTime = isTimeInput(attributesOrTime);
    const at = instantOf(isTime ? attributesOrTime : time, this.#beginning.now);
    this.#events.push({ name, at, attributes: isTime ? {} : { ...attributesOrTime } });
    return this;
  }

  addLink(link: Link): this {
    if (this.#ended) return this;
    if (this.#links.length >= LINKS_MAX) this.#droppedLinks += 1;
    else this.#links.push(link);
    return this;
  }

  addLinks(links: Link[]): this {
    for (const link of links) this.addLink(link);
    return this;
  }

  /** `OK` is final, and nothing becomes unset again. */
  setStatus(status: SpanStatus): this {
    if (this.#ended || status.code === SpanStatusCode.UNSET || this.#status.code === SpanStatusCode.OK) return this;
    const { code, message } = status;
    this.#status =
      code === SpanStatusCode.ERROR && message !== undefined ? { code, message: bounded(message) } : { code };
    return this;
  }

  updateName(name: string): this {
    if (!this.#ended) this.#name = name;
    return this;
  }

  recordException(exception: Exception, time?: TimeInput): void {
    const { name, message, stack } =
      typeof exception === "string" ? { name: undefined, message: exception, stack: undefined } : exception;
    const attributes: Attributes = {};
    if (name !== undefined) attributes["exception.type"] = name;
    if (message !== undefined) attributes["exception.message"] = message;
    if (stack !== undefined) attributes["exception.stacktrace"] = stack;
    this.addEvent("exception", attributes, time);
  }

  end(endTime?: TimeInput): void {
    if (this.#ended) return;
    this.#ended = true;
    const { scope, context, parentSpanId, kind, now, onEnd } = this.#beginning;
    onEnd({
      scope,
      context,
      parentSpanId,
      kind,
      name: this.#name,
      startedAt: this.#startedAt,
      endedAt: Math.max(this.#startedAt, instantOf(endTime, now)),
      attributes: this.#attributes,
      droppedAttributes: this.#droppedAttributes,
      events: this.#events,
      droppedEvents: this.#droppedEvents,
      links: this.#links,
      droppedLinks: this.#droppedLinks,
      status: this.#status,
    });
  }
}

function isTimeInput(value: Attributes | TimeInput | undefined): value is TimeInput {
  return typeof value === "number" || value instanceof Date || Array.isArray(value);
}

/**
 * A number is milliseconds since 1970, or, where it is too small for that, since the process began; a pair is seconds and nanoseconds.
 */
function instantOf(time: TimeInput | undefined, now: () => number): number {
  if (time === undefined) return now();
  if (time instanceof Date) return time.getTime();
  if (Array.isArray(time)) return time[0] * 1_000 + time[1] / 1e6;
  return time <= performance.now() ? performance.timeOrigin + time : time;
}
