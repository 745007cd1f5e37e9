/** `waybill drill`: the list of drills, and one of them run. */
import { DRILLS } from './catalog.ts';
import type { Drill } from './kit/drill.ts';
import { HELP, readOrder } from './kit/options.ts';
import type { Order } from './kit/options.ts';
import { runDrill } from './kit/run.ts';

const EXIT = { held: 0, broken: 1, misuse: 2, incomplete: 5, interrupted: 130 } as const;

async function main(args: readonly string[]): Promise<number> {
  let order: Order;
  try {
    order = readOrder(args);
  } catch (error) {
    process.stderr.write(`waybill drill: ${(error as Error).message}\n\n${HELP}`);
    return EXIT.misuse;
  }
  switch (order.kind) {
    case 'help':
      process.stdout.write(HELP);
      return EXIT.held;
    case 'list':
      list(order.json);
      return EXIT.held;
    case 'run':
      return run(order);
  }
}

function list(json: boolean): void {
  if (json) {
    const drills = DRILLS.map(({ name, title, claim, steps, parts = [] }) => ({
      name,
      title,
      claim,
      steps,
      parts,
    }));
    process.stdout.write(`${JSON.stringify(drills, null, 2)}\n`);
    return;
  }
  for (const { name, title, claim, steps, parts = [] } of DRILLS) {
    process.stdout.write(`${name}: ${title}\n  ${claim}\n`);
    steps.forEach((step, at) => process.stdout.write(`    ${at + 1}. ${step}\n`));
    if (parts.length > 0) process.stdout.write(`    parts: ${parts.join(', ')}\n`);
    process.stdout.write('\n');
  }
}

async function run({ name, options }: Extract<Order, { kind: 'run' }>): Promise<number> {
  const drill = DRILLS.find((one) => one.name === name);
  if (!drill) {
    const names = DRILLS.map((one: Drill) => one.name).join(', ');
    process.stderr.write(`waybill drill: there is no drill ${name}; there are ${names}\n`);
    return EXIT.misuse;
  }
  const { only } = options;
  if (only !== undefined && !drill.parts?.includes(only)) {
    const parts = drill.parts?.join(', ') ?? 'none';
    process.stderr.write(`waybill drill: ${name} has no part ${only}; its parts are: ${parts}\n`);
    return EXIT.misuse;
  }
  const obstacle = await drill.obstacle?.();
  if (obstacle !== undefined) {
    process.stderr.write(`waybill drill: ${name} cannot be run here: ${obstacle}\n`);
    return EXIT.incomplete;
  }
  const report = await runDrill(drill, options);
  if (report === 'interrupted') return EXIT.interrupted;
  if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  return EXIT[report.verdict.kind];
}

// Whoever reads only the beginning of a list is no fault of ours.
process.stdout.on('error', () => process.exit(EXIT.held));
process.exitCode = await main(process.argv.slice(2));
