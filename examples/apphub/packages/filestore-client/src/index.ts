export interface StoredFile {
  readonly path: string;
  readonly size: number;
}

/** The filestore answered with a status that is no success. */
export class FilestoreError extends Error {
  override readonly name = 'FilestoreError';

  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Speaks to one filestore API. Paths are relative, with `/` between their parts. */
export class FilestoreClient {
  readonly #base: URL;

  constructor(baseUrl: string) {
    this.#base = new URL(baseUrl.endsWith('/') ? baseUrl : `${baseUrl}/`);
  }

  async put(path: string, content: string | Uint8Array<ArrayBuffer>): Promise<StoredFile> {
    const headers = { 'content-type': 'application/octet-stream' };
    const response = await this.#send(fileUrl(path), { method: 'PUT', body: content, headers });
    return (await response.json()) as StoredFile;
  }

  /** The file's bytes, or undefined when there is no such file. */
  async get(path: string): Promise<Uint8Array | undefined> {
    const response = await fetch(new URL(fileUrl(path), this.#base));
    if (response.status === 404) return undefined;
    return new Uint8Array(await (await succeeded(response)).arrayBuffer());
  }

  async list(prefix = ''): Promise<readonly StoredFile[]> {
    const response = await this.#send(`files?prefix=${encodeURIComponent(prefix)}`, {});
    return ((await response.json()) as { files: StoredFile[] }).files;
  }

  async remove(path: string): Promise<void> {
    await this.#send(fileUrl(path), { method: 'DELETE' });
  }

  async #send(relative: string, init: RequestInit): Promise<Response> {
    return succeeded(await fetch(new URL(relative, this.#base), init));
  }
}

function fileUrl(path: string): string {
  return `files/${path.split('/').map(encodeURIComponent).join('/')}`;
}

async function succeeded(response: Response): Promise<Response> {
  if (response.ok) return response;
  throw new FilestoreError(response.status, `filestore: ${response.status} for ${response.url}`);
}
