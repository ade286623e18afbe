/**
 * The API of game servers: grants, charges, and how a player stands. Where the game's own world and the
 * auction house meet.
 *
 * 1. Without a key that has the right nothing is read, not even the body.
 * 2. Each element of a list is checked, done and answered by itself, in the order of the list; those of
 *    one player are done in that order too.
 * 3. What was answered is durable; the same `op` again gets the same answer, and does nothing.
 * 4. Reading makes nobody, and changes nothing.
 * 5. The log names each change: what, by which key, for whom and why.
 */
import { shardId, type Mode } from '#shared/address.ts';
import { limits } from '#shared/limits.ts';
import { chargeSchema, grantSchema, type Charge, type Grant, type ServiceRight } from '#shared/protocol/service.ts';
import { refusal, type Refusal } from '#shared/refusals.ts';
import { faultOf, modeSchema, operationIdSchema } from '#shared/schemas.ts';
import { studioIdOf, studioPlayerSchema } from '#shared/studio-id.ts';
import { NO_GOLD, type ShardId } from '#shared/units.ts';
import type { ServiceKey } from '#server/config.ts';
import type { IdDoor } from '#server/edge/id-door.ts';
import { Presenter } from '#server/edge/presenter.ts';
import type { ServingNode } from '#server/edge/services.ts';
import type { HttpAnswer, HttpCaller, Route } from '#server/http/http-server.ts';
import { OPERATIONS, type Operation } from '#server/http/operations.ts';
import { publicRefusal } from '#server/http/public-refusal.ts';
import type { Platform } from '#server/platform/platform.ts';
import type { Command, Reply } from '#server/shard/message.ts';
import type { z } from 'zod';
import { ServiceKeys } from './service-keys.ts';

/** What the API is made from. */
export interface ApiOptions {
  readonly backend: Pick<ServingNode, 'rules' | 'regions' | 'features' | 'world' | 'owns' | 'subscribe' | 'unsubscribe'>;
  readonly platform: Pick<Platform, 'timers' | 'report'>;
  readonly keys: readonly ServiceKey[];
  /** What players see of listings and transactions, game servers see as well. */
  readonly ids: Pick<IdDoor, 'seal'>;
}

/** An operation that wants a key. */
type Guarded = Operation & { readonly right: ServiceRight };

/** The routes of `/api`. */
export function apiRoutes(options: ApiOptions): readonly Route[] {
  const keys = new ServiceKeys(options.keys);
  const change = (operation: Guarded, schema: z.ZodType<Grant | Charge>): Route => {
    const perform = (by: ServiceKey, asked: unknown): Promise<Reply> => performOne(options, operation.right, schema, by, asked);
    return guarded(keys, operation, (body, _parameters, by) => performAll(options, body, (asked) => perform(by, asked)));
  };
  return [
    change(OPERATIONS.grant, grantSchema),
    change(OPERATIONS.charge, chargeSchema),
    guarded(keys, OPERATIONS.showPlayer, (_body, { player = '', region = '', mode = '' }) => showPlayer(options, player, region, mode)),
  ];
}

/** A route for those who show a key with the right of its operation. */
function guarded(
  keys: ServiceKeys,
  operation: Guarded,
  handle: (body: unknown, parameters: Readonly<Record<string, string>>, by: ServiceKey) => Promise<HttpAnswer>,
): Route {
  const demand = ({ authorization }: HttpCaller): ServiceKey | Refusal => keys.demand(authorization, operation.right);
  return {
    operation,
    admit: (caller) => refusalIn(demand(caller)),
    handle: (body, parameters, caller) => {
      const by = demand(caller);
      return 'kind' in by ? by : handle(body, parameters, by);
    },
  };
}

function refusalIn(found: ServiceKey | Refusal): Refusal | undefined {
  return 'kind' in found ? found : undefined;
}

/** One, or a list of which a few at a time are taken up: between them the node does other things. */
async function performAll({ platform }: ApiOptions, body: unknown, perform: (asked: unknown) => Promise<Reply>): Promise<HttpAnswer> {
  if (!Array.isArray(body)) {
    const reply = await perform(body);
    return reply.kind === 'answer' ? { kind: 'json', value: reply.value } : reply;
  }
  const list: readonly unknown[] = body;
  if (list.length > limits.serviceRequestsMax)
    return refusal('bad-request', { fault: `the list must have at most ${limits.serviceRequestsMax} elements` });
  const replies: Promise<Reply>[] = [];
  for (let next = 0; next < list.length; next += limits.serviceRequestsAtOnce) {
    if (next > 0) await new Promise<void>((resolve) => platform.timers.defer(resolve));
    replies.push(...list.slice(next, next + limits.serviceRequestsAtOnce).map(perform));
  }
  const told = (await Promise.all(replies)).map((reply, index) => ({ ...opOf(list[index]), ...inList(reply) }));
  return { kind: 'json', value: told };
}

/** The `op` of an element, so far as it has one. */
function opOf(asked: unknown): { readonly op?: string } {
  const op = typeof asked === 'object' && asked !== null && 'op' in asked ? operationIdSchema.safeParse(asked.op) : undefined;
  return op?.success === true ? { op: op.data } : {};
}

function inList(reply: Reply): object {
  return reply.kind === 'answer' ? { answer: reply.value } : { refusal: publicRefusal(reply) };
}

/** Has the player's shard do what one element asks for. */
async function performOne(
  { backend, platform }: ApiOptions,
  right: ServiceRight,
  schema: z.ZodType<Grant | Charge>,
  { name: by }: ServiceKey,
  asked: unknown,
): Promise<Reply> {
  const parsed = schema.safeParse(asked);
  if (!parsed.success) return refusal('bad-request', { fault: faultOf(parsed.error) });
  const { op, player, region, mode, ...body } = parsed.data;
  const shard = addressOf(backend.regions, player, region, mode);
  if (typeof shard !== 'string') return shard;
  const command: Command = { kind: right, issuer: 'service', op, by, body };
  const heard = await backend.world.accept({ to: shard, message: command, creates: right === 'grant' });
  const reply = isOfNobody(heard) ? refusal('no-such-player') : heard;
  const outcome = reply.kind === 'answer' ? 'done' : reply.name;
  platform.report({ level: 'info', message: `${right} for ${shard}: ${outcome}`, details: { op, by, ...told(body) } });
  return reply;
}

/** What was asked for, as the log tells it. */
function told({ gold = NO_GOLD, items = [], commodities = [], reason = '' }: Partial<Grant | Charge>) {
  const stacks = commodities.map(({ commodity, quantity }) => `${quantity} ${commodity}`);
  return { gold, items: items.length, commodities: stacks.join(', '), reason };
}

/** How a player stands, whole: what its room shows, with all entries to claim. */
async function showPlayer({ backend, ids }: ApiOptions, player: string, region: string, mode: string): Promise<HttpAnswer> {
  const named = studioPlayerSchema.safeParse(player);
  if (!named.success) return refusal('bad-request', { fault: faultOf(named.error) });
  const shard = addressOf(backend.regions, named.data, region, modeSchema.parse(mode));
  if (typeof shard !== 'string') return shard;
  if (!backend.owns(shard)) return refusal('unavailable', { reason: 'this player lives on another node' });
  const presenter = new Presenter(backend.features, shard, { ...backend.rules, completedShown: Number.MAX_SAFE_INTEGER }, ids.seal);
  const listener: Parameters<ServingNode['subscribe']>[1] = (news) => {
    if (news.kind === 'snapshot') presenter.apply(news);
  };
  const reply = await backend.subscribe(shard, listener);
  backend.unsubscribe(shard, listener);
  if (reply.kind === 'refusal') return isOfNobody(reply) ? refusal('no-such-player') : reply;
  const state: unknown = presenter.state.toJSON();
  return { kind: 'json', value: { player: studioIdOf(named.data), shard, ...Object(state) } };
}

function addressOf(regions: readonly string[], player: string, region: string, mode: Mode): ShardId | Refusal {
  if (!regions.includes(region)) return refusal('bad-request', { fault: `region: must be one of ${regions.join(', ')}` });
  return shardId(player, region, mode);
}

/** Only of a shard that was never made a service is told that it may not. */
function isOfNobody(reply: Reply): boolean {
  return reply.kind === 'refusal' && reply.name === 'unauthorized';
}
