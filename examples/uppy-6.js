import AwsS3 from "@uppy/aws-s3";
import Uppy from "@uppy/core";
import { createDarkroom, imageIdFromKey, picture, uppySigner } from "darkroom/client";

const darkroom = createDarkroom({
  endpoint: "http://localhost:3001",
  token: async () => {
    const response = await fetch("/darkroom-token");
    if (!response.ok) throw new Error("not signed in");
    return response.text();
  },
});

const uppy = new Uppy({ autoProceed: true }).use(AwsS3, uppySigner(darkroom, { preset: "photo" }));

uppy.on("upload-success", async (file, { body }) => {
  const image = await darkroom.waitUntilReady(imageIdFromKey(body.key));
  document.querySelector("main").innerHTML += picture(image, { alt: file.name, sizes: "20rem" }).html;
});
uppy.on("upload-error", (_, error) => {
  document.querySelector("main").append(error.message);
});

document.querySelector("input").addEventListener("change", ({ target }) => {
  uppy.addFiles([...target.files].map((data) => ({ name: data.name, type: data.type, data })));
});
