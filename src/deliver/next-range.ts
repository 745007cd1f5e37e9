import type { JobState } from '../buffer/index.ts';
import type { Plan, Range } from '../model/delivery.ts';

/**
 * The first run of a job's stream that is neither settled nor planned. Taken from the durable state every time, so that
 * there is no second memory of it that could differ.
 *
 * @returns a range whose `to` is where settled or planned lines begin again, or a replay ends (`Infinity`: no end yet)
 */
export function nextUnplanned(state: JobState): Range {
  const end = state.end ?? Number.POSITIVE_INFINITY;
  if (state.settled.length === 0 && state.open.length === 0) return { from: state.cursor, to: end };
  const taken: Range[] = [...state.settled, ...state.open.map((plan: Plan) => plan.range)];
  taken.sort((a, b) => a.from - b.from);
  let from = state.cursor;
  for (const range of taken) {
    if (range.from > from) return { from, to: range.from };
    from = Math.max(from, range.to);
  }
  return { from, to: end };
}
