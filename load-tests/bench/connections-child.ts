/**
 * The guests of `bench connections`, in a process of their own: they come, so many at once, say how it went in one line, and stay until
 * they are killed.
 */
import { RawClient } from './raw-client.ts';

const [url = '', countText = '', atOnceText = ''] = process.argv.slice(2);
const count = Number(countText);
/** One address may have only so many connections. */
const GUESTS_PER_ADDRESS = 250;

const clients: RawClient[] = [];
let next = 0;
const worker = async (): Promise<void> => {
  for (let number = next++; number < count; number = next++) {
    const localAddress = `127.0.1.${1 + Math.floor(number / GUESTS_PER_ADDRESS)}`;
    clients.push(await RawClient.join({ url, localAddress }, `idle-${number}`));
  }
};
await Promise.all(Array.from({ length: Number(atOnceText) }, worker));
process.stdout.write(`${clients.length}\n`);
