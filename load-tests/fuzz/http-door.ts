/** The door of HTTP: bytes on a socket, and what comes back until it closes. */
import { connect } from 'node:net';
import { refusalSchema } from '#shared/protocol.ts';
import type { Prng } from '#shared/prng.ts';
import { httpInput } from './http-inputs.ts';
import type { Findings } from './findings.ts';

const BATCH_MAX = 6;
/** A request that is not whole is waited for by the server; not by us. */
const PATIENCE_MS = 200;
const KEPT_BYTES_MAX = 1_000_000;
/** All that the server, Node and its WebSockets may say. */
const STATUSES = new Set([100, 101, 200, 204, 400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 417, 426, 429, 431, 503, 504, 505]);

/** Who knocks: from which of this machine's addresses, and with which key of game servers. */
export interface DoorCaller {
  readonly url: URL;
  readonly address: string;
  readonly serviceKey: string;
  readonly prng: Prng;
}

/** Sends at most so many requests on one connection, in one go. Returns how many. */
export async function knock({ url, address, serviceKey, prng }: DoorCaller, count: number, findings: Findings): Promise<number> {
  const inputs = Array.from({ length: Math.min(count, prng.integer(1, BATCH_MAX)) }, () => httpInput(prng, serviceKey));
  await exchangeRubbish(url, Buffer.concat(inputs), findings, address);
  return inputs.length;
}

/** Sends bytes on a connection of their own, and looks at what comes back. */
export async function exchangeRubbish(url: URL, sent: Buffer, findings: Findings, address = '127.0.0.1'): Promise<void> {
  const answers = await exchange(url, address, sent);
  findings.inspect(answers, sent);
  for (const { status, body } of responsesIn(answers)) {
    if (!STATUSES.has(status)) findings.violation(`an answer has the status ${status}: ${body.slice(0, 300)}`, sent);
    else if (status >= 400 && body.startsWith('{') && !isRefusal(body))
      findings.violation(`an answer is no refusal: ${body.slice(0, 300)}`, sent);
  }
}

function exchange(url: URL, localAddress: string, bytes: Buffer): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: url.hostname, port: Number(url.port), localAddress });
    const chunks: Buffer[] = [];
    let length = 0;
    const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
    socket.on('data', (chunk) => {
      const data = Buffer.from(chunk);
      length += data.length;
      if (length < KEPT_BYTES_MAX) chunks.push(data);
    });
    // Whoever is refused in the middle of a body finds the connection reset.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks).toString('latin1'));
    });
    socket.end(bytes);
  });
}

const RESPONSE = /HTTP\/1\.1 (\d{3})[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n/y;

/** The answers of a connection, one after the other. What follows an upgrade is not HTTP. */
function* responsesIn(text: string): Generator<{ readonly status: number; readonly body: string }> {
  RESPONSE.lastIndex = 0;
  for (let at = 0, found = RESPONSE.exec(text); found !== null; RESPONSE.lastIndex = at, found = RESPONSE.exec(text)) {
    const [head, status = '', headers = ''] = found;
    const length = Number(/^content-length: *(\d+)/im.exec(headers)?.[1] ?? 0);
    at = found.index + head.length + length;
    const body = text.slice(found.index + head.length, at);
    // The answer to a HEAD names a length that does not come.
    const isWithoutBody = body.startsWith('HTTP/1.1 ');
    if (isWithoutBody) at -= length;
    yield { status: Number(status), body: isWithoutBody ? '' : body };
  }
}

function isRefusal(body: string): boolean {
  try {
    const value: unknown = JSON.parse(Buffer.from(body, 'latin1').toString('utf8'));
    return refusalSchema.safeParse(value).success || (typeof value === 'object' && value !== null && 'ready' in value);
  } catch {
    return false;
  }
}
