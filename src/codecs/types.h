/* Number formats: one row each in types.def; everything else (names, block sizes, parsers, tests) expands from it.
 * Encode and decode work on one row of `cols` values; cols must be a multiple of the type's block (`elems`).
 * The reference encoder is plain C float32 without FMA and gives the bytes of the reference library
 * (formats/ggml-quants.md). Fast twins live in kernels/ and must equal it bit for bit. */
#ifndef QZ_CODECS_TYPES_H
#define QZ_CODECS_TYPES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/status.h"
#include "codecs/type_id.h"

enum {
#define QZ_TYPE(id, ...) QZ_TYPE_##id,
#include "codecs/types.def"
#undef QZ_TYPE
    QZ_TYPE_COUNT
};
_Static_assert((int)QZ_TYPE_COUNT <= (int)QZ_TYPE_CODED, "types.def has more rows than type_id.h leaves numbers");

typedef enum {
    QZ_KIND_FLOAT,
    QZ_KIND_LEGACY,
    QZ_KIND_K,
    QZ_KIND_ACTIVATION,
    QZ_KIND_BLOCK,  /* code books, ternary, FP4: block types that belong to none of the above */
    QZ_KIND_NUMBER  /* integers and doubles of foreign files: read only */
} qz_type_kind;

typedef struct {
    const char *name;     /* lower case, as llama.cpp prints it: "q4_k" */
    uint32_t elems;       /* values of a block */
    uint32_t bytes;       /* bytes of a block */
    int ggml_id;          /* type number in GGUF files; -1: not a file type */
    qz_type_kind kind;
    bool uses_importance; /* bytes depend on the importance vector */
    bool needs_importance; /* the reference refuses to write it without, but for embedding and output */
    qz_encode_fn encode;  /* NULL: read only */
    qz_decode_fn decode;
    qz_encode_fn compat;  /* the reference's bytes */
} qz_type_info;

/* t < QZ_TYPE_COUNT. Never NULL for a valid type. */
const qz_type_info *qz_type_get(qz_type t);
/* Case-insensitive; QZ_TYPE_NONE if unknown. */
qz_type qz_type_by_name(const char *name);
qz_type qz_type_by_ggml_id(int id);
/* Bytes of a row; QZ_EFORMAT if cols is not a multiple of the block or the product overflows. */
qz_status qz_row_bytes(qz_type t, size_t cols, size_t *out, qz_error *err);
qz_status qz_tensor_bytes(qz_type t, size_t rows, size_t cols, size_t *out, qz_error *err);
/* Bits per weight of the bare block: 8*bytes/elems. */
double qz_type_bpw(qz_type t);
#endif
