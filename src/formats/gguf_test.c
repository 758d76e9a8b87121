/* GGUF reader and writer. Outside truth: the worked file written by gguf-py (formats/gguf-container.md section 2) and
 * the accept/reject behaviour measured on the reference loader (section 5), with our own hardening on
 * top (section 6). */
#include "formats/gguf.h"
#include "formats/formats.h"
#include "base/bytes.h"
#include "base/size.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

static const char worked_hex[] =
    "47475546030000000200000000000000" "0500000000000000"
    "140000000000000067656e6572616c2e617263686974656374757265" "080000000500000000000000" "6c6c616d61"
    "11000000000000006c6c616d612e626c6f636b5f636f756e74" "0400000001000000"
    "14000000000000006c6c616d612e726f70652e667265715f62617365" "0600000000401c46"
    "0300000000000000782e62" "0700000001"
    "0300000000000000782e61" "09000000080000000200000000000000" "010000000000000061" "02000000000000006263"
    "010000000000000074" "02000000" "03000000000000000200000000000000" "00000000" "0000000000000000"
    "010000000000000075" "01000000" "0100000000000000" "01000000" "2000000000000000"
    "0000000000000000000000000000"
    "0000803f0000004000004040000080400000a0400000c0400000000000000000"
    "003e000000000000000000000000000000000000000000000000000000000000";

static size_t unhex(const char *s, uint8_t *out) {
    size_t n = 0;
    for (; s[0] && s[1]; s += 2) {
        unsigned v;
        sscanf(s, "%2x", &v);
        out[n++] = (uint8_t)v;
    }
    return n;
}

static void read_worked(void **state) {
    (void)state;
    uint8_t buf[400];
    size_t n = unhex(worked_hex, buf);
    assert_int_equal(n, 352);
    qz_gguf g;
    qz_error err = {0};
    if (qz_gguf_open_memory(&g, buf, n, "mem", &err) != QZ_OK) fail_msg("%s", err.text);
    assert_int_equal(g.version, 3);
    assert_int_equal(g.n_kv, 5);
    assert_int_equal(g.n, 2);
    assert_int_equal(g.data_start, 0x120);
    assert_true(g.packed && !g.short_padding && g.trailing == 0);
    uint64_t u = 0;
    double f = 0;
    bool b = false;
    qz_gguf_text s, *list;
    size_t count;
    qz_arena a = {0};
    assert_int_equal(qz_gguf_u64(&g, "llama.block_count", true, &u, &err), QZ_OK);
    assert_int_equal(u, 1);
    assert_int_equal(qz_gguf_f64(&g, "llama.rope.freq_base", true, &f, &err), QZ_OK);
    assert_true(f == 10000.0);
    assert_int_equal(qz_gguf_bool(&g, "x.b", true, &b, &err), QZ_OK);
    assert_true(b);
    assert_int_equal(qz_gguf_str(&g, "general.architecture", true, &s, &err), QZ_OK);
    assert_int_equal(s.n, 5);
    assert_memory_equal(s.ptr, "llama", 5);
    assert_int_equal(qz_gguf_strings(&g, "x.a", true, &a, &list, &count, &err), QZ_OK);
    assert_int_equal(count, 2);
    assert_int_equal(list[1].n, 2);
    assert_memory_equal(list[1].ptr, "bc", 2);
    assert_int_equal(qz_gguf_u64(&g, "absent", false, &u, &err), QZ_OK);
    assert_int_equal(u, 1);
    assert_int_equal(qz_gguf_u64(&g, "absent", true, &u, &err), QZ_EFORMAT);
    assert_non_null(strstr(err.text, "missing key"));
    err = (qz_error){0};
    assert_int_equal(qz_gguf_u64(&g, "x.a", true, &u, &err), QZ_EFORMAT);
    assert_non_null(strstr(err.text, "expected a non-negative integer, found arr of str"));
    const qz_gguf_tensor *t = qz_gguf_find(&g, "t");
    assert_non_null(t);
    assert_int_equal(t->n_dims, 2);
    assert_int_equal(t->dims[0], 3);
    assert_int_equal(t->dims[1], 2);
    assert_string_equal(t->type->name, "f32");
    assert_int_equal(t->offset, 0x120);
    assert_true(qz_load_f32le(t->data + 8) == 3.0f);
    assert_int_equal(qz_gguf_find(&g, "u")->offset, 0x140);
    assert_null(qz_gguf_find(&g, "v"));
    assert_int_equal(qz_format_detect(buf, 16, n), QZ_FORMAT_GGUF);
    qz_arena_release(&a);
    qz_gguf_release(&g);
}

/* Our writer gives gguf-py's bytes, also when it is stopped after the first tensor and resumed. */
static void write_worked(void **state) {
    (void)state;
    uint8_t want[400];
    size_t n = unhex(worked_hex, want);
    qz_gguf_meta m = {0};
    const qz_gguf_text list[2] = { { "a", 1 }, { "bc", 2 } };
    qz_gguf_put_str(&m, "general.architecture", "llama");
    qz_gguf_put_u32(&m, "llama.block_count", 1);
    qz_gguf_put_f32(&m, "llama.rope.freq_base", 10000.0f);
    qz_gguf_put_bool(&m, "x.b", true);
    qz_gguf_put_strings(&m, "x.a", list, 2);
    const qz_gguf_item items[2] = { { "t", 0, 2, { 3, 2 } }, { "u", 1, 1, { 1 } } };
    qz_error err = {0};
    uint64_t size;
    assert_int_equal(qz_gguf_file_size(&m, items, 2, &size, &err), QZ_OK);
    assert_int_equal(size, 352);
    char path[] = "/tmp/qz_gg_XXXXXX";
    assert_true(close(mkstemp(path)) == 0);
    for (int resumed = 0; resumed < 2; resumed++) {
        qz_gguf_writer w;
        assert_int_equal(qz_gguf_writer_open(&w, path, &m, items, 2, &err), QZ_OK);
        assert_int_equal(qz_gguf_writer_left(&w), 24);
        assert_int_equal(qz_gguf_writer_write(&w, want + 0x120, 20, &err), QZ_OK);
        assert_int_equal(qz_gguf_writer_write(&w, want + 0x134, 5, &err), QZ_EBUG);
        err = (qz_error){0};
        assert_int_equal(qz_gguf_writer_write(&w, want + 0x134, 4, &err), QZ_OK);
        if (resumed) {
            assert_int_equal(qz_gguf_writer_write(&w, "x", 1, &err), QZ_OK); /* half a tensor is thrown away */
            assert_int_equal(qz_out_flush(&w.out, &err), QZ_OK);
            qz_gguf_writer_abort(&w, true);
            if (qz_gguf_writer_resume(&w, path, &m, items, 2, 1, &err) != QZ_OK) fail_msg("%s", err.text);
        }
        assert_int_equal(qz_gguf_writer_write(&w, want + 0x140, 2, &err), QZ_OK);
        char sha[65], sha2[65];
        assert_int_equal(qz_gguf_writer_commit(&w, sha, &err), QZ_OK);
        qz_sha256_bytes_hex(want, n, sha2);
        assert_string_equal(sha, sha2);
        qz_format f;
        assert_int_equal(qz_format_probe(path, &f, &err), QZ_OK);
        assert_int_equal(f, QZ_FORMAT_GGUF);
    }
    unlink(path);
    qz_gguf_meta_release(&m);
}

/* ---- a file under construction, field by field ---- */
typedef struct { qz_str s; } maker;
static void b4(maker *m, uint32_t v) { qz_str_append(&m->s, &v, 4); }
static void b8(maker *m, uint64_t v) { qz_str_append(&m->s, &v, 8); }
static void str(maker *m, const char *p, size_t n) {
    b8(m, n);
    qz_str_append(&m->s, p, n);
}
static void head(maker *m, uint32_t version, uint64_t tensors, uint64_t kv) {
    qz_str_clear(&m->s);
    qz_str_append(&m->s, "GGUF", 4);
    b4(m, version);
    b8(m, tensors);
    b8(m, kv);
}
static void info(maker *m, const char *name, size_t len, uint32_t n_dims, const uint64_t *dims, uint32_t type,
                 uint64_t offset) {
    str(m, name, len);
    b4(m, n_dims);
    for (uint32_t i = 0; i < n_dims; i++) b8(m, dims[i]);
    b4(m, type);
    b8(m, offset);
}
static void data(maker *m, size_t align, size_t n) {
    while (m->s.len % align) qz_str_putc(&m->s, 0);
    for (size_t i = 0; i < n; i++) qz_str_putc(&m->s, 1);
}
static void expect(maker *m, const char *what, const char *fragment) {
    qz_gguf g;
    qz_error err = {0};
    /* an exact copy, so that a read past the end is seen by the sanitizer */
    uint8_t *copy = qz_alloc_array(m->s.len + 1, 1);
    memcpy(copy, m->s.ptr, m->s.len);
    copy = qz_realloc_array(copy, m->s.len, 1);
    qz_status s = qz_gguf_open_memory(&g, copy, m->s.len, "mem", &err);
    if (!fragment && s != QZ_OK) fail_msg("%s: refused: %s", what, err.text);
    if (fragment && s == QZ_OK) fail_msg("%s: accepted", what);
    if (fragment && (!strstr(err.text, fragment) || !strstr(err.text, "'mem'")))
        fail_msg("%s: wrong error: %s", what, err.text);
    if (s == QZ_OK) qz_gguf_release(&g);
    qz_free(copy);
}
static const uint64_t d2[4] = { 2, 1, 1, 1 };

static void versions(void **state) {
    (void)state;
    maker m = {0};
    const struct { uint32_t v; const char *error; } v[] = { { 2, NULL }, { 3, NULL }, { 0, "version" },
                                                            { 1, "convert the file again" },
                                                            { 4, "version" }, { 0x03000000, "big-endian" } };
    for (size_t i = 0; i < 6; i++) {
        head(&m, v[i].v, 0, 0);
        expect(&m, "version", v[i].error);
    }
    m.s.ptr[0] = 'g';
    expect(&m, "magic", "expected the bytes 'GGUF'");
    for (size_t n = 0; n < 24; n++) {
        m.s.len = n;
        expect(&m, "short", "expected at least 24 bytes");
    }
    head(&m, 3, UINT64_MAX, 0);
    expect(&m, "tensor count -1", "header claims too much");
    head(&m, 3, 0, 1000);
    expect(&m, "more keys than bytes", "header claims too much");
    head(&m, 3, 0, UINT64_MAX / 13 + 2);
    expect(&m, "count overflow", "header claims too much");
    qz_str_release(&m.s);
}

static void metadata(void **state) {
    (void)state;
    maker m = {0};
#define KEY(k, kind) (head(&m, 3, 0, 1), str(&m, k, sizeof k - 1), b4(&m, kind))
    KEY("k", QZ_GGUF_ARR), b4(&m, QZ_GGUF_U8), b8(&m, 0);
    expect(&m, "empty array", NULL);
    KEY("k", QZ_GGUF_BOOL), qz_str_putc(&m.s, 2);
    expect(&m, "bool 2", "expected 0 or 1, found 2");
    KEY("k", 13), b8(&m, 0);
    expect(&m, "type 13", "unknown value type");
    KEY("k", QZ_GGUF_ARR), b4(&m, QZ_GGUF_ARR), b8(&m, 0);
    expect(&m, "nested", "nested arrays are not supported");
    KEY("k", QZ_GGUF_ARR), b4(&m, QZ_GGUF_F64), b8(&m, (uint64_t)1 << 60);
    expect(&m, "array 2^60", "array outside the file");
    KEY("k", QZ_GGUF_ARR), b4(&m, QZ_GGUF_STR), b8(&m, 2), b8(&m, 0), b8(&m, 1);
    expect(&m, "string of array", "string outside the file");
    KEY("k", QZ_GGUF_STR), b8(&m, (uint64_t)1 << 63), b8(&m, 0);
    expect(&m, "string 2^63", "string outside the file");
    KEY("k", QZ_GGUF_U64), b4(&m, 0);
    expect(&m, "cut value", "header ends early");
    KEY("", QZ_GGUF_U32), b4(&m, 0), b4(&m, 0);
    expect(&m, "empty key", "bad key");
    KEY("a b", QZ_GGUF_U32), b4(&m, 0);
    expect(&m, "blank in key", "bad key");
    KEY("k\0x", QZ_GGUF_U32), b4(&m, 0);
    expect(&m, "nul in key", "bad key");
    head(&m, 3, 0, 2), str(&m, "k", 1), b4(&m, QZ_GGUF_U32), b4(&m, 0), str(&m, "k", 1), b4(&m, QZ_GGUF_U32), b4(&m, 0);
    expect(&m, "duplicate key", "duplicate key");
    const struct { uint32_t a; const char *error; } al[] = { { 0, "bad alignment" }, { 48, "bad alignment" },
                                                             { 1, NULL }, { 8, NULL },
                                                             { 1u << 21, "bad alignment" } };
    for (size_t i = 0; i < 5; i++) {
        KEY("general.alignment", QZ_GGUF_U32), b4(&m, al[i].a);
        expect(&m, "alignment", al[i].error);
    }
    KEY("general.alignment", QZ_GGUF_U64), b8(&m, 32);
    expect(&m, "alignment as u64", "bad alignment");
    qz_str_release(&m.s);
}

typedef struct { const char *name; size_t len; uint32_t n_dims; const uint64_t *dims; uint32_t type; } only;
static void put_one(maker *m, only t, uint64_t offset, size_t bytes) {
    head(m, 3, 1, 0);
    info(m, t.name, t.len, t.n_dims, t.dims, t.type, offset);
    data(m, 32, bytes);
}

static void tensors(void **state) {
    (void)state;
    maker m = {0};
    put_one(&m, (only){"t", 1, 1, d2, 0}, 0, 8);
    expect(&m, "last padding missing", NULL);
    put_one(&m, (only){"t", 1, 1, d2, 0}, 0, 33);
    expect(&m, "trailing bytes", NULL);
    put_one(&m, (only){"t", 1, 0, d2, 0}, 0, 4);
    expect(&m, "no dims", NULL);
    put_one(&m, (only){"t", 1, 1, d2, 0}, 0, 7);
    expect(&m, "data cut", "outside the file");
    char name[65];
    memset(name, 'n', sizeof name);
    put_one(&m, (only){name, 63, 1, d2, 0}, 0, 8);
    expect(&m, "name of 63", NULL);
    put_one(&m, (only){name, 64, 1, d2, 0}, 0, 8);
    expect(&m, "name of 64", "bad tensor name");
    put_one(&m, (only){"", 0, 1, d2, 0}, 0, 8);
    expect(&m, "empty name", "bad tensor name");
    put_one(&m, (only){"a\0b", 3, 1, d2, 0}, 0, 8);
    expect(&m, "nul in name", "bad tensor name");
    const uint64_t five[5] = { 1, 1, 1, 1, 1 };
    put_one(&m, (only){"t", 1, 5, five, 0}, 0, 8);
    expect(&m, "5 dims", "too many dimensions");
    qz_str_release(&m.s);
}

static void tensor_shapes(void **state) {
    (void)state;
    maker m = {0};
    const uint64_t zero[1] = { 0 }, neg[1] = { (uint64_t)-4 }, big[3] = { 1ull << 32, 1ull << 32, 4 },
                               huge[1] = { (1ull << 62) - 1 },
                   tera[1] = { 1ull << 40 }, row[1] = { 33 };
    put_one(&m, (only){"t", 1, 1, zero, 0}, 0, 8);
    expect(&m, "dim 0", "bad shape");
    put_one(&m, (only){"t", 1, 1, neg, 0}, 0, 8);
    expect(&m, "dim -4", "bad shape");
    put_one(&m, (only){"t", 1, 3, big, 0}, 0, 8);
    expect(&m, "product", "bad shape");
    put_one(&m, (only){"t", 1, 1, huge, 0}, 0, 8);
    expect(&m, "2^62 elements", "bad shape");
    put_one(&m, (only){"t", 1, 1, tera, 0}, 0, 8);
    expect(&m, "2^40 elements in a small file", "outside the file");
    put_one(&m, (only){"t", 1, 1, row, 2}, 0, 40);
    expect(&m, "q4_0 row of 33", "bad shape");
    const uint32_t bad_types[] = { 4, 5, 31, 32, 33, 36, 37, 38, 43, 0xffffffffu };
    for (size_t i = 0; i < sizeof bad_types / sizeof *bad_types; i++) {
        put_one(&m, (only){"t", 1, 1, d2, bad_types[i]}, 0, 8);
        expect(&m, "type", "unsupported tensor type");
    }
    put_one(&m, (only){"t", 1, 1, d2, 0}, 4, 40);
    expect(&m, "unaligned", "unaligned data");
    put_one(&m, (only){"t", 1, 1, d2, 0}, UINT64_MAX - 31, 40);
    expect(&m, "offset near 2^64", "outside the file");
    for (int order = 0; order < 4; order++) { /* good, swapped, gap, overlap */
        static const uint64_t at[4][2] = { { 0, 32 }, { 32, 0 }, { 0, 64 }, { 32, 32 } };
        head(&m, 3, 2, 0);
        info(&m, "a", 1, 1, d2, 0, at[order][0]);
        info(&m, "b", 1, 1, d2, 0, at[order][1]);
        data(&m, 32, 96);
        expect(&m, "two tensors", order == 3 ? "overlapping" : NULL);
    }
    head(&m, 3, 2, 0);
    info(&m, "a", 1, 1, d2, 0, 0);
    info(&m, "a", 1, 1, d2, 0, 32);
    data(&m, 32, 64);
    expect(&m, "duplicate tensor", "duplicate tensor");
    qz_str_release(&m.s);
}

static void damage(void **state) {
    (void)state;
    uint8_t buf[400], copy[400];
    size_t n = unhex(worked_hex, buf);
    qz_gguf g;
    for (size_t k = 0; k < 0x142; k++) { /* every truncation of header and data */
        qz_error err = {0};
        uint8_t *p = qz_alloc_array(k, 1);
        memcpy(p, buf, k);
        assert_int_not_equal(qz_gguf_open_memory(&g, p, k, "mem", &err), QZ_OK);
        qz_free(p);
    }
    for (size_t k = 0; k < n; k++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, buf, n);
            copy[k] = (uint8_t)(copy[k] ^ (1 << bit));
            qz_error err = {0};
            if (qz_gguf_open_memory(&g, copy, n, "mem", &err) == QZ_OK) qz_gguf_release(&g);
        }
    bool done = false;
    for (long k = 1; k < 200 && !done; k++) { /* failing allocations */
        qz_error err = {0};
        qz_alloc_fail_after(k);
        done = qz_gguf_open_memory(&g, buf, n, "mem", &err) == QZ_OK;
        qz_alloc_fail_after(0);
        if (!done) assert_int_equal(err.code, QZ_EMEMORY);
    }
    assert_true(done);
    qz_gguf_release(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_worked), cmocka_unit_test(write_worked), cmocka_unit_test(versions),
        cmocka_unit_test(metadata), cmocka_unit_test(tensors), cmocka_unit_test(tensor_shapes),
        cmocka_unit_test(damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
