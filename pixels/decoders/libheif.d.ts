/** What we call of libheif's C interface, as Emscripten exports it: pointers and enums are numbers. */
declare module "libheif-js/libheif-wasm/libheif-bundle.mjs" {
  export interface LibHeif {
    /** Views of the instance's memory, replaced when it grows: read them anew after every call. */
    readonly HEAPU8: Uint8Array<ArrayBuffer>;
    readonly HEAP32: Int32Array<ArrayBuffer>;
    _malloc(bytes: number): number;
    _free(pointer: number): void;
    _heif_context_alloc(): number;
    _heif_context_read_from_memory(
      error: number,
      context: number,
      bytes: number,
      size: number,
      options: 0,
    ): void;
    _heif_context_get_primary_image_handle(error: number, context: number, out: number): void;
    /** Of any picture, hidden ones too. */
    _heif_context_get_image_handle(error: number, context: number, id: number, out: number): void;
    _heif_image_handle_get_width(handle: number): number;
    _heif_image_handle_get_height(handle: number): number;
    _heif_image_handle_has_alpha_channel(handle: number): number;
    _heif_image_handle_get_luma_bits_per_pixel(handle: number): number;
    _heif_image_handle_get_raw_color_profile_size(handle: number): number;
    _heif_image_handle_get_raw_color_profile(error: number, handle: number, out: number): void;
    _heif_image_handle_get_list_of_metadata_block_IDs(
      handle: number,
      typeFilter: number,
      ids: number,
      count: number,
    ): number;
    _heif_image_handle_get_metadata_size(handle: number, id: number): number;
    _heif_image_handle_get_metadata(error: number, handle: number, id: number, out: number): void;
    _heif_image_handle_get_list_of_auxiliary_image_IDs(
      handle: number,
      filter: number,
      ids: number,
      count: number,
    ): number;
    _heif_image_handle_get_auxiliary_image_handle(
      error: number,
      handle: number,
      id: number,
      out: number,
    ): void;
    /** `out` gets the address of a text that libheif allocated. */
    _heif_image_handle_get_auxiliary_type(error: number, handle: number, out: number): void;
    _heif_decode_image(
      error: number,
      handle: number,
      out: number,
      colorspace: number,
      chroma: number,
      options: 0,
    ): void;
    _heif_image_get_plane_readonly2(image: number, channel: number, outStride: number): number;
    _heif_image_get_width(image: number, channel: number): number;
    _heif_image_get_height(image: number, channel: number): number;
  }
  /** A new instance with memory of its own. */
  export default function libheif(): LibHeif;
}
