/* How a GGUF artifact lies on the disk: one file or parts (as llama-gguf-split and --keep-split make them), and room
 * for edits of its metadata. qz_gguf_layout_parse(&spec, &wishes, err); qz_gguf_layout_parts gives each tensor its
 * part.
 * Parts count tensor data padded to 32 bytes, not metadata, in the order of the file; a part that is full is followed
 * by the next, and a tensor above the limit has a part of its own (the reference refuses it where it comes first).
 * Source: formats/gguf-container.md section 3. */
#ifndef QZ_ARTIFACTS_GGUF_LAYOUT_H
#define QZ_ARTIFACTS_GGUF_LAYOUT_H
#include "artifacts/artifact.h"
#include "formats/gguf.h"

/* Room in files of at least QZ_GGUF_ROOM_FROM bytes of tensor data: smaller ones are written anew as quickly. */
#define QZ_GGUF_ROOM ((uint64_t)64 << 10)
#define QZ_GGUF_ROOM_FROM ((uint64_t)64 << 20)
/* Spaces that the next edit may take; the last key of the file. */
#define QZ_GGUF_ROOM_KEY "quantz.reserve"

typedef struct { const char *max_size, *max_tensors, *reserve; bool keep; } qz_gguf_wishes; /* NULL: not given */
qz_status qz_gguf_layout_parse(qz_scheme_spec *spec, const qz_gguf_wishes *w, qz_error *err);
bool qz_gguf_is_split(const qz_scheme_spec *spec);
/* "300M", "2G" (10^6, 10^9), as llama-gguf-split spells it. */
qz_status qz_gguf_size_of(const char *text, const char *option, uint64_t *out, qz_error *err);

/* Numbers of the parts of n tensors with these padded sizes, in order; *count of parts. */
qz_status qz_gguf_layout_parts(const qz_gguf_layout *l, const uint64_t *padded, size_t n, size_t *part, size_t *count,
                               qz_error *err);
/* The keys that every part has. */
void qz_gguf_put_split(qz_gguf_meta *m, size_t no, size_t count, size_t tensors);
void qz_gguf_put_room(qz_gguf_meta *m, uint64_t bytes); /* nothing for 0 */
#endif
