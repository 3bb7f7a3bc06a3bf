import { createDarkroom } from "darkroom/client";
import { Picture, useImages, useUpload } from "darkroom/react";

const darkroom = createDarkroom({
  endpoint: "http://localhost:3001",
  token: async () => {
    const response = await fetch("/darkroom-token");
    if (!response.ok) throw new Error("not signed in");
    return response.text();
  },
});
const style = { width: "20rem", height: "auto" };

export function Photos() {
  // By this name files go on after a reload; take one for each person who may sign in here. They also come by drop and paste.
  const { uploads, choose, retry, remove } = useUpload(darkroom, { resume: "photos", everywhere: true });
  return (
    <>
      <input type="file" accept="image/*" multiple onChange={(event) => choose(event)} />
      <ul>
        {uploads.map(({ key, status, sent, total, image, error }) => (
          <li key={key}>
            {image && <Picture image={image} alt="" sizes="20rem" style={style} />}
            {status === "sending" && <progress value={sent} max={total} />}
            {status === "offline" && <p>Waiting for the network…</p>}
            {status === "failed" && <p role="alert">{error?.message}</p>}
            {status === "failed" && (
              <button type="button" onClick={() => retry(key)}>
                Try again
              </button>
            )}
            <button type="button" onClick={() => remove(key)}>
              Remove
            </button>
          </li>
        ))}
      </ul>
      <Earlier />
    </>
  );
}

function Earlier() {
  const { images, hasMore, loading, error, more, remove } = useImages(darkroom);
  return (
    <section aria-label="Earlier">
      {images.map((image) => (
        <figure key={image.id}>
          {image.status === "ready" ? (
            <Picture image={image} alt="" sizes="20rem" style={style} />
          ) : (
            (image.error?.message ?? "Developing…")
          )}
          <button type="button" onClick={() => remove(image.id)}>
            Delete
          </button>
        </figure>
      ))}
      {error && <p role="alert">{error.message}</p>}
      {hasMore && (
        <button type="button" disabled={loading} onClick={more}>
          Older
        </button>
      )}
    </section>
  );
}
