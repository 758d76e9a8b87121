/* What a folder name says about a model, for general.* of a GGUF file.
 * qz_gguf_card c; if (!qz_gguf_card_read("Foo-Chat-7B-v0.1", 16, weights, arena, &c)) out of memory. */
#ifndef QZ_ARTIFACTS_GGUF_CARD_H
#define QZ_ARTIFACTS_GGUF_CARD_H
#include "base/arena.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct { const char *name, *version, *finetune, *basename, *size_label; } qz_gguf_card; /* NULL: not stored */
/* name [0..len) is the last part of the path; weights is the true parameter count, 0: not known, and no
 * label of its own (adapters). False when out of memory. */
bool qz_gguf_card_read(const char *name, size_t len, uint64_t weights, qz_arena *a, qz_gguf_card *out);
#endif
