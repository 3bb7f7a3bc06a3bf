import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { parseXml, render, textOf, textsOf, XmlError } from "../xml.ts";

test("a document is read: declaration, namespace, comments, CDATA, references", () => {
  const root = parseXml(
    '\ufeff<?xml version="1.0" encoding="UTF-8"?>\n<!-- c --><s3:Delete xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/">\r\n<Quiet />' +
      "<Key a='1' b = \"2\">a&amp;b&lt;&gt;&quot;&apos;&#65;&#x1F600;&#13;</Key><!-- <Key>no</Key> --><Key><![CDATA[<&>]]> x</Key></s3:Delete> ",
  );
  assert.equal(root.name, "Delete");
  assert.deepEqual(textsOf(root, "Key"), ["a&b<>\"'A😀\r", "<&> x"]);
  assert.equal(textOf(root, "Quiet"), "");
  assert.equal(textOf(root, "Absent"), undefined);
});

test("what is not well-formed, or more than S3's documents need, is refused", () => {
  const documents = [
    "",
    "text",
    "<a>",
    "</a>",
    "<a></b>",
    "<a/><b/>",
    "<a/>text",
    "<a><b></a></b>",
    "<a b></a>",
    '<a b="<"/>',
    "<a b=1/>",
    "<1/>",
    "<a",
    "< a/>",
    "<a>&nbsp;</a>",
    "<a>&amp</a>",
    "<a>& b</a>",
    "<a>&#0;</a>",
    "<a>&#xD800;</a>",
    "<a>&#x110000;</a>",
    "<a>&#;</a>",
    "<a>&constructor;</a>",
    '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
    '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    "<a><?php?></a>",
    "<a><!-- </a>",
    "<a><![CDATA[</a>",
    "<a>".repeat(33) + "</a>".repeat(33),
    '{"a":1}',
  ];
  for (const document of documents) assert.throws(() => parseXml(document), XmlError, document);
});

test("whatever text is written is read again", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 30 }), (text) => {
      // A reference to zero is the one character that XML has no way to write.
      fc.pre(!text.includes("\u0000") && text.isWellFormed());
      assert.equal(textOf(parseXml(render("Root", { Key: text })), "Key"), text);
    }),
    { numRuns: 500 },
  );
});

test("nothing makes the parser fail in another way, or take long", () => {
  const piece = fc.constantFrom(
    "<",
    ">",
    "/",
    "a",
    "b",
    "&",
    "amp;",
    "#x41;",
    '"',
    "'",
    "=",
    " ",
    "<a>",
    "</a>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?xml ",
    "?>",
    "\r",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      try {
        parseXml(pieces.join(""));
      } catch (error) {
        assert.ok(error instanceof XmlError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
  const started = performance.now();
  for (const hostile of [
    `<a ${"b='c' ".repeat(50_000)}`,
    `<a${" ".repeat(200_000)}b`,
    `<a>${"&".repeat(200_000)}`,
    "<!--".repeat(50_000),
    `<a>${"<b>".repeat(50_000)}`,
  ]) {
    assert.throws(() => parseXml(hostile), XmlError);
  }
  assert.ok(performance.now() - started < 2000, "linear, not quadratic");
});
