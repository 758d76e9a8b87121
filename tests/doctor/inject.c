/* Puts one fault into a copy of a model: inject FILE TENSOR HOW [TENSOR2]. FILE is a safetensors file; what HOW does
 * is in the table below, over the tensor's values (BF16, F16, F32, F8) or its 32-bit words. Exit 2: no such thing. */
#include "formats/dtypes.h"
#include "formats/safetensors.h"
#include "base/half.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { uint8_t *p, *q; size_t n, rows, cols, size, bytes; qz_st_dtype dtype; } part; /* q: of TENSOR2 */

static double get(const part *t, size_t i) {
    uint16_t h;
    float f;
    if (t->size == 4) return memcpy(&f, t->p + 4 * i, 4), (double)f;
    memcpy(&h, t->p + 2 * i, 2);
    const uint32_t wide = (uint32_t)h << 16;
    return t->dtype == QZ_ST_F16 ? (double)qz_f16_to_f32(h) : (memcpy(&f, &wide, 4), (double)f);
}
static void set(part *t, size_t i, double x) {
    float f = (float)x;
    uint32_t wide;
    memcpy(&wide, &f, 4);
    const uint16_t h = t->dtype == QZ_ST_F16 ? qz_f32_to_f16(f) : (uint16_t)((wide + 0x8000u) >> 16);
    if (t->size == 4) memcpy(t->p + 4 * i, &f, 4);
    else memcpy(t->p + 2 * i, &h, 2);
}
/* ---- values ---- */
static void twice(part *t) { for (size_t i = 0; i < t->n; i++) set(t, i, 2 * get(t, i)); }
static void eight(part *t) { for (size_t i = 0; i < t->n; i++) set(t, i, 8 * get(t, i)); }
static void negate(part *t) { for (size_t i = 0; i < t->n; i++) set(t, i, -get(t, i)); }
static void reciprocal(part *t) { for (size_t i = 0; i < t->n; i++) set(t, i, 1 / get(t, i)); }
static void one_more(part *t) { for (size_t i = 0; i < t->n; i++) set(t, i, get(t, i) + 1); }
static void one_less(part *t) { for (size_t i = 0; i < t->n; i++) set(t, i, get(t, i) - 1); }
static void zero(part *t) { memset(t->p, 0, t->bytes); }
static void half_zero(part *t) { memset(t->p, 0, t->bytes / 2); }
static void not_a_number(part *t) { memset(t->p + t->bytes / 2 / t->size * t->size, 0xff, t->size); }
static void noise(part *t) {
    uint32_t s = 1;
    for (size_t i = 0; i < t->n; i++)
        s = s * 1664525 + 1013904223, set(t, i, get(t, i) * (0.3 + 1.4 * (s >> 8) / 16777216.0));
}
static void random_values(part *t) {
    uint32_t s = 7;
    for (size_t i = 0; i < t->n; i++) s = s * 1664525 + 1013904223, set(t, i, (s >> 8) / 16777216.0 - 0.5);
}
/* ---- order ---- */
static void exchange(part *t) {
    for (size_t i = 0; i < t->bytes; i++) {
        const uint8_t b = t->p[i];
        t->p[i] = t->q[i];
        t->q[i] = b;
    }
}
static void copy_rows(part *t, size_t (*from)(const part *t, size_t r)) {
    const size_t line = t->bytes / t->rows;
    uint8_t *old = malloc(t->bytes);
    if (old == NULL) exit(3);
    memcpy(old, t->p, t->bytes);
    for (size_t r = 0; r < t->rows; r++) memcpy(t->p + r * line, old + from(t, r) * line, line);
    free(old);
}
static size_t shifted(const part *t, size_t r) { return (r + 1) % t->rows; }
static size_t mixed(const part *t, size_t r) { return (r * 7 + 3) % t->rows; }
enum { HEAD = 16 }; /* values of a head of the zoo's qwen2 */
static size_t interleaved(const part *t, size_t r) {
    (void)t;
    const size_t h = r / HEAD * HEAD, k = r % HEAD;
    return h + k / 2 + (k % 2) * (HEAD / 2);
}
static void shift_rows(part *t) { copy_rows(t, shifted); }
static void mix_rows(part *t) { copy_rows(t, mixed); }
static void other_pairing(part *t) { copy_rows(t, interleaved); }
static void transpose(part *t) {
    for (size_t r = 0; r < t->rows; r++)
        for (size_t c = 0; c < r; c++) {
            const double x = get(t, r * t->cols + c);
            set(t, r * t->cols + c, get(t, c * t->cols + r));
            set(t, c * t->cols + r, x);
        }
}
static void mix_columns(part *t) {
    double *old = malloc(t->cols * sizeof *old);
    if (old == NULL) exit(3);
    for (size_t r = 0; r < t->rows; r++) {
        for (size_t c = 0; c < t->cols; c++) old[c] = get(t, r * t->cols + c);
        for (size_t c = 0; c < t->cols; c++) set(t, r * t->cols + c, old[(c * 11 + 5) % t->cols]);
    }
    free(old);
}
/* ---- 32-bit words of eight codes ---- */
static void each_word(part *t, uint32_t (*change)(uint32_t w)) {
    for (size_t i = 0; i + 4 <= t->bytes; i += 4) {
        uint32_t w;
        memcpy(&w, t->p + i, 4);
        w = change(w);
        memcpy(t->p + i, &w, 4);
    }
}
static uint32_t nibble_order(uint32_t w) {
    static const int from[8] = {0, 2, 4, 6, 1, 3, 5, 7};
    uint32_t out = 0;
    for (int i = 0; i < 8; i++) out |= (w >> 4 * from[i] & 15) << 4 * i;
    return out;
}
static uint32_t reversed(uint32_t w) {
    uint32_t out = 0;
    for (int i = 0; i < 8; i++) out |= (w >> 4 * i & 15) << 4 * (7 - i);
    return out;
}
static uint32_t code_up(uint32_t w) { return w + (~w & (w >> 1 | 0x77777777u) & 0x11111111u); } /* no carry */
static uint32_t flipped(uint32_t w) { return w ^ 0x88888888u; }
static void awq_order(part *t) { each_word(t, nibble_order); }
static void reverse_order(part *t) { each_word(t, reversed); }
static void zeros_up(part *t) { each_word(t, code_up); }
static void top_bit(part *t) { each_word(t, flipped); }

static const struct { const char *name; void (*change)(part *t); } ways[] = {
    {"twice", twice}, {"eight", eight}, {"negate", negate}, {"reciprocal", reciprocal}, {"one_more", one_more},
    {"one_less", one_less}, {"zero", zero}, {"half_zero", half_zero}, {"nan", not_a_number}, {"noise", noise},
    {"random", random_values}, {"exchange", exchange}, {"shift_rows", shift_rows}, {"mix_rows", mix_rows},
    {"pairing", other_pairing}, {"transpose", transpose}, {"mix_columns", mix_columns}, {"awq_order", awq_order},
    {"reverse_order", reverse_order}, {"zeros_up", zeros_up}, {"top_bit", top_bit}};

int main(int argc, char **argv) {
    qz_error err = {0};
    qz_st file;
    if (argc < 4 || qz_st_open(&file, argv[1], &err) != QZ_OK) return fprintf(stderr, "inject: %s\n", err.text), 2;
    const qz_st_tensor *t = qz_st_find(&file, argv[2]), *o = argc > 4 ? qz_st_find(&file, argv[4]) : t;
    if (t == NULL || o == NULL)
        return fprintf(stderr, "inject: no tensor '%s' %s\n", argv[2], argc > 4 ? argv[4] : ""), 2;
    uint8_t *p = malloc(t->bytes), *q = malloc(o->bytes);
    if (p == NULL || q == NULL || o->bytes != t->bytes) return 2;
    memcpy(p, t->data, t->bytes);
    memcpy(q, o->data, o->bytes);
    const size_t cols = t->n_dims ? (size_t)t->dims[t->n_dims - 1] : 1;
    size_t n = 1;
    for (uint32_t i = 0; i < t->n_dims; i++) n *= (size_t)t->dims[i];
    part x = {p, q, n, n / cols, cols, t->bytes / n, t->bytes, t->dtype};
    const uint64_t at = t->offset,
                   at2 = o->offset;
    size_t done = 0;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (strcmp(ways[i].name, argv[3]) == 0) ways[i].change(&x), done++;
    FILE *f = fopen(argv[1], "r+b");
    if (!done || f == NULL) return fprintf(stderr, "inject: unknown '%s'\n", argv[3]), 2;
    int bad = fseek(f, (long)at, SEEK_SET) || fwrite(p, 1, t->bytes, f) != t->bytes;
    if (o != t) bad |= fseek(f, (long)at2, SEEK_SET) || fwrite(q, 1, o->bytes, f) != o->bytes;
    bad |= fclose(f) != 0;
    free(p);
    free(q);
    qz_st_release(&file);
    return bad ? 3 : 0;
}
