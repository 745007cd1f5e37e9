/** `jobs test`: one marked line through a job's own destination. */
import type { Command } from 'commander';
import { clientOf, printJson, withConnection } from '../context.ts';
import type { CliContext } from '../context.ts';
import { CallFailed, EXIT } from '../control-client.ts';

interface TestView {
  readonly accepted: boolean;
  readonly message: string;
  readonly destination: string;
}

export function addJobTest(group: Command, context: CliContext): void {
  withConnection(
    group
      .command('test <id>')
      .description('send one line, marked as a test, to where the job delivers'),
  )
    .addHelpText(
      'after',
      '\nNothing of it reaches the books. Also for a job that is off.\n\nExample:\n  $ waybill jobs test 7',
    )
    .action(async (id: string, options: Record<string, string | boolean | undefined>) => {
      if (!/^[1-9]\d{0,14}$/.test(id))
        throw new CallFailed(`a job's id is a number, not ${JSON.stringify(id)}`, EXIT.misuse);
      const answer = await clientOf(context, options).send<TestView>('POST', `/v1/jobs/${id}/test`);
      if (options['json']) printJson(context, answer);
      else if (answer.accepted) context.output.out(`${answer.message}\n`);
      if (answer.accepted) return;
      throw new CallFailed(
        `${answer.destination} did not take the line: ${answer.message}`,
        EXIT.problem,
      );
    });
}
