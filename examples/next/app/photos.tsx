"use client";
import { createDarkroom } from "darkroom/client";
import { useUpload } from "darkroom/react";
import { useRouter } from "next/navigation";
import { useEffect } from "react";
import { uploadToken } from "./token";

const darkroom = createDarkroom({ endpoint: "http://localhost:3001", token: uploadToken });

export function Upload() {
  const { uploads, choose } = useUpload(darkroom, { resume: "photos" });
  const router = useRouter();
  const ready = uploads.filter(({ status }) => status === "ready").length;
  // The server renders the list anew.
  useEffect(() => {
    if (ready > 0) router.refresh();
  }, [ready, router]);
  return (
    <>
      <input type="file" accept="image/*" multiple onChange={(event) => choose(event)} />
      {uploads.map(({ key, status, error }) => (
        <p key={key}>{error?.message ?? status}</p>
      ))}
    </>
  );
}
