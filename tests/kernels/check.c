/* Main program and helpers of the kernel harness (check.h). */
#include "check.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/bytes.h"
#include "base/size.h"

enum { GUARD = 128 };

void *guard_open(guarded *g, size_t n, size_t size, size_t offset) {
    g->bytes = n * size;
    g->offset = offset;
    g->base = qz_alloc_aligned(offset + g->bytes + GUARD, 1);
    if (!g->base) {
        fprintf(stderr, "out of memory\n");
        exit(3);
    }
    memset(g->base, 0xa5, offset + g->bytes + GUARD);
    return g->base + offset;
}

void guard_close(check *c, guarded *g) {
    bool ok = true;
    for (size_t i = 0; i < GUARD; ++i) ok = ok && g->base[g->offset + g->bytes + i] == 0xa5;
    for (size_t i = 0; i < g->offset; ++i) ok = ok && g->base[i] == 0xa5;
    expect(c, ok, "wrote outside its buffer of %zu bytes", g->bytes);
    qz_free(g->base);
}

void expect(check *c, bool ok, const char *fmt, ...) {
    ++c->checks;
    if (ok) return;
    if (++c->failures > 20) return;
    va_list ap;
    va_start(ap, fmt);
    printf("FAIL %s %s: ", qz_cpu_name(c->level), c->op);
    (void)vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
}

void expect_floats(check *c, const float *got, const float *want, size_t n, const char *what) {
    for (size_t i = 0; i < n; ++i) {
        bool ok = memcmp(&got[i], &want[i], sizeof *got) == 0 || (isnan(got[i]) && isnan(want[i]));
        if (ok && i + 1 < n) continue;
        expect(c, ok, "%s: element %zu of %zu is %a, expected %a", what, i, n, (double)got[i], (double)want[i]);
        return;
    }
}

void fill_floats(check *c, float *x, size_t n, int kind) {
    static const float limits[] = {0.0f, -0.0f, 1e-45f, -1e-40f, 1.17549435e-38f, 3e38f, -3e38f, 65504.0f, 1.0f, -1.0f,
                                   65519.0f};
    for (size_t i = 0; i < n; ++i) {
        x[i] = kind == DATA_ZERO ? 0.0f : qz_rng_normal(&c->rng);
        if (kind == DATA_LIMITS && qz_rng_below(&c->rng, 4) == 0) x[i] = limits[qz_rng_below(&c->rng, 11)];
    }
}

void fill_bytes(check *c, uint8_t *x, size_t n) {
    for (size_t i = 0; i < n; ++i) x[i] = (uint8_t)qz_rng_u64(&c->rng);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        bench_all(argc > 2 ? argv[2] : "");
        return 0;
    }
    qz_ops ref, ops;
    size_t failures = 0;
    (void)qz_ops_for(QZ_CPU_REF, &ref);
    for (int l = QZ_CPU_REF; l < QZ_CPU_LEVELS; ++l) {
        check c = {.level = (qz_cpu_level)l, .ops = &ops, .ref = &ref, .op = ""};
        qz_rng_seed(&c.rng, 42);
        if (!qz_ops_for(c.level, &ops)) {
            printf("%-7s absent\n", qz_cpu_name(c.level));
            continue;
        }
        check_gemm(&c);
        check_decode(&c);
        check_encode(&c);
        check_round(&c);
        check_refine(&c);
        check_rows(&c);
        check_packed(&c);
        check_small(&c);
        printf("%-7s %zu checks, %zu failures\n", qz_cpu_name(c.level), c.checks, c.failures);
        failures += c.failures;
    }
    return failures ? 1 : 0;
}
