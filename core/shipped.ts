/** The presets that come with Darkroom: of whoever has none of their own, of documents, tests and samples. */
import { defineConfig } from "./preset.ts";

export default defineConfig({
  // Of uploads that name none.
  defaultPreset: "photo",
  presets: {
    photo: {
      // Known by content, whatever a file is called.
      accept: ["jpeg", "png", "webp", "gif", "avif", "heic"],
      // Responsive widths, each in each format, never enlarged: w320, w640 and so on. JPEG is for the browsers that know
      // nothing better, one in 400, and for mail and previews: those get no wider ones.
      ladder: {
        widths: [320, 640, 960, 1280, 1920, 2560],
        formats: ["avif", "webp", "jpeg"],
        upTo: { jpeg: 1280 },
      },
      // Variants with a name and a shape of their own.
      named: {
        thumb: { width: 160, height: 160, fit: "cover", position: "focus", format: ["avif", "webp", "jpeg"] },
        poster: { width: 64, blur: 2, format: "webp", quality: 60 },
      },
    },
    avatar: {
      accept: ["jpeg", "png", "webp", "heic", "avif"],
      maxBytes: 10_000_000,
      named: {
        small: {
          width: 64,
          height: 64,
          fit: "cover",
          position: "attention",
          format: ["avif", "webp", "jpeg"],
        },
        large: {
          width: 256,
          height: 256,
          fit: "cover",
          position: "attention",
          format: ["avif", "webp", "jpeg"],
        },
      },
    },
  },
});
