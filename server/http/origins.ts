/**
 * Which web pages may use the server: its own, those of this machine in development, and those that
 * the operator names.
 */

/** What decides about an origin. */
export interface OriginRules {
  /** Whether pages of this machine may, whatever their port. */
  readonly loopback: boolean;
  /** Origins that may, such as `https://play.example.org`. */
  readonly named: readonly string[];
}

/**
 * Whether a request with that `Origin` may. Programs that are no browsers send none, and are no
 * danger to anybody's cookies.
 */
export function isOriginAllowed(rules: OriginRules, origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true;
  if (rules.named.includes(origin)) return true;
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) return false;
  if (rules.loopback && isLoopbackName(url.hostname)) return true;
  return host !== undefined && url.host === host.toLowerCase();
}

function isLoopbackName(name: string): boolean {
  return name === 'localhost' || name === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}
