import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { IngestionJob } from './jobs.js';

const LaunchTemplate = z.object({
  id: z.string(),
  command: z.array(z.string()).min(1),
  port: z.number().int().optional(),
  memoryMb: z.number().int().positive(),
});
const Schedule = z.object({ name: z.string(), cron: z.string(), job: IngestionJob });

export type LaunchTemplate = z.infer<typeof LaunchTemplate>;
export type Schedule = z.infer<typeof Schedule>;

export async function readLaunchTemplates(): Promise<readonly LaunchTemplate[]> {
  return z.array(LaunchTemplate).parse(await readAsset('launch-templates.json'));
}

export async function readSchedules(): Promise<readonly Schedule[]> {
  return z.array(Schedule).parse(await readAsset('schedules.json'));
}

/** The assets lie beside `src` and beside `dist`, so that both forms of the code find them. */
async function readAsset(name: string): Promise<unknown> {
  return JSON.parse(await readFile(new URL(`../assets/${name}`, import.meta.url), 'utf8'));
}
