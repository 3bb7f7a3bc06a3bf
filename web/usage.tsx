/** The owners with the most, as the sweep's last round has counted them. */
import { useEffect, useState } from "react";
import type { Api } from "./operations.ts";
import { bytes } from "./words.ts";

interface Owned {
  readonly owner: string;
  readonly images: number;
  readonly originals: number;
  readonly variants: number;
  readonly uploadsThisMonth: number;
}

export function Usage({ api }: { api: Api }) {
  const [answer, setAnswer] = useState<{ readonly at?: string; readonly owners: readonly Owned[] }>();
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    const controller = new AbortController();
    api.call<{ at?: string; owners: Owned[] }>("GET", "/admin/usage", { signal: controller.signal }).then(
      ({ json }) => setAnswer(json),
      (error: Error) => {
        if (!controller.signal.aborted) setProblem(error.message);
      },
    );
    return () => controller.abort();
  }, [api]);
  return (
    <section aria-labelledby="usage">
      <h2 id="usage">Usage</h2>
      {problem && (
        <p className="problem" role="alert">
          What owners have cannot be shown. {problem}
        </p>
      )}
      {answer?.owners.length === 0 && <p className="note">Nobody has been counted yet: the sweep does.</p>}
      {answer && answer.owners.length > 0 && (
        <table>
          <caption className="note">
            By the sweep of {answer.at && new Date(answer.at).toLocaleString("en")}
          </caption>
          <thead>
            <tr>
              <th scope="col">Owner</th>
              <th scope="col">Images</th>
              <th scope="col">Originals</th>
              <th scope="col">Variants</th>
              <th scope="col">This month</th>
            </tr>
          </thead>
          <tbody>
            {answer.owners.slice(0, 10).map((one) => (
              <tr key={one.owner}>
                <th scope="row" className="id">
                  {one.owner}
                </th>
                <td>{one.images}</td>
                <td>{bytes(one.originals)}</td>
                <td>{bytes(one.variants)}</td>
                <td>{one.uploadsThisMonth}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
