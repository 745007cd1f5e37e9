/**
 * Puts the server's settings together from file, environment and flags, by the table in `settings.ts`. Everything that is
 * wrong is said at once, each with its place, its value and what would be right.
 */
import { NAMED_SETTINGS, SETTINGS } from './settings.ts';
import type { Config, NamedSetting, Setting } from './settings.ts';

/** What is wrong with one setting: where it stands, its value, and what would be right. */
export interface ConfigProblem {
  readonly where: string;
  readonly message: string;
}

/** Where values came from, in rising order of precedence. */
export interface ConfigSources {
  /** The parsed YAML document, if there is a file. */
  readonly file?: { readonly path: string; readonly document: unknown };
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Flags by name without dashes in front: `ingest-port`. */
  readonly flags: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
}

/** Environment variables that begin with `WAYBILL_` and are no settings of the server. */
const OTHER_VARIABLES =
  /^WAYBILL_(TOKEN|URL|INGEST_URL|CONFIG|SEALING_KEY|LAUNCHED|TEST_.*|CRASH_.*)$/;

/** Puts the sources together, or says everything that is wrong with them at once. */
export function readConfig(sources: ConfigSources): Config | readonly ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const given = new Map<string, { where: string; value: unknown }>();
  const bySetting = new Map(
    NAMED_SETTINGS.map((named) => [`${named.section}.${named.key}`, named]),
  );

  if (sources.file) readDocument(sources.file, bySetting, given, problems);
  const byVariable = new Map(NAMED_SETTINGS.map((named) => [named.variable, named]));
  for (const [variable, value] of Object.entries(sources.environment)) {
    if (!variable.startsWith('WAYBILL_') || value === undefined || OTHER_VARIABLES.test(variable))
      continue;
    const named = byVariable.get(variable);
    if (named)
      given.set(`${named.section}.${named.key}`, {
        where: variable,
        value: fromText(named.setting, value),
      });
    else
      problems.push({
        where: variable,
        message: `is no setting${nearest(variable, [...byVariable.keys()])}`,
      });
  }
  for (const named of NAMED_SETTINGS) {
    const value = sources.flags[named.flag.slice(2)];
    if (value === undefined) continue;
    const parsed = typeof value === 'string' ? fromText(named.setting, value) : value;
    given.set(`${named.section}.${named.key}`, { where: named.flag, value: parsed });
  }

  const config: Record<string, Record<string, unknown>> = {};
  for (const { section, key, setting } of NAMED_SETTINGS) {
    const found = given.get(`${section}.${key}`);
    const problem = found && judge(setting, found.value);
    if (found && problem)
      problems.push({
        where: found.where,
        message: `is ${show(setting, found.value)}, but must be ${problem}`,
      });
    (config[section] ??= {})[key] = found && !problem ? found.value : setting.default;
  }
  const whole = config as unknown as Config;
  problems.push(...crossChecks(whole));
  return problems.length > 0 ? problems : whole;
}

function crossChecks(config: Config): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const section of ['ingest', 'control'] as const) {
    if ((config[section].tlsCert === '') !== (config[section].tlsKey === '')) {
      problems.push({
        where: `${section}.tlsCert, ${section}.tlsKey`,
        message: 'must be given both or not at all',
      });
    }
  }
  if ((config.control.keySource === 'command') !== config.control.keyCommand.length > 0) {
    problems.push({
      where: 'control.keySource, control.keyCommand',
      message: 'go together: `command` takes a program, and a program is asked only then',
    });
  }
  if (config.buffer.lowWatermark >= config.buffer.highWatermark) {
    problems.push({
      where: 'buffer.lowWatermark',
      message: `is ${config.buffer.lowWatermark}, but must be below buffer.highWatermark (${config.buffer.highWatermark})`,
    });
  }
  return problems;
}

function readDocument(
  file: { readonly path: string; readonly document: unknown },
  bySetting: ReadonlyMap<string, NamedSetting>,
  given: Map<string, { where: string; value: unknown }>,
  problems: ConfigProblem[],
): void {
  const sections = file.document;
  if (!isRecord(sections)) {
    problems.push({
      where: file.path,
      message:
        'must hold sections with settings, such as `ingest: { port: 4510 }`; it is empty or something else',
    });
    return;
  }
  for (const [section, keys] of Object.entries(sections)) {
    if (!(section in SETTINGS)) {
      problems.push({
        where: `${file.path}: ${section}`,
        message: `is no section${nearest(section, Object.keys(SETTINGS))}`,
      });
    } else if (!isRecord(keys)) {
      problems.push({ where: `${file.path}: ${section}`, message: 'must hold settings' });
    } else {
      for (const [key, value] of Object.entries(keys)) {
        const name = `${section}.${key}`;
        const where = `${file.path}: ${name}`;
        if (bySetting.has(name)) given.set(name, { where, value });
        else
          problems.push({ where, message: `is no setting${nearest(name, [...bySetting.keys()])}` });
      }
    }
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function fromText(setting: Setting, value: string): unknown {
  switch (setting.kind) {
    case 'text':
    case 'choice':
      return value;
    case 'whole':
    case 'share':
      return /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
    case 'switch':
      return value === 'true' ? true : value === 'false' ? false : value;
    case 'list':
      return value
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '');
  }
}

/** What would be right, or undefined when the value is. */
function judge(setting: Setting, value: unknown): string | undefined {
  switch (setting.kind) {
    case 'text':
      return typeof value === 'string' ? undefined : 'a text';
    case 'choice':
      return setting.among.includes(value as string)
        ? undefined
        : `one of ${setting.among.join(', ')}`;
    case 'whole':
      return Number.isInteger(value) &&
        (value as number) >= setting.least &&
        (value as number) <= setting.most
        ? undefined
        : `a whole number from ${setting.least} to ${setting.most}`;
    case 'share':
      return typeof value === 'number' && value >= setting.least && value <= setting.most
        ? undefined
        : `a number from ${setting.least} to ${setting.most}`;
    case 'switch':
      return typeof value === 'boolean' ? undefined : 'true or false';
    case 'list':
      return Array.isArray(value) && value.every((item) => typeof item === 'string')
        ? undefined
        : 'a list of texts';
  }
}

const show = (setting: Setting, value: unknown) => (setting.secret ? '***' : JSON.stringify(value));

function nearest(name: string, known: readonly string[]): string {
  const best = known
    .map((candidate) => ({
      candidate,
      distance: editDistance(name.toLowerCase(), candidate.toLowerCase()),
    }))
    .toSorted((a, b) => a.distance - b.distance)[0];
  return best && best.distance <= 4
    ? `; did you mean ${best.candidate}?`
    : `; known are ${known.slice(0, 40).join(', ')}`;
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row.push(
        Math.min(
          previous[j]! + 1,
          row[j - 1]! + 1,
          previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
        ),
      );
    }
    previous = row;
  }
  return previous[b.length]!;
}

/** The effective settings for people and files: secrets replaced. */
export function redactConfig(config: Config): Record<string, Record<string, unknown>> {
  const shown: Record<string, Record<string, unknown>> = {};
  for (const { section, key, setting } of NAMED_SETTINGS) {
    const value = (config as unknown as Record<string, Record<string, unknown>>)[section]?.[key];
    (shown[section] ??= {})[key] = setting.secret && value !== '' ? '***' : value;
  }
  return shown;
}
