import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { limits } from '#shared/limits.ts';
import { instant, playerId } from '#shared/units.ts';
import type { ReportedEvent } from '#server/platform/platform.ts';
import { Tokens, type Identity } from './tokens.ts';
import type { StudioKeySource } from './studio-keys.ts';

const KEY = 'k'.repeat(32);
const NOW = 1_800_000_000_000;
const MINUTE = 60_000;
const at = (ms: number) => instant(NOW + ms);

const ada: Identity = { player: playerId('p1'), name: 'Ada', isGuest: false, since: at(0) };

const REFUSED = { kind: 'refusal', name: 'unauthorized', details: { reason: 'the token is not valid, or over' } };

let monotonicMs = 0;
const reported: ReportedEvent[] = [];
const platform = {
  readings: { wall: () => instant(NOW), monotonicMs: () => monotonicMs },
  report: (event: ReportedEvent) => void reported.push(event),
};
const tokensWith = (source?: StudioKeySource): Tokens => new Tokens(platform, [KEY], source);
beforeEach(() => void reported.splice(0));

const sign = (claims: Record<string, unknown>): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(KEY));

describe('a token to resume with', () => {
  it('brings back who it was made for, until its time is over', async () => {
    const tokens = tokensWith();
    const token = await tokens.resume(ada, at(0));
    expect(await tokens.verify(token, at(limits.sessionTokenMs))).toEqual(ada);
    expect(await tokens.verify(token, at(limits.sessionTokenMs + MINUTE))).toMatchObject(REFUSED);
  });

  it('keeps a guest a guest', async () => {
    const tokens = tokensWith();
    expect(await tokens.verify(await tokens.resume({ ...ada, isGuest: true }, at(0)), at(1))).toMatchObject({ isGuest: true });
  });

  it('does not go on for ever: after half a day the studio has to be asked again', async () => {
    const tokens = tokensWith();
    let identity: Identity = ada;
    let hours = 0;
    for (; hours < 24; hours += 0.2) {
      const next = await tokens.verify(await tokens.resume(identity, at(hours * 60 * MINUTE)), at((hours + 0.2) * 60 * MINUTE));
      if ('kind' in next) break;
      identity = next;
    }
    expect(hours).toBeGreaterThan(11.5);
    expect(hours).toBeLessThan(12.5);
  });

  it('is worth nothing as the studio’s, nor the studio’s as one', async () => {
    const tokens = tokensWith();
    const claims = { sub: 'p1', exp: NOW / 1_000 + 60 };
    expect(await tokens.verify(await sign({ ...claims, aud: 'gavel', guest: true, since: NOW - 1 }), at(0))).toEqual({
      player: 'p1',
      name: 'p1',
      isGuest: false,
      since: NOW,
    });
    expect(await tokens.verify(await sign({ ...claims, aud: 'gavel-resume' }), at(0))).toMatchObject(REFUSED);
    expect(await tokens.verify(await sign({ ...claims, aud: ['gavel', 'gavel-resume'] }), at(0))).toMatchObject(REFUSED);
    expect(await tokens.verify(await sign({ ...claims, aud: 'gavel-resume', since: NOW + 10 * MINUTE }), at(0))).toMatchObject(REFUSED);
  });
});

/** A key of the studio: its public half, and a way to sign with the private one. */
async function studioKey(alg: 'RS256' | 'ES256', kid: string | undefined) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const names = kid === undefined ? {} : { kid };
  return {
    publicKey,
    jwk: { ...(await exportJWK(publicKey)), alg, ...names },
    sign: (claims: object = {}) =>
      new SignJWT({ aud: 'gavel', sub: 'p1', exp: NOW / 1_000 + 60, ...claims }).setProtectedHeader({ alg, ...names }).sign(privateKey),
  };
}

describe('a token of the studio', () => {
  it.each(['RS256', 'ES256'] as const)('is believed by its public key, %s', async (alg) => {
    const [own, other] = [await studioKey(alg, 'own'), await studioKey(alg, 'own')];
    const tokens = tokensWith({ kind: 'keys', jwks: { keys: [own.jwk] } });
    expect(await tokens.verify(await own.sign(), at(0))).toMatchObject({ player: 'p1', isGuest: false });
    expect(await tokens.verify(await other.sign(), at(0))).toMatchObject(REFUSED);
    expect(await tokens.verify(await sign({ aud: 'gavel', sub: 'p2', exp: NOW / 1_000 + 60 }), at(0))).toMatchObject({ player: 'p2' });
    expect(await tokensWith().verify(await own.sign(), at(0))).toMatchObject(REFUSED);
  });

  it('is believed by any of the keys that it may mean, if it names none', async () => {
    const keys = [await studioKey('ES256', undefined), await studioKey('ES256', undefined)];
    const tokens = tokensWith({ kind: 'keys', jwks: { keys: keys.map(({ jwk }) => jwk) } });
    for (const key of keys) expect(await tokens.verify(await key.sign(), at(0))).toMatchObject({ player: 'p1' });
    expect(await tokens.verify(await (await studioKey('ES256', undefined)).sign(), at(0))).toMatchObject(REFUSED);
  });

  it('cannot turn a public key into a secret, nor into a session of the server', async () => {
    const own = await studioKey('RS256', 'own');
    const tokens = tokensWith({ kind: 'keys', jwks: { keys: [own.jwk] } });
    const secret = new TextEncoder().encode(await exportSPKI(own.publicKey));
    const forged = new SignJWT({ aud: 'gavel', sub: 'p1', exp: NOW / 1_000 + 60 }).setProtectedHeader({ alg: 'HS256', kid: 'own' });
    expect(await tokens.verify(await forged.sign(secret), at(0))).toMatchObject(REFUSED);
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"aud":"gavel"}').toString('base64url')}.`;
    expect(await tokens.verify(none, at(0))).toMatchObject(REFUSED);
    const resume = await own.sign({ aud: 'gavel-resume', guest: true, name: 'x', since: NOW });
    expect(await tokens.verify(resume, at(0))).toMatchObject(REFUSED);
  });

  it('may be for others too, and of a player whose id is of another store', async () => {
    const claims = { aud: ['other', 'gavel'], sub: 'steam:123', exp: NOW / 1_000 + 60 };
    expect(await tokensWith().verify(await sign(claims), at(0))).toMatchObject({ player: '__steam_3A123', name: 'steam:123' });
  });

  it('that is refused is told of in the log, with the reason and without the token, and not more than a log can bear', async () => {
    const tokens = tokensWith();
    const claims = { aud: 'gavel', sub: 'p1', exp: NOW / 1_000 + 60 };
    const shown = [
      'no token',
      await sign({ ...claims, aud: 'elsewhere' }),
      await sign({ ...claims, exp: NOW / 1_000 - 90 }),
      await sign({ ...claims, nbf: NOW / 1_000 + 90 }),
      await sign({ aud: 'gavel', sub: 'p1' }),
      await sign({ ...claims, sub: 'ü'.repeat(40) }),
      await new SignJWT(claims).setProtectedHeader({ alg: 'HS512' }).sign(new TextEncoder().encode(KEY.repeat(2))),
      await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode('x'.repeat(32))),
    ];
    for (const token of shown) expect(await tokens.verify(token, at(0))).toMatchObject(REFUSED);
    const prefix = 'a session was refused: ';
    expect(reported.map(({ message }) => message.slice(prefix.length))).toEqual([
      'what was shown is no JSON Web Token',
      'the claims of the token cannot be used: aud: must be "gavel", or a list that has it',
      'the token ended 90 s ago',
      'the token begins in 90 s',
      'the claims of the token cannot be used: exp: is missing',
      'the claims of the token cannot be used: sub: takes 242 of 64 characters as __ and _HH for each other byte',
      'the token is signed by "HS512", which is not accepted',
      'the signature of the token is of no key in GAVEL_JWT_SECRET',
    ]);
    for (let time = 0; time < 100; time++) await tokens.verify('no token', at(0));
    expect(reported.length).toBeLessThan(30);
  });
});

describe('public keys behind a URL', () => {
  /** What serves them: it counts, and can be away. */
  async function keyServer(keys: object[]) {
    const state = { keys, isAway: false, asked: 0 };
    const server = createServer((_request, response) => {
      state.asked++;
      response.writeHead(state.isAway ? 503 : 200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: state.keys }));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    servers.push(server);
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('it has no port');
    return Object.assign(state, { url: new URL(`http://127.0.0.1:${address.port}/keys`) });
  }
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  it('go on to hold while it is away, however long, and are asked for again when it is back', async () => {
    const [own, next] = [await studioKey('ES256', 'one'), await studioKey('ES256', 'two')];
    const studio = await keyServer([own.jwk]);
    const tokens = tokensWith({ kind: 'url', url: studio.url });
    expect(await tokens.verify(await own.sign(), at(0))).toMatchObject({ player: 'p1' });
    studio.isAway = true;
    monotonicMs += 10 * limits.jwksMaxAgeMs;
    for (let time = 0; time < 5; time++) expect(await tokens.verify(await own.sign(), at(0))).toMatchObject({ player: 'p1' });
    // A key that nobody has seen may be a new one: that is no reason to call the token wrong.
    expect(await tokens.verify(await next.sign(), at(0))).toMatchObject({ name: 'unavailable', retryable: true });
    studio.isAway = false;
    studio.keys = [next.jwk];
    monotonicMs += limits.jwksCooldownMs;
    expect(await tokens.verify(await next.sign(), at(0))).toMatchObject({ player: 'p1' });
    expect(await tokens.verify(await own.sign(), at(0))).toMatchObject(REFUSED);
  });

  it('are not asked for by each token that names a key of nobody', async () => {
    const [own, stranger] = [await studioKey('ES256', 'one'), await studioKey('ES256', 'stranger')];
    const studio = await keyServer([own.jwk]);
    const tokens = tokensWith({ kind: 'url', url: studio.url });
    for (let time = 0; time < 20; time++) expect(await tokens.verify(await stranger.sign(), at(0))).toMatchObject(REFUSED);
    expect(studio.asked).toBe(1);
  });

  it('that were never had leave it open whether a token is right', async () => {
    const own = await studioKey('ES256', 'one');
    const studio = await keyServer([own.jwk]);
    studio.isAway = true;
    const tokens = tokensWith({ kind: 'url', url: studio.url });
    for (let time = 0; time < 20; time++) expect(await tokens.verify(await own.sign(), at(0))).toMatchObject({ name: 'unavailable' });
    expect(studio.asked).toBe(1);
    expect(reported.map(({ message }) => message)).toEqual([
      `the studio's keys at ${studio.url.href} cannot be had: nobody can come in with a token of them`,
    ]);
  });
});
