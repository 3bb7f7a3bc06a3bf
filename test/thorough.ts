/** How often a test tries: a few times in `npm test`, as often as it takes to meet what is rare in `npm run test:all`. */
export const tries = (quick: number, all: number): number => (process.env["TEST_ALL"] ? all : quick);
