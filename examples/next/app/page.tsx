import { createDarkroom } from "darkroom/node";
import { Picture } from "darkroom/react/picture";
import { Upload } from "./photos";
import { uploadToken } from "./token";

const darkroom = createDarkroom({ endpoint: "http://localhost:3001", token: uploadToken });
/** Whose pictures these are says the session of each request. */
export const dynamic = "force-dynamic";

export default async function Page() {
  const { images } = await darkroom.list();
  return (
    <main>
      <Upload />
      {images.map(
        (image) =>
          image.status === "ready" && (
            <Picture key={image.id} image={image} alt="" sizes="20rem" fetchPriority="high" />
          ),
      )}
    </main>
  );
}
