/** The page that `reprocess --canary` writes: what is shown beside what would be, the greatest loss first. */

/** A variant as it is shown and as it would be; scores (SSIMULACRA 2.1) of those that are looked at. */
export interface Pair {
  readonly id: string;
  readonly preset: string;
  readonly name: string;
  readonly format: string;
  readonly before: Side;
  readonly after: Side;
}
export interface Side {
  readonly bytes: number;
  readonly score?: number;
  /** In the folder of the page. */
  readonly file?: string;
}
export function pageOf(pairs: readonly Pair[]): string {
  const loss = ({ before, after }: Pair) => (after.score ?? 0) - (before.score ?? 0);
  const shown = pairs.filter(({ after }) => after.file !== undefined).sort((a, b) => loss(a) - loss(b));
  // Ids, names of presets, formats and numbers: nothing that anybody has written.
  const picture = (word: string, { file = "", bytes, score = 0 }: Pair["before"]) =>
    `<figure><img src="${file}" alt="${word}" loading="lazy"><figcaption>${word}: ${bytes.toLocaleString("en")} bytes, score ${score.toFixed(1)}</figcaption></figure>`;
  const sections = shown.map((pair) => {
    const { id, preset, name, format, before, after } = pair;
    return `<section><h2>${id} <small>${preset}, ${name}.${format}</small></h2>${picture("is", before)}${picture("would be", after)}</section>`;
  });
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Canary</title>
<style>
  :root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
  body { max-width: 125rem; margin: 1rem auto; padding: 0 1rem; }
  section { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: 0 1rem; }
  h1, h2 { font-size: 1.1rem; grid-column: 1 / -1; overflow-wrap: anywhere; }
  small { font-weight: normal; }
  figure { margin: 0; }
  img { display: block; width: 100%; height: auto; }
</style>
<h1>What is shown, and what would be: ${shown.length} pairs, the greatest loss first</h1>
${sections.join("\n")}
</html>
`;
}
