/** Who takes part: three customers, each with a zone; four jobs, two of them on one stream. */

export interface Zone {
  readonly id: string;
  readonly host: string;
  readonly account: string;
  readonly customer: string;
  /** Its share of all lines. */
  readonly share: number;
}

export const DATASET = 'http_requests';

export const ZONES = [
  {
    id: 'alder',
    host: 'www.alder-books.example',
    account: 'alder-books',
    customer: 'Alder Books',
    share: 0.3,
  },
  {
    id: 'brisk',
    host: 'live.brisk-radio.example',
    account: 'brisk-radio',
    customer: 'Brisk Radio',
    share: 0.45,
  },
  {
    id: 'cobalt',
    host: 'api.cobalt-pay.example',
    account: 'cobalt-pay',
    customer: 'Cobalt Pay',
    share: 0.25,
  },
] as const satisfies readonly Zone[];

/** A filter as the customer writes it, and the same said once more by the demo, which must come to the same lines. */
export interface Filter {
  readonly text: string;
  passes(line: { readonly EdgeResponseStatus: number }): boolean;
}

const errorsOnly: Filter = {
  text: JSON.stringify({ where: { key: 'EdgeResponseStatus', operator: 'geq', value: 400 } }),
  passes: (line) => line.EdgeResponseStatus >= 400,
};

export interface JobPlan {
  readonly name: string;
  readonly zone: Zone;
  readonly to: 's3' | 'http' | 'folder';
  readonly filter?: Filter;
}

export const JOBS: readonly JobPlan[] = [
  { name: 'alder-all', zone: ZONES[0], to: 's3' },
  { name: 'brisk-all', zone: ZONES[1], to: 'http' },
  { name: 'brisk-errors', zone: ZONES[1], to: 'folder', filter: errorsOnly },
  { name: 'cobalt-all', zone: ZONES[2], to: 'folder' },
];

export function titleOf(job: JobPlan): string {
  return job.filter ? `${job.zone.customer}, errors only` : job.zone.customer;
}
