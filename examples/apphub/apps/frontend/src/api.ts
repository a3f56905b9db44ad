export interface App {
  readonly id: string;
  readonly repository: string;
  readonly state: string;
  readonly detail?: string;
}

/** Where the catalog answers: fixed when the frontend is built. */
export const API_BASE_URL = import.meta.env.VITE_API_BASE_URL || 'http://localhost:4000';

export async function listApps(signal: AbortSignal): Promise<readonly App[]> {
  const body = (await send('/apps', { signal })) as { apps: App[] };
  return body.apps;
}

export async function registerApp(id: string, repository: string): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  await send('/apps', { method: 'POST', headers, body: JSON.stringify({ id, repository }) });
}

async function send(path: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(`${API_BASE_URL}${path}`, init);
  if (!response.ok) throw new Error(`The catalog answered ${response.status}: ${await response.text()}`);
  return response.json();
}
