/* usage: gptq_bench [K]   One compat solve of a [K, K] layer (group 128, no scale search) against OpenBLAS's sgemm on
 * the same machine: the solve needs N·K² + 4K³/3 multiply-adds. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/io.h"
#include "base/rng.h"
#include "base/size.h"
#include "methods/gptq.h"
#include "methods/int_grid.h"

static double sgemm_rate(size_t k, const float *a, const float *b, float *c) {
    double best = 0;
    for (int i = 0; i < 3; i++) {
        double start = qz_now();
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)k, (int)k, (int)k, 1.0f, a, (int)k, b, (int)k, 0, c,
                    (int)k);
        double rate = (double)k * (double)k * (double)k / (qz_now() - start);
        best = rate > best ? rate : best;
    }
    return best;
}

int main(int argc, char **argv) {
    size_t k = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 4096, tokens = 2048;
    qz_error err = {0};
    qz_run run;
    qz_mm *mm;
    qz_rng r;
    qz_arena arena = {0};
    qz_rng_seed(&r, 1);
    float *w = qz_alloc_aligned(k * k, sizeof *w), *x = qz_alloc_aligned(tokens * k, sizeof *x),
          *c = qz_alloc_aligned(k * k, sizeof *c);
    double *gram = qz_alloc_aligned(k * k, sizeof *gram);
    if (!w || !x || !c || !gram || qz_run_init(&run, 0, &err) != QZ_OK || qz_mm_open(&run, &mm, &err) != QZ_OK)
        return 3;
    for (size_t i = 0; i < k * k; i++) w[i] = 0.02f * qz_rng_normal(&r), gram[i] = 0;
    for (size_t i = 0; i < tokens * k; i++) x[i] = qz_rng_normal(&r);
    if (qz_mm_gram(mm, x, tokens, k, gram, &err) != QZ_OK) return 3;
    const qz_int_grid grid = qz_int_grid_of(&(qz_code_setting){.bits = 4, .group_size = 128}, k);
    qz_gptq_options o = {.codes = {.grid = &grid.base, .reference = true}, .damp = 0.01};
    double macs = (double)k * (double)k * (double)k * (1 + 4.0 / 3);
    for (int i = 0; i < 3; i++) {
        qz_gptq g;
        qz_quantized q;
        double rate = sgemm_rate(k, w, w, c), start = qz_now(), factored;
        if (qz_gptq_prepare(&g, &run, gram, k, &o, &err) != QZ_OK) return 3;
        factored = qz_now();
        if (qz_gptq_quantize(&g, mm, w, k, &arena, &q, &err) != QZ_OK) return 3;
        double s = qz_now() - start;
        printf("solve [%zu, %zu]: %.2f s (factors %.2f s), %.1f G multiply-adds/s; sgemm %.1f: %.0f %%\n", k, k, s,
               factored - start, macs / s / 1e9, rate / 1e9, 100 * macs / s / rate);
        qz_gptq_release(&g);
        qz_arena_reset(&arena);
    }
    return 0;
}
