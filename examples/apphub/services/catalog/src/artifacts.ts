import { FilestoreClient } from '@apphub/filestore-client';
import type { Environment } from '@apphub/shared';
import { z } from 'zod';

const BuildManifest = z.object({ appId: z.string(), repository: z.string(), template: z.string() });
export type BuildManifest = z.infer<typeof BuildManifest>;

/** Build manifests in the filestore, at `builds/<app>.json`. */
export class Artifacts {
  readonly #client: FilestoreClient;

  constructor(client: FilestoreClient) {
    this.#client = client;
  }

  async save(manifest: BuildManifest): Promise<void> {
    await this.#client.put(manifestPath(manifest.appId), JSON.stringify(manifest));
  }

  async find(appId: string): Promise<BuildManifest | undefined> {
    const bytes = await this.#client.get(manifestPath(appId));
    return bytes && BuildManifest.parse(JSON.parse(new TextDecoder().decode(bytes)));
  }
}

/** Undefined without FILESTORE_URL: the catalog then works without artifacts. */
export function openArtifacts(env: Environment = process.env): Artifacts | undefined {
  return env.FILESTORE_URL ? new Artifacts(new FilestoreClient(env.FILESTORE_URL)) : undefined;
}

function manifestPath(appId: string): string {
  return `builds/${appId}.json`;
}
