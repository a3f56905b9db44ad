import cors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';
import { parse, stringify } from 'yaml';
import type { RecordInput, RecordStore } from './records.js';

const YAML = 'application/yaml';

interface RecordRoute {
  Params: { namespace: string; key: string };
  Body: RecordInput;
}
interface NamespaceRoute {
  Params: { namespace: string };
  Querystring: { tag?: string };
}

/** `bodySchema` is the JSON schema of a record as clients send it, in JSON or in YAML. */
export async function addRoutes(app: FastifyInstance, records: RecordStore, bodySchema: object): Promise<void> {
  await app.register(cors, { methods: ['GET', 'PUT', 'DELETE'] });
  app.addContentTypeParser(YAML, { parseAs: 'string' }, async (_request: unknown, body: string) => parse(body));

  app.get<NamespaceRoute>('/records/:namespace', (request) => {
    return { records: records.list(request.params.namespace, request.query.tag) };
  });
  app.put<RecordRoute>('/records/:namespace/:key', { schema: { body: bodySchema } }, (request, reply) => {
    const { namespace, key } = request.params;
    const record = records.put(namespace, key, request.body);
    return reply.code(record.version === 1 ? 201 : 200).send(record);
  });
  app.get<RecordRoute>('/records/:namespace/:key', (request, reply) => {
    const record = records.find(request.params.namespace, request.params.key);
    if (!record) return reply.code(404).send({ error: 'no such record' });
    return request.headers.accept === YAML ? reply.type(YAML).send(stringify(record)) : record;
  });
  app.delete<RecordRoute>('/records/:namespace/:key', (request, reply) => {
    const removed = records.remove(request.params.namespace, request.params.key);
    return reply.code(removed ? 204 : 404).send();
  });
}
