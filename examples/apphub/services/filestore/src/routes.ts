import type { Queue } from '@apphub/event-bus';
import type { FastifyInstance } from 'fastify';
import type { FileChange } from './changes.js';
import type { FileStore } from './file-store.js';
import { parsePath } from './path.js';

const MAX_FILE_BYTES = 16 * 1024 * 1024;

interface FileRoute {
  Params: { '*': string };
}
interface ListRoute {
  Querystring: { prefix?: string };
}

export function addRoutes(app: FastifyInstance, files: FileStore, changes: Queue<FileChange>): void {
  // Every body is the file's content, JSON too.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) => body);

  app.get<ListRoute>('/files', async (request) => ({ files: await files.list(request.query.prefix ?? '') }));
  app.put<FileRoute>('/files/*', { bodyLimit: MAX_FILE_BYTES }, async (request, reply) => {
    const path = parsePath(request.params['*']);
    if (!path) return reply.code(400).send({ error: 'not a path inside the store' });
    const entry = await files.write(path, (request.body as Buffer | undefined) ?? Buffer.alloc(0));
    await changes.push({ path, kind: 'written' });
    return reply.code(201).send(entry);
  });
  app.get<FileRoute>('/files/*', async (request, reply) => {
    const path = parsePath(request.params['*']);
    const content = path && (await files.read(path));
    if (!content) return reply.code(404).send({ error: 'no such file' });
    return reply.type('application/octet-stream').send(content);
  });
  app.delete<FileRoute>('/files/*', async (request, reply) => {
    const path = parsePath(request.params['*']);
    if (!path || !(await files.remove(path))) return reply.code(404).send({ error: 'no such file' });
    await changes.push({ path, kind: 'removed' });
    return reply.code(204).send();
  });
}
