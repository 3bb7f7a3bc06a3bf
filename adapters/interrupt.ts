/** Ctrl-C and SIGTERM: the first asks for an orderly end, the second gets an end. */

/** One Ctrl-C reaches us twice under `npm run`: from the terminal, and passed on by npm. */
const SAME_KEYPRESS_MS = 500;

/**
 * @param ask told once
 * @param status of the exit at the second
 * @returns ends the listening
 */
export function onInterrupt(ask: () => void, status: number): () => void {
  let asked: number | undefined;
  const stop = () => {
    if (asked === undefined) {
      asked = performance.now();
      ask();
    } else if (performance.now() - asked >= SAME_KEYPRESS_MS) process.exit(status);
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const name of signals) process.on(name, stop);
  return () => {
    for (const name of signals) process.off(name, stop);
  };
}
