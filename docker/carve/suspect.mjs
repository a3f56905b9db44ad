// What a trace cannot follow in a file: code that loads modules or reads folders by names that only run time knows.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fail } from './errors.mjs';
import { join } from './paths.mjs';

const CANDIDATE = /\brequire\b(?!\s*\(\s*(?:'[^'\n]*'|"[^"\n]*"|`[^`$\n]*`)\s*\))|\bimport\s*\((?!\s*(?:'[^'\n]*'|"[^"\n]*"|`[^`$\n]*`)\s*\))|createRequire|\bWorker\b|quire"/;
const FOLDERS = /\b(?:readdir(?:Sync)?|opendir(?:Sync)?|scandir|glob(?:Sync)?|globby|fast-glob|import\.meta\.glob)\b/;
const HERE = /\b__dirname\b|\b__filename\b|\bimport\.meta\b/;

const partsOf = (tools) => createRequire(createRequire(join(tools, 'package.json')).resolve('@vercel/nft'));
const parserOf = (tools) => partsOf(tools)('acorn').parse;

/** (text of a file) -> the same, with a `require` of its own for what is loaded by what createRequire made: nft knows no other name. */
export function plainLoads(tools) {
  const parse = parserOf(tools);
  return (text) => {
    const program = text.includes('createRequire') && parsed(text, parse);
    return program ? [text, ...new Set(createdLoads(program))].join('\n;') : text;
  };
}

function createdLoads(program) {
  const created = [...loadersOf(program)].filter(([, follows]) => follows).map(([name]) => name);
  const loads = [];
  some(program, (node) => {
    const { callee, arguments: [first] = [] } = node.type === 'CallExpression' ? node : {};
    const loader = callee?.type === 'MemberExpression' && callee.property.name === 'resolve' ? callee.object : callee;
    if (loader && typeof first?.value === 'string' && (isCreated(loader) || created.includes(loader.name))) loads.push(`require(${JSON.stringify(first.value)})`);
    return false;
  });
  return loads;
}

/** (text of a file) -> {computed: modules by names that are computed, folders: reads folders, here: knows its own place}. */
export function suspecter(tools) {
  const parse = parserOf(tools);
  return (text) => ({
    computed: CANDIDATE.test(text) && computes(text, parse),
    folders: FOLDERS.test(text),
    here: HERE.test(text),
  });
}

/** Packages that the tracer has code of its own for, as that code names them. Of semver and typescript it adds all. */
export function specialPackages(tools) {
  const file = partsOf(tools).resolve('@vercel/nft/out/utils/special-cases.js');
  const names = new Set();
  some(parsed(readFileSync(file, 'utf8'), parserOf(tools)), ({ type, id, init }) => {
    if (type === 'VariableDeclarator' && id.name === 'specialCases') for (const { key } of init.properties) names.add(key.name ?? key.value);
  });
  if (!names.has('sharp')) fail(`${file}: names no packages as it used to`);
  return new Set([...names].filter((name) => name !== 'semver' && name !== 'typescript'));
}

function computes(text, parse) {
  const program = parsed(text, parse);
  if (!program) return true;
  const loaders = loadersOf(program);
  return some(program, (node, parent) => isComputed(node, loaders) || isHandedOn(node, parent));
}

function parsed(text, parse) {
  for (const sourceType of ['module', 'script']) {
    try {
      return parse(text, { ecmaVersion: 'latest', sourceType, allowReturnOutsideFunction: true, allowHashBang: true });
    } catch { /* the other kind, or neither */ }
  }
  return undefined;
}

/** What loads modules -> whether the tracer follows it: `require`, what createRequire makes; not an alias, as esbuild's `__require`. */
function loadersOf(program) {
  const names = new Map([['require', true]]);
  some(program, (node) => {
    const [target, value] = node.type === 'VariableDeclarator' ? [node.id, node.init] : node.type === 'AssignmentExpression' ? [node.left, node.right] : [];
    if (target?.type === 'Identifier' && value && isLoader(value)) names.set(target.name, isCreated(value));
    return false;
  });
  return names;
}

const named = (node, name) => node?.type === 'Identifier' && node.name === name;
const isShim = (node) => node.type === 'CallExpression' && /Function/.test(node.callee.type) && some(node, (each) => named(each, 'require'));
const calleeName = (node) => node.callee?.name ?? node.callee?.property?.name;
const isCreated = (node) => node.type === 'CallExpression' && calleeName(node) === 'createRequire';
const isLoader = (node) => named(node, 'require') || isShim(node) || isCreated(node);

function isComputed(node, loaders) {
  if (node.type === 'ImportExpression') return !isTold(node.source);
  if (node.type === 'NewExpression' && calleeName(node) === 'Worker') return !isTold(node.arguments[0]);
  if (node.type !== 'CallExpression') return false;
  const { callee, arguments: [first] } = node;
  if (callee.type === 'Identifier' && callee.name === 'eval') return some(node, (each) => typeof each.value === 'string' && each.value.includes('quire'));
  const loads = (callee.type === 'Identifier' && loaders.has(callee.name))
    || (callee.type === 'MemberExpression' && (loaders.has(callee.object.name) ? callee.property.name === 'resolve' : named(callee.object, 'module') && callee.property.name === 'require'))
    || isCreated(callee);
  return loads && Boolean(first) && !(isTold(first) && loaders.get(callee.name) !== false);
}

/** `require` as a value: whoever gets it calls it with names of his own. */
function isHandedOn(node, parent) {
  if (!named(node, 'require') || !parent) return false;
  if (['CallExpression', 'NewExpression'].includes(parent.type)) return parent.callee !== node;
  return parent.type === 'ReturnStatement' || (parent.type === 'Property' && parent.value === node && parent.kind === 'init' && !parent.shorthand);
}

/** Whether the tracer knows what is named: a text, or a path that begins with one that is relative or at the file's place. */
function isTold(node) {
  if (!node) return true;
  if (node.type === 'ConditionalExpression') return isTold(node.consequent) && isTold(node.alternate);
  if (node.type === 'LogicalExpression') return isTold(node.left) && isTold(node.right);
  return node.type === 'Literal' || (node.type === 'TemplateLiteral' && !node.expressions.length) || isAnchor(node);
}

function isAnchor(node) {
  const relative = (text) => /^\.{0,2}\//.test(text ?? '');
  if (node.type === 'Literal') return relative(String(node.value));
  if (node.type === 'TemplateLiteral') return relative(node.quasis[0].value.cooked) || (node.quasis[0].value.cooked === '' && Boolean(node.expressions[0]) && isHere(node.expressions[0]));
  if (node.type === 'BinaryExpression') return isAnchor(node.left) || isHere(node.left);
  if (node.type === 'NewExpression' && node.callee.name === 'URL') return isTold(node.arguments[0]);
  if (node.type !== 'CallExpression' || !['join', 'resolve'].includes(calleeName(node))) return false;
  return Boolean(node.arguments[0]) && (isHere(node.arguments[0]) || isAnchor(node.arguments[0])) && node.arguments.slice(1).every((each) => each.type === 'Literal');
}

const isHere = (node) => named(node, '__dirname') || (node.type === 'MemberExpression' && ['dirname', 'url'].includes(node.property?.name));

/** Whether a test holds for any node; the test gets the node and the one that holds it. */
function some(node, test, parent) {
  if (test(node, parent)) return true;
  for (const key of Object.keys(node)) {
    for (const child of [node[key]].flat()) {
      if (child && typeof child.type === 'string' && some(child, test, node)) return true;
    }
  }
  return false;
}
