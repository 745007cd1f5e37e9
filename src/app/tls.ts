import { readFileSync, watchFile, unwatchFile } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Diagnostics } from '../lib/diagnostics.ts';
import type { TlsFiles } from './link/link.ts';

/** Reads certificate and key; throws an Error in plain words when they cannot be used together. */
export function readTls(certPath: string, keyPath: string): TlsFiles {
  let files: TlsFiles;
  try {
    files = { cert: readFileSync(certPath, 'utf8'), key: readFileSync(keyPath, 'utf8') };
  } catch (error) {
    throw new Error(`TLS: ${(error as Error).message}`, { cause: error });
  }
  try {
    createSecureContext(files);
  } catch {
    throw new Error(
      `TLS: ${certPath} and ${keyPath} are not a certificate and its private key in PEM form`,
    );
  }
  return files;
}

/**
 * Calls `reload` with the new pair whenever one of the files changes. A pair that cannot be used (half written, say) is
 * told and passed over: the last good one stays.
 */
export function watchTls(
  certPath: string,
  keyPath: string,
  diagnostics: Diagnostics,
  reload: (files: TlsFiles) => void,
): () => void {
  const changed = () => {
    try {
      reload(readTls(certPath, keyPath));
      diagnostics.info('certificate reloaded', { path: certPath });
    } catch (error) {
      diagnostics.error('certificate not reloaded; the last good one stays', {
        path: certPath,
        error: (error as Error).message,
      });
    }
  };
  for (const path of [certPath, keyPath])
    watchFile(path, { interval: 1_000, persistent: false }, changed);
  return () => {
    for (const path of [certPath, keyPath]) unwatchFile(path, changed);
  };
}
