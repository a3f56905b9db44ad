export type Environment = Readonly<Record<string, string | undefined>>;

/** A setting that the process cannot start with; the message names the variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

export function textFrom(env: Environment, name: string, fallback: string): string {
  return env[name]?.trim() || fallback;
}

/** A whole number of zero or more; an unset or empty variable gives the fallback. */
export function numberFrom(env: Environment, name: string, fallback: number): number {
  const text = env[name]?.trim();
  if (!text) return fallback;
  if (!/^\d+$/.test(text)) {
    throw new ConfigError(`${name}: expected a whole number, got ${JSON.stringify(text)}`);
  }
  return Number(text);
}
