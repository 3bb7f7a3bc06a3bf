/** Turns, crops and describes a picture, and says what its crops keep: by dragging, or by the keyboard alone. */
import { type Crop, type Darkroom, type Edit, edit, type Image } from "darkroom/client";
import { Picture } from "darkroom/react";
import { type PointerEvent, useId, useState } from "react";
import { announce } from "./announce.ts";

interface Props {
  readonly darkroom: Darkroom;
  readonly image: Image;
  readonly onChange: (image: Image) => void;
}
type Point = NonNullable<Edit["focus"]>;

const WHOLE: Crop = { x: 0, y: 0, width: 1, height: 1 };
const MIDDLE: Point = { x: 0.5, y: 0.5 };
/** What a side may cut off, so that something is left. */
const MOST = 0.45;
const SIDES = ["left", "top", "right", "bottom"] as const;
type Cut = Readonly<Record<(typeof SIDES)[number], number>>;
const UNCUT: Cut = { left: 0, top: 0, right: 0, bottom: 0 };
const partOf = ({ left, top, right, bottom }: Cut): Crop => ({
  x: left,
  y: top,
  width: 1 - left - right,
  height: 1 - top - bottom,
});

export function Editor({ darkroom, image, onChange }: Props) {
  const { turn = 0, crop = WHOLE, focus: kept = MIDDLE } = image.edit ?? {};
  const [cut, setCut] = useState(UNCUT);
  const [focus, setFocus] = useState(kept);
  const [alt, setAlt] = useState(image.alt ?? "");
  const { busy, problem, save } = useSave({ darkroom, image, onChange }, (now) => {
    setCut(UNCUT);
    setFocus(now.edit?.focus ?? MIDDLE);
  });
  const name = useId();
  const part = partOf(cut);
  const turnBy = (by: 90 | 270) =>
    void save({ turn: ((turn + by) % 360) as NonNullable<Edit["turn"]> }, "Turned.");
  const isUndoable = turn !== 0 || image.edit?.crop || image.edit?.focus;
  return (
    <form
      className="editor"
      aria-label="Edit"
      onSubmit={(event) => {
        event.preventDefault();
        const isCut = SIDES.some((side) => cut[side] > 0);
        const changes = { alt: alt.trim() || null, focus: within(focus, part) };
        void save({ ...changes, ...(isCut && { crop: partWithin(crop, part) }) }, "Saved.");
      }}
    >
      <Stage image={image} alt={alt} part={part} focus={focus} onFocus={setFocus} />
      <div className="actions">
        <button type="button" disabled={busy} onClick={() => turnBy(270)}>
          Turn left
        </button>
        <button type="button" disabled={busy} onClick={() => turnBy(90)}>
          Turn right
        </button>
        <button
          type="button"
          disabled={busy || !isUndoable}
          onClick={() => void save({ turn: null, crop: null, focus: null }, "As it was uploaded.")}
        >
          As it was uploaded
        </button>
      </div>
      <Sliders cut={cut} onCut={setCut} focus={focus} onFocus={setFocus} />
      <label htmlFor={name}>What it shows, for those who do not see it; everybody may read it</label>
      <textarea
        id={name}
        rows={2}
        maxLength={1000}
        value={alt}
        onChange={({ target }) => setAlt(target.value)}
      />
      <button type="submit" className="primary" disabled={busy}>
        {busy ? "Saving…" : "Save"}
      </button>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
    </form>
  );
}

/** Only upon the edit that is shown: where somebody else was first, that is said. */
function useSave({ darkroom, image, onChange }: Props, onSaved: (now: Image) => void) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const save = async (changes: Edit, done: string) => {
    setBusy(true);
    setProblem(undefined);
    try {
      const now = await edit(darkroom, image.id, { ...changes, rev: image.edit?.rev ?? 0 });
      onSaved(now);
      onChange(now);
      announce(done);
    } catch (error) {
      setProblem((error as Error).message);
    } finally {
      setBusy(false);
    }
  };
  return { busy, problem, save };
}

interface StageProps {
  readonly image: Image;
  readonly alt: string;
  readonly part: Crop;
  readonly focus: Point;
  readonly onFocus: (focus: Point) => void;
}

/** The picture with what is cut off in the dark, and the dot that can be dragged; the sliders do the same. */
function Stage({ image, alt, part, focus, onFocus }: StageProps) {
  const point = (event: PointerEvent<HTMLElement>) => {
    if (event.buttons === 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const { left, top, width, height } = event.currentTarget.getBoundingClientRect();
    onFocus({ x: share((event.clientX - left) / width), y: share((event.clientY - top) / height) });
  };
  const { x: left, y: top, width, height } = part;
  const box = { left: percent(left), top: percent(top), width: percent(width), height: percent(height) };
  return (
    <div className="stage" onPointerDown={point} onPointerMove={point}>
      <Picture image={image} alt={alt} sizes="60vw" loading="eager" />
      <span className="kept" style={box} />
      <span className="focus" style={{ left: percent(focus.x), top: percent(focus.y) }} />
    </div>
  );
}

interface SlidersProps {
  readonly cut: Cut;
  readonly onCut: (cut: Cut) => void;
  readonly focus: Point;
  readonly onFocus: (focus: Point) => void;
}

function Sliders({ cut, onCut, focus, onFocus }: SlidersProps) {
  return (
    <>
      <fieldset>
        <legend>Crop</legend>
        {SIDES.map((side) => (
          <Slider
            key={side}
            label={`Off the ${side}`}
            value={cut[side]}
            most={MOST}
            onChange={(value) => onCut({ ...cut, [side]: value })}
          />
        ))}
      </fieldset>
      <fieldset>
        <legend>Focus: what square crops keep; or drag the dot</legend>
        <Slider label="From the left" value={focus.x} onChange={(x) => onFocus({ ...focus, x })} />
        <Slider label="From the top" value={focus.y} onChange={(y) => onFocus({ ...focus, y })} />
      </fieldset>
    </>
  );
}

interface SliderProps {
  readonly label: string;
  readonly value: number;
  readonly most?: number;
  readonly onChange: (value: number) => void;
}

function Slider({ label, value, most = 1, onChange }: SliderProps) {
  return (
    <label>
      {label}
      <input
        type="range"
        min={0}
        max={most * 100}
        value={Math.round(value * 100)}
        aria-valuetext={percent(value)}
        onChange={({ target }) => onChange(Number(target.value) / 100)}
      />
    </label>
  );
}

const share = (value: number) => Math.min(1, Math.max(0, value));
const percent = (value: number) => `${Math.round(value * 1000) / 10}%`;
/** A point of the picture as one of the part that is left of it. */
const within = ({ x, y }: Point, { x: left, y: top, width, height }: Crop): Point => ({
  x: share((x - left) / width),
  y: share((y - top) / height),
});
/** A part of what is shown, which is one itself. */
const partWithin = (shown: Crop, part: Crop): Crop => ({
  x: shown.x + part.x * shown.width,
  y: shown.y + part.y * shown.height,
  width: part.width * shown.width,
  height: part.height * shown.height,
});
