import { type ESTree, parseSync, Visitor } from 'rolldown/utils';

/** One small change of meaning: the text from `start` to `end` becomes `text`. */
export type Mutant = { file: string; start: number; end: number; text: string; line: number };

const operators: Record<string, string[]> = {
  '<': ['<=', '>='],
  '<=': ['<', '>'],
  '>': ['>=', '<='],
  '>=': ['>', '<'],
  '===': ['!=='],
  '!==': ['==='],
  '==': ['!='],
  '!=': ['=='],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['*'],
  '&&': ['||'],
  '||': ['&&'],
  '+=': ['-='],
  '-=': ['+='],
};

const methods: Record<string, string> = {
  min: 'max',
  max: 'min',
  floor: 'ceil',
  some: 'every',
  every: 'some',
};
/** Calls without which a list is as it was. */
const passing = new Set(['filter', 'toReversed', 'toSorted', 'slice']);

/** Every mutant of a source; types are left alone. */
export function mutantsOf(file: string, source: string): Mutant[] {
  const { program, errors } = parseSync(file, source);
  if (errors[0]) throw new Error(`${file}: ${errors[0].message}`);
  const mutants: Mutant[] = [];
  type Span = { start: number; end: number };
  const textOf = ({ start, end }: Span): string => source.slice(start, end);
  const add = ({ start, end }: Span, text: string): void => {
    if (source.slice(start, end) === text) return;
    mutants.push({ file, start, end, text, line: source.slice(0, start).split('\n').length });
  };
  const between = (left: Span, right: Span, operator: string): void => {
    const gap = source.slice(left.end, right.start);
    const start = left.end + gap.indexOf(operator);
    for (const other of operators[operator] ?? [])
      add({ start, end: start + operator.length }, other);
  };
  const condition = (test: Span): void => {
    add(test, 'true');
    add(test, 'false');
  };
  const remove = (node: Span): void => add(node, ';');

  const literal = (node: ESTree.StringLiteral | ESTree.NumericLiteral | ESTree.BooleanLiteral) => {
    if (typeof node.value === 'boolean') add(node, String(!node.value));
    if (typeof node.value === 'number') add(node, node.value === 0 ? '1' : `${node.value + 1}`);
    if (typeof node.value === 'string' && node.value !== '') add(node, "''");
  };
  const inTypes: Span[] = [];
  const names: Span[] = [];
  const type = (node: Span): void => void inTypes.push(node);

  new Visitor({
    TSTypeAliasDeclaration: type,
    TSTypeAnnotation: type,
    TSTypeParameterInstantiation: type,
    TSAsExpression: (node) => type(node.typeAnnotation),
    TSSatisfiesExpression: (node) => type(node.typeAnnotation),
    ImportDeclaration: type,
    Property: (node) => void (node.computed || names.push(node.key)),
    BinaryExpression: (node) => between(node.left, node.right, node.operator),
    LogicalExpression: (node) => {
      if (node.operator !== '??') return between(node.left, node.right, node.operator);
      add(node, `(${textOf(node.left)})`);
      add(node, `(${textOf(node.right)})`);
    },
    AssignmentExpression: (node) => between(node.left, node.right, node.operator),
    UnaryExpression: (node) => {
      if (node.operator === '!' || node.operator === '-') add(node, textOf(node.argument));
    },
    Literal: (node) => literal(node as ESTree.StringLiteral),
    TemplateLiteral: (node) => add(node, '``'),
    ConditionalExpression: (node) => condition(node.test),
    IfStatement: (node) => condition(node.test),
    WhileStatement: (node) => add(node.test, 'false'),
    ForStatement: (node) => void (node.test && add(node.test, 'false')),
    ForOfStatement: (node) => add(node.body, '{}'),
    ExpressionStatement: remove,
    ReturnStatement: remove,
    ContinueStatement: remove,
    BreakStatement: remove,
    ThrowStatement: remove,
    ArrowFunctionExpression: ({ body }) => {
      if (body.type !== 'BlockStatement') add(body, '(undefined)');
    },
    ArrayExpression: (node) => void (node.elements.length > 0 && add(node, '[]')),
    CallExpression: ({ callee, ...call }) => {
      if (callee.type !== 'MemberExpression' || callee.computed) return;
      const { name } = callee.property as ESTree.IdentifierName;
      if (methods[name]) add(callee.property, methods[name]);
      if (passing.has(name)) add({ start: callee.object.end, end: call.end }, '');
    },
  }).visit(program);

  const isIn = (mutant: Span, span: Span) => mutant.start >= span.start && mutant.end <= span.end;
  return mutants.filter(
    (mutant) =>
      !inTypes.some((span) => isIn(mutant, span)) &&
      !names.some(({ start, end }) => mutant.start === start && mutant.end === end),
  );
}

export const mutate = (source: string, { start, end, text }: Mutant): string =>
  source.slice(0, start) + text + source.slice(end);
