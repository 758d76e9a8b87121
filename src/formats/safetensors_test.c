/* safetensors reader, directory and writer. Outside truth: the accept/reject table measured on safetensors 0.8.0
 * (formats/safetensors.md section 3), its worked file, and golden files written by the reference library. */
#include "formats/safetensors.h"
#include "base/bytes.h"
#include "base/io.h"
#include "base/size.h"
#include "formats/dtypes.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

static size_t build(uint8_t *buf, const char *header, size_t data) {
    size_t n = strlen(header);
    qz_store_u64le(buf, n);
    memcpy(buf + 8, header, n);
    memset(buf + 8 + n, 0, data);
    return 8 + n + data;
}

static const struct { const char *what, *header; size_t data; const char *error; /* NULL: accepted */ } cases[] = {
    { "no tensors", "{}", 0, NULL },
    { "space around", " \t\r\n{ } \n", 0, NULL },
    { "null metadata", "{\"__metadata__\":null}", 0, NULL },
    { "plain", "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2, NULL },
    { "key order, extra field", "{\"a\":{\"data_offsets\":[0,2],\"x\":[{}],\"shape\":[2],\"dtype\":\"U8\"}}", 2, NULL },
    { "scalar", "{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, NULL },
    { "empty between",
      "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"e\":{\"dtype\":\"U8\",\"shape\":[0,9],"
      "\"data_offsets\":[2,2]},"
      "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]}}", 3, NULL },
    {"zero first, no overflow", "{\"a\":{\"dtype\":\"U8\",\"shape\":[0,4294967296,4294967296],\"data_offsets\":[0,0]}}",
     0, NULL },
    { "f4 pair", "{\"a\":{\"dtype\":\"F4\",\"shape\":[2,3],\"data_offsets\":[0,3]}}", 3, NULL },
    { "escaped name", "{\"a\\u00e9\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, NULL },
    {"overflow", "{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296,0],\"data_offsets\":[0,0]}}", 0,
     "overflows" },
    {"bit overflow", "{\"a\":{\"dtype\":\"U64\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]}}", 0,
     "overflows" },
    { "sub-byte", "{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, "whole number of bytes" },
    { "not json", "{\"a\":", 0, "" },
    { "trailing text", "{}x", 0, "" },
    { "bom", "\xef\xbb\xbf{}", 0, "" },
    { "bad utf-8", "{\"\xff\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "" },
    { "lone surrogate", "{\"\\ud800\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "" },
    { "list on top", "[]", 0, "expected a JSON object" },
    { "metadata number", "{\"__metadata__\":{\"a\":1}}", 0, "expected a string" },
    {"duplicate tensor",
     "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},\"a\":{\"dtype\":\"U8\",\"shape\":[0],"
     "\"data_offsets\":[0,0]}}", 0, "" },
    {"duplicate after unescape",
     "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},\"\\u0061\":{\"dtype\":\"U8\",\"shape\":[0],"
     "\"data_offsets\":[0,0]}}", 0, "" },
    { "duplicate field", "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0, "" },
    { "missing field", "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,0]}}", 0, "expected dtype, shape" },
    { "array entry", "{\"a\":[\"U8\",[2],[0,2]]}", 2, "expected an object" },
    { "empty name", "{\"\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "bad tensor name" },
    {"control in name", "{\"a\\u0001\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     "bad tensor name" },
    { "nul in name", "{\"a\\u0000\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "" },
    { "unknown dtype", "{\"a\":{\"dtype\":\"I4\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "unknown dtype" },
    { "dtype case", "{\"a\":{\"dtype\":\"u8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "unknown dtype" },
    { "negative", "{\"a\":{\"dtype\":\"U8\",\"shape\":[-1],\"data_offsets\":[0,1]}}", 1, "signed number" },
    { "minus zero", "{\"a\":{\"dtype\":\"U8\",\"shape\":[-0],\"data_offsets\":[0,0]}}", 0, "signed number" },
    { "fraction", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1.0],\"data_offsets\":[0,1]}}", 1, "bad number" },
    { "exponent", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1e0],\"data_offsets\":[0,1]}}", 1, "bad number" },
    { "leading zero", "{\"a\":{\"dtype\":\"U8\",\"shape\":[01],\"data_offsets\":[0,1]}}", 1, "" },
    { "beyond 2^64", "{\"a\":{\"dtype\":\"U8\",\"shape\":[18446744073709551616],\"data_offsets\":[0,1]}}", 1, "" },
    { "three offsets", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1, "expected 2 numbers" },
    {"end before begin", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]}}", 1,
     "does not fit the shape" },
    { "size lies", "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,2]}}", 2, "does not fit the shape" },
    { "past the end", "{\"a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}", 2, "outside the file" },
    { "hole at start", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2, "hole" },
    {"hole between",
     "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"b\":{\"dtype\":\"U8\",\"shape\":[1],"
     "\"data_offsets\":[2,3]}}", 3, "hole" },
    {"overlap",
     "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],"
     "\"data_offsets\":[1,3]}}", 3, "overlap" },
    {"sharing",
     "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],"
     "\"data_offsets\":[0,2]}}", 2, "overlap" },
    { "trailing data", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 2, "trailing bytes" },
    {"rank 9", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1,
     "too many dimensions" },
};

static void accept_and_reject(void **state) {
    (void)state;
    uint8_t buf[1024];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = build(buf, cases[i].header, cases[i].data);
        qz_st st;
        qz_error err = {0};
        qz_status s = qz_st_open_memory(&st, buf, n, "mem", &err);
        if (!cases[i].error && s != QZ_OK) fail_msg("%s: refused: %s", cases[i].what, err.text);
        if (cases[i].error && s == QZ_OK) fail_msg("%s: accepted", cases[i].what);
        if (cases[i].error && (s != QZ_EFORMAT || !strstr(err.text, cases[i].error) || !strstr(err.text, "mem")))
            fail_msg("%s: wrong error: %s", cases[i].what, err.text);
        if (s == QZ_OK) qz_st_release(&st);
    }
}

static void hostile_lengths(void **state) {
    (void)state;
    uint8_t buf[64];
    qz_st st;
    for (size_t n = 0; n < 8; n++) {
        qz_error err = {0};
        assert_int_equal(qz_st_open_memory(&st, buf, n, "mem", &err), QZ_EFORMAT);
    }
    const uint64_t lengths[] = { 0, 3, 57, 100000001u, UINT64_MAX, UINT64_MAX - 7 };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        qz_error err = {0};
        memset(buf, ' ', sizeof buf);
        qz_store_u64le(buf, lengths[i]);
        assert_int_equal(qz_st_open_memory(&st, buf, sizeof buf, "mem", &err), QZ_EFORMAT);
    }
    /* deep nesting ends with an error, not with the stack */
    static char deep[20000];
    memset(deep, '[', sizeof deep - 1);
    static uint8_t big[20100];
    qz_error err = {0};
    assert_int_equal(qz_st_open_memory(&st, big, build(big, deep, 0), "mem", &err), QZ_EFORMAT);
}

/* Every truncation of a good file is refused, every byte position of the length field and header may be damaged. */
static void truncations(void **state) {
    (void)state;
    uint8_t buf[512], copy[512];
    size_t n = build(buf,
                     "{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"F32\","
                     "\"shape\":[2],\"data_offsets\":[2,10]}}",
                     10);
    qz_st st;
    for (size_t k = 0; k < n; k++) {
        qz_error err = {0};
        assert_int_not_equal(qz_st_open_memory(&st, buf, k, "mem", &err), QZ_OK);
    }
    for (size_t k = 0; k < n; k++) {
        memcpy(copy, buf, n);
        copy[k] ^= 0x5a;
        qz_error err = {0};
        if (qz_st_open_memory(&st, copy, n, "mem", &err) == QZ_OK) qz_st_release(&st);
    }
}

static void worked_file(void **state) {
    (void)state;
    static const char header[] = "{\"__metadata__\":{\"a\":\"1\",\"format\":\"pt\"},\"w.a\":{\"dtype\":\"F32\","
                                 "\"shape\":[1,2],\"data_offsets\":[0,8]},"
                                 "\"h\":{\"dtype\":\"F16\",\"shape\":[1],\"data_offsets\":[8,10]},\"w.b\":{\"dtype\":"
                                 "\"U8\",\"shape\":[3],\"data_offsets\":[10,13]}} ";
    static const uint8_t data[13] = { 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0x3e, 1, 2, 3 };
    qz_st_item items[3] = { { "w.b", QZ_ST_U8, 1, { 3 } }, { "w.a", QZ_ST_F32, 2, { 1, 2 } },
                            { "h", QZ_ST_F16, 1, { 1 } } };
    const qz_st_meta meta[2] = { { "format", "pt" }, { "a", "1" } };
    qz_st_sort_items(items, 3);
    char path[] = "/tmp/qz_st_XXXXXX";
    assert_true(close(mkstemp(path)) == 0);
    qz_st_writer w;
    qz_error err = {0};
    assert_int_equal(qz_st_writer_open(&w, path, &(qz_st_plan){items, 3, meta, 2}, &err), QZ_OK);
    assert_int_equal(qz_st_writer_left(&w), 8);
    assert_int_equal(qz_st_writer_write(&w, data, 5, &err), QZ_OK);
    assert_int_equal(qz_st_writer_write(&w, data, 4, &err), QZ_EBUG); /* past the item's end */
    err = (qz_error){0};
    assert_int_equal(qz_st_writer_write(&w, data + 5, 3, &err), QZ_OK);
    assert_int_equal(qz_st_writer_commit(&w, NULL, &err), QZ_EBUG); /* items missing */
    err = (qz_error){0};
    assert_int_equal(qz_out_flush(&w.out, &err), QZ_OK);
    qz_st_writer_abort(&w, true); /* as after a crash: continue behind item 0 */
    assert_int_equal(qz_st_writer_resume(&w, path, &(qz_st_plan){items, 3, meta, 2}, 1, &err), QZ_OK);
    assert_int_equal(qz_st_writer_write(&w, data + 8, 2, &err), QZ_OK);
    assert_int_equal(qz_st_writer_write(&w, data + 10, 3, &err), QZ_OK);
    assert_int_equal(qz_st_writer_left(&w), 0);
    char sha[65], sha2[65];
    assert_int_equal(qz_st_writer_commit(&w, sha, &err), QZ_OK);
    assert_int_equal(qz_sha256_file_hex(path, sha2, &err), QZ_OK);
    assert_string_equal(sha, sha2);
    char *got;
    size_t n;
    assert_int_equal(qz_read_file(path, 1000, &got, &n, &err), QZ_OK);
    assert_int_equal(n, 229);
    assert_int_equal(qz_load_u64le(got), 208);
    assert_memory_equal(got + 8, header, 208);
    assert_memory_equal(got + 216, data, 13);
    qz_free(got);
    /* another plan cannot continue a partial file */
    assert_int_equal(qz_st_writer_open(&w, path, &(qz_st_plan){items, 3, meta, 2}, &err), QZ_OK);
    assert_int_equal(qz_out_flush(&w.out, &err), QZ_OK);
    qz_st_writer_abort(&w, true);
    assert_int_equal(qz_st_writer_resume(&w, path, &(qz_st_plan){items, 2, meta, 2}, 0, &err), QZ_EUSAGE);
    char partial[64];
    snprintf(partial, sizeof partial, "%s.partial", path);
    unlink(partial);
    unlink(path);
}

static void golden_file(void **state) {
    (void)state;
    qz_st st;
    qz_error err = {0};
    if (qz_st_open(&st, "tests/golden/artifacts/awq.safetensors", &err) != QZ_OK) fail_msg("%s", err.text);
    const qz_st_tensor *t = qz_st_find(&st, "gemm_g128.qweight");
    assert_non_null(t);
    assert_int_equal(t->dtype, QZ_ST_I32);
    assert_int_equal(t->n_dims, 2);
    assert_int_equal(t->dims[0], 256);
    assert_int_equal(t->dims[1], 4);
    assert_int_equal(qz_load_u32le(t->data), 0x7caf9471u); /* formats/hf-awq.md section 7.1 */
    assert_null(qz_st_find(&st, "gemm_g128"));
    qz_st_release(&st);
}

static void put(const char *path, const char *name, uint8_t value) {
    qz_st_item item = { name, QZ_ST_U8, 1, { 1 } };
    qz_st_writer w;
    qz_error err = {0};
    assert_int_equal(qz_st_writer_open(&w, path, &(qz_st_plan){&item, 1, NULL, 0}, &err), QZ_OK);
    assert_int_equal(qz_st_writer_write(&w, &value, 1, &err), QZ_OK);
    assert_int_equal(qz_st_writer_commit(&w, NULL, &err), QZ_OK);
}
static void text(const char *path, const char *s) {
    qz_error err = {0};
    assert_int_equal(qz_write_file(path, s, strlen(s), &err), QZ_OK);
}

static void sharded_dir(void **state) {
    (void)state;
    char dir[] = "/tmp/qz_std_XXXXXX", a[64], b[64], c[64], idx[64];
    assert_non_null(mkdtemp(dir));
    snprintf(a, sizeof a, "%s/m-00001-of-00002.safetensors", dir);
    snprintf(b, sizeof b, "%s/m-00002-of-00002.safetensors", dir);
    snprintf(c, sizeof c, "%s/model.safetensors", dir);
    snprintf(idx, sizeof idx, "%s/model.safetensors.index.json", dir);
    qz_st_dir d;
    const qz_st *file;
#define EXPECT(json, fragment)                                                        \
    do {                                                                              \
        qz_error e_ = {0};                                                            \
        text(idx, json);                                                              \
        qz_status s_ = qz_st_dir_open(&d, dir, &e_);                                  \
        if (s_ != QZ_EFORMAT || !strstr(e_.text, fragment)) fail_msg("%s", e_.text);  \
    } while (0)
    qz_error err = {0};
    assert_int_equal(qz_st_dir_open(&d, dir, &err), QZ_EFORMAT);
    assert_non_null(strstr(err.text, "no weights"));
#define GOOD \
    "{\"metadata\":{\"total_size\":7.0},\"weight_map\":{\"x\":\"m-00001-of-00002.safetensors\",\"y\":\"m-00002-of-" \
    "00002.safetensors\"}}"
    EXPECT(GOOD, "2 of 2 are not there: 'm-00001-of-00002.safetensors', 'm-00002-of-00002.safetensors'");
    put(a, "x", 7);
    EXPECT(GOOD, "1 of 2 are not there: 'm-00002-of-00002.safetensors'");
    put(b, "z", 9);
    EXPECT(GOOD, "tensor 'y': expected in 'm-00002-of-00002.safetensors'");
    EXPECT("{\"weight_map\":{\"x\":\"m-00001-of-00002.safetensors\",\"z\":\"m-00001-of-00002.safetensors\"}}",
           "tensor 'z'");
    put(b, "x", 9);
    EXPECT("{\"weight_map\":{\"x\":\"m-00001-of-00002.safetensors\",\"y\":\"m-00002-of-00002.safetensors\"}}",
           "tensor 'y'");
    put(b, "y", 9);
    EXPECT("{\"weight_map\":{\"x\":\"../m-00001-of-00002.safetensors\"}}", "plain name");
    EXPECT("{\"weight_map\":{}}", "empty weight_map");
    EXPECT("{\"weight_map\":{\"x\":\"m-00001-of-00002.safetensors\",\"y\":\"m-00002-of-00002.safetensors\",\"w\":\"m-"
           "00002-of-00002.safetensors\"}}",
           "tensor 'w'");
    text(idx, GOOD);
    err = (qz_error){0};
    assert_int_equal(qz_st_dir_open(&d, dir, &err), QZ_OK);
    assert_int_equal(d.n_files, 2);
    assert_int_equal(d.tensor_bytes, 2);
    const qz_st_tensor *t = qz_st_dir_find(&d, "y", &file);
    assert_non_null(t);
    assert_int_equal(t->data[0], 9);
    assert_ptr_equal(file, &d.files[1]);
    qz_st_dir_release(&d);
    put(c, "q", 3); /* a single file wins over the index */
    assert_int_equal(qz_st_dir_open(&d, dir, &err), QZ_OK);
    assert_int_equal(d.n_files, 1);
    assert_false(d.sharded);
    qz_st_dir_release(&d);
    assert_int_equal(qz_remove_tree(dir, &err), QZ_OK);
}

/* Failing allocations end in QZ_EMEMORY (or the JSON library's own error), never in a crash or a leak. */
static void failing_memory(void **state) {
    (void)state;
    uint8_t buf[512];
    size_t n =
        build(buf, "{\"__metadata__\":{\"a\":\"b\"},\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2);
    qz_st st;
    bool done = false;
    for (long k = 1; k < 200 && !done; k++) {
        qz_error err = {0};
        qz_alloc_fail_after(k);
        done = qz_st_open_memory(&st, buf, n, "mem", &err) == QZ_OK;
        qz_alloc_fail_after(0);
    }
    assert_true(done);
    qz_st_release(&st);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_and_reject), cmocka_unit_test(hostile_lengths), cmocka_unit_test(truncations),
        cmocka_unit_test(worked_file),       cmocka_unit_test(golden_file),     cmocka_unit_test(sharded_dir),
        cmocka_unit_test(failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
