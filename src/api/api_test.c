/* libquantz from inside: figures and bytes equal the program's (its binary is run beside it: QUANTZ, set by CMake),
 * defaults and ranges equal the program's option rows, structs of older and newer callers, every way to fail with its
 * line. Outside truth: the program, which the tests of tests/cli and tests/interop check; greedy ids of golden.json
 * (transformers). */
#include "api/fields.h"
#include "base/io.h"
#include "base/json.h"
#include "base/size.h"
#include "cli/options.h"
#include "quantz.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#define ZOO "tests/golden/zoo/qwen3"
#define MARKET "models/market"

/* Version 1 of the interface: these figures never change, later versions only append. */
_Static_assert(sizeof(quantz_options) == 48 && sizeof(quantz_run_options) == 96 &&
                   sizeof(quantz_evaluate_options) == 96,
               "layout");
_Static_assert(offsetof(quantz_quantize_options, reserved) == 148 && sizeof(quantz_quantize_options) == 152, "layout");
_Static_assert(sizeof(quantz_artifact) == 144 && sizeof(quantz_answer) == 48 && sizeof(quantz_evaluation) == 432,
               "layout");

typedef struct {
    quantz_context *q;
    char dir[64], path[128], ids[128];
    char last_line[1024];
    size_t lines, warnings, steps, finished;
    bool saw_scheme;
} fixture;

static void on_log(void *user, int warning, const char *line) {
    fixture *f = user;
    f->lines++;
    f->warnings += warning != 0;
    (void)snprintf(f->last_line, sizeof f->last_line, "%s", line);
}
static void on_progress(void *user, const char *stage, uint64_t done, uint64_t total, const char *unit) {
    fixture *f = user;
    assert_true(*stage && *unit && done <= total);
    f->steps++;
    f->finished += done == total;
    f->saw_scheme |= strcmp(stage, "gguf:Q4_0") == 0 && strcmp(unit, "tensors") == 0 && done == total;
}
#define OK(f, expr)                                                                    \
    do {                                                                               \
        if ((expr) != QUANTZ_OK) fail_msg("%s", quantz_error((f)->q));                 \
        assert_string_equal(quantz_error((f)->q), "");                                 \
    } while (0)
/* status and two parts of the line */
#define FAILS(f, expr, status, a, b)                                              \
    do {                                                                          \
        assert_int_equal(expr, status);                                           \
        if (!strstr(quantz_error((f)->q), a) || !strstr(quantz_error((f)->q), b)) \
            fail_msg("%s", quantz_error((f)->q));                                 \
    } while (0)

static const char *path(fixture *f, const char *name) {
    (void)snprintf(f->path, sizeof f->path, "%s/%s", f->dir, name);
    return f->path;
}

static int setup(void **state) {
    static fixture f;
    quantz_options o;
    qz_str ids = {0};
    qz_error err = {0};
    f = (fixture){.dir = "/tmp/quantz-api-XXXXXX"};
    if (mkdtemp(f.dir) == NULL) return -1;
    (void)snprintf(f.ids, sizeof f.ids, "%s/ids.jsonl", f.dir);
    for (int i = 1; i <= 16; i++) { /* the zoo has no tokenizer: data are ids (tests/cli/ids.sh) */
        for (int k = 1; k <= 64; k++)
            qz_str_printf(&ids, "%s%d", k == 1 ? "{\"ids\":[" : ",", (i * i * 31 + k * k * 7 + i * k) % 256);
        qz_str_puts(&ids, "]}\n");
    }
    if (qz_write_file(f.ids, ids.ptr, ids.len, &err) != QZ_OK) return -1;
    qz_str_release(&ids);
    quantz_defaults(&o, sizeof o);
    o.threads = 1;
    o.log = on_log;
    o.progress = on_progress;
    o.user = &f;
    *state = &f;
    return quantz_open(&o, &f.q) == QUANTZ_OK ? 0 : -1;
}
static int teardown(void **state) {
    fixture *f = *state;
    qz_error err = {0};
    quantz_close(f->q);
    if (qz_remove_tree(path(f, "api-gptq"), &err) != QZ_OK || qz_remove_tree(path(f, "cli-gptq"), &err) != QZ_OK)
        return -1;
    return qz_remove_tree(f->dir, &err) == QZ_OK ? 0 : -1;
}
/* The program's standard output; it must succeed. */
static char *program(const char *fmt, ...) QZ_PRINTF(1, 2);
static char *program(const char *fmt, ...) {
    static const char *fallback = "build/release/quantz";
    qz_str cmd = {0}, out = {0};
    char buf[4096];
    va_list ap;
    qz_str_printf(&cmd, "%s ", getenv("QUANTZ") ? getenv("QUANTZ") : fallback);
    va_start(ap, fmt);
    qz_str_vprintf(&cmd, fmt, ap);
    va_end(ap);
    qz_str_puts(&cmd, " -q -t 1");
    FILE *p = popen(cmd.ptr, "r");
    assert_non_null(p);
    qz_str_puts(&out, "");
    for (size_t n; (n = fread(buf, 1, sizeof buf, p)) > 0;) qz_str_append(&out, buf, n);
    if (pclose(p) != 0) fail_msg("%s", cmd.ptr);
    qz_str_release(&cmd);
    return out.ptr;
}
static void same_file(const char *a, const char *b) {
    char *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    qz_error err = {0};
    if (qz_read_file(a, 64 << 20, &x, &n, &err) != QZ_OK || qz_read_file(b, 64 << 20, &y, &m, &err) != QZ_OK)
        fail_msg("%s", err.text);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    qz_free(x);
    qz_free(y);
}

static void test_rows_equal_the_programs(void **state) {
    const struct { const qz_fields *f; const char *verb; } all[] = {{&qz_fields_quantize, "quantize"},
                                                                    {&qz_fields_run, "run"},
                                                                    {&qz_fields_evaluate, "eval"}};
    static const qz_option_kind kinds[] = {[QZ_FIELD_FLAG] = QZ_OPT_FLAG,
                                           [QZ_FIELD_TEXT] = QZ_OPT_TEXT,
                                           [QZ_FIELD_COUNT] = QZ_OPT_COUNT,
                                           [QZ_FIELD_REAL] = QZ_OPT_REAL};
    (void)state;
    for (size_t v = 0; v < 3; v++)
        for (size_t i = 0; i < all[v].f->n; i++) {
            const qz_field *x = &all[v].f->rows[i];
            const qz_verb *verb = qz_verb_find(all[v].verb);
            const qz_option *o = NULL;
            for (size_t k = 0; k < verb->n_options; k++)
                if (strcmp(verb->options[k].name, x->option) == 0) o = &verb->options[k];
            if (o == NULL) fail_msg("quantz %s has no option --%s for the field '%s'", verb->name, x->option, x->name);
            if (o->offset != x->to || o->kind != kinds[x->kind])
                fail_msg("'%s' and --%s fill other fields", x->name, o->name);
            if (x->kind == QZ_FIELD_TEXT
                    ? (x->text && o->fallback ? strcmp(x->text, o->fallback) != 0 : x->text != o->fallback)
                    : x->number != (o->fallback == NULL                ? 0.0
                                    : strcmp(o->fallback, "auto") == 0 ? (double)QZ_COUNT_AUTO
                                                                       : strtod(o->fallback, NULL)))
                fail_msg("'%s' and --%s have other defaults", x->name, o->name);
            if (x->min != o->min || x->max != o->max) fail_msg("'%s' and --%s have other ranges", x->name, o->name);
        }
}

static void test_inspect(void **state) {
    fixture *f = *state;
    quantz_model *m;
    char *json, *expected = program("inspect %s --json", MARKET);
    OK(f, quantz_model_open(f->q, MARKET, &m));
    OK(f, quantz_inspect(m, &json));
    assert_string_equal(json, expected);
    json_t *root;
    qz_error err = {0};
    assert_int_equal(qz_json_parse(json, strlen(json), "inspect", &root, &err), QZ_OK);
    assert_int_equal(json_integer_value(json_object_get(root, "weights")), 5771264); /* models/market/README.md */
    json_decref(root);
    FAILS(f, quantz_inspect(m, NULL), QUANTZ_EUSAGE, "no place", "");
    quantz_free(json);
    free(expected);
    quantz_model_close(m);
}

static void test_quantize_gguf(void **state) {
    fixture *f = *state;
    quantz_quantize_options o;
    quantz_artifact a = {.size = sizeof a};
    char cli[128], out[128];
    (void)snprintf(out, sizeof out, "%s", path(f, "api.gguf"));
    (void)snprintf(cli, sizeof cli, "%s", path(f, "cli.gguf"));
    char *text = program("quantize %s --to Q4_0 -o %s", ZOO, cli);
    quantz_quantize_defaults(&o, sizeof o);
    o.scheme = "Q4_0";
    o.output = out;
    f->steps = f->warnings = 0;
    OK(f, quantz_quantize(f->q, ZOO, &o, &a));
    same_file(out, cli);
    uint64_t size;
    assert_int_equal(qz_file_size(out, &size, NULL), QZ_OK);
    assert_int_equal(a.bytes, size);
    assert_string_equal(a.scheme, "gguf:Q4_0");
    assert_true(a.bits_per_weight > 4.5 && a.bits_per_weight < 17 && a.weight_mse > 0 && a.proof_tokens > 0 &&
                a.proof_kl >= 0);
    assert_true(f->finished > 1 && f->saw_scheme);
    assert_int_equal(f->warnings, 1); /* the embedding's type does not fit */
    assert_int_equal(a.fallbacks, 1);
    FAILS(f, quantz_quantize(f->q, ZOO, &o, &a), QUANTZ_EUSAGE, "output exists", out);
    o.force = 1;
    OK(f, quantz_quantize(f->q, ZOO, &o, NULL));
    same_file(out, cli);
    free(text);
}

static void test_quantize_gptq(void **state) {
    fixture *f = *state;
    quantz_quantize_options o;
    quantz_artifact a = {.size = sizeof a};
    char out[128], x[192], y[192];
    (void)snprintf(out, sizeof out, "%s", path(f, "api-gptq"));
    char *text = program("quantize %s --to gptq:w4g32 --calib %s --seq-len 64 --samples 8 -o %s/cli-gptq", ZOO, f->ids,
                         f->dir);
    quantz_quantize_defaults(&o, sizeof o);
    o.scheme = "gptq:w4g32";
    o.output = out;
    FAILS(f, quantz_quantize(f->q, ZOO, &o, &a), QUANTZ_EUSAGE, "calib", "");
    o.calibration = f->ids;
    o.seq_len = 64;
    o.samples = 8;
    OK(f, quantz_quantize(f->q, ZOO, &o, &a));
    assert_string_equal(a.scheme, "gptq:w4g32");
    static const char *const files[] = {"model.safetensors", "config.json", "quantz-manifest.json"};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(x, sizeof x, "%s/%s", out, files[i]);
        (void)snprintf(y, sizeof y, "%s/cli-gptq/%s", f->dir, files[i]);
        same_file(x, y);
    }
    free(text);
}

typedef struct { qz_str text; size_t calls, stop_after; } heard;
static int on_text(void *user, const char *text, size_t n) {
    heard *h = user;
    assert_int_equal(text[n], 0);
    qz_str_append(&h->text, text, n);
    return ++h->calls == h->stop_after;
}

/* golden.json: greedy continuation by transformers. */
static void test_run_golden(void **state) {
    fixture *f = *state;
    quantz_model *m;
    quantz_run_options o;
    quantz_answer a = {.size = sizeof a};
    json_t *root;
    qz_error err = {0};
    qz_str prompt = {0}, expected = {0};
    heard h = {0};
    if (qz_json_load(ZOO "/golden.json", 1 << 20, &root, &err) != QZ_OK) fail_msg("%s", err.text);
    const json_t *seq = json_array_get(json_object_get(root, "sequences"), 0), *in = json_object_get(seq, "input_ids"),
                 *out = json_object_get(seq, "greedy16");
    assert_true(json_array_size(in) > 0 && json_array_size(out) > 0);
    for (size_t i = 0; i < json_array_size(in); i++)
        qz_str_printf(&prompt, "%lld ", json_integer_value(json_array_get(in, i)));
    for (size_t i = 0; i < json_array_size(out); i++)
        qz_str_printf(&expected, "%s%lld", i ? " " : "", json_integer_value(json_array_get(out, i)));
    quantz_run_defaults(&o, sizeof o);
    o.arith = "exact";
    o.max_new = json_array_size(out);
    OK(f, quantz_model_open(f->q, ZOO, &m));
    OK(f, quantz_run(m, prompt.ptr, &o, on_text, &h, &a));
    assert_string_equal(h.text.ptr, expected.ptr);
    assert_int_equal(a.prompt_tokens, json_array_size(in));
    assert_int_equal(a.new_tokens, json_array_size(out));
    assert_int_equal(a.stopped, 0);
    quantz_model_close(m);
    qz_str_release(&prompt);
    qz_str_release(&expected);
    qz_str_release(&h.text);
    json_decref(root);
}

static void test_run_chat(void **state) {
    fixture *f = *state;
    quantz_model *m;
    quantz_run_options o;
    quantz_answer a = {.size = sizeof a};
    heard h = {0};
    char *expected = program("run %s -p 'Convert temperature. 75 F'", MARKET),
         *warm = program("run %s -p 75 --temperature 0.8 --top-k 20 --seed 7 -n 12", MARKET);
    OK(f, quantz_model_open(f->q, MARKET, &m));
    OK(f, quantz_run(m, "Convert temperature. 75 F", NULL, on_text, &h, &a));
    qz_str_putc(&h.text, '\n'); /* the program ends its line */
    assert_string_equal(h.text.ptr, expected);
    assert_int_equal(a.stopped, 1);
    assert_true(a.first_token_seconds > 0 && a.new_tokens > 1);
    qz_str_clear(&h.text); /* the same model again, other settings: the engine is kept */
    quantz_run_defaults(&o, sizeof o);
    o.temperature = 0.8;
    o.top_k = 20;
    o.seed = 7;
    o.max_new = 12;
    OK(f, quantz_run(m, "75", &o, on_text, &h, NULL));
    qz_str_putc(&h.text, '\n');
    assert_string_equal(h.text.ptr, warm);
    h.calls = 0, h.stop_after = 2;
    OK(f, quantz_run(m, "Convert temperature. 75 F", NULL, on_text, &h, &a));
    assert_int_equal(h.calls, 2);
    assert_int_equal(a.stopped, 0);
    /* text, not standard input */
    OK(f,
       quantz_run(m, "-",
                  &(quantz_run_options){.size = sizeof o, .max_new = 1, .ctx = 64, .top_p = 1, .repetition_penalty = 1},
                  NULL, NULL, &a));
    o.ctx = 8;
    FAILS(f, quantz_run(m, "one two three four five six seven eight nine", &o, NULL, NULL, NULL), QUANTZ_EUSAGE,
          "does not fit", "8");
    FAILS(f, quantz_run(m, "\xff\xfe", NULL, NULL, NULL, NULL), QUANTZ_EUSAGE, "UTF-8", "");
    FAILS(f, quantz_run(m, NULL, NULL, NULL, NULL, NULL), QUANTZ_EUSAGE, "no prompt", "");
    quantz_model_close(m);
    qz_str_release(&h.text);
    free(expected);
    free(warm);
}

static void test_evaluate(void **state) {
    fixture *f = *state;
    quantz_evaluate_options o;
    quantz_evaluation e = {.size = sizeof e};
    char out[128], *json;
    (void)snprintf(out, sizeof out, "%s", path(f, "eval.gguf"));
    free(program("quantize %s --to Q8_0 -o %s", ZOO, out));
    char *expected = program("eval %s --against %s --text %s --json", out, ZOO, f->ids);
    quantz_evaluate_defaults(&o, sizeof o);
    o.text = f->ids;
    o.against = ZOO;
    OK(f, quantz_evaluate(f->q, out, &o, &e, &json));
    assert_string_equal(json, expected);
    json_t *root;
    qz_error err = {0};
    assert_int_equal(qz_json_parse(json, strlen(json), "eval", &root, &err), QZ_OK);
    const json_t *source = json_array_get(json_object_get(root, "rows"), 0),
                 *row = json_array_get(json_object_get(root, "rows"), 1);
    const struct { const char *key; double value; } same[] = {{"ppl", e.perplexity}, {"ppl_low", e.perplexity_low},
                                                              {"ppl_high", e.perplexity_high},
        {"dppl_pct", e.perplexity_change_pct}, {"kl", e.kl}, {"kl_low", e.kl_low}, {"kl_high", e.kl_high},
        {"kl_median", e.kl_median}, {"kl_p99", e.kl_p99}, {"kl_p999", e.kl_p999}, {"kl_max", e.kl_max},
        {"top1_pct", e.same_top_pct}, {"rms_dp_pct", e.rms_probability_pct}, {"tokens_scored", (double)e.scored}};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) /* 9 significant digits, also of a KL of 1e-6 */
        if (fabs(json_number_value(json_object_get(row, same[i].key)) - same[i].value) > 1e-8 * fabs(same[i].value))
            fail_msg("%s: %g", same[i].key, same[i].value);
    assert_true(fabs(json_number_value(json_object_get(source, "ppl")) - e.source_perplexity) <
                1e-8 * e.source_perplexity);
    assert_int_equal(e.scored, 16 * 63);
    assert_true(e.kl > 0 && e.tasks == 0 && isnan(e.mcnemar_p) && isnan(e.tasks_low_pct));
    assert_non_null(strstr(e.protocol, "samples"));
    assert_int_equal(strlen(e.token_hash), 64);
    json_decref(root);
    quantz_free(json);
    o.against = NULL;
    OK(f, quantz_evaluate(f->q, ZOO, &o, &e, NULL));
    assert_true(isnan(e.kl) && isnan(e.source_perplexity) && e.perplexity > 1);
    o.text = NULL;
    FAILS(f, quantz_evaluate(f->q, ZOO, &o, &e, NULL), QUANTZ_EUSAGE, "nothing to evaluate", "");
    o.text = "no/such/text";
    FAILS(f, quantz_evaluate(f->q, ZOO, &o, &e, &json), QUANTZ_EIO, "no/such/text", "");
    assert_null(json);
    free(expected);
}

static void test_errors(void **state) {
    fixture *f = *state;
    quantz_quantize_options o;
    quantz_model *m = (quantz_model *)1;
    FAILS(f, quantz_model_open(f->q, "no/such/model", &m), QUANTZ_EUSAGE, "no/such/model", "");
    assert_null(m);
    FAILS(f, quantz_model_open(f->q, NULL, &m), QUANTZ_EUSAGE, "path", "missing");
    FAILS(f, quantz_model_open(f->q, "Makefile", &m), QUANTZ_EFORMAT, "Makefile", "");
    quantz_quantize_defaults(&o, sizeof o);
    FAILS(f, quantz_quantize(f->q, ZOO, &o, NULL), QUANTZ_EUSAGE, "scheme", "missing");
    FAILS(f, quantz_quantize(f->q, ZOO, NULL, NULL), QUANTZ_EUSAGE, "scheme", "missing");
    o.scheme = "gguf:Q9_9";
    FAILS(f, quantz_quantize(f->q, ZOO, &o, NULL), QUANTZ_EUSAGE, "output", "missing");
    o.output = path(f, "never.gguf");
    FAILS(f, quantz_quantize(f->q, ZOO, &o, NULL), QUANTZ_EUSAGE, "Q9_9", "");
    o.scheme = "Q8_0";
    FAILS(f, quantz_quantize(f->q, "no/such/model", &o, NULL), QUANTZ_EUSAGE, "no/such/model", "");
    o.search = "fast";
    FAILS(f, quantz_quantize(f->q, ZOO, &o, NULL), QUANTZ_EUSAGE, "fast", "best");
    o.search = NULL; /* the default */
    o.damp = (double)NAN;
    FAILS(f, quantz_quantize(f->q, ZOO, &o, NULL), QUANTZ_EUSAGE, "'damp'", "0.0001 to 1");
    o.damp = 0.01;
    o.seq_len = 0;
    FAILS(f, quantz_quantize(f->q, ZOO, &o, NULL), QUANTZ_EUSAGE, "'seq_len'", "8 to 131072");
    o.seq_len = 512;
    o.engine = "vllm";
    FAILS(f, quantz_quantize(f->q, ZOO, &o, NULL), QUANTZ_EUNSUPPORTED, "vLLM", "");
    o.engine = NULL;
    assert_false(qz_path_exists(path(f, "never.gguf")));
    o.output = "/proc/never/out.gguf";
    FAILS(f, quantz_quantize(f->q, ZOO, &o, NULL), QUANTZ_EIO, "/proc/never", "");
    o.output = path(f, "works.gguf");
    OK(f, quantz_quantize(f->q, ZOO, &o, NULL)); /* and the context still works */
    assert_int_equal(quantz_quantize(NULL, ZOO, &o, NULL), QUANTZ_EUSAGE);
    assert_int_equal(quantz_inspect(NULL, NULL), QUANTZ_EUSAGE);
    assert_true(*quantz_error(NULL));
    assert_string_equal(quantz_status_name(QUANTZ_EIO), "io");
    quantz_model_close(NULL);
    quantz_close(NULL);
    quantz_free(NULL);
}

static void test_open(void **state) {
    quantz_options o;
    quantz_context *q;
    quantz_model *m;
    (void)state;
    assert_int_equal(quantz_open(NULL, &q), QUANTZ_OK);
    quantz_close(q);
    quantz_defaults(&o, sizeof o);
    o.cpu = "mmx";
    assert_int_equal(quantz_open(&o, &q), QUANTZ_EUSAGE);
    assert_non_null(strstr(quantz_error(q), "mmx"));
    assert_int_equal(quantz_model_open(q, ZOO, &m), QUANTZ_EUSAGE);
    assert_non_null(strstr(quantz_error(q), "not opened"));
    quantz_close(q);
    o.cpu = "ref";
    o.threads = 2;
    assert_int_equal(quantz_open(&o, &q), QUANTZ_OK);
    quantz_close(q);
    o.threads = 5000;
    assert_int_equal(quantz_open(&o, &q), QUANTZ_EUSAGE);
    quantz_close(q);
    assert_int_equal(quantz_open(&o, NULL), QUANTZ_EUSAGE);
    qz_alloc_fail_after(1);
    assert_int_equal(quantz_open(NULL, &q), QUANTZ_EMEMORY);
    assert_null(q);
    qz_alloc_fail_after(2);
    assert_int_equal(quantz_open(NULL, &q), QUANTZ_EMEMORY);
    qz_alloc_fail_after(0);
    quantz_close(q);
}

/* A caller compiled against an older or newer header. */
static void test_sizes(void **state) {
    fixture *f = *state;
    struct { quantz_quantize_options o; uint64_t later; } newer = {0};
    struct { quantz_artifact a; uint64_t later; } result = {0};
    union { quantz_artifact a; char bytes[sizeof(quantz_artifact)]; } small;
    quantz_quantize_defaults(&newer.o, sizeof newer);
    assert_int_equal(newer.o.size, sizeof newer);
    assert_int_equal(newer.later, 0);
    assert_int_equal(newer.o.samples, 128);
    newer.o.scheme = "Q8_0";
    newer.o.output = path(f, "sizes.gguf");
    newer.later = 1;
    FAILS(f, quantz_quantize(f->q, ZOO, &newer.o, NULL), QUANTZ_EUSAGE, "does not know", "older");
    newer.later = 0;
    result.a.size = sizeof result;
    result.later = 7;
    OK(f, quantz_quantize(f->q, ZOO, &newer.o, &result.a));
    assert_true(result.a.size == sizeof result && result.later == 0 && result.a.bytes > 0);
    memset(small.bytes, 0x5a, sizeof small.bytes);
    small.a.size = offsetof(quantz_artifact, seconds); /* nothing behind it is touched */
    newer.o.force = 1;
    OK(f, quantz_quantize(f->q, ZOO, &newer.o, &small.a));
    assert_int_equal(small.a.bytes, result.a.bytes);
    for (size_t i = offsetof(quantz_artifact, seconds); i < sizeof small.bytes; i++)
        assert_int_equal(small.bytes[i], 0x5a);
    small.a.size = 0;
    FAILS(f, quantz_quantize(f->q, ZOO, &newer.o, &small.a), QUANTZ_EUSAGE, "quantz_artifact", "size");
    newer.o.size = 0;
    FAILS(f, quantz_quantize(f->q, ZOO, &newer.o, NULL), QUANTZ_EUSAGE, "quantz_quantize_defaults", "found 0");
    quantz_quantize_defaults(NULL, 100);
    quantz_quantize_defaults(&newer.o, 4);
}

/* Rule 17: whatever allocation fails, the call says so and the context works afterwards. */
static void test_no_memory(void **state) {
    fixture *f = *state;
    quantz_model *m;
    size_t n = 1;
    for (quantz_status st = QUANTZ_EMEMORY; st != QUANTZ_OK; n++) {
        qz_alloc_fail_after((long)n);
        st = quantz_model_open(f->q, ZOO, &m);
        qz_alloc_fail_after(0);
        if (st != QUANTZ_OK && (m != NULL || *quantz_error(f->q) == 0)) fail_msg("allocation %zu: no line", n);
        assert_true(n < 100000);
    }
    assert_true(n > 10);
    quantz_model_close(m);
}

static void test_log(void **state) {
    fixture *f = *state;
    quantz_model *m;
    OK(f, quantz_model_open(f->q, ZOO, &m));
    f->lines = 0;
    OK(f, quantz_run(m, "1 2 3",
                     &(quantz_run_options){.size = sizeof(quantz_run_options),
                                           .max_new = 1,
                                           .ctx = 64,
                                           .top_p = 1,
                                           .repetition_penalty = 1},
                     NULL, NULL, NULL));
    assert_true(f->lines > 0 && f->steps > 0);
    assert_non_null(strstr(f->last_line, "read as token ids"));
    quantz_model_close(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_equal_the_programs), cmocka_unit_test(test_inspect),
        cmocka_unit_test(test_quantize_gguf), cmocka_unit_test(test_quantize_gptq), cmocka_unit_test(test_run_golden),
        cmocka_unit_test(test_run_chat), cmocka_unit_test(test_evaluate), cmocka_unit_test(test_errors),
        cmocka_unit_test(test_open), cmocka_unit_test(test_sizes), cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_log),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
