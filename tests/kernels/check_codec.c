/* Decoders and encoders of the table against the codecs' own. */
#include <math.h>
#include <string.h>
#include "base/size.h"
#include "check.h"
#include "codecs/fields.h"
#include "codecs/types.h"
#include "kernels/encode.h"

void check_decode(check *c) {
    for (unsigned t = 0; t < QZ_TYPE_COUNT; ++t) {
        const qz_type_info *i = qz_type_get((qz_type)t);
        if (c->level != QZ_CPU_REF && c->ops->decode[t] == i->decode) continue;
        c->op = i->name;
        for (size_t blocks = 0; blocks <= (i->elems == 1 ? 300u : 5u); ++blocks) {
            guarded gi, gy, gw;
            uint8_t *in = guard_open(&gi, blocks, i->bytes, 1);
            float *y = guard_open(&gy, blocks * i->elems, 4, 4), *want = guard_open(&gw, blocks * i->elems, 4, 0);
            fill_bytes(c, in, blocks * i->bytes);
            i->decode(in, blocks * i->elems, want);
            c->ops->decode[t](in, blocks * i->elems, y);
            expect_floats(c, y, want, blocks * i->elems, "decode");
            guard_close(c, &gi), guard_close(c, &gy), guard_close(c, &gw);
        }
    }
}

/* Rows of every length in blocks up to two batches; importances with zeros and of all sizes; constant
 * and sparse rows. */
static void check_encode_type(check *c, qz_type t, bool compat, size_t blocks, int kind, int importance) {
    const qz_type_info *i = qz_type_get(t);
    const size_t cols = blocks * i->elems;
    guarded gx, gi, gy, gw;
    float *x = guard_open(&gx, cols, 4, 4), *imp = guard_open(&gi, cols, 4, 8);
    uint8_t *y = guard_open(&gy, blocks, i->bytes, 1), *want = guard_open(&gw, blocks, i->bytes, 0);
    fill_floats(c, x, cols, kind % DATA_KINDS);
    float level = qz_rng_normal(&c->rng);
    for (size_t k = 0; kind >= DATA_KINDS && k < cols; ++k)
        if (kind > DATA_KINDS || k % 5) x[k] = k / 16 % 3 ? level : 0.0f;
    for (size_t k = 0; k < cols; ++k) {
        float v = qz_rng_normal(&c->rng);
        imp[k] = importance == 1 ? v * v + 0.01f : qz_rng_below(&c->rng, 4) && k / 32 % 3 ? v * v * v * v : 0;
    }
    (compat ? c->ref->compat : c->ref->encode)[t](x, importance ? imp : NULL, cols, want);
    (compat ? c->ops->compat : c->ops->encode)[t](x, importance ? imp : NULL, cols, y);
    bool same = true;
    size_t b = 0;
    for (; b < blocks && same; ++b) same = memcmp(y + b * i->bytes, want + b * i->bytes, i->bytes) == 0;
    expect(c, same, "encode: block %zu of %zu differs, data %d, importance %d", b - 1, blocks, kind, importance);
    guard_close(c, &gx), guard_close(c, &gi), guard_close(c, &gy), guard_close(c, &gw);
}

/* Every kind of data, steps of both signs and 0, with and without codes: the same bits as the reference. */
void check_round(check *c) {
    static const float steps[] = {0, 1, -1, 0.03f, -0.2f, 1e-38f, 1e30f};
    c->op = "round_sub";
    for (unsigned t = 0; t < QZ_TYPE_COUNT; ++t) {
        const qz_block_shape *s = qz_block_shape_get((qz_type)t);
        if (s == NULL) continue;
        for (int kind = 0; kind < DATA_KINDS; ++kind)
            for (size_t i = 0; i < sizeof steps / sizeof *steps; ++i) {
                guarded gx, gw, gq, gr;
                float *x = guard_open(&gx, s->sub_len, 4, 4), *w = guard_open(&gw, s->sub_len, 4, 8);
                int16_t *q = guard_open(&gq, s->sub_len, 2, 2), *r = guard_open(&gr, s->sub_len, 2, 2);
                fill_floats(c, x, s->sub_len, kind);
                for (size_t k = 0; k < s->sub_len; ++k) w[k] = fabsf(qz_rng_normal(&c->rng));
                const float min = i % 2 ? 0.1f : 0;
                const float a = c->ops->round_sub(s, x, w, steps[i], min, q),
                            b = c->ref->round_sub(s, x, w, steps[i], min, r),
                            alone = c->ops->round_sub(s, x, w, steps[i], min, NULL);
                expect_floats(c, &a, &b, 1, "round_sub");
                expect_floats(c, &alone, &b, 1, "round_sub without codes");
                expect(c, memcmp(q, r, s->sub_len * sizeof *q) == 0, "round_sub: codes of %s, step %g, data %d",
                       qz_type_get((qz_type)t)->name, (double)steps[i], kind);
                guard_close(c, &gx), guard_close(c, &gw), guard_close(c, &gq), guard_close(c, &gr);
            }
    }
}

/* Blocks of one symmetric scale as the encoder leaves them and with steps of any kind, with and without weights, every
 * number of blocks: the same bits as the reference, and only blocks that it changes. */
void check_refine(check *c) {
    enum { MOST = 32, N = QZ_SYM_VALUES };
    static const qz_type types[] = {QZ_TYPE_Q4_0, QZ_TYPE_Q5_0, QZ_TYPE_Q8_0};
    static qz_block_fields got[MOST], want[MOST];
    c->op = "refine_sym";
    for (size_t i = 0; i < sizeof types / sizeof *types; ++i)
        for (int kind = 0; kind < DATA_KINDS; ++kind)
            for (size_t n = 1; n <= MOST; n += n < 20 ? 3 : 12)
                for (int weighted = 0; weighted < 2; ++weighted) {
                    const qz_type_info *info = qz_type_get(types[i]);
                    guarded gx, gw;
                    float *x = guard_open(&gx, n * N, 4, 4), *w = guard_open(&gw, n * N, 4, 8);
                    uint8_t block[64];
                    fill_floats(c, x, n * N, kind);
                    for (size_t k = 0; k < n * N; ++k) w[k] = k % 7 ? fabsf(qz_rng_normal(&c->rng)) : 0;
                    memset(got, 0, sizeof got); /* bytes behind the codes are compared, too */
                    for (size_t b = 0; b < n; ++b) {
                        info->encode(x + b * N, NULL, N, block);
                        qz_block_unpack(types[i], block, &got[b]);
                        if (b % 5 == 4) got[b].d *= b % 2 ? 0.4f : b % 3 ? 1e-7f : 0;
                    }
                    memcpy(want, got, sizeof got);
                    const qz_block_shape *s = qz_block_shape_get(types[i]);
                    const uint32_t a = c->ops->refine_sym(s, x, weighted ? w : NULL, n, got),
                                   b = c->ref->refine_sym(s, x, weighted ? w : NULL, n, want);
                    expect(c, a == b && memcmp(got, want, sizeof got) == 0,
                           "%s: %zu blocks, data %d, weights %d: changed %x, expected %x", info->name, n, kind,
                           weighted, a, b);
                    expect(c, kind != DATA_NORMAL || n < 16 || b != 0, "%s: nothing was refined", info->name);
                    guard_close(c, &gx), guard_close(c, &gw);
                }
}

void check_encode(check *c) {
    for (unsigned n = 0; n < 2 * QZ_TYPE_COUNT; ++n) {
        const unsigned t = n / 2;
        const bool compat = n % 2;
        if (compat ? c->ops->compat[t] == c->ref->compat[t] : c->ops->encode[t] == c->ref->encode[t]) continue;
        c->op = qz_type_get((qz_type)t)->name;
        for (size_t blocks = 0; blocks < 35; blocks += blocks < 5 ? 1 : qz_type_get((qz_type)t)->elems < 256 ? 4 : 14)
            for (int kind = 0; kind < DATA_KINDS + 2; ++kind)
                for (int imp = 0; imp < 3; ++imp) check_encode_type(c, (qz_type)t, compat, blocks, kind, imp);
    }
}

/* The split over threads gives the bytes of one row after the other. */
void check_encode_rows(check *c, qz_run *run) {
    enum { ROWS = 13, COLS = 512 };
    static float x[ROWS * COLS];
    static uint8_t got[ROWS * 288], want[ROWS * 288];
    qz_error err = {0};
    c->op = "encode_rows";
    fill_floats(c, x, ROWS * COLS, DATA_NORMAL);
    expect(c, qz_encode_rows(run, QZ_TYPE_Q4_K, &(qz_float_rows){x, ROWS, COLS, NULL}, got, &err) == QZ_OK,
           "%s", err.text);
    for (size_t r = 0; r < ROWS; ++r) qz_type_get(QZ_TYPE_Q4_K)->encode(x + r * COLS, NULL, COLS, want + r * 288);
    expect(c, memcmp(got, want, sizeof got) == 0, "bytes differ");
    expect(c, qz_encode_rows(run, QZ_TYPE_Q4_K, &(qz_float_rows){x, 1, 100, NULL}, got, &err) == QZ_EFORMAT,
           "100 columns accepted");
}
