/** A server of its own for what players must not even reach: on another port, and of this machine unless the operator says otherwise. */
import { createHttpServer, type Route } from '#server/http/http-server.ts';
import { listen } from '#server/platform/listen.ts';
import { openApiDocument } from '#server/http/openapi.ts';
import { OPERATIONS } from '#server/http/operations.ts';
import type { Platform } from '#server/platform/platform.ts';
import { within } from '#server/platform/within.ts';

/** One that serves. */
export interface AdminServer {
  readonly url: string;
  /** Stops listening; returns when what was asked is answered, or after the deadline. */
  close(deadlineMs: number): Promise<void>;
}

/** Starts to serve these routes, and what describes them. No web page of another origin may ask. Rejects if the port cannot be had. */
export async function startAdminServer(
  platform: Pick<Platform, 'report' | 'timers'>,
  { host, port }: { readonly host: string; readonly port: number },
  routes: readonly Route[],
): Promise<AdminServer> {
  const description = openApiDocument();
  const server = createHttpServer(platform, { loopback: false, named: [] }, [
    ...routes,
    { operation: OPERATIONS.describe, handle: () => ({ kind: 'json', value: description }) },
  ]);
  const { url } = await listen(server, host, port);
  return {
    url,
    close: async (deadlineMs) => {
      const ended = new Promise<void>((resolve) => void server.close(() => resolve()));
      await within(platform.timers, deadlineMs, ended);
      server.closeAllConnections();
    },
  };
}
