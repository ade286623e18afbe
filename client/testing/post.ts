/** What tests and drills send past the typed client. */

/** An HTTP answer. */
export interface Answered {
  readonly status: number;
  readonly body: unknown;
}

/** Posts anything as JSON. */
export async function post(url: string, path: string, value: unknown): Promise<Answered> {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(value),
  });
  return { status: response.status, body: await response.json() };
}
