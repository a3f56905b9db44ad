import { openQueue, type Queue } from '@apphub/event-bus';
import type { Environment } from '@apphub/shared';
import { z } from 'zod';

export const IngestionJob = z.object({ appId: z.string().min(1), repository: z.url() });
export const BuildJob = IngestionJob.extend({ template: z.string() });
export const LaunchJob = z.object({ appId: z.string().min(1), template: z.string() });
export const AppState = z.enum(['registered', 'ingested', 'built', 'running', 'failed']);
export const StateChange = z.object({ appId: z.string(), state: AppState, detail: z.string().optional() });

export type IngestionJob = z.infer<typeof IngestionJob>;
export type BuildJob = z.infer<typeof BuildJob>;
export type LaunchJob = z.infer<typeof LaunchJob>;
export type AppState = z.infer<typeof AppState>;
export type StateChange = z.infer<typeof StateChange>;

/** The way of an application: ingestion, then builds, then launches; each reports its state to the API. */
export interface CatalogQueues {
  readonly ingestion: Queue<IngestionJob>;
  readonly builds: Queue<BuildJob>;
  readonly launches: Queue<LaunchJob>;
  readonly states: Queue<StateChange>;
}

export function openCatalogQueues(env: Environment = process.env): CatalogQueues {
  const directory = env.APPHUB_QUEUE_DIR;
  return {
    ingestion: openQueue('catalog-ingestion', IngestionJob, directory),
    builds: openQueue('catalog-builds', BuildJob, directory),
    launches: openQueue('catalog-launches', LaunchJob, directory),
    states: openQueue('catalog-states', StateChange, directory),
  };
}
