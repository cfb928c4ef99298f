/**
 * The future of a simulated world: a binary heap of events, ordered by time and, at one time, by the order of their making.
 *
 * Cancelling empties an event in place, since finding it in the heap would cost more than popping it later.
 * @module
 */

export interface ScheduledEvent {
  readonly at: number;
  readonly sequence: number;
  /** Undefined once cancelled or run. */
  run: (() => void) | undefined;
}

export class EventHeap {
  readonly #events: ScheduledEvent[] = [];
  #sequence = 0;

  push(at: number, run: () => void): ScheduledEvent {
    const event: ScheduledEvent = { at, sequence: this.#sequence++, run };
    const events = this.#events;
    let index = events.length;
    events.push(event);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = events[parentIndex];
      if (parent === undefined || isBefore(parent, event)) break;
      events[index] = parent;
      index = parentIndex;
    }
    events[index] = event;
    return event;
  }

  peek(): ScheduledEvent | undefined {
    return this.#events[0];
  }

  pop(): ScheduledEvent | undefined {
    const events = this.#events;
    const first = events[0];
    const last = events.pop();
    if (first === undefined || last === undefined || first === last) return first;
    const length = events.length;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = events[childIndex];
      if (child === undefined) break;
      const right = events[childIndex + 1];
      if (childIndex + 1 < length && right !== undefined && isBefore(right, child)) {
        childIndex++;
        child = right;
      }
      if (isBefore(last, child)) break;
      events[index] = child;
      index = childIndex;
    }
    events[index] = last;
    return first;
  }
}

function isBefore(a: ScheduledEvent, b: ScheduledEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.sequence < b.sequence);
}
