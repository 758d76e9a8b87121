/* Plans, writers and readers of every scheme on the zoo models: exact sizes, round trips, resume after a stop at every
 * item, refusals, manifest, verification. Outside truth: the checkpoint itself (what is read back must be
 * what was written). */
#include "artifacts/schemes.h"
#include "artifacts/testing.h"
#include "base/half.h"
#include "base/json.h"
#include "codecs/types.h"
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/tmp/qz_art_XXXXXX";
static const qz_provenance origin[] = { { "version", "0.1.0", false, NULL }, { "source.sha256", "00", false, NULL } };

static char *at(const char *name) {
    static char path[4][128];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}
typedef struct {
    qz_model *m;
    qz_arena arena;
    qz_artifact_context ctx;
    qz_artifact_plan plan;
} bench;

static void make(bench *b, const char *source, const char *scheme) {
    qz_scheme_spec spec;
    memset(b, 0, sizeof *b);
    b->ctx = (qz_artifact_context){ .source_dir = source, .provenance = origin, .n_provenance = 2 };
    OK(qz_model_open(NULL, source, &b->m, err));
    OK(qz_scheme_parse(scheme, &spec, err));
    OK(qz_artifact_plan_make(NULL, b->m, &spec, &b->ctx, &b->arena, &b->plan, err));
}
static void drop(bench *b) {
    qz_model_free(b->m);
    qz_arena_release(&b->arena);
}

static void write_all(bench *b, const char *path, unsigned flags) {
    qz_artifact_writer *w;
    const char *partial;
    qz_model *m;
    OK(qz_artifact_writer_open(NULL, &b->plan, path, flags, &w, err));
    OK(feed(w, b->plan.n_items, err));
    OK(qz_artifact_writer_finish(w, &partial, err));
    assert_false(!(flags & QZ_WRITE_FORCE) && qz_path_exists(path)); /* no final name before the proof */
    OK(qz_artifact_open(NULL, partial, &m, err));
    qz_model_free(m);
    OK(qz_artifact_writer_commit(w, err));
    qz_artifact_writer_free(w);
}

static uint64_t folder_bytes(const char *path, bool skip_manifest) {
    char **names;
    size_t n;
    uint64_t sum = 0, bytes;
    OK(qz_list_dir(path, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (skip_manifest && strcmp(names[i], "quantz-manifest.json") == 0) continue;
        char *p = qz_path_join(path, names[i]);
        OK(qz_file_size(p, &bytes, err));
        sum += bytes;
        qz_free(p);
    }
    qz_free_names(names, n);
    return sum;
}

/* What is planned is what stands on the disk, to the byte; what is read back is what the encoder gave. */
static void round_trip(const char *source, const char *scheme, double tolerance) {
    bench b;
    char path[128];
    make(&b, source, scheme);
    bool folder = qz_scheme_get(b.plan.spec.scheme)->directory;
    snprintf(path, sizeof path, "%s/%s", dir, folder ? "out" : "out.gguf");
    write_all(&b, path, 0);
    uint64_t bytes = 0;
    if (folder) bytes = folder_bytes(path, true);
    else OK(qz_file_size(path, &bytes, err));
    if (bytes != b.plan.total_bytes)
        fail_msg("%s: planned %llu bytes, written %llu", scheme, (unsigned long long)b.plan.total_bytes,
                 (unsigned long long)bytes);
    assert_false(qz_path_exists(at("out.gguf.partial.journal")) || qz_path_exists(at("out.partial")) ||
                 qz_path_exists(at("out/.journal")));
    qz_model *m;
    OK(qz_artifact_open(NULL, path, &m, err));
    assert_int_equal(m->config.layers, b.m->config.layers);
    assert_int_equal(m->config.vocab_size, b.m->config.vocab_size);
    assert_true(m->config.rope.theta == b.m->config.rope.theta);
    assert_true(fabs(m->config.rms_norm_eps - b.m->config.rms_norm_eps) < 1e-12);
    assert_int_equal(m->head == m->embed, b.m->head == b.m->embed);
    double worst = 0;
    for (size_t i = 0; i < b.plan.n_items; i++) {
        const qz_artifact_item *it = &b.plan.items[i];
        if (!it->source) continue;
        const qz_tensor_view *t = qz_model_find(m, it->name);
        assert_non_null(t);
        assert_int_equal(t->rows, it->rows);
        float *x = qz_alloc_array(it->rows * it->cols, 4), *y = qz_alloc_array(it->rows * it->cols, 4);
        qz_tensor_decode(it->source, 0, it->rows, x);
        qz_tensor_decode(t, 0, it->rows, y);
        double peak = 0, diff = 0;
        for (size_t r = 0; r < it->rows; r++)
            for (size_t c = 0; c < it->cols; c++) {
                size_t to = r, cc = c; /* position of source element (r, c) in the file */
                if (it->permute != QZ_PERMUTE_NONE) {
                    size_t n = it->rows == 1 ? it->cols : it->rows, v = it->rows == 1 ? c : r, k = 0;
                    while (qz_item_source_row(it, n, k) != v) k++;
                    if (it->rows == 1) cc = k;
                    else to = k;
                }
                double a = (double)x[r * it->cols + c], d = fabs(a - (double)y[to * it->cols + cc]);
                if (fabs(a) > peak) peak = fabs(a);
                if (d > diff) diff = d;
            }
        if (diff > tolerance * peak) fail_msg("%s %s: difference %g of %g", scheme, it->out_name, diff, peak);
        if (peak > 0 && diff / peak > worst) worst = diff / peak;
        qz_free(x);
        qz_free(y);
    }
    if (tolerance > 0) assert_true(worst > 0);
    assert_int_equal(m->config.rope.interleaved, !folder && qz_family_get(m->config.family)->gguf_permuted);
    qz_model_free(m);
    OK(folder ? qz_remove_tree(path, err) : QZ_OK);
    if (!folder) unlink(path), unlink(at("out.gguf.manifest.json"));
    drop(&b);
}

static void round_trips(void **state) {
    (void)state;
    static const char *const zoo[] = { "tests/golden/zoo/llama", "tests/golden/zoo/llama3-rope",
                                       "tests/golden/zoo/mistral", "tests/golden/zoo/qwen2",
                                       "tests/golden/zoo/qwen3" };
    for (size_t i = 0; i < 5; i++) {
        round_trip(zoo[i], "gguf:F32", 0);
        round_trip(zoo[i], "bf16", strstr(zoo[i], "mistral") ? 0.004 : 0);
        round_trip(zoo[i], "gguf:q8_0", 0.01);
        round_trip(zoo[i], "Q4_K_M", 0.2);
    }
    round_trip(zoo[0], "awq:w4g64", 0.2);
    round_trip(zoo[0], "awq:w4g32", 0.2);
    round_trip(zoo[3], "AWQ:W4G32", 0.2);
    round_trip(zoo[4], "awq:w4g32", 0.2);
    round_trip(zoo[0], "gptq:w4g64", 0.3);
    round_trip(zoo[0], "gptq:w8g-1", 0.02);
    round_trip(zoo[1], "gptq:w3g32+asym", 0.4);
    round_trip(zoo[3], "gptq:w2g32+asym", 0.8);
    round_trip(zoo[4], "gptq:w4g64+sym+v2", 0.3);
    round_trip(zoo[0], "bnb", 0.2);
    round_trip(zoo[1], "bnb:nf4+double", 0.2);
    round_trip(zoo[3], "bnb:fp4+double", 0.3); /* widths that are no multiple of the block */
    round_trip(zoo[4], "bnb:int8", 0.005);
}

static void whole(const char *path, char sha[65]) { OK(qz_sha256_file_hex(path, sha, err)); }

/* Stopped after every item (the writer is dropped as by kill -9 behind a flush): the resumed file has
 * the same bytes. */
static void resume(const char *scheme, const char *name, uint64_t shard_bytes) {
    bench b;
    qz_scheme_spec spec;
    char want[65], got[65], path[128], inner[192];
    make(&b, "tests/golden/zoo/llama", scheme);
    spec = b.plan.spec;
    b.ctx.shard_bytes = shard_bytes;
    OK(qz_artifact_plan_make(NULL, b.m, &spec, &b.ctx, &b.arena, &b.plan, err));
    snprintf(path, sizeof path, "%s/%s", dir, name);
    const char *last = NULL; /* the last weight file */
    for (size_t i = 0; i < b.plan.n_files; i++)
        if (b.plan.files[i].weights) last = b.plan.files[i].name;
    if (shard_bytes) assert_string_equal(last, "model-00004-of-00004.safetensors");
    snprintf(inner, sizeof inner, "%s%s%s", path, last ? "/" : "", last ? last : "");
    write_all(&b, path, 0);
    whole(inner, want);
    size_t resumed = 0;
    for (size_t stop = 0; stop <= b.plan.n_items; stop++) {
        qz_artifact_writer *w;
        OK(qz_artifact_writer_open(NULL, &b.plan, path, QZ_WRITE_FORCE, &w, err));
        OK(feed(w, stop, err));
        qz_artifact_writer_free(w);
        OK(qz_artifact_writer_open(NULL, &b.plan, path, QZ_WRITE_FORCE | QZ_WRITE_RESUME, &w, err));
        assert_true(qz_artifact_writer_next(w) <= stop + 1);
        resumed += qz_artifact_writer_next(w) > 1;
        OK(feed(w, b.plan.n_items, err));
        OK(qz_artifact_writer_commit(w, err));
        qz_artifact_writer_free(w);
        whole(inner, got);
        assert_string_equal(want, got);
    }
    assert_true(resumed > 0); /* the journal was of use */
    drop(&b);
}
static void resumes(void **state) {
    (void)state;
    resume("Q8_0", "r.gguf", 0);
    resume("awq:w4g64", "r", 0);
    resume("awq:w4g64", "s", 80000);
    resume("gptq:w3g32+asym", "t", 0);
    resume("bnb:nf4+double", "u", 0);
    qz_arena a = {0};
    qz_table t;
    OK(qz_artifact_verify(NULL, at("s"), &a, &t, err));
    qz_arena_release(&a);
}

static void flip(const char *path, long offset) {
    int fd = open(path, O_RDWR);
    uint8_t v;
    assert_int_equal(pread(fd, &v, 1, offset), 1);
    v ^= 0x40;
    assert_int_equal(pwrite(fd, &v, 1, offset), 1);
    close(fd);
}

/* Damaged data of a partial output are found by their hash and written again. */
static void damaged_resume(void **state) {
    (void)state;
    bench b;
    char want[65], got[65];
    make(&b, "tests/golden/zoo/qwen2", "Q4_0");
    write_all(&b, at("d.gguf"), 0);
    whole(at("d.gguf"), want);
    qz_artifact_writer *w;
    OK(qz_artifact_writer_open(NULL, &b.plan, at("d.gguf"), QZ_WRITE_FORCE, &w, err));
    OK(feed(w, b.plan.n_items, err));
    OK(qz_artifact_writer_finish(w, NULL, err));
    qz_artifact_writer_free(w);
    flip(at("d.gguf.partial"), (long)b.plan.items[5].offset + 3);
    OK(qz_artifact_writer_open(NULL, &b.plan, at("d.gguf"), QZ_WRITE_FORCE | QZ_WRITE_RESUME, &w, err));
    assert_int_equal(qz_artifact_writer_next(w), 5);
    OK(feed(w, b.plan.n_items, err));
    OK(qz_artifact_writer_commit(w, err));
    qz_artifact_writer_free(w);
    whole(at("d.gguf"), got);
    assert_string_equal(want, got);
    drop(&b);
}

static void verify(void **state) {
    (void)state;
    bench b;
    qz_arena a = {0};
    qz_table t;
    qz_error e = {0};
    make(&b, "tests/golden/zoo/qwen2", "Q8_0");
    write_all(&b, at("v.gguf"), 0);
    OK(qz_artifact_verify(NULL, at("v.gguf"), &a, &t, err));
    assert_int_equal(t.n_rows, 3);
    for (size_t i = 0; i < 3; i++) assert_string_equal(qz_table_cell(&t, i, 1), "ok");
    size_t k = 0;
    while (b.plan.items[k].type != QZ_TYPE_Q8_0) k++;
    int fd = open(at("v.gguf"), O_RDWR);
    const uint8_t nan[2] = { 0x00, 0x7e };
    assert_int_equal(pwrite(fd, nan, 2, (off_t)b.plan.items[k].offset), 2); /* the scale of the first block */
    close(fd);
    assert_int_equal(qz_artifact_verify(NULL, at("v.gguf"), &a, &t, &e), QZ_ECHECK);
    assert_string_equal(qz_table_cell(&t, 0, 1), "FAILED");
    assert_string_equal(qz_table_cell(&t, 1, 1), "ok");
    assert_string_equal(qz_table_cell(&t, 2, 1), "FAILED");
    assert_non_null(strstr(qz_table_cell(&t, 2, 2), b.plan.items[k].out_name));
    e = (qz_error){0};
    assert_int_equal(truncate(at("v.gguf"), 5000), 0);
    assert_int_equal(qz_artifact_verify(NULL, at("v.gguf"), &a, &t, &e), QZ_ECHECK);
    assert_non_null(strstr(qz_table_cell(&t, 1, 2), "outside the file"));
    qz_arena_release(&a);
    drop(&b);
}

static void refusals(void **state) {
    (void)state;
    bench b;
    qz_error e = {0};
    qz_artifact_writer *w;
    qz_scheme_spec spec;
    make(&b, "tests/golden/zoo/llama", "Q8_0");
    write_all(&b, at("x.gguf"), 0);
    assert_int_equal(qz_artifact_writer_open(NULL, &b.plan, at("x.gguf"), 0, &w, &e), QZ_EUSAGE);
    assert_non_null(strstr(e.text, "output exists"));
    e = (qz_error){0};
    OK(qz_artifact_writer_open(NULL, &b.plan, at("y.gguf"), 0, &w, err));
    qz_folded wrong = { .name = "nobody", .rows = 1, .cols = 1 };
    assert_int_equal(qz_artifact_writer_put_folded(w, &wrong, &e), QZ_EBUG); /* out of order */
    e = (qz_error){0};
    assert_int_equal(qz_artifact_writer_commit(w, &e), QZ_EBUG); /* incomplete */
    qz_artifact_writer_discard(w);
    qz_artifact_writer_free(w);
    assert_false(qz_path_exists(at("y.gguf.partial")) || qz_path_exists(at("y.gguf.partial.journal")));
    /* a folder that is not ours is never replaced, even with FORCE */
    OK(qz_scheme_parse("awq:w4g64", &spec, err));
    OK(qz_artifact_plan_make(NULL, b.m, &spec, &b.ctx, &b.arena, &b.plan, err));
    OK(qz_make_dirs(at("home"), err));
    OK(qz_write_file(at("home/thesis.tex"), "x", 1, err));
    e = (qz_error){0};
    assert_int_equal(qz_artifact_writer_open(NULL, &b.plan, at("home"), QZ_WRITE_FORCE, &w, &e), QZ_EUSAGE);
    assert_true(qz_path_exists(at("home/thesis.tex")));
    /* groups that do not divide: the tensor is named and a way out is given */
    OK(qz_scheme_parse("awq", &spec, err));
    assert_int_equal(spec.group_size, 128);
    e = (qz_error){0};
    assert_int_equal(qz_artifact_plan_make(NULL, b.m, &spec, &b.ctx, &b.arena, &b.plan, &e), QZ_EUNSUPPORTED);
    assert_non_null(strstr(e.text, "model.layers.0.mlp.down_proj.weight"));
    assert_non_null(strstr(e.text, "awq:w4g64"));
    drop(&b);
}

/* float16 overflow is an error naming the element, never an infinity in the file */
static void range(void **state) {
    (void)state;
    bench b;
    qz_error e = {0};
    qz_artifact_writer *w;
    make(&b, "tests/golden/zoo/llama", "gguf:F16");
    OK(qz_artifact_writer_open(NULL, &b.plan, at("f.gguf"), 0, &w, err));
    while (b.plan.items[qz_artifact_writer_next(w)].type != QZ_TYPE_F16)
        OK(feed(w, qz_artifact_writer_next(w) + 1, err));
    const qz_artifact_item *it = &b.plan.items[qz_artifact_writer_next(w)];
    float *x = qz_calloc_array(it->rows * it->cols, sizeof *x);
    x[it->cols + 2] = 65519.9f; /* rounds to 65504 */
    x[it->cols + 3] = 70000.0f;
    qz_folded f = { it->name, it->rows, it->cols, x };
    assert_int_equal(qz_artifact_writer_put_folded(w, &f, &e), QZ_EUNSUPPORTED);
    assert_non_null(strstr(e.text, "row 1, column 3: found 70000"));
    qz_free(x);
    qz_artifact_writer_discard(w);
    qz_artifact_writer_free(w);
    drop(&b);
}

/* A norm that float16 cannot hold is refused by the plan, not after the last block; bitsandbytes keeps the
 * source's type. */
static void range_of_vectors(void **state) {
    (void)state;
    static const char *const schemes[] = { "awq:w4g32", "gptq:w4g32", "bnb:nf4" };
    static float values[64];
    for (size_t i = 0; i < 3; i++) {
        bench b;
        qz_error e = { 0 };
        make(&b, "tests/golden/zoo/qwen2", schemes[i]);
        qz_tensor_view v = *b.m->blocks[2].norm[QZ_NORM_FFN];
        assert_int_equal(v.cols, 64);
        values[7] = 65519.0f; /* rounds to 65504 */
        values[9] = -70000.0f;
        v.type = QZ_TYPE_F32;
        v.data = values;
        const qz_tensor_view *only[] = { &v };
        for (size_t k = 0; k < b.m->blocks[2].n_sites; k++)
            if (b.m->blocks[2].sites[k].site.kind == QZ_SITE_NORM && b.m->blocks[2].sites[k].site.part == QZ_NORM_FFN)
                b.m->blocks[2].sites[k].weight = only;
        qz_scheme_spec spec = b.plan.spec;
        qz_status st = qz_artifact_plan_make(NULL, b.m, &spec, &b.ctx, &b.arena, &b.plan, &e);
        assert_int_equal(st, i < 2 ? QZ_EUNSUPPORTED : QZ_OK);
        if (i < 2)
            assert_non_null(strstr(e.text, "model.layers.2.post_attention_layernorm.weight', element 9: found -70000"));
        drop(&b);
    }
}

static void specs(void **state) {
    (void)state;
    qz_scheme_spec s;
    static const struct { const char *text, *name; } good[] = {
        { "gguf", "gguf:Q4_K_M" }, { "gguf:q4_k", "gguf:Q4_K_M" }, { "Q5_k_s", "gguf:Q5_K_S" },
        { "GGUF:f16", "gguf:F16" }, { "awq", "awq:w4g128" }, { "AWQ:W4G64", "awq:w4g64" },
        { "gguf:Q4_K_M+pure", "gguf:Q4_K_M+pure" }, { "15", "gguf:Q4_K_M" },
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        OK(qz_scheme_parse(good[i].text, &s, err));
        assert_string_equal(s.name, good[i].name);
    }
    static const struct { const char *text, *hint; qz_status code; } bad[] = {
        { "gguf:Q4_K_X", "'gguf:Q4_K_", QZ_EUSAGE }, { "awk", "'awq'", QZ_EUSAGE },
        { "", "none is like it", QZ_EUSAGE },
        { "awq:w3g128", "4 bits only", QZ_EUSAGE }, { "awq:w4g100", "128, 64 or 32", QZ_EUSAGE },
        { "gguf:Q4_K_M+sym", "+pure", QZ_EUSAGE }, { "awq:w4g128x", "'awq:w4g128'", QZ_EUSAGE },
        { "gguf:IQ2_XT", "'gguf:IQ2_XS'", QZ_EUSAGE }, { "q9", "none is like it", QZ_EUSAGE },
        { "ct:w4a17", "'ct:w4a16'", QZ_EUSAGE }, { "gguf:33", "Q4_0_4_4", QZ_EUSAGE },
        { "awq:w4g-1", "whole rows", QZ_EUSAGE },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        qz_error e = {0};
        assert_int_equal(qz_scheme_parse(bad[i].text, &s, &e), bad[i].code);
        if (!strstr(e.text, bad[i].hint)) fail_msg("%s: %s", bad[i].text, e.text);
    }
    for (int k = 0; k < QZ_SCHEME_COUNT; k++) /* every level offered can be parsed */
        for (size_t i = 0; qz_scheme_level((qz_scheme)k, i); i++) {
            char text[64];
            snprintf(text, sizeof text, "%s:%s", qz_scheme_get((qz_scheme)k)->name, qz_scheme_level((qz_scheme)k, i));
            OK(qz_scheme_parse(text, &s, err));
            assert_string_equal(s.name, text);
        }
}

/* config.json of an AWQ folder: the quantization entry its runtimes look for, both spellings of the rope base. */
static void awq_config(void **state) {
    (void)state;
    bench b;
    make(&b, "tests/golden/zoo/llama", "awq:w4g64");
    json_t *root = NULL;
    for (size_t i = 0; i < b.plan.n_files; i++)
        if (strcmp(b.plan.files[i].name, "config.json") == 0)
            OK(qz_json_parse(b.plan.files[i].text, (size_t)b.plan.files[i].bytes, "config", &root, err));
    assert_non_null(root);
    json_t *q = json_object_get(root, "quantization_config"),
           *want = json_loads("{\"quant_method\":\"awq\",\"zero_point\":true,\"group_size\":64,\"bits\":4,"
                              "\"version\":\"gemm\",\"modules_to_not_convert\":null}",
                              0, NULL);
    assert_true(json_equal(q, want));
    assert_string_equal(json_string_value(json_object_get(root, "torch_dtype")), "float16");
    assert_string_equal(json_string_value(json_object_get(root, "dtype")), "float16");
    assert_true(json_real_value(json_object_get(root, "rope_theta")) == 10000.0);
    assert_true(json_real_value(json_object_get(root, "rms_norm_eps")) == 1e-5);
    json_decref(want);
    json_decref(root);
    drop(&b);
}

/* From a float32 GGUF (rows of q and k in the other order) every scheme gives the bytes it gives from
 * the checkpoint. */
static void conversion(void **state) {
    (void)state;
    static const char *const schemes[] = { "gguf:Q8_0", "awq:w4g32" }, *const names[] = { "c.gguf", "c" };
    bench b;
    char want[65], got[65], path[128], inner[160];
    make(&b, "tests/golden/zoo/llama", "gguf:F32");
    write_all(&b, at("src.gguf"), 0);
    drop(&b);
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        snprintf(inner, sizeof inner, "%s%s", path, i ? "/model.safetensors" : "");
        make(&b, "tests/golden/zoo/llama", schemes[i]);
        write_all(&b, path, 0);
        whole(inner, want);
        qz_scheme_spec spec = b.plan.spec;
        qz_model_free(b.m);
        OK(qz_artifact_open(NULL, at("src.gguf"), &b.m, err));
        assert_true(b.m->config.rope.interleaved);
        OK(qz_artifact_plan_make(NULL, b.m, &spec, &b.ctx, &b.arena, &b.plan, err));
        write_all(&b, path, QZ_WRITE_FORCE);
        whole(inner, got);
        assert_string_equal(want, got);
        drop(&b);
    }
}

static void same_ids(const qz_tokenizer *a, const qz_tokenizer *b) {
    static const char *const texts[] = { "Hello, world! 12345 äöü\n\n  x = y;",
                                         "<|im_start|>user\nTrès bien, 3 kg à Zürich<|im_end|>\n", "", " \t\r\n日本語 🙂" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        qz_ids x = {0}, y = {0};
        OK(qz_tokenizer_encode(a, texts[i], strlen(texts[i]), QZ_ENCODE_PARSE_SPECIAL | QZ_ENCODE_SPECIAL, &x, err));
        OK(qz_tokenizer_encode(b, texts[i], strlen(texts[i]), QZ_ENCODE_PARSE_SPECIAL | QZ_ENCODE_SPECIAL, &y, err));
        assert_int_equal(x.n, y.n);
        if (x.n) assert_memory_equal(x.ids, y.ids, x.n * sizeof *x.ids);
        qz_ids_release(&x);
        qz_ids_release(&y);
    }
    assert_int_equal(qz_tokenizer_bos(a), qz_tokenizer_bos(b));
    assert_int_equal(qz_tokenizer_eos(a), qz_tokenizer_eos(b));
    assert_string_equal(qz_tokenizer_chat_template(a), qz_tokenizer_chat_template(b));
}

/* The tokenizer and chat template of the bundled model live in every artifact; the config's ids as well. */
static void tokenizer(void **state) {
    (void)state;
    static const char *const schemes[] = { "gguf:Q8_0", "awq:w4g64" };
    qz_tokenizer *source, *t;
    OK(qz_artifact_tokenizer("models/market", &source, err));
    for (size_t i = 0; i < 2; i++) {
        bench b;
        qz_scheme_spec spec;
        qz_model *m;
        char path[128];
        make(&b, "models/market", schemes[i]);
        spec = b.plan.spec;
        b.ctx.tokenizer = source;
        OK(qz_artifact_plan_make(NULL, b.m, &spec, &b.ctx, &b.arena, &b.plan, err));
        snprintf(path, sizeof path, "%s/%s", dir, i ? "tok" : "tok.gguf");
        write_all(&b, path, 0);
        OK(qz_artifact_tokenizer(path, &t, err));
        assert_non_null(t);
        same_ids(source, t);
        qz_tokenizer_free(t);
        OK(qz_artifact_open(NULL, path, &m, err));
        assert_int_equal(m->config.n_eos, b.m->config.n_eos);
        assert_int_equal(m->config.eos_ids[0], b.m->config.eos_ids[0]);
        assert_int_equal(m->config.pad_id, b.m->config.pad_id);
        assert_string_equal(m->encoding, i ? "W4 g64 asym" : "Q8_0");
        assert_string_equal(m->contract, i ? "W4A16" : "W8A16");
        qz_model_free(m);
        drop(&b);
    }
    qz_tokenizer_free(source);
    OK(qz_artifact_tokenizer("tests/golden/zoo/llama", &t, err));
    assert_null(t); /* inputs are ids */
}

/* Unigram vocabularies through real files: scores, the normalization table and flags of blanks are keys, so that the
 * file without our own key is sentencepiece's; what llama.cpp does otherwise is a note. */
static void unigram(void **state) {
    (void)state;
    static const char *const sets[] = { "tests/golden/text/unigram-nfkc", "tests/golden/text/unigram" };
    static const char texts[][24] = { "Hello world", "  a  b ", "\xef\xac\x81 \xef\xbc\xa1",
                                      "\xe6\x97\xa5!", "x</s>y" };
    for (size_t i = 0; i < 2; i++) {
        qz_tokenizer *source, *read, *keys;
        bool pipeline = false;
        bench b;
        char path[128];
        OK(qz_artifact_tokenizer(sets[i], &source, err));
        make(&b, "models/market", "gguf:Q8_0");
        qz_scheme_spec spec = b.plan.spec;
        b.ctx.tokenizer = source;
        OK(qz_artifact_plan_make(NULL, b.m, &spec, &b.ctx, &b.arena, &b.plan, err));
        assert_int_equal(b.plan.n_notes, 1);
        assert_non_null(strstr(b.plan.notes[0], "as sentencepiece has it"));
        assert_int_equal(strstr(b.plan.notes[0], "in place of bytes") != NULL, i == 1);
        snprintf(path, sizeof path, "%s/unigram%zu.gguf", dir, i);
        write_all(&b, path, 0);
        drop(&b);
        OK(qz_artifact_tokenizer(path, &read, err));
        OK(qz_artifact_tokenizer_by_keys(path, &keys, &pipeline, err));
        assert_true(pipeline);
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
            qz_ids want = {0}, got = {0}, spm = {0};
            const unsigned flags = QZ_ENCODE_SPECIAL | QZ_ENCODE_PARSE_SPECIAL;
            OK(qz_tokenizer_encode(source, texts[k], strlen(texts[k]), flags, &want, err));
            OK(qz_tokenizer_encode(read, texts[k], strlen(texts[k]), flags, &got, err));
            OK(qz_tokenizer_encode(keys, texts[k], strlen(texts[k]), flags, &spm, err));
            assert_int_equal(want.n, got.n);
            assert_memory_equal(want.ids, got.ids, want.n * sizeof *want.ids);
            if (i == 1 && k == 1) assert_int_equal(spm.n, want.n + 1); /* one more mark before a leading blank */
            else assert_int_equal(spm.n, want.n);
            qz_ids_release(&want);
            qz_ids_release(&got);
            qz_ids_release(&spm);
        }
        qz_tokenizer_free(source);
        qz_tokenizer_free(read);
        qz_tokenizer_free(keys);
    }
}

/* What GGUF cannot say about a tokenizer is a note of the plan: the composition of Qwen's, not the prefix
 * space of Llama's. */
static void normalizers(void **state) {
    (void)state;
    static const struct { const char *json, *note; } cases[] = {
        { "{\"type\": \"NFC\"}", "normalizer NFC: text that is not in NFC gets other ids in llama.cpp" },
        {"{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFC\"}, {\"type\": \"Lowercase\"}]}",
         "normalizer NFC" },
        { "null", NULL },
    };
    char *text, path[128];
    size_t n;
    OK(qz_make_dirs(at("norm"), err));
    OK(qz_copy_file("models/market/tokenizer_config.json", at("norm/tokenizer_config.json"), err));
    OK(qz_read_file("models/market/tokenizer.json", 1 << 20, &text, &n, err));
    static const char from[] = "\"normalizer\": {\n    \"type\": \"NFC\"\n  }";
    char *cut = strstr(text, from);
    assert_non_null(cut);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bench b;
        qz_str s = {0};
        qz_tokenizer *t;
        qz_str_append(&s, text, (size_t)(cut - text));
        qz_str_printf(&s, "\"normalizer\": %s%s", cases[i].json, cut + strlen(from));
        snprintf(path, sizeof path, "%s", at("norm/tokenizer.json"));
        OK(qz_write_file(path, s.ptr, s.len, err));
        OK(qz_artifact_tokenizer(at("norm"), &t, err));
        make(&b, "models/market", "gguf:Q8_0");
        assert_int_equal(b.plan.n_notes, 0);
        qz_scheme_spec spec = b.plan.spec;
        b.ctx.tokenizer = t;
        b.ctx.forced_pre = "qwen2";
        OK(qz_artifact_plan_make(NULL, b.m, &spec, &b.ctx, &b.arena, &b.plan, err));
        assert_int_equal(b.plan.n_notes, cases[i].note ? 1 : 0);
        if (cases[i].note && !strstr(b.plan.notes[0], cases[i].note)) fail_msg("%s", b.plan.notes[0]);
        drop(&b);
        qz_tokenizer_free(t);
        qz_str_release(&s);
    }
    qz_free(text);
}

static int setup(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}
static int teardown(void **state) {
    (void)state;
    static const char *const inner[] = { "home", "r", "s", "t", "u", "norm", "s.partial", "tok", "c" };
    qz_error err = {0};
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
        if (qz_path_exists(at(inner[i]))) (void)qz_remove_tree(at(inner[i]), &err);
    if (qz_remove_tree(dir, &err) == QZ_OK) return 0;
    fprintf(stderr, "%s\n", err.text);
    return -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips), cmocka_unit_test(resumes), cmocka_unit_test(damaged_resume),
        cmocka_unit_test(verify), cmocka_unit_test(refusals), cmocka_unit_test(range),
        cmocka_unit_test(range_of_vectors), cmocka_unit_test(specs), cmocka_unit_test(awq_config),
        cmocka_unit_test(tokenizer), cmocka_unit_test(unigram),
        cmocka_unit_test(conversion), cmocka_unit_test(normalizers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
