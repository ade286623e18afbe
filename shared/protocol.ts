/**
 * The protocol: what clients send and what they are answered, in zod schemas from which types, the reference pages
 * and every check at the edge are made. One table, `commands`, has every command of the `player` room.
 *
 * Answers are data for clients: amounts are whole coins, instants are milliseconds since the epoch.
 */
import { z } from 'zod';
import { criteriaSchema, sortSchema } from './criteria.ts';
import { limits } from './limits.ts';
import { refusal, REFUSAL_NAMES, type Refusal } from './refusals.ts';
import { rulesSchema } from './rules.ts';
import {
  catalogWordSchema,
  cursorSchema,
  durationSchema,
  faultOf,
  goldChangeSchema,
  goldSchema,
  instantSchema,
  integerSchema,
  itemIdSchema,
  itemSchema,
  listingIdSchema,
  modeSchema,
  operationIdSchema,
  playerIdSchema,
  quantitySchema,
  regionSchema,
  rowIdSchema,
  textSchema,
  transactionTextSchema,
  type Parsed,
} from './schemas.ts';

/** One line of what a sale costs; `rate` in basis points of the price, where the line is a share. */
export const feeLineSchema = z.strictObject({ name: textSchema(40), rate: integerSchema(0, 10_000).exactOptional(), gold: goldSchema });

/** A listing as clients see it: one item, or a quantity of one commodity. `mine` tells the seller's own. */
export const listingSchema = z.strictObject({
  id: listingIdSchema,
  item: itemSchema.exactOptional(),
  commodity: catalogWordSchema.exactOptional(),
  quantity: quantitySchema.exactOptional(),
  startBid: goldSchema.exactOptional(),
  currentBid: goldSchema.exactOptional(),
  buyout: goldSchema.exactOptional(),
  unitPrice: goldSchema.exactOptional(),
  startsAt: instantSchema,
  endsAt: instantSchema,
  mine: z.boolean(),
});

/** Why an entry is in the completed tab. */
export const COMPLETED_KINDS = ['sold', 'bought', 'expired', 'cancelled', 'outbid', 'returned'] as const;

/** An entry of the completed tab: goods and gold that wait to be claimed. `tx` is there if a trade caused it. */
export const completedEntrySchema = z.strictObject({
  id: rowIdSchema,
  kind: z.enum(COMPLETED_KINDS),
  item: itemSchema.exactOptional(),
  commodity: catalogWordSchema.exactOptional(),
  quantity: quantitySchema.exactOptional(),
  gold: goldSchema.exactOptional(),
  fees: z.array(feeLineSchema),
  tx: transactionTextSchema.exactOptional(),
  at: instantSchema,
});

/**
 * One line of a player's ledger: a change of gold (`gold`, signed) or of goods (`item` or `commodity`, with a signed
 * `quantity`) in one `account` of the shard, with its cause. Lines of one `seq` are one movement. `balance`, on lines of
 * gold, is the account's gold after the movement; it is absent where the ledger is older than the balance of that account.
 */
export const ledgerLineSchema = z.strictObject({
  seq: rowIdSchema,
  at: instantSchema,
  cause: textSchema(40),
  account: textSchema(40),
  gold: goldChangeSchema.exactOptional(),
  item: itemIdSchema.exactOptional(),
  commodity: catalogWordSchema.exactOptional(),
  quantity: goldChangeSchema.exactOptional(),
  tx: transactionTextSchema.exactOptional(),
  balance: goldSchema.exactOptional(),
});

/** A refusal as clients receive it. */
export const refusalSchema = z.strictObject({
  code: integerSchema(1, 9_999),
  name: z.enum(REFUSAL_NAMES),
  message: z.string(),
  retryable: z.boolean(),
  details: z.record(z.string(), z.unknown()).exactOptional(),
});

const op = operationIdSchema;

/** Every command of the `player` room. `changes` tells those that change something; they carry an `op`. */
export const commands = {
  search: {
    summary: 'Finds listings of the market, by default the cheapest first. A listing may be gone when it is bought.',
    changes: false,
    request: z.strictObject({
      criteria: criteriaSchema,
      sort: sortSchema.exactOptional(),
      limit: integerSchema(1, limits.searchLimitMax),
      cursor: cursorSchema.exactOptional(),
    }),
    answer: z.strictObject({
      listings: z.array(listingSchema),
      total: integerSchema(0, Number.MAX_SAFE_INTEGER),
      cursor: cursorSchema.exactOptional(),
      lagMs: durationSchema,
    }),
  },
  listing: {
    summary: 'Shows one listing in full, as its owner knows it now.',
    changes: false,
    request: z.strictObject({ listingId: listingIdSchema }),
    answer: z.strictObject({ listing: listingSchema }),
  },
  sell: {
    summary:
      'Puts an item of the stash up for sale. A sale costs the `fees` of the answer, whatever the rules become. `startBid` is refused until auctions with bids exist.',
    changes: true,
    request: z
      .strictObject({
        op,
        itemId: itemIdSchema,
        startBid: goldSchema.exactOptional(),
        buyout: goldSchema.exactOptional(),
        durationMs: durationSchema.exactOptional(),
      })
      .refine((sell) => sell.buyout !== undefined || sell.startBid !== undefined, 'must have a buyout or a startBid'),
    answer: z.strictObject({ listingId: listingIdSchema, endsAt: instantSchema, fees: z.array(feeLineSchema) }),
  },
  buyout: {
    summary: 'Buys a listing at once, for at most the price that the player saw. The item waits in the completed tab.',
    changes: true,
    request: z.strictObject({ op, listingId: listingIdSchema, price: goldSchema }),
    answer: z.strictObject({ itemId: itemIdSchema, paid: goldSchema }),
  },
  cancel: {
    summary: 'Takes back an own listing within its cancel window. What comes back waits in the completed tab.',
    changes: true,
    request: z.strictObject({ op, listingId: listingIdSchema }),
    answer: z.strictObject({
      item: itemSchema.exactOptional(),
      commodity: catalogWordSchema.exactOptional(),
      quantity: quantitySchema.exactOptional(),
      gold: goldSchema.exactOptional(),
    }),
  },
  claim: {
    summary: 'Moves one completed entry, or as many as fit, to stash and wallet.',
    changes: true,
    request: z
      .strictObject({ op, entryId: rowIdSchema.exactOptional(), all: z.literal(true).exactOptional() })
      .refine((claim) => (claim.entryId === undefined) !== (claim.all === undefined), 'must have either entryId or all'),
    answer: z.strictObject({
      claimed: z.array(rowIdSchema),
      gold: goldSchema,
      items: z.array(itemIdSchema),
      commodities: z.array(z.strictObject({ commodity: catalogWordSchema, quantity: quantitySchema })),
      left: z.array(z.strictObject({ entryId: rowIdSchema, reason: z.enum(REFUSAL_NAMES) })),
    }),
  },
  history: {
    summary: "Reads the player's own ledger, newest first.",
    changes: false,
    request: z.strictObject({ cursor: cursorSchema.exactOptional() }),
    answer: z.strictObject({ lines: z.array(ledgerLineSchema), cursor: cursorSchema.exactOptional() }),
  },
  rules: {
    summary: 'Tells the fees, limits, durations and increments in force.',
    changes: false,
    request: z.strictObject({}),
    answer: rulesSchema,
  },
} as const;

/** `POST /session`: who comes, by a guest name (development only) or a token of the studio, and where to. */
export const sessionRequestSchema = z
  .strictObject({
    guest: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,58}$/, 'must be 1 to 58 of A-Z a-z 0-9 _ -')
      .exactOptional(),
    token: textSchema(limits.tokenLengthMax).exactOptional(),
    region: regionSchema,
    mode: modeSchema.default('softcore'),
  })
  .refine((session) => (session.guest === undefined) !== (session.token === undefined), 'must have either guest or token');

/** The answer of `POST /session`: `token` resumes, `seat` is what the Colyseus SDK consumes as it is. */
export const sessionAnswerSchema = z.strictObject({
  token: textSchema(limits.tokenLengthMax),
  player: playerIdSchema,
  shard: textSchema(128),
  seat: z.record(z.string(), z.unknown()),
});

/** The name of a command. */
export type CommandType = keyof typeof commands;
/** What a command carries, as the server sees it after the edge. */
export type CommandRequest<Type extends CommandType> = Parsed<(typeof commands)[Type]['request']>;
/** What a command is answered when it succeeds. */
export type CommandAnswer<Type extends CommandType> = Parsed<(typeof commands)[Type]['answer']>;
/** A command that changes something. */
export type ChangingCommandType = { [Type in CommandType]: (typeof commands)[Type]['changes'] extends true ? Type : never }[CommandType];
/** A command with its request, tagged by its type. */
export type Command = {
  [Type in CommandType]: { readonly kind: 'command'; readonly type: Type; readonly request: CommandRequest<Type> };
}[CommandType];
/** One line of what a sale costs the seller. */
export type FeeLine = Parsed<typeof feeLineSchema>;
/** A listing as clients see it. */
export type Listing = Parsed<typeof listingSchema>;
/** Why an entry is in the completed tab. */
export type CompletedKind = (typeof COMPLETED_KINDS)[number];
/** An entry of the completed tab. */
export type CompletedEntry = Parsed<typeof completedEntrySchema>;
/** One line of a player's ledger. */
export type LedgerLine = Parsed<typeof ledgerLineSchema>;
/** What opens a session. */
export type SessionRequest = Parsed<typeof sessionRequestSchema>;
/** What a session is answered. */
export type SessionAnswer = Parsed<typeof sessionAnswerSchema>;

/** Every command's name, in the order of the table. */
export const COMMAND_TYPES: readonly CommandType[] = Object.keys(commands).filter(isCommandType);

/** Whether a text from outside is the name of a command. */
export function isCommandType(text: string): text is CommandType {
  return Object.hasOwn(commands, text);
}

/** A message from outside as a command, or the refusal `bad-request` whose `details.fault` names what is wrong. Never throws. */
export function parseCommand(type: string, payload: unknown): Command | Refusal {
  if (!isCommandType(type)) return refusal('bad-request', { fault: 'unknown command' });
  const parsed = commands[type].request.safeParse(payload);
  if (!parsed.success) return refusal('bad-request', { fault: faultOf(parsed.error) });
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- this type's own schema made the request; TypeScript cannot relate the two
  return { kind: 'command', type, request: parsed.data } as Command;
}
