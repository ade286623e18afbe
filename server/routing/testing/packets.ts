/** What a packet on the bus is about, for tests that treat one kind of message in another way than the others. */
import type { BusPacket } from '#server/sim/simulated-bus.ts';

/** The kind of the message in a packet, or `reply`. */
export function packetKind(packet: BusPacket): string {
  const { kind, envelope } = contentOf(packet);
  return kind === 'reply' ? 'reply' : String(envelope?.message?.kind);
}

/** The verdict that a packet carries, if it is an outcome. */
export function outcomeOfPacket(packet: BusPacket): string | undefined {
  return contentOf(packet).envelope?.message?.verdict?.kind;
}

interface Content {
  readonly kind: string;
  readonly envelope?: { readonly message?: { readonly kind?: string; readonly verdict?: { readonly kind?: string } } };
}

function contentOf({ bytes }: BusPacket): Content {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- A link made these bytes; a test only looks at them.
  return JSON.parse(new TextDecoder().decode(bytes)) as Content;
}
