/** The children of `bench recovery`: one that makes turns and waits to be killed, one that recovers and says how it went. */
import { limits } from '#shared/limits.ts';
import { clientCommand, expectAnswer, fieldOf, isText, itemOf, openBenchNode, openPlayers } from './harness.ts';

const [role = '', directory = '', turnsText = '0', playersText = '0'] = process.argv.slice(2);
const CHUNK = 500;
const MEMORY_BYTES = 4 * 2 ** 30;
/** No image pass comes in between. */
const HOUR_MS = 3_600_000;

async function make(turns: number, players: number): Promise<void> {
  const node = await openBenchNode(directory, MEMORY_BYTES, {
    ...limits,
    imagePassBytes: limits.journalBacklogBytesMax,
    imagePassIntervalMs: HOUR_MS,
  });
  await openPlayers(node, players, 4);
  for (let turn = 0; turn < turns - players; turn += 2 * CHUNK) {
    await Promise.all(Array.from({ length: CHUNK }, (_, offset) => sellAndCancel((turn / 2 + offset) % players)));
  }
  await new Promise<void>((resolve) => process.stdout.write('made\n', () => resolve()));
  await new Promise(() => setInterval(() => undefined, 60_000));

  async function sellAndCancel(player: number): Promise<void> {
    const sold = await clientCommand(node, player, 'sell', { itemId: itemOf(player, 0), buyout: 1_000 });
    if (sold.kind === 'refusal') return; // The item waits in the completed tab: claim it, for the next round.
    const listingId = fieldOf(sold.value, 'listingId', isText);
    expectAnswer(await clientCommand(node, player, 'cancel', { listingId }));
    expectAnswer(await clientCommand(node, player, 'claim', { all: true }));
  }
}

async function serve(): Promise<void> {
  const node = await openBenchNode(directory);
  expectAnswer(await clientCommand(node, 0, 'claim', { all: true }));
  const { pendingRecords, durationMs } = node.persister.recovered;
  process.stdout.write(`${JSON.stringify({ pendingRecords, durationMs })}\n`);
  await new Promise(() => setInterval(() => undefined, 60_000));
}

await (role === 'make' ? make(Number(turnsText), Number(playersText)) : serve());
