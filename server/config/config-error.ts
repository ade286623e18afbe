/** A configuration that cannot be used. The message is one sentence for whoever typed it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
