/* What a job on GGUF files did. */
#ifndef QZ_REPORT_GGUF_PRINT_H
#define QZ_REPORT_GGUF_PRINT_H
#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct { const char *key, *before, *after; } qz_gguf_change; /* NULL: not there */
typedef struct {
    const char *path;               /* of the result; of a split model its first part */
    const char *asked;              /* another part of it that was named; or NULL */
    size_t files, tensors;
    uint64_t bytes;                 /* of all files */
    const char *sha256;             /* of a single file that was written or hashed; or NULL */
    const qz_gguf_change *changes; size_t n_changes;
    bool manifest;                  /* of its source, written beside it for these files */
    bool edited;                    /* keys: `in_place` and `room` count */
    bool in_place, repaired;
    uint64_t room;                  /* bytes left for the next edit in place */
    const char *why_rewritten;      /* or NULL */
} qz_gguf_done;
void qz_gguf_done_text(const qz_gguf_done *d, qz_str *out);
void qz_gguf_done_json(const qz_gguf_done *d, qz_str *out);
#endif
