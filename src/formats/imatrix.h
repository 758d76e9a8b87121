/* Importance matrices of llama.cpp: sums of squared activations per input column of a weight. Reads both file forms
 * (GGUF and legacy .dat, told apart by content) and writes both.
 * qz_imatrix im; qz_imatrix_open(&im, path, err); qz_imatrix_weights(&im, "blk.0.attn_q.weight", n, w, err);
 * qz_imatrix_release(&im). To write one that was measured: fill entries (sorted here), datasets, chunk_count and
 * chunk_size; qz_imatrix_write.
 * Ownership: everything read lives in im->arena. Source: formats/imatrix.md (llama.cpp 0c1e57098). */
#ifndef QZ_FORMATS_IMATRIX_H
#define QZ_FORMATS_IMATRIX_H
#include "base/arena.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name;      /* GGUF name of the weight */
    size_t cols, mats;     /* columns of one matrix; 1, or the number of experts */
    const float *sums;     /* [mats, cols] sums of x², not divided */
    const float *counts;   /* [mats] activation rows; for a .dat file its number of calls */
} qz_imatrix_entry;

/* in_dat: a .dat file says it too, behind the name of its data set: "NAME [KEY: VALUE]" (one note at most; other
 * readers take it for a part of the name). */
typedef struct { const char *key, *value; bool in_dat; } qz_imatrix_note;

typedef struct {
    qz_imatrix_entry *entries; size_t n;   /* sorted by name */
    const char **datasets; size_t n_datasets;
    uint32_t chunk_count, chunk_size;      /* chunk_size 0: from a .dat file, which does not store it */
    const qz_imatrix_note *notes; size_t n_notes; /* extra string keys of a GGUF file, written behind the others;
                                              read: those under "quantz." */
    qz_arena arena;
} qz_imatrix;

/* Every value is finite and every count at least 0, or the file is refused. */
qz_status qz_imatrix_open(qz_imatrix *im, const char *path, qz_error *err);
qz_status qz_imatrix_open_memory(qz_imatrix *im, const void *bytes, size_t n, const char *name, qz_error *err);
void qz_imatrix_release(qz_imatrix *im);
const char *qz_imatrix_note_of(const qz_imatrix *im, const char *key); /* NULL if absent */
const qz_imatrix_entry *qz_imatrix_find(const qz_imatrix *im, const char *name); /* NULL if absent */
/* Mean squares w [n], n = cols·mats of the weight: sum/count, 1 for experts without rows. QZ_EFORMAT if the length
 * differs; QZ_EUSAGE if there is no entry. */
qz_status qz_imatrix_weights(const qz_imatrix *im, const char *name, size_t n, float *w, qz_error *err);
/* The same of values [first, first + count) of those n: one matrix of a stack, or a flat row of a .dat file
 * that holds it. */
qz_status qz_imatrix_part(const qz_imatrix *im, const char *name, size_t n, size_t first, size_t count, float *w,
                          qz_error *err);
/* dat: legacy form (loses counts per expert). Sorts im->entries. A .dat source becomes GGUF with chunks of
 * `chunk_size` or 512. */
qz_status qz_imatrix_write(qz_imatrix *im, const char *path, bool dat, qz_error *err);
/* as PATH.partial, for qz_commit_partial */
qz_status qz_imatrix_stage(qz_imatrix *im, const char *path, bool dat, qz_error *err);
#endif
