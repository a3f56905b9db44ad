// npm's words for platforms.

const NPM_CPU = { amd64: 'x64', 386: 'ia32', ppc64le: 'ppc64' }; // where npm's word is not docker's

/** npm's os, cpu and libc fields: a list of words, or of words not wanted (`!win32`). */
export function allowed({ os, cpu, libc }, wanted) {
  const [system, arch] = wanted.platform.split('/');
  return matches(os, system) && matches(cpu, NPM_CPU[arch] ?? arch) && matches(libc, wanted.libc);
}

function matches(words = [], word) {
  const positive = words.filter((each) => !each.startsWith('!'));
  if (words.includes(`!${word}`)) return false;
  return !positive.length || positive.includes(word) || positive.includes('any');
}

export const constrained = ({ os, cpu, libc }) => [os, cpu, libc].some((words) => words?.length);
