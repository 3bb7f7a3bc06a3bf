/** A browser's `multipart/form-data`, read as a stream: fields in memory, the file as it arrives. */
import { S3Error } from "./errors.ts";
import { ByteReader, collect, TooLong, UnexpectedEnd } from "./reader.ts";

/** S3: "the form data and boundaries (excluding the contents of the file) cannot exceed 20 KB". */
const MAX_FIELD_BYTES = 20 * 1024;

export interface Form {
  /** Before the file, names in lower case, values in UTF-8; what comes twice is joined with a comma. */
  readonly fields: ReadonlyMap<string, string>;
  /** Without any path that a browser may have put before it. */
  readonly filename: string;
  /** Must be read to the end; what follows the file is read over. */
  readonly file: AsyncIterable<Buffer>;
}

/** @throws S3Error `PreconditionFailed`, `MalformedPOSTRequest`, `MaxPostPreDataLengthExceededError`, `InvalidArgument` */
export async function readForm(source: AsyncIterable<Buffer>, contentType: string): Promise<Form> {
  const [, quotedBoundary, bare] =
    /^multipart\/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(contentType) ??
    [];
  const boundary = quotedBoundary ?? bare;
  if (boundary === undefined) {
    throw new S3Error("PreconditionFailed", undefined, {
      Condition: "Bucket POST must be of the enclosure-type multipart/form-data",
    });
  }
  try {
    // So that the first boundary too has a line end before it.
    const reader = new ByteReader(prefixed(source));
    return await readParts(reader, Buffer.from(`\r\n--${boundary}`, "latin1"));
  } catch (error) {
    if (error instanceof UnexpectedEnd) throw malformed();
    throw error instanceof TooLong ? tooMuch() : error;
  }
}

const malformed = () => new S3Error("MalformedPOSTRequest");
const tooMuch = () => new S3Error("MaxPostPreDataLengthExceededError");

async function* prefixed(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield Buffer.from("\r\n");
  yield* source;
}

async function readParts(reader: ByteReader, mark: Buffer): Promise<Form> {
  const fields = new Map<string, string>();
  let left = MAX_FIELD_BYTES;
  const spend = (bytes: number) => {
    left -= bytes;
    if (left < 0) throw tooMuch();
  };
  // A preamble before the first boundary means nothing.
  spend((await collect(reader.until(mark), left)).length);
  for (;;) {
    const after = await reader.line(MAX_FIELD_BYTES);
    if (after.startsWith("--")) throw noFile();
    if (after.trim() !== "") throw malformed();
    const part = await readHeaders(reader, spend);
    if (part.name === "file") return { fields, filename: part.filename, file: fileBytes(reader, mark) };
    const value = await collect(reader.until(mark), left);
    spend(part.name.length + value.length);
    const text = value.toString("utf8");
    const before = fields.get(part.name);
    fields.set(part.name, before === undefined ? text : `${before},${text}`);
  }
}

const noFile = () =>
  new S3Error("InvalidArgument", "POST requires exactly one file upload per request.", {
    ArgumentName: "file",
    ArgumentValue: "0",
  });

async function readHeaders(
  reader: ByteReader,
  spend: (bytes: number) => void,
): Promise<{ name: string; filename: string }> {
  let disposition = "";
  for (;;) {
    const line = await reader.line(MAX_FIELD_BYTES);
    if (line === "") break;
    spend(line.length);
    if (/^content-disposition\s*:/i.test(line)) disposition = Buffer.from(line, "latin1").toString("utf8");
  }
  const name = parameter(disposition, "name");
  if (name === undefined) throw malformed();
  const filename = parameter(disposition, "filename") ?? "";
  return {
    name: name.toLowerCase(),
    filename: filename.slice(Math.max(filename.lastIndexOf("/"), filename.lastIndexOf("\\")) + 1),
  };
}

/** Browsers write quotes in a value as `%22`; others escape them. */
function parameter(disposition: string, name: string): string | undefined {
  for (const [, found = "", inQuotes, bare] of disposition.matchAll(
    /;\s*([^=;\s]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/g,
  )) {
    if (found.toLowerCase() === name)
      return inQuotes === undefined ? bare : inQuotes.replaceAll('\\"', '"').replaceAll("%22", '"');
  }
  return undefined;
}

async function* fileBytes(reader: ByteReader, mark: Buffer): AsyncGenerator<Buffer> {
  try {
    yield* reader.until(mark);
    await reader.drain();
  } catch (error) {
    throw error instanceof UnexpectedEnd ? new S3Error("IncompleteBody") : error;
  }
}
