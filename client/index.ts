/** What a game imports. */
export type { CredentialSource } from './door.ts';
export { ClosedError, NoAnswerError, NoConnectionError, ProtocolError, RefusedError, SignedOutError } from './errors.ts';
export { GameClient, type CommandMethods, type GameClientOptions, type GameEvents, type RequestOptions } from './game-client.ts';
export type { Patience } from './pulse.ts';
export type { Credentials } from './session.ts';
export type { PlayerState } from '#shared/state.ts';
