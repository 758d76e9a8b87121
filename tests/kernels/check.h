/* The kernel harness (style.md rule 10): every level that this machine has, every operation, against the reference or a
 * plain computation in double. `check` tests, `check --bench [word]` times the same calls. */
#ifndef QZ_TESTS_KERNELS_CHECK_H
#define QZ_TESTS_KERNELS_CHECK_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/rng.h"
#include "base/run.h"
#include "kernels/matmul.h"
#include "kernels/ops.h"

typedef struct {
    qz_cpu_level level;
    const qz_ops *ops, *ref;
    qz_rng rng;
    const char *op;     /* printed in failures */
    size_t checks, failures;
} check;

/* Buffer of n*size bytes with a guard pattern behind it; offset shifts it off its alignment. */
typedef struct { uint8_t *base; size_t bytes, offset; } guarded;
void *guard_open(guarded *g, size_t n, size_t size, size_t offset);
/* Fails if the guard was written; frees. */
void guard_close(check *c, guarded *g);

void expect(check *c, bool ok, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Equal bits, or NaN in both. */
void expect_floats(check *c, const float *got, const float *want, size_t n, const char *what);
enum { DATA_NORMAL, DATA_LIMITS, DATA_ZERO, DATA_KINDS };
void fill_floats(check *c, float *x, size_t n, int kind);
void fill_bytes(check *c, uint8_t *x, size_t n);

void check_gemm(check *c);    /* check_gemm.c: gemm_tile, transpose, the exact products, gram */
void check_decode(check *c);  /* check_codec.c: decoders of every type */
void check_encode(check *c);  /* check_codec.c: fast encoders */
void check_refine(check *c);  /* check_codec.c: blocks of one symmetric scale */
void check_round(check *c);   /* check_codec.c: codes and error of a sub-block */
void check_encode_rows(check *c, qz_run *run);
void check_rows(check *c);    /* check_rows.c: softmax, norm, gate */
void check_packed(check *c);  /* check_packed.c: packing, activations, runtime products */
void check_small(check *c);   /* check_small.c: small floats */
void bench_all(const char *word);
#endif
