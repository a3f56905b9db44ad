import { useEffect, useState, type FormEvent } from 'react';
import { listApps, registerApp, type App } from './api.js';

const REFRESH_MS = 2000;

export function AppList() {
  const [apps, setApps] = useState<readonly App[]>([]);
  const [problem, setProblem] = useState<string>();

  useEffect(() => {
    const stop = new AbortController();
    const refresh = () =>
      listApps(stop.signal).then(
        (listed) => {
          setApps(listed);
          setProblem(undefined);
        },
        (error: unknown) => {
          if (!stop.signal.aborted) setProblem(messageOf(error));
        },
      );
    void refresh();
    const timer = setInterval(refresh, REFRESH_MS);
    return () => {
      clearInterval(timer);
      stop.abort();
    };
  }, []);

  return (
    <section>
      <RegistrationForm onProblem={setProblem} />
      {problem && <p role="alert">{problem}</p>}
      {apps.length === 0 ? <p>No applications yet.</p> : <AppTable apps={apps} />}
    </section>
  );
}

function AppTable({ apps }: { apps: readonly App[] }) {
  return (
    <table>
      <thead>
        <tr>
          <th>Application</th>
          <th>Repository</th>
          <th>State</th>
        </tr>
      </thead>
      <tbody>
        {apps.map(({ id, repository, state, detail }) => (
          <tr key={id}>
            <td>{id}</td>
            <td>{repository}</td>
            <td title={detail}>{state}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function RegistrationForm({ onProblem }: { onProblem: (problem: string | undefined) => void }) {
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const fields = new FormData(form);
    registerApp(String(fields.get('id')), String(fields.get('repository'))).then(
      () => {
        form.reset();
        onProblem(undefined);
      },
      (error: unknown) => onProblem(messageOf(error)),
    );
  };
  return (
    <form onSubmit={submit}>
      <input name="id" placeholder="name" aria-label="Name" pattern="[a-z0-9][a-z0-9\-]*" required />
      <input name="repository" type="url" placeholder="https://…" aria-label="Repository" required />
      <button type="submit">Register</button>
    </form>
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
