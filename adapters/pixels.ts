/**
 * The worker's pixel process. It takes as long to start as the rest of a cold worker takes to load: whoever imports this
 * first has both at once.
 */
import { pixelProcess } from "../pixels/process.ts";
import { SECONDS } from "./aws/worker-means.ts";
import config from "./presets.ts";

// TIFF and whatever else a preset asks for; every other loader stays closed.
const accept = [...config.presets.values()].flatMap((preset) => preset.accept);
export const pixels = pixelProcess({ accept, developSeconds: SECONDS });
