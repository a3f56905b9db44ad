import { lazy, StrictMode, Suspense } from 'react';
import { createRoot } from 'react-dom/client';
import { API_BASE_URL } from './api.js';
import { AppList } from './AppList.js';
import './styles.css';

// A chunk of its own: a page that few people open.
const About = lazy(() => import('./About.js'));

const page = window.location.pathname === '/about' ? <About /> : <AppList />;

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <header>
      <h1>AppHub</h1>
      <nav>
        <a href="/">Applications</a>
        <a href="/about">About</a>
      </nav>
    </header>
    <main>
      <Suspense fallback={<p>Loading…</p>}>{page}</Suspense>
    </main>
    <footer>Catalog: {API_BASE_URL}</footer>
  </StrictMode>,
);
