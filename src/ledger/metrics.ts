/** One metric with its series, as the Prometheus text format (version 0.0.4) wants it. */
export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly series: readonly {
    readonly labels?: Readonly<Record<string, string | number>>;
    readonly value: number;
    /** What of a histogram it is. */
    readonly part?: '_bucket' | '_sum' | '_count';
  }[];
}

const escapeLabel = (value: string) =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

/** The text that a Prometheus server scrapes. */
export function exposition(metrics: readonly Metric[]): string {
  const lines: string[] = [];
  for (const { name, help, type, series } of metrics) {
    lines.push(`# HELP ${name} ${help.replaceAll('\n', ' ')}`, `# TYPE ${name} ${type}`);
    for (const { labels, value, part = '' } of series) {
      const shown = Object.entries(labels ?? {}).map(
        ([label, text]) => `${label}="${escapeLabel(String(text))}"`,
      );
      lines.push(`${name}${part}${shown.length > 0 ? `{${shown.join(',')}}` : ''} ${value}`);
    }
  }
  return `${lines.join('\n')}\n`;
}
