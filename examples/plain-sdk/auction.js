// Gavel over the plain Colyseus SDK: no TypeScript, no build, nothing of Gavel's own but this file.
// What it has to do by itself is what GameClient (docs/clients.md) does: sessions, repeats with the same op, coming back.
/* global Colyseus */

const page = (id) => document.getElementById(id);
const say = (text) => page('log').append(Object.assign(document.createElement('li'), { textContent: text }));

let server; // such as http://127.0.0.1:2567
let region; // one of those that the server was started with
let credentials; // { guest } in a development world, { token } signed by your studio in production
let token; // the server's own: good for 15 minutes, to come back with
let room; // the player's room, or undefined while there is no connection

// 1. The session: one request says who comes and where to. The answer has a seat in the player's room, and the token.
async function openSession(who) {
  const response = await fetch(`${server}/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...who, region, mode: 'softcore' }),
  });
  const answer = await response.json();
  if (!response.ok) throw answer; // a refusal, see 4
  return answer;
}

// 2. The seat: the SDK takes it. Do not use joinOrCreate: rooms are made by sessions only.
async function join(who) {
  const session = await openSession(who);
  token = session.token;
  const joined = await new Colyseus.Client(server).consumeSeatReservation(session.seat);
  // The SDK's own reconnection needs the server to have stayed the same. A fresh session (6) always works.
  joined.reconnection.enabled = false;
  joined.onLeave(comeBack);
  // 3. The state is the player's own view, and always of something durable: gold, stash, listings, completed, ...
  // Maps have forEach, values, size and get.
  joined.onStateChange((state) => {
    page('status').textContent =
      `${session.player}: ${state.gold} gold, ${state.stash.size} items, ${state.listings.size} listings, ${state.completed.size} to claim`;
  });
  // Server messages tell what happened meanwhile. Each is in the state as well, so that a lost message loses nothing.
  joined.onMessage('sold', ({ entry }) => say(`Sold: ${entry.gold} gold waits to be claimed`));
  joined.onMessage('expired', () => say('A listing has ended without a buyer'));
  joined.onMessage('*', () => {}); // those of newer servers
  room = joined;
}

// 4. A request is answered, refused, or neither. A refusal is { code, name, message, retryable, details? } and changed nothing.
const refusalOf = (error) => error?.reason ?? (typeof error?.retryable === 'boolean' ? error : undefined);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const NOT_FINAL = ['busy', 'unavailable', 'rate-limited', 'outcome-unknown'];

// 5. What changes something carries `op`, an id of yours: sent again with the same op it is done once, and answered the same.
// So there is one op for one click of the player, and it is kept until there is a final word.
async function ask(type, request, changes = true) {
  const op = changes ? { op: Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join('-') } : {};
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      if (room !== undefined) return await room.request(type, { ...request, ...op }, { timeout: 5_000 });
    } catch (error) {
      const refused = refusalOf(error);
      if (refused !== undefined && !NOT_FINAL.includes(refused.name)) throw refused;
      // Nothing was heard for 5 s: the connection may be dead without having been closed.
      if (refused === undefined) room?.connection.close(4010);
      await pause(refused?.details?.retryAfterMs ?? 0);
    }
    await pause(500);
  }
  throw new Error('nobody answers; ask again later with the same op');
}

// 6. Coming back: a fresh session with the token, or with the credentials once the token is over. Spread the tries a little.
async function comeBack(code) {
  if (room === undefined) return;
  room = undefined;
  say(`The connection was lost (${code})`);
  for (let attempt = 0; ; attempt++) {
    await pause(Math.min(5_000, 100 * 2 ** attempt) * (0.5 + Math.random() / 2));
    try {
      await join(token === undefined ? credentials : { token });
      return say('Back');
    } catch (error) {
      const refused = refusalOf(error);
      await pause(refused?.details?.retryAfterMs ?? 0);
      if (refused?.name !== 'unauthorized') continue;
      if (token === undefined) return say('Please sign in again'); // ask your studio for a new token
      token = undefined;
    }
  }
}

// 7. Tokens: while somebody plays, a new one is asked for now and then, without a new seat.
setInterval(async () => {
  if (token === undefined) return;
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token }) };
  const response = await fetch(`${server}/session/renew`, init).catch(() => undefined);
  if (response?.ok) token = (await response.json()).token;
}, 7 * 60_000);

// The buttons.
const on = (id, event, act) =>
  page(id).addEventListener(event, async (happened) => {
    happened.preventDefault();
    try {
      await act();
    } catch (error) {
      say(`No: ${refusalOf(error)?.message ?? error}`);
    }
  });

on('join', 'submit', async () => {
  const form = new FormData(page('join'));
  server = form.get('server');
  region = form.get('region');
  credentials = form.get('token') === '' ? { guest: form.get('guest') } : { token: form.get('token') };
  await join(credentials);
  say('Joined');
});

on('sell', 'click', async () => {
  const item = [...room.state.stash.values()][0];
  const { fees } = await ask('sell', { itemId: item.id, buyout: 500 });
  say(`${item.name} is for sale; the sale will cost ${fees.reduce((sum, fee) => sum + fee.gold, 0)} gold`);
});

on('buy', 'click', async () => {
  const { listings } = await ask('search', { criteria: {}, limit: 20 }, false);
  const listing = listings.find(({ mine, buyout }) => !mine && buyout !== undefined);
  if (listing === undefined) return say('Nobody else sells anything');
  // The price that the player saw: nobody ever pays more.
  const { paid } = await ask('buyout', { listingId: listing.id, price: listing.buyout });
  say(`Bought ${listing.item.name} for ${paid}`);
});

on('claim', 'click', async () => {
  const { gold, items } = await ask('claim', { all: true });
  say(`Claimed ${gold} gold and ${items.length} items`);
});
