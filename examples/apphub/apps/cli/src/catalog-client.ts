/** Speaks to one catalog API. */
export class CatalogClient {
  readonly #base: URL;

  constructor(baseUrl: string) {
    this.#base = new URL(baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`);
  }

  readiness(): Promise<unknown> {
    return this.#send('readyz');
  }

  list(): Promise<unknown> {
    return this.#send('apps');
  }

  register(id: string, repository: string): Promise<unknown> {
    const headers = { 'content-type': 'application/json' };
    return this.#send('apps', { method: 'POST', headers, body: JSON.stringify({ id, repository }) });
  }

  async #send(relative: string, init?: RequestInit): Promise<unknown> {
    const response = await fetch(new URL(relative, this.#base), init);
    const text = await response.text();
    if (!response.ok) throw new Error(`catalog: ${response.status}: ${text}`);
    return JSON.parse(text);
  }
}
