/** An AVIF around AV1 data that sharp has encoded, with properties of the test's own. Knows nothing of `pixels/`. */

export const u16 = (...values: number[]) => Buffer.from(values.flatMap((value) => [value >> 8, value & 255]));
export const u32 = (...values: number[]) =>
  Buffer.concat(values.map((value) => u16(Math.floor(value / 65536), value % 65536)));
export const box = (type: string, ...parts: (Buffer | number[] | string)[]) => {
  const body = Buffer.concat(
    parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part))),
  );
  return Buffer.concat([u32(body.length + 8), Buffer.from(type, "latin1"), body]);
};
export const full = (type: string, version: number, ...parts: (Buffer | string)[]) =>
  box(type, Buffer.from([version, 0, 0, 0]), ...parts);

/** `colr` of kind `nclx`: code points of ITU-T H.273, and whether the range is full. */
export const nclx = (primaries: number, transfer: number, matrix = 6, fullRange = true) =>
  box("colr", "nclx", u16(primaries, transfer, matrix), Buffer.from([fullRange ? 0x80 : 0]));

/** What sharp wrote of a picture: its AV1 data, `av1C` and size. The file must have one item alone. */
export function av1Of(avif: Buffer) {
  const found = (type: string) => {
    const at = avif.indexOf(type, 0, "latin1") - 4;
    return avif.subarray(at, at + avif.readUInt32BE(at));
  };
  return { data: found("mdat").subarray(8), av1C: found("av1C"), ispe: found("ispe") };
}
type Av1 = ReturnType<typeof av1Of>;

/** @param alpha a picture of one channel, whose value is how opaque the other is */
export function avifOf(colour: Av1, properties: Buffer[], alpha?: Av1, premultiplied = false): Buffer {
  const pictures = alpha ? [colour, alpha] : [colour];
  const own = [
    [colour.ispe, colour.av1C, ...properties],
    ...(alpha
      ? [[alpha.ispe, alpha.av1C, full("auxC", 0, "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")]]
      : []),
  ];
  const ids = pictures.map((_, i) => i + 1);
  let index = 0;
  const ipma = own.map((boxes, i) =>
    Buffer.concat([u16(i + 1), Buffer.from([boxes.length, ...boxes.map(() => ++index)])]),
  );
  const references = alpha
    ? [full("iref", 0, box("auxl", u16(2, 1, 1)), ...(premultiplied ? [box("prem", u16(1, 1, 2))] : []))]
    : [];
  const meta = (start: number) => {
    let at = start;
    const places = pictures.map(({ data }, i) => {
      const place = Buffer.concat([u16(i + 1, 0, 1), u32(at, data.length)]);
      at += data.length;
      return place;
    });
    return full(
      "meta",
      0,
      full("hdlr", 0, u32(0), "pict", u32(0, 0, 0), "\0"),
      full("pitm", 0, u16(1)),
      full("iloc", 0, u16(0x4400, pictures.length), ...places),
      full("iinf", 0, u16(pictures.length), ...ids.map((id) => full("infe", 2, u16(id, 0), "av01\0"))),
      ...references,
      box("iprp", box("ipco", ...own.flat()), full("ipma", 0, u32(pictures.length), ...ipma)),
    );
  };
  const ftyp = box("ftyp", "avif", u32(0), "avifmif1miafMA1A");
  const start = ftyp.length + meta(0).length + 8;
  return Buffer.concat([ftyp, meta(start), box("mdat", ...pictures.map(({ data }) => data))]);
}
