/* Where llama.cpp computes another model than the configuration says: what GGUF has no key for, and what the engine
 * fixes or does otherwise. quantize notes them, check and explain launch find them.
 *   qz_gguf_deviation x; for (size_t i = 0; qz_gguf_deviation_at(&config, i, &x); i++) puts(x.text);
 * Nothing to free. Source: formats/families-2.md sections 13 and 14 (llama.cpp's engine on the test models),
 * gguf-metadata.md. */
#ifndef QZ_ARTIFACTS_GGUF_DEVIATIONS_H
#define QZ_ARTIFACTS_GGUF_DEVIATIONS_H
#include <jansson.h>
#include "base/str.h"
#include "model/config.h"

typedef enum {
    QZ_DEVIATES_LATER,   /* texts beyond some length alone */
    QZ_DEVIATES,         /* every text */
    QZ_DEVIATES_STOPS    /* the engine does not load the file */
} qz_deviates;
typedef struct {
    char text[256];
    const char *size;    /* of the effect as measured, "" = not */
    qz_deviates how;
} qz_gguf_deviation;
/* The i-th of a model; false behind the last. */
bool qz_gguf_deviation_at(const qz_config *c, size_t i, qz_gguf_deviation *out);
/* The same of a manifest, which knows what the file cannot say: an object of its list "deviations", and back (the size
 * is borrowed of it). False: not such an object. */
void qz_gguf_deviation_json(const qz_gguf_deviation *x, qz_str *out);
bool qz_gguf_deviation_read(const json_t *o, qz_gguf_deviation *out);
#endif
