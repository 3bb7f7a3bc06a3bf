/** Who calls, as a verified token says. */
export const scopes = ["upload", "original", "admin"] as const;
export type Scope = (typeof scopes)[number];

export interface Caller {
  /** `sub`, mapped by `ownerOf`. */
  readonly owner: string;
  readonly scopes: ReadonlySet<Scope>;
  /** The only preset this token may upload for. */
  readonly preset?: string;
  /** The token's own limit, below the preset's. */
  readonly maxBytes?: number;
  readonly maxUploadsPerMinute?: number;
  /** What the application calls the uploads of this token. */
  readonly ref?: string;
  /** What the owner may have: images, and bytes of originals. */
  readonly maxImages?: number;
  readonly maxOwnerBytes?: number;
  /** Seconds in which these uploads have to be attached. */
  readonly attachWithin?: number;
}
