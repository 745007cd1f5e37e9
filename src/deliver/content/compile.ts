/** Puts a job's encoder together from what its filter and output options need, and nothing more. */
import { assert } from '../../lib/assert.ts';
import { isTimestampField } from '../../model/dataset-fields.ts';
import { parseFilter } from '../../model/filter.ts';
import type { FilterNode } from '../../model/filter.ts';
import type { DatasetConfig, JobConfig } from '../../model/snapshot.ts';
import type { ContentEncoder } from './contract.ts';
import { LineEncoder } from './encoder.ts';
import { contentTypeOf, defuse, formOf, isDocument, isVerbatim } from './form.ts';
import { compileJudge, filterKeys } from './judge.ts';
import { LineScanner } from './line.ts';
import { textOf } from './output.ts';
import { compileRecord, recordKeys } from './record.ts';
import { Sampler } from './sample.ts';

/**
 * What a job makes of lines.
 *
 * @param dataset says which fields hold times, and of what type the filter's fields are; undefined counts as open
 * @param epoch the stream's epoch, 16 hex digits: sampling depends on it
 * @returns `whole` when every line goes out exactly as it came
 * @throws {AssertionError} when the job's filter or template is not one that could have been stored. Such a job must stand
 *   still: neither everything nor nothing may be read into it (I4)
 */
export function compileContent(
  job: Pick<JobConfig, 'filter' | 'outputOptions'>,
  dataset: DatasetConfig | undefined,
  epoch: string,
): 'whole' | ContentEncoder {
  const form = formOf(job.outputOptions);
  const filter = storedFilter(job.filter, dataset);
  const isWhole = isVerbatim(form) && !isDocument(form) && !form.isDefused && form.sampleRate === 1;
  if (filter === undefined && isWhole) return 'whole';

  const wanted = [...new Set([...recordKeys(form), ...(filter ? filterKeys(filter) : [])])];
  const isTimestamp = (name: string): boolean => isTimestampField(dataset, name);
  const scanner = new LineScanner({
    wanted,
    listAll: !isVerbatim(form) && form.names === undefined && form.template === undefined,
    mark: isTimestamp,
  });
  const slotOf = (name: string): number => wanted.indexOf(name);
  const looksInside = filter !== undefined || !isVerbatim(form) || isDocument(form);
  const { outputOptions } = job;
  return new LineEncoder({
    recipe: { filter: job.filter, outputOptions, dataset, epoch },
    contentType: contentTypeOf(form),
    prefix: Buffer.from(defuse(form, form.batchPrefix)),
    suffix: Buffer.from(defuse(form, form.batchSuffix)),
    scanner: looksInside ? scanner : undefined,
    judge: filter && compileJudge(filter, scanner, slotOf),
    sampler: form.sampleRate < 1 ? new Sampler(epoch, form.sampleRate) : undefined,
    record: isVerbatim(form)
      ? undefined
      : {
          prefix: textOf(form.recordPrefix),
          write: compileRecord(form, { scanner, slotOf, isTimestamp }),
          suffix: textOf(form.recordSuffix),
        },
    delimiter: form.recordDelimiter === '' ? undefined : textOf(form.recordDelimiter),
    isDefused: form.isDefused,
  });
}

/**
 * The filter as it was stored. A dataset may have lost a field since the filter was accepted: such a filter goes on, judging
 * by the values' own types, rather than stop a running job.
 */
function storedFilter(text: string, dataset: DatasetConfig | undefined): FilterNode | undefined {
  let parsed = parseFilter(text, dataset);
  if (parsed.kind === 'invalid') parsed = parseFilter(text, undefined);
  assert(parsed.kind !== 'invalid', 'a stored filter has been parsed before');
  return parsed.kind === 'filter' ? parsed.node : undefined;
}
