import AwsS3 from "@uppy/aws-s3";
import Uppy from "@uppy/core";
import { createDarkroom, imageIdFromKey, picture } from "darkroom/client";

const endpoint = "http://localhost:3001";
const token = async () => {
  const response = await fetch("/darkroom-token");
  if (!response.ok) throw new Error("not signed in");
  return response.text();
};
const darkroom = createDarkroom({ endpoint, token });

const uppy = new Uppy({ autoProceed: true }).use(AwsS3, { endpoint });
// Uppy does not ask again after a 401, so each upload begins with a fresh token.
uppy.addPreProcessor(async () => {
  uppy.getPlugin("AwsS3Multipart").setOptions({ headers: { authorization: `Bearer ${await token()}` } });
});

uppy.on("upload-success", async (file, { body }) => {
  const image = await darkroom.waitUntilReady(imageIdFromKey(body.key));
  document.querySelector("main").innerHTML += picture(image, { alt: file.name, sizes: "20rem" }).html;
});
uppy.on("upload-error", (_, error) => {
  document.querySelector("main").append(error.message);
});

document.querySelector("input").addEventListener("change", ({ target }) => {
  // The size, which Uppy does not say by itself, lets parts be signed side by side.
  const said = (data) => ({ name: data.name, type: data.type, data, meta: { size: data.size } });
  uppy.addFiles([...target.files].map(said));
});
