import { describe, expect, it } from '@jest/globals';
import { createPrng } from '#shared/prng.ts';
import { parseCommand } from '#shared/protocol.ts';
import { frameInput, readPayload, readRequest, type Knowledge } from './frames.ts';
import { httpInput } from './http-inputs.ts';
import { Findings } from './findings.ts';
import { FuzzedIndex, HonestNode } from './fuzzed-index.ts';
import { IndexCaller } from './index-door.ts';
import { indexFrame } from './index-inputs.ts';

describe('the fuzzer', () => {
  it.each([
    ['a stack', 'Error: no\n    at Table.put (file:///srv/gavel/server/shard/table.ts:10:3)'],
    ['a path', 'ENOENT: no such file, open /var/lib/gavel/x'],
    ['a secret', 'your key is correct-horse'],
    ['the name of an error', 'TypeError: x is not a function'],
  ])('hears %s in an answer', (_, answer) => {
    const told: string[] = [];
    const findings = new Findings(['correct-horse'], (line) => told.push(line));
    findings.inspect('{"code":400,"name":"bad-request","details":{"fault":"unknown field \\"constructor\\""}}', Buffer.from('fine'));
    expect(told).toEqual([]);
    findings.inspect(answer, Buffer.from('input'));
    expect(findings.violations).toBe(1);
    expect(told.join()).toContain(Buffer.from('input').toString('base64'));
  });

  it('sends the same for the same seed, valid commands among the rubbish', () => {
    let last = 0;
    const knowledge: Knowledge = { items: ['item'], listings: [], ops: [], newOp: () => 'op', newId: () => ++last };
    const frames = (seed: string): readonly Buffer[] => {
      last = 0;
      const prng = createPrng(seed);
      return Array.from({ length: 500 }, () => frameInput(prng, knowledge));
    };
    expect(frames('a')).toEqual(frames('a'));
    expect(frames('a')).not.toEqual(frames('b'));
    const kinds = frames('a').map((frame) => {
      const request = readRequest(frame);
      return request?.type === undefined ? 'none' : parseCommand(request.type, readPayload(frame.subarray(request.end))).kind;
    });
    for (const kind of ['none', 'command', 'refusal']) expect(kinds).toContain(kind);
    const requests = (seed: string): readonly Buffer[] =>
      Array.from({ length: 50 }, (_, index) => httpInput(createPrng(`${seed} ${index}`), 'key'));
    expect(requests('a')).toEqual(requests('a'));
    const toIndex = (seed: string): readonly (Buffer | string)[] => {
      const prng = createPrng(seed);
      return Array.from({ length: 200 }, (_, place) => indexFrame(prng, place + 1, { name: 'node', incarnation: 'first' }, place === 0));
    };
    expect(toIndex('a')).toEqual(toIndex('a'));
  });

  it('finds nothing at the door of a real index', async () => {
    const told: string[] = [];
    const key = 'the-key-of-an-index-that-is-fuzzed';
    const findings = new Findings([key], (line) => told.push(line));
    const index = await FuzzedIndex.start(key, findings);
    const prng = createPrng('short');
    const honest = new HonestNode(index, prng.fork('honest'), findings);
    await honest.start();
    const caller = new IndexCaller(index, 'caller', prng, findings);
    for (let sent = 0; sent < 600;) sent += await caller.send(8);
    await honest.stop();
    await index.stop();
    expect(told).toEqual([]);
  });
});
