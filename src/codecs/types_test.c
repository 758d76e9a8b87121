/* Every row of types.def against bytes and floats of the reference library (tests/golden/quants, its README). */
#include <setjmp.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/hash.h"
#include "base/io.h"
#include "base/size.h"
#include "codecs/types.h"

enum { ROWS = 20, COLS = 512 };
#define DIR "tests/golden/quants/"

static void *load(const char *name, size_t bytes) {
    char path[256], *p = NULL;
    size_t len = 0;
    qz_error err = {0};
    (void)snprintf(path, sizeof path, DIR "%s", name);
    if (qz_read_file(path, 1u << 20, &p, &len, &err) != QZ_OK) fail_msg("%s", err.text);
    if (bytes && len != bytes) fail_msg("%s: %zu bytes, expected %zu", path, len, bytes);
    return p;
}

typedef struct {
    char type[16], variant[8], file[64], sha[80], decoded[64], sha_decoded[80];
    int id;
    size_t row_bytes;
} row;

static bool parse(const char *line, row *r) {
    return sscanf(line, "%15s %d %7s %63s %zu %79s %63s %79s", r->type, &r->id, r->variant, r->file, &r->row_bytes,
                  r->sha, r->decoded, r->sha_decoded) == 8;
}

/* The reference casts infinities to small integers here (MXFP4: a negative exponent): undefined, see the README. */
static bool undefined_row(qz_type t, const char *variant, size_t i) {
    bool legacy = qz_type_get(t)->kind == QZ_KIND_LEGACY || t == QZ_TYPE_Q8_1;
    return i == 8 && ((legacy && strcmp(variant, "none") == 0) || t == QZ_TYPE_MXFP4);
}

static void check_row(const row *r, const float *x) {
    qz_type t = qz_type_by_name(r->type);
    const qz_type_info *info = qz_type_get(t);
    assert_non_null(info);
    assert_int_equal(qz_type_by_ggml_id(r->id), t);
    size_t rb = 0;
    assert_int_equal(qz_row_bytes(t, COLS, &rb, NULL), QZ_OK);
    assert_int_equal(rb, r->row_bytes);
    char name[32];
    (void)snprintf(name, sizeof name, "imatrix%c.f32", r->variant[2]);
    float *imp = r->variant[0] == 'i' ? load(name, COLS * sizeof *imp) : NULL;
    uint8_t *want = load(r->file + (r->file[0] == '='), ROWS * rb), *got = qz_alloc_array(ROWS, rb);
    float *y = qz_alloc_array(ROWS * COLS, sizeof *y);
    for (size_t i = 0; i < ROWS; ++i) {
        (info->compat ? info->compat : info->encode)(x + i * COLS, imp, COLS, got + i * rb);
        if (undefined_row(t, r->variant, i)) memcpy(got + i * rb, want + i * rb, rb);
        if (memcmp(got + i * rb, want + i * rb, rb) != 0)
            fail_msg("%s %s: bytes of row %zu differ", r->type, r->variant, i);
        info->decode(got + i * rb, COLS, y + i * COLS);
    }
    char hex[65];
    qz_sha256_bytes_hex(got, ROWS * rb, hex);
    assert_string_equal(hex, r->sha);
    if (strcmp(r->sha_decoded, "-") != 0) {
        qz_sha256_bytes_hex(y, ROWS * COLS * sizeof *y, hex);
        if (strcmp(hex, r->sha_decoded) != 0) fail_msg("%s %s: decoded values differ", r->type, r->variant);
    }
    if (strcmp(r->decoded, "-") != 0) {
        float *yw = load(r->decoded, ROWS * COLS * sizeof *yw);
        assert_memory_equal(y, yw, ROWS * COLS * sizeof *yw);
        qz_free(yw);
    }
    qz_free(imp), qz_free(want), qz_free(got), qz_free(y);
}

static void golden(void **state) {
    (void)state;
    char *text = load("manifest.tsv", 0), *save = NULL;
    float *x = load("input.f32", ROWS * COLS * sizeof *x);
    bool seen[QZ_TYPE_COUNT] = {[QZ_TYPE_F32] = true}; /* a copy: tested below, as are the numbers that are only read */
    row r;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "type\t", 5) == 0) continue;
        if (!parse(line, &r)) fail_msg("manifest line '%s'", line);
        check_row(&r, x);
        seen[qz_type_by_name(r.type)] = true;
    }
    for (unsigned t = 0; t < QZ_TYPE_COUNT; ++t)
        if (!seen[t] && qz_type_get((qz_type)t)->kind != QZ_KIND_NUMBER)
            fail_msg("type %s has no golden data", qz_type_get((qz_type)t)->name);
    qz_free(text), qz_free(x);
}

/* The reference's subnormal row is undefined in its bytes; ours must still decode to what the reference's bytes do. */
static void subnormal_row(void **state) {
    (void)state;
    float *x = load("input.f32", ROWS * COLS * sizeof *x), y[COLS];
    uint8_t buf[COLS * 4];
    for (unsigned t = 0; t < QZ_TYPE_COUNT; ++t) {
        if (!undefined_row((qz_type)t, "none", 8)) continue;
        qz_type_get((qz_type)t)->encode(x + 8 * COLS, NULL, COLS, buf);
        qz_type_get((qz_type)t)->decode(buf, COLS, y);
        for (size_t i = 0; i < COLS; ++i) assert_true(y[i] == 0.0f);
    }
    qz_free(x);
}

static void f32_copies(void **state) {
    (void)state;
    const uint32_t bits[6] = {0, 0x80000000u, 1, 0x7f800000u, 0x7fc12345u, 0x3f800001u};
    float x[6], y[6];
    memcpy(x, bits, sizeof x);
    uint8_t buf[24];
    qz_type_get(QZ_TYPE_F32)->encode(x, NULL, 6, buf);
    qz_type_get(QZ_TYPE_F32)->decode(buf, 6, y);
    assert_memory_equal(y, bits, sizeof y);
}

/* A block of NaN, infinities or huge values must neither trap nor write outside (sanitizers watch). */
static void hostile_values(void **state) {
    (void)state;
    const float bad[4] = {0.0f / 0.0f * 1.0f, 1e38f, -1e38f, 1.0f / 0.0f};
    float x[256], imp[256], y[256];
    uint8_t buf[256 * 4];
    for (unsigned t = 0; t < QZ_TYPE_COUNT; ++t)
        for (size_t v = 0; v < 4; ++v)
            for (int with = 0; with < 2; ++with) {
                const qz_type_info *info = qz_type_get((qz_type)t);
                for (size_t i = 0; i < 256; ++i) x[i] = i % 5 == 0 ? bad[v] : (float)i - 128, imp[i] = (float)(i % 7);
                if (info->compat) info->compat(x, with ? imp : NULL, 256, buf);
                if (info->encode == NULL) continue;
                info->encode(x, with ? imp : NULL, 256, buf);
                info->decode(buf, 256, y);
            }
}

/* Any bits as floats, and any bytes as blocks: sanitizers watch. */
static void random_bits(void **state) {
    (void)state;
    float x[256], imp[256], y[256];
    uint8_t buf[256 * 8];
    uint64_t s = 1;
    for (unsigned t = 0; t < QZ_TYPE_COUNT; ++t)
        for (int round = 0; round < 20; ++round) {
            const qz_type_info *info = qz_type_get((qz_type)t);
            for (size_t i = 0; i < 256 * 8; ++i) {
                s = s * 6364136223846793005u + 1442695040888963407u;
                buf[i] = (uint8_t)(s >> 56);
            }
            memcpy(x, buf, sizeof x);
            memcpy(imp, buf + sizeof x, sizeof imp);
            for (size_t i = 0; i < 256; ++i) imp[i] = fabsf(imp[i]);
            info->decode(buf, 256, y);
            if (info->encode == NULL) continue;
            info->encode(x, round % 2 ? imp : NULL, 256, buf);
            info->decode(buf, 256, y);
        }
}

/* The reference moves the groups behind a group of zeros (IQ3_S); its bytes stay behind compat, ours decode to what was
 * encoded. Golden row 11 holds such groups. */
static void zero_groups(void **state) {
    (void)state;
    float *x = load("input.f32", ROWS * COLS * sizeof *x), y[COLS];
    uint8_t buf[COLS];
    double error[2], all = 0;
    const qz_type_info *info = qz_type_get(QZ_TYPE_IQ3_S);
    for (size_t v = 0; v < 2; ++v) {
        (v ? info->compat : info->encode)(x + 11 * COLS, NULL, COLS, buf);
        info->decode(buf, COLS, y);
        error[v] = all = 0;
        for (size_t i = 0; i < COLS; ++i) {
            const double want = (double)x[11 * COLS + i], d = want - (double)y[i];
            error[v] += d * d;
            all += want * want;
        }
    }
    assert_true(sqrt(error[0] / all) < 0.2);
    assert_true(sqrt(error[1] / all) > 0.8);
    qz_free(x);
}

static void numbers(void **state) {
    (void)state;
    const int8_t a[2] = {-128, 127};
    const int16_t b[2] = {-32768, 32767};
    const int32_t c[2] = {-2147483647 - 1, 16777217};
    const int64_t d[2] = {INT64_MIN, 5};
    const double e[2] = {-0.1, 1e300};
    const struct { qz_type t; const void *in; float want[2]; } rows[] = {
        {QZ_TYPE_I8, a, {-128, 127}}, {QZ_TYPE_I16, b, {-32768, 32767}}, {QZ_TYPE_I32, c, {-2147483648.0f, 16777216}},
        {QZ_TYPE_I64, d, {-9223372036854775808.0f, 5}}, {QZ_TYPE_F64, e, {-0.1f, INFINITY}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        float y[2];
        qz_type_get(rows[i].t)->decode(rows[i].in, 2, y);
        assert_true(y[0] == rows[i].want[0] && y[1] == rows[i].want[1]);
        assert_null(qz_type_get(rows[i].t)->encode);
    }
}

static void sizes_and_names(void **state) {
    (void)state;
    size_t n = 0;
    qz_error err = {0};
    assert_int_equal(qz_tensor_bytes(QZ_TYPE_Q8_0, 4096, 4096, &n, &err), QZ_OK);
    assert_int_equal(n, 17825792);
    assert_int_equal(qz_row_bytes(QZ_TYPE_Q8_0, 4097, &n, &err), QZ_EFORMAT);
    assert_string_equal(err.text, "row of 4097 elements is not a multiple of the q8_0 block (32)");
    assert_int_equal(qz_tensor_bytes(QZ_TYPE_F32, SIZE_MAX / 2, 256, &n, NULL), QZ_EFORMAT);
    assert_int_equal(qz_row_bytes(QZ_TYPE_F32, SIZE_MAX / 2, &n, NULL), QZ_EFORMAT);
    assert_int_equal(qz_type_by_name("Q4_K"), QZ_TYPE_Q4_K);
    assert_int_equal(qz_type_by_name("q4_x"), QZ_TYPE_NONE);
    assert_int_equal(qz_type_by_ggml_id(4), QZ_TYPE_NONE);
    assert_true(qz_type_bpw(QZ_TYPE_Q6_K) == 6.5625);
    assert_null(qz_type_get(QZ_TYPE_CODED));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden), cmocka_unit_test(subnormal_row), cmocka_unit_test(f32_copies),
        cmocka_unit_test(hostile_values), cmocka_unit_test(random_bits), cmocka_unit_test(zero_groups),
        cmocka_unit_test(numbers), cmocka_unit_test(sizes_and_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
