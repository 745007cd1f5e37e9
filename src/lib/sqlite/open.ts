import { DatabaseSync } from 'node:sqlite';

/**
 * Opens a file and runs what makes its tables.
 *
 * @throws what SQLite throws; the file is closed then
 */
export function openDatabase(path: string, script: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    database.exec(script);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
