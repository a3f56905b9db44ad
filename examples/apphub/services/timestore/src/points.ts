import { z } from 'zod';

export const Point = z.object({ at: z.string().datetime(), value: z.number().finite() });
export const PointBatch = z.object({
  series: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/i),
  points: z.array(Point).min(1),
});

export type Point = z.infer<typeof Point>;
export type PointBatch = z.infer<typeof PointBatch>;

/** The UTC day of a point, as `2026-01-31`: the name of its partition. */
export function dayOf({ at }: Point): string {
  return at.slice(0, 10);
}
