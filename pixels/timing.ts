/** When the frames of an animation are shown, as browsers do it and as sharp can write it. */

/** What sharp takes for a delay in ms, and for a number of loops. */
const MOST = 65_535;

/** Milliseconds. All browsers show a frame that is to last 10 ms or less for 100: such files flicker else. */
export const shownFor = (ms: number): number => (ms <= 10 ? 100 : Math.min(MOST, ms));

/** How often it plays; 0 for ever. */
export const timesOf = (loop: number): number => Math.min(MOST, loop);
