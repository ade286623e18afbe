/** Waiting, for clients and tests. */

/** Resolves after that long. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What the promise brings, or a rejection if it takes longer than that. */
export async function within<Value>(promise: Promise<Value>, ms: number): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves as soon as the condition holds; rejects after that long. */
export async function until(condition: () => boolean | Promise<boolean>, ms = 5_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`it did not become true within ${ms} ms`);
    await pause(5);
  }
}

/** The longest pause between two attempts. */
export const PAUSE_MAX_MS = 1_000;
const PAUSE_FIRST_MS = 50;

/**
 * How long to wait after so many attempts in vain; spread, so that a thousand clients do not come
 * back in one instant.
 */
export function pauseAfter(attempt: number): number {
  return Math.min(PAUSE_MAX_MS, PAUSE_FIRST_MS * 2 ** attempt) * (0.5 + Math.random() / 2);
}
