/** A line chart as SVG, for documents: no script, no font of its own, readable on white and on black. */

export interface Series {
  readonly name: string;
  /** Drawn in the order given. */
  readonly points: readonly { readonly x: number; readonly y: number }[];
  readonly colour: string;
  readonly dashed?: boolean;
}

export interface Chart {
  readonly title: string;
  readonly x: { readonly label: string; readonly ticks: readonly number[] };
  /** From the first tick to the last; logarithmic, if not `linear`. */
  readonly y: { readonly label: string; readonly ticks: readonly number[]; readonly linear?: true };
  readonly series: readonly Series[];
}

const WIDTH = 720;
const HEIGHT = 420;
const AREA = { left: 70, top: 50, right: 530, bottom: 360 };

export function svgOf({ title, x, y, series }: Chart): string {
  const span = (ticks: readonly number[]) => [Math.min(...ticks), Math.max(...ticks)] as const;
  const [x0, x1] = span(x.ticks);
  const scaled = y.linear ? (value: number) => value : Math.log;
  const [y0, y1] = span(y.ticks.map(scaled));
  const atX = (value: number) => fixed(AREA.left + ((value - x0) / (x1 - x0)) * (AREA.right - AREA.left));
  const atY = (value: number) =>
    fixed(AREA.bottom - ((scaled(value) - y0) / (y1 - y0)) * (AREA.bottom - AREA.top));
  const text = (left: string | number, top: string | number, words: string, more = "") =>
    `<text x="${left}" y="${top}" ${more}>${escaped(words)}</text>`;
  const line = (points: string, more: string) => `<polyline points="${points}" fill="none" ${more}/>`;
  const middle = 'text-anchor="middle"';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="${escaped(title)}">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(AREA.left, 26, title, 'font-size="15" font-weight="600"'),
    ...x.ticks.map((tick) => text(atX(tick), AREA.bottom + 18, String(tick), middle)),
    ...y.ticks.flatMap((tick) => [
      line(`${AREA.left},${atY(tick)} ${AREA.right},${atY(tick)}`, 'stroke="#ddd"'),
      text(AREA.left - 8, Number(atY(tick)) + 4, String(tick), 'text-anchor="end"'),
    ]),
    text((AREA.left + AREA.right) / 2, AREA.bottom + 42, x.label, middle),
    text(0, 0, y.label, `${middle} transform="translate(18 ${(AREA.top + AREA.bottom) / 2}) rotate(-90)"`),
    ...series.flatMap(({ name, points, colour, dashed }, i) => {
      const top = AREA.top + 12 + i * 20;
      const stroke = `stroke="${colour}" stroke-width="2"${dashed ? ' stroke-dasharray="5 4"' : ""}`;
      return [
        line(points.map((point) => `${atX(point.x)},${atY(point.y)}`).join(" "), stroke),
        ...points.map(
          (point) => `<circle cx="${atX(point.x)}" cy="${atY(point.y)}" r="2.5" fill="${colour}"/>`,
        ),
        line(`${AREA.right + 16},${top} ${AREA.right + 40},${top}`, stroke),
        text(AREA.right + 46, top + 4, name),
      ];
    }),
    "</svg>\n",
  ].join("\n");
}

const fixed = (value: number) => value.toFixed(1);
const escaped = (words: string) =>
  words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
