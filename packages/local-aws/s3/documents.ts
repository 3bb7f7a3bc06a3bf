/** Request documents: XML with a root that the operation expects. */

import { parseXml, type XmlElement, XmlError } from "../xml.ts";
import { S3Error } from "./errors.ts";

/** @throws S3Error `MalformedXML` */
export function parseDocument(text: string, root: string): XmlElement {
  try {
    const parsed = parseXml(text);
    if (parsed.name === root) return parsed;
  } catch (error) {
    if (!(error instanceof XmlError)) throw error;
  }
  throw new S3Error("MalformedXML");
}
