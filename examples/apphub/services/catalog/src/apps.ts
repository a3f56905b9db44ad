import type { AppState, StateChange } from './jobs.js';

export interface App {
  readonly id: string;
  readonly repository: string;
  readonly state: AppState;
  readonly detail?: string;
}

/** The registered applications, in memory. */
export class AppRegistry {
  readonly #apps = new Map<string, App>();

  list(): readonly App[] {
    return [...this.#apps.values()].sort((a, b) => a.id.localeCompare(b.id));
  }

  find(id: string): App | undefined {
    return this.#apps.get(id);
  }

  register(id: string, repository: string): App {
    const app: App = { id, repository, state: 'registered' };
    this.#apps.set(id, app);
    return app;
  }

  /** A change for an application that nobody registered here is ignored. */
  apply({ appId, state, detail }: StateChange): void {
    const app = this.#apps.get(appId);
    if (app) this.#apps.set(appId, { id: app.id, repository: app.repository, state, ...(detail && { detail }) });
  }
}
