/* The four perplexity protocols of design.md section 4 as windows of token ids with the range of scored targets. */
#ifndef QZ_EVAL_WINDOWS_H
#define QZ_EVAL_WINDOWS_H
#include "base/arena.h"
#include "text/dataset.h"

#define QZ_EVAL_AUTO SIZE_MAX  /* max_windows: QZ_EVAL_WINDOWS of a text, every text of samples */
enum { QZ_EVAL_WINDOWS = 60 };
typedef enum { QZ_PROTO_SAMPLES, QZ_PROTO_HALF, QZ_PROTO_WINDOWS, QZ_PROTO_STRIDE } qz_protocol;

/* Targets first..n-1 are scored: position t−1 predicts ids[t]. */
typedef struct { const uint32_t *ids; size_t n, first; } qz_eval_window;
typedef struct {
    qz_protocol protocol;
    qz_eval_window *windows; size_t n;
    size_t scored, longest, skipped;   /* skipped: texts of fewer than two tokens */
    char token_hash[65];               /* of all windows: equal hash, comparable figures */
    char describe[160];                /* "half, 60 windows of 512 …" */
    qz_arena arena;
} qz_eval_set;

typedef struct {
    const char *protocol;              /* NULL: samples for JSONL, half for text */
    size_t window, stride, max_windows; /* max_windows: 0: all; QZ_EVAL_AUTO */
    int64_t bos;                       /* half: replaces token 0 of each window; -1: none */
} qz_eval_options;
qz_status qz_eval_set_build(const qz_tokenizer *t, const qz_dataset *d, const qz_eval_options *o, qz_eval_set *out,
                            qz_error *err);
void qz_eval_set_release(qz_eval_set *s);
#endif
