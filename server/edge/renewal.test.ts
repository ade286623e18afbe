/** Tokens that follow each other: `POST /session/renew`. */
import { afterEach, describe, expect, it } from '@jest/globals';
import { post, type Answered } from '#client/testing/post.ts';
import { limits } from '#shared/limits.ts';
import { renewalAnswerSchema, sessionAnswerSchema } from '#shared/protocol.ts';
import { durationMs, later } from '#shared/units.ts';
import { closeAll, startTestEdge } from './testing/test-edge.ts';

afterEach(closeAll);

const MINUTE = 60_000;

/** A server whose wall clock can be moved on. */
const started = async (guests = true) => {
  let passedMs = 0;
  const { edge } = await startTestEdge({ guests }, undefined, (platform) => ({
    ...platform,
    readings: { ...platform.readings, wall: () => later(platform.readings.wall(), durationMs(passedMs)) },
  }));
  return {
    edge,
    pass: (ms: number) => (passedMs += ms),
    renew: (token: string): Promise<Answered> => post(edge.url, '/session/renew', { token }),
  };
};

const guestToken = async (url: string): Promise<string> => {
  const { body } = await post(url, '/session', { guest: 'ada', region: 'europe' });
  return sessionAnswerSchema.parse(body).token;
};

describe('the renewal of a token', () => {
  it('goes on for half a day, without a seat, and then no more', async () => {
    const { edge, pass, renew } = await started();
    let token = await guestToken(edge.url);
    let playedMs = 0;
    for (; playedMs < 2 * limits.sessionResumedMs; playedMs += 14 * MINUTE) {
      const { status, body } = await renew(token);
      if (status !== 200) break;
      token = renewalAnswerSchema.parse(body).token;
      pass(14 * MINUTE);
    }
    expect(Math.abs(playedMs - limits.sessionResumedMs)).toBeLessThan(15 * MINUTE);
    expect(await renew(token)).toMatchObject({ status: 401, body: { name: 'unauthorized' } });
    expect(edge.rooms).toBe(1);
  });

  it('is no try in vain, and no session: those of an address may be as many as its requests', async () => {
    const { edge } = await startTestEdge({ sessionRate: { perSecond: 0.001, burst: 3 } });
    let token = await guestToken(edge.url);
    for (let renewals = 0; renewals < 10; renewals++) {
      const { status, body } = await post(edge.url, '/session/renew', { token });
      expect(status).toBe(200);
      token = renewalAnswerSchema.parse(body).token;
    }
    for (let tries = 0; tries < 3; tries++) expect((await post(edge.url, '/session/renew', { token: 'x' })).status).toBe(401);
    expect((await post(edge.url, '/session/renew', { token })).status).toBe(429);
  });

  it('is refused for what is over, what is none, and guests of another world', async () => {
    const { edge, pass, renew } = await started();
    const token = await guestToken(edge.url);
    pass(limits.sessionTokenMs + MINUTE);
    for (const each of [token, 'x', token.slice(0, -2)]) expect(await renew(each)).toMatchObject({ status: 401 });
    expect(await post(edge.url, '/session/renew', { token, more: 1 })).toMatchObject({ status: 400, body: { name: 'bad-request' } });
    const other = await guestToken(edge.url);
    const production = await started(false);
    expect(await production.renew(other)).toMatchObject({ status: 401 });
  });
});
