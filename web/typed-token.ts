/** A token that a person typed, and may type anew when the API refuses it: one has an end, uploads should not. */
export interface TypedToken {
  /**
   * For one client. What it gives asks for the token; asked again, as a client does after a 401, it waits until another
   * one is typed.
   */
  source(): () => Promise<string>;
  renew(token: string): void;
  /** Whether somebody waits for another one. */
  wanted(): boolean;
  /** Told when that changes; gives the end of it. */
  subscribe(changed: () => void): () => void;
}

/** @param onRenew told of every further one */
export function typedToken(first: string, onRenew: (token: string) => void): TypedToken {
  let token = first;
  let typed = 1;
  const waiting = new Set<() => void>();
  const listeners = new Set<() => void>();
  const tell = () => {
    for (const changed of listeners) changed();
  };
  return {
    source() {
      let given = 0;
      return async () => {
        if (given === typed) {
          const another = new Promise<void>((resolve) => waiting.add(resolve));
          tell();
          await another;
        }
        given = typed;
        return token;
      };
    },
    renew(another) {
      token = another;
      typed++;
      onRenew(another);
      for (const goOn of waiting) goOn();
      waiting.clear();
      tell();
    },
    wanted: () => waiting.size > 0,
    subscribe(changed) {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
  };
}
