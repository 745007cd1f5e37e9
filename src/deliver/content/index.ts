/**
 * Content: what a job's filter and output options make of lines, on bytes.
 *
 * One pass over a line ({@link file://./line.ts line.ts}) finds the fields that filter and format need. The filter judges
 * values where they stand ({@link file://./judge.ts judge.ts}), the format copies them ({@link file://./record.ts record.ts})
 * into one growing buffer per block. Nothing is allocated per field, and what is not asked to change is never decoded: digits,
 * escapes, nested values and bytes that are no UTF-8 come out as they came in. The same lines, job and epoch always give the
 * same bytes (I7).
 */
export { compileContent } from './compile.ts';
export type { ContentEncoder, EncodedPiece } from './contract.ts';
