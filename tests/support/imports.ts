import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path/posix';
import { parseSync } from 'rolldown/utils';

/** `file` names `from`: a path from the repository's root, or a package. */
export type Import = { file: string; from: string; isType: boolean };

/** What a file imports, exports again and loads later; `isType`: nothing of it is there at run time. */
export function importsOf(file: string, text: string): Import[] {
  const { module, errors } = parseSync(file, text);
  if (errors[0]) throw new Error(`${file}: ${errors[0].message}`);
  const named = (from: string, isType: boolean): Import => ({
    file,
    from: from.startsWith('.') ? join(dirname(file), from) : from,
    isType,
  });
  return [
    ...module.staticImports.map(({ moduleRequest, entries }) =>
      named(moduleRequest.value, entries.length > 0 && entries.every(({ isType }) => isType)),
    ),
    ...module.staticExports.flatMap(({ entries }) =>
      entries.flatMap(({ moduleRequest, isType }) =>
        moduleRequest ? [named(moduleRequest.value, isType)] : [],
      ),
    ),
    ...module.dynamicImports.map(({ moduleRequest: { start, end } }) =>
      named(text.slice(start, end).replace(/^(['"`])(.*)\1$/s, '$2'), false),
    ),
  ];
}

/** Every import of the product's own code. */
export const productImports = (): Import[] =>
  globSync('functions/**/*.ts').flatMap((file) => importsOf(file, readFileSync(file, 'utf8')));

/** A folder of `functions/`, whatever lies below it; a file beside them stands for itself. */
const roomOf = (path: string): string => path.split('/').slice(0, 2).join('/');

/** The imports between rooms over which a room comes back to itself, types included. */
export function circular(imports: Import[]): Import[] {
  const needs = new Map<string, Set<string>>();
  for (const { file, from } of imports)
    needs.set(roomOf(file), (needs.get(roomOf(file)) ?? new Set()).add(roomOf(from)));
  const reaches = (goal: string, from: string, seen = new Set<string>()): boolean => {
    if (from === goal) return true;
    if (seen.has(from)) return false;
    seen.add(from);
    return [...(needs.get(from) ?? [])].some((next) => reaches(goal, next, seen));
  };
  return imports.filter(
    ({ file, from }) => roomOf(file) !== roomOf(from) && reaches(roomOf(file), roomOf(from)),
  );
}
