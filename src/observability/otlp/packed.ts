/**
 * Splits what is to be sent into groups, none larger than a collector takes in one request.
 * @module
 */

/** In order; an item that alone is larger than `bytesMax` is a group of its own. Nothing gives no group. */
export function packed<T>(items: readonly T[], bytesOf: (item: T) => number, bytesMax: number): T[][] {
  const groups: T[][] = [];
  let group: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const itemBytes = bytesOf(item);
    if (group.length > 0 && bytes + itemBytes > bytesMax) {
      groups.push(group);
      group = [];
      bytes = 0;
    }
    group.push(item);
    bytes += itemBytes;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

/** Two groups, for a collector that takes less than others do; none of what cannot be split. */
export function halves<T>(items: readonly T[]): readonly T[][] {
  const middle = Math.ceil(items.length / 2);
  return items.length < 2 ? [] : [items.slice(0, middle), items.slice(middle)];
}
