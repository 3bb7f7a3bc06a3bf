/**
 * What a page sees of an image file, run inside of the page: this function alone is sent there, so it stands on its own.
 *
 * `decode()` of an image never rejects in Chromium, however much of the file is missing; `createImageBitmap` does. Whole
 * is what both show.
 */
export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Seen extends Size {
  /** Loaded by `<img>` and by `createImageBitmap`, and every frame by `ImageDecoder`. */
  readonly whole: boolean;
  /** Loaded by `<img>`, whatever is missing. */
  readonly shown: boolean;
  readonly canvas: Size;
  /** Milliseconds per frame, as browsers play it; one entry for a still. */
  readonly durations: readonly number[];
  /** How often it plays; 0 for ever. */
  readonly loop: number;
  /** Where in time, in milliseconds, the pictures below were taken. */
  readonly times: readonly number[];
  /** Of each picture the means of 8 × 8 blocks, row by row: red, green, blue over black, then over white; base64. */
  readonly pictures: readonly string[];
}

export interface Looking {
  readonly url: string;
  readonly type: string;
  /** Where it is not said, at most 320 pixels wide, as a preset's rung would be. */
  readonly canvas: Size | undefined;
  /** When to look; where it is not said, in the middle of up to so many frames of the file's own. */
  readonly times: readonly number[] | number;
}

/** Frames that are played at most: over it no preset lets an animation be one. */
export const MOST_FRAMES = 260;

export async function look({
  url,
  type,
  canvas: given,
  times,
  most,
}: Looking & { most: number }): Promise<Seen> {
  const bytes = await (await fetch(url)).arrayBuffer();
  const img = new Image();
  const shown = await new Promise<boolean>((resolve) => {
    img.onload = () => resolve(true);
    img.onerror = () => resolve(false);
    img.src = url;
  });
  if (!shown || img.naturalWidth === 0) {
    const size = { width: 0, height: 0 };
    return {
      whole: false,
      shown: false,
      ...size,
      canvas: size,
      durations: [],
      loop: 1,
      times: [],
      pictures: [],
    };
  }
  // The file's own size where the picture is whole: that of an <img> can be another by its EXIF density.
  const bitmap = await createImageBitmap(new Blob([bytes], { type })).catch(() => undefined);
  const { width, height } = bitmap ?? { width: img.naturalWidth, height: img.naturalHeight };
  bitmap?.close();
  const rung = Math.min(320, width);
  const canvas = given ?? {
    width: rung,
    height: Math.min(16_383, Math.max(1, Math.round((height * rung) / width))),
  };

  const played = await framesOf();
  const { frames } = played;
  const starts = frames.map((_, i) => frames.slice(0, i).reduce((sum, { ms }) => sum + ms, 0));
  // A VideoFrame has lost its file's profile: where that shows, the first frame is looked at alone, as <img> shows it.
  const first = frames[0]?.picture;
  const isManaged = first === undefined || first === img || apart(means(img), means(first)) < 2;
  const moments = isManaged ? Math.min(Number(times) || 1, frames.length) : 1;
  const at =
    typeof times === "number"
      ? Array.from({ length: moments }, (_, i) => {
          const frame = Math.floor((i * frames.length) / moments);
          return (starts[frame] ?? 0) + (frames[frame]?.ms ?? 0) / 2;
        })
      : times;
  const pictures = at.map((time) => {
    const next = starts.findIndex((start) => start > time);
    const index = (next < 0 ? frames.length : next) - 1;
    return means(isManaged ? (frames[index]?.picture ?? img) : img);
  });
  for (const { picture } of frames) if (picture instanceof VideoFrame) picture.close();
  const durations = frames.map(({ ms }) => ms);
  return {
    whole: bitmap !== undefined && played.whole,
    shown,
    width,
    height,
    canvas,
    durations,
    loop: played.loop,
    times: at,
    pictures,
  };

  /** Chromium and Firefox show a frame of 10 ms or less for 100. */
  async function framesOf() {
    const still = { whole: true, loop: 1, frames: [{ ms: 0, picture: img as CanvasImageSource }] };
    if (!/gif|webp|png|avif/.test(type)) return still;
    const decoder = new ImageDecoder({ data: bytes, type, preferAnimation: true });
    try {
      await decoder.completed;
      const track = decoder.tracks.selectedTrack;
      if (!track || track.frameCount < 2) return still;
      const frames: { ms: number; picture: CanvasImageSource }[] = [];
      let whole = true;
      for (let frameIndex = 0; frameIndex < Math.min(track.frameCount, most); frameIndex++) {
        try {
          const { image } = await decoder.decode({ frameIndex });
          const ms = (image.duration ?? 0) / 1000;
          frames.push({ ms: ms <= 10 ? 100 : ms, picture: image });
        } catch {
          whole = false;
          break;
        }
      }
      const { repetitionCount } = track;
      const loop = Number.isFinite(repetitionCount) ? repetitionCount + 1 : 0;
      return frames.length > 1 ? { whole, loop, frames } : { ...still, whole };
    } catch {
      return still;
    } finally {
      decoder.close();
    }
  }

  function apart(one: string, other: string): number {
    const [a, b] = [atob(one), atob(other)];
    return (
      [...a].reduce((sum, char, i) => sum + Math.abs(char.charCodeAt(0) - b.charCodeAt(i)), 0) / a.length
    );
  }

  function means(picture: CanvasImageSource): string {
    const { width, height } = canvas;
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    if (!context) throw new Error("no canvas");
    context.imageSmoothingQuality = "high";
    const across = Math.ceil(width / 8);
    const blocks = new Float64Array(across * Math.ceil(height / 8) * 7);
    for (const [over, colour] of [
      [0, "black"],
      [3, "white"],
    ] as const) {
      context.fillStyle = colour;
      context.fillRect(0, 0, width, height);
      context.drawImage(picture, 0, 0, width, height);
      const { data } = context.getImageData(0, 0, width, height);
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const block = 7 * ((y >> 3) * across + (x >> 3));
          const at = 4 * (y * width + x);
          for (let c = 0; c < 3; c++)
            blocks[block + over + c] = (blocks[block + over + c] ?? 0) + (data[at + c] ?? 0);
          if (over === 0) blocks[block + 6] = (blocks[block + 6] ?? 0) + 1;
        }
      }
    }
    let text = "";
    for (let block = 0; block < blocks.length; block += 7) {
      for (let c = 0; c < 6; c++) {
        text += String.fromCharCode(Math.round((blocks[block + c] ?? 0) / (blocks[block + 6] ?? 1)));
      }
    }
    return btoa(text);
  }
}
