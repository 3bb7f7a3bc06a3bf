import { createDarkroom } from "darkroom/client";
import { Picture, useUpload } from "darkroom/react";

const darkroom = createDarkroom({
  endpoint: "http://localhost:3001",
  token: async () => {
    const response = await fetch("/darkroom-token");
    if (!response.ok) throw new Error("not signed in");
    return response.text();
  },
});

export function Photos() {
  const { uploads, upload, cancel, retry } = useUpload(darkroom);
  return (
    <>
      <input
        type="file"
        accept="image/*"
        multiple
        onChange={({ target }) => upload([...(target.files ?? [])])}
      />
      <ul>
        {uploads.map(({ key, status, sent, total, image, error }) => (
          <li key={key}>
            {image && (
              <Picture image={image} alt="" sizes="20rem" style={{ width: "20rem", height: "auto" }} />
            )}
            {status === "sending" && <progress value={sent} max={total} />}
            {status === "failed" && <p role="alert">{error?.message}</p>}
            {status === "failed" && (
              <button type="button" onClick={() => retry(key)}>
                Try again
              </button>
            )}
            <button type="button" onClick={() => cancel(key)}>
              Remove
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
