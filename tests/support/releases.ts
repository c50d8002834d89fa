import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readRelease, type Release } from '../../db/functions.ts';

/** A release of these files alone, or beside ours. */
export async function releaseOf(
  files: Record<string, string>,
  { ours = false } = {},
): Promise<Release> {
  const folder = await mkdtemp(join(tmpdir(), 'rowloom-sql-'));
  try {
    if (ours) await cp('functions', folder, { recursive: true });
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    return await readRelease(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Our functions and one more, which gives `version`: another release for every number. */
export const ourRelease = (version: number): Promise<Release> =>
  releaseOf(
    {
      'version.sql': `create function rowloom.version() returns integer language sql as 'select ${version}';`,
    },
    { ours: true },
  );
