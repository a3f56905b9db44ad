// Patterns of paths.

/**
 * A test for paths: `*` and `?` within a name, `**` across names, `{a,b}` either; a pattern that names a directory means
 * all below it. Brackets are ordinary, because Next.js has files named [id].js.
 */
export function glob(patterns) {
  if (!patterns.length) return () => false;
  const sources = patterns.map((pattern) => translate(pattern.replace(/^\.\//, '').replace(/\/+$/, '')));
  const expression = new RegExp(`^(?:${sources.join('|')})(?:/.*)?$`, 's');
  return (path) => expression.test(path);
}

function translate(pattern) {
  let depth = 0;
  return pattern.replace(/\*\*\/|\*\*|[*?{},]|[[\]().+^$|\\]/g, (token) => {
    if (token === '{') depth += 1;
    if (token === '}') depth = Math.max(0, depth - 1);
    if (token === ',') return depth ? '|' : ',';
    return { '**/': '(?:.*/)?', '**': '.*', '*': '[^/]*', '?': '[^/]', '{': '(?:', '}': ')' }[token] ?? `\\${token}`;
  });
}
