/** x */
/** x */
export async function runSabotages(_say: (line: string) => void): Promise<{ sabotages: number; caught: number }> {
  return Promise.resolve({ sabotages: 0, caught: 0 });
}
