// tsc moves TypeScript only; the reconciliation rules must lie beside the compiled worker.
import { cp } from 'node:fs/promises';

const asset = 'reconciliation/rules.json';
await cp(new URL(`../src/${asset}`, import.meta.url), new URL(`../dist/${asset}`, import.meta.url));
