/** A data directory whose cells are in another epoch than the one in which it was written. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { marketOf } from '#shared/address.ts';
import { cellOf, FIRST_EPOCH } from '#shared/cell.ts';
import { instant } from '#shared/units.ts';
import { nodeMachine } from '#server/platform/node-machine.ts';
import { CellEpochs } from './cell-epochs.ts';
import { openFilePersister } from '../persister/open-file-persister.ts';
import { ShardFault, type Persister, type PersisterDefinition } from '../persister/persister.ts';
import { cellEpoch, DEFINITION, offer, picker, sampleShard, SampleShard } from '../testing/sample.ts';

const [ada, bob] = [sampleShard(1), sampleShard(2)] as const;
const ALWAYS = instant(Number.MAX_SAFE_INTEGER);
const parent = mkdtempSync(join(tmpdir(), 'gavel-epochs-'));
const opened: Persister[] = [];
afterEach(async () => {
  for (const persister of opened.splice(0)) await persister.close(0);
  rmSync(parent, { recursive: true });
});

async function open(epochs: PersisterDefinition['epochs'] = []): Promise<Persister> {
  const definition = { ...DEFINITION, epochs };
  const persister = await openFilePersister({ machine: nodeMachine(), definition, directory: join(parent, 'data') });
  opened.push(persister);
  return persister;
}

/** Of which shards the projections know rows, alarms and totals. */
async function known(persister: Persister): Promise<unknown> {
  const { rows } = await persister.projection(offer.name);
  const { totals } = await persister.totals();
  return {
    rows: [...new Set(Array.from(rows, ({ shard }) => shard))].toSorted(),
    due: (await persister.due(ALWAYS, 9)).map(({ shard }) => shard).toSorted(),
    totals: [...new Set(totals.map(({ key }) => key.split(' ')[0]))].toSorted(),
  };
}

describe('the epochs of cells', () => {
  it('are the first, where nothing else is said', () => {
    const epochs = new CellEpochs({ world: { cellsPerRegion: 64 }, epochs: [cellEpoch(ada, 5)] });
    expect(epochs.of(ada)).toEqual({ market: marketOf(ada), cell: cellOf(ada, 64), epoch: 5 });
    expect(epochs.of(bob).epoch).toBe(FIRST_EPOCH);
    expect([cellEpoch(ada, 5), cellEpoch(ada), cellEpoch(bob)].map((of) => epochs.isPresent(of))).toEqual([true, false, true]);
  });
});

describe('a directory of which a cell has begun a new epoch', () => {
  it('has nothing of that cell but its ledger, and all of the others', async () => {
    const first = await open();
    for (const index of [1, 2]) {
      const shard = new SampleShard(index, picker(1));
      for (let turn = 0; turn < 5; turn++) first.append(shard.turn(1_000 + turn));
    }
    const both = { rows: [ada, bob], due: [ada, bob], totals: ['asia.softcore', 'europe.softcore'] };
    await new Promise<void>((resolve) => first.onDurable((durable) => durable === 10 && resolve()));
    expect(await known(first)).toEqual(both);
    await first.close(10_000);

    const later = await open([cellEpoch(ada, 2)]);
    expect(later.recovered.remarks).toEqual([]);
    expect(await known(later)).toEqual({ rows: [bob], due: [bob], totals: ['europe.softcore'] });
    await expect(later.load(ada)).rejects.toThrow(ShardFault);
    await expect(later.load(ada)).rejects.toThrow('its image is of another epoch of its cell');
    expect(await later.load(bob)).toMatchObject({ kind: 'found', shard: { version: 5 } });
    expect(await later.history(ada, 1e9, 1)).toHaveLength(1);
    await later.close(10_000);

    expect(await known(await open())).toEqual(both);
  });
});
