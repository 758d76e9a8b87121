/* Statistics of models with experts. Each token goes to `used` experts, so summed over experts the moments of what gate
 * and up see are `used` times those of what the router sees: an identity that knows nothing of how tokens
 * are gathered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/bytes.h"
#include "base/size.h"
#include "calibrate/calibrate.h"
#include "calibrate/propagate.h"
#include "model/kinds.h"

enum { WINDOWS = 20, SEQ = 32, REF_WINDOWS = 24, REF_SEQ = 64 };
/* One: every token the same, so that all go the same way. Reference: the ids that the counts below were made with. */
typedef enum { VARIED, ONE, REFERENCE } data_kind;
typedef struct { qz_run run; qz_model *m; qz_engine *e; qz_stats s; char path[64], sha[65]; } rig;
static uint32_t ids[REF_WINDOWS * REF_SEQ];
static const qz_tokens windows = {.ids = ids, .windows = WINDOWS, .seq_len = SEQ};

static void must(qz_status st, const qz_error *err) {
    if (st != QZ_OK) fail_msg("%s", err->text);
}

static void calibrate(rig *r, const char *model, size_t threads, data_kind kind) {
    char dir[128];
    qz_error err = {0};
    for (uint32_t i = 0; i < WINDOWS * SEQ; i++) ids[i] = kind == ONE ? 7 : (i * i * 31 + i * 7) % 251;
    for (uint32_t i = 1; kind == REFERENCE && i <= REF_WINDOWS; i++)
        for (uint32_t k = 1; k <= REF_SEQ; k++) ids[(i - 1) * REF_SEQ + k - 1] = (i * i * 31 + k * k * 7 + i * k) % 256;
    (void)snprintf(dir, sizeof dir, "tests/golden/zoo/%s", model);
    (void)snprintf(r->path, sizeof r->path, "/tmp/quantz-calibrate-%ld.stats", (long)getpid());
    must(qz_run_init(&r->run, threads, &err), &err);
    must(qz_model_open(&r->run, dir, &r->m, &err), &err);
    must(qz_engine_open(&r->run, r->m, NULL, &r->e, &err), &err);
    const qz_calibration c = {.ids = ids, .windows = kind == REFERENCE ? REF_WINDOWS : WINDOWS,
                              .seq_len = kind == REFERENCE ? REF_SEQ : SEQ,
                              .about = {.data_sha = "d", .source_sha = "s", .reader = "r", .data_name = "n"}};
    must(qz_calibrate(&r->run, r->e, &c, r->path, &(bool){false}, &err), &err);
    must(qz_sha256_file_hex(r->path, r->sha, &err), &err);
    must(qz_stats_open(&r->s, r->path, &err), &err);
    must(qz_stats_check(&r->s, r->m, &err), &err);
}
/* What --accept let pass is read back; a file without it is as it was before the key. */
static void header_keeps_accepted(void **state) {
    (void)state;
    static const char *const lists[] = {NULL, "", "CAL-DUP (127 of 128 samples equal); CAL-RANK (21 \"rows\")"};
    qz_str head[3] = {{0}, {0}, {0}};
    qz_error err = {0};
    for (size_t i = 0; i < 3; i++) {
        char path[64];
        uint64_t offsets[8], total = 0;
        qz_stats s;
        const qz_stats_info info = {.in = {.layers = 1,
                                           .wide = {[QZ_WIDE_HIDDEN] = 2, [QZ_WIDE_HEADS] = 2, [QZ_WIDE_FFN] = 2},
                                           .kind = {[QZ_SUB_FFN] = {QZ_KIND_MLP}}},
                                    .tokens = 1,
                                    .accepted = lists[i]};
        must(qz_stats_header(&info, &head[i], offsets, &total, &err), &err);
        (void)snprintf(path, sizeof path, "/tmp/quantz-header-%ld.stats", (long)getpid());
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        assert_int_equal(fwrite(head[i].ptr, 1, head[i].len, f), head[i].len);
        for (uint64_t k = head[i].len; k < total; k++) (void)fputc(0, f);
        (void)fclose(f);
        must(qz_stats_open(&s, path, &err), &err);
        assert_string_equal(s.info.accepted, lists[i] ? lists[i] : "");
        qz_stats_release(&s);
        (void)unlink(path);
    }
    assert_string_equal(head[0].ptr + 16, head[1].ptr + 16);
    assert_null(strstr(head[0].ptr + 16, "accepted"));
    for (size_t i = 0; i < 3; i++) qz_str_release(&head[i]);
}

/* A file of a model with several kinds of layers says which is which; one of the usual kinds has no such keys. */
static void header_keeps_kinds(void **state) {
    (void)state;
    static const qz_config c = {.layers = 3, .hidden_size = 4, .intermediate_size = 6, .heads = 2, .kv_heads = 1,
                                .head_dim = 2, .experts = 2,
                                .experts_used = 1, .expert_width = 3, .shared_width = 5, .ffn = QZ_KIND_SHARED_EXPERTS,
                                .delta = {.k_heads = 1, .v_heads = 1, .k_dim = 2, .v_dim = 7, .taps = 4},
                                .layer_mixer = {QZ_KIND_DELTA, QZ_KIND_ATTENTION, QZ_KIND_DELTA},
                                .layer_dense = {0, 1, 0}};
    qz_stats_info info = {.tokens = 1};
    qz_input_widths_of(&c, &info.in);
    qz_str head = {0};
    qz_error err = {0};
    uint64_t offsets[32], total = 0;
    char path[64];
    qz_stats s;
    assert_in_range(qz_stats_sections(&info.in), 1, 32);
    must(qz_stats_header(&info, &head, offsets, &total, &err), &err);
    assert_non_null(strstr(head.ptr + 16, "\"delta_values\":7"));
    assert_non_null(strstr(head.ptr + 16, "\"mixers\":[\"gated delta net\",\"attention\",\"gated delta net\"]"));
    (void)snprintf(path, sizeof path, "/tmp/quantz-kinds-%ld.stats", (long)getpid());
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(head.ptr, 1, head.len, f), head.len);
    for (uint64_t k = head.len; k < total; k++) (void)fputc(0, f);
    (void)fclose(f);
    must(qz_stats_open(&s, path, &err), &err);
    assert_memory_equal(&s.info.in, &info.in, sizeof info.in);
    qz_stats_release(&s);
    (void)unlink(path);
    qz_str_release(&head);
}

static void done(rig *r) {
    qz_stats_release(&r->s);
    (void)unlink(r->path);
    qz_engine_free(r->e);
    qz_model_free(r->m);
    qz_run_release(&r->run);
}

static void moments_of_experts_sum_up(void **state) {
    (void)state;
    static const char *const models[] = {"mixtral", "qwen3_moe"};
    for (size_t m = 0; m < 2; m++) {
        rig r = {0};
        calibrate(&r, models[m], 2, VARIED);
        const qz_config *c = &r.m->config;
        for (size_t l = 0; l < c->layers; l++) {
            if (!qz_config_sparse(c, l)) {
                assert_int_equal(qz_stats_get(&r.s, l, qz_input_of(&r.s.info.in, l, QZ_MLP_DOWN, -1)).cols,
                                 c->intermediate_size);
                assert_int_equal(qz_stats_get(&r.s, l, qz_input_of(&r.s.info.in, l, QZ_MLP_DOWN, -1)).tokens,
                                 WINDOWS * SEQ);
                continue;
            }
            const qz_input_stats all = qz_stats_get(&r.s, l, qz_input_of(&r.s.info.in, l, QZ_MLP_GATE, -1));
            const size_t n = all.cols * (all.cols + 1) / 2;
            double *gram = qz_calloc_array(n, sizeof *gram), *sum_abs = qz_calloc_array(all.cols, sizeof *sum_abs);
            uint64_t tokens = 0;
            for (size_t x = 0; x < c->experts; x++) {
                const qz_input_stats in = qz_stats_get(&r.s, l, qz_input_of(&r.s.info.in, l, QZ_MLP_UP, (long)x)), 
                                     down = qz_stats_get(&r.s, l, qz_input_of(&r.s.info.in, l, QZ_MLP_DOWN, (long)x));
                assert_int_equal(in.cols, c->hidden_size);
                assert_int_equal(down.cols, c->expert_width);
                assert_int_equal(in.tokens, down.tokens);
                tokens += in.tokens;
                for (size_t i = 0; i < n; i++) gram[i] += (double)in.tokens * (double)in.gram[i];
                for (size_t k = 0; k < in.cols; k++) sum_abs[k] += (double)in.tokens * (double)in.mean_abs[k];
            }
            const double times = (double)c->experts_used * (double)all.tokens;
            assert_int_equal(tokens, c->experts_used * all.tokens);
            for (size_t i = 0; i < n; i++)
                if (fabs(gram[i] - times * (double)all.gram[i]) > 1e-4 * times)
                    fail_msg("layer %zu moment %zu: %g, expected %g", l, i, gram[i], times * (double)all.gram[i]);
            for (size_t k = 0; k < all.cols; k++)
                assert_true(fabs(sum_abs[k] - times * (double)all.mean_abs[k]) < 1e-4 * times);
            qz_free(gram);
            qz_free(sum_abs);
        }
        done(&r);
    }
}

/* As long as nothing is quantized both streams are the float model: an expert's sums are the statistics of the
 * calibration pass. */
static void check_experts(const rig *r, size_t layer, size_t g, const qz_pair_stats *p) {
    for (size_t x = 0; x < r->m->config.experts; x++) {
        const qz_input_widths *w = &r->s.info.in;
        const size_t first = qz_stage_input(w, layer, g).first;
        const qz_input_stats in = qz_stats_get(&r->s, layer, qz_input_of(w, layer, first, (long)x));
        const float *want = in.gram;
        assert_int_equal(in.cols, p->cols);
        assert_int_equal(in.tokens, p->expert_tokens[x]);
        for (size_t i = 0; i < in.cols; i++)
            for (size_t j = i; j < in.cols; j++, want++)
                if (fabs(p->expert_gram[x][i * in.cols + j] / (double)in.tokens - (double)*want) >
                    1e-5 + 1e-5 * fabs((double)*want))
                    fail_msg("layer %zu stage %zu expert %zu: %g, expected %g", layer, g, x,
                             p->expert_gram[x][i * in.cols + j] / (double)in.tokens, (double)*want);
    }
}
static void streams_of_experts_agree(void **state) {
    (void)state;
    for (int sequential = 0; sequential < 2; sequential++) {
        rig r = {0};
        qz_error err = {0};
        qz_propagate *p = NULL;
        calibrate(&r, "qwen3_moe", 2, VARIED);
        must(qz_propagate_open(&p, &r.run, r.m, &windows,
                               &(qz_propagate_options){.sequential = sequential, .differences = true}, &err),
             &err);
        for (size_t l = 0; l < r.m->config.layers; l++)
            for (size_t g = 0; g < qz_stages(&r.s.info.in, l); g++) {
                qz_pair_stats *s;
                must(qz_propagate_stage(p, l, g, NULL, &s, &err), &err);
                assert_int_equal(s->expert_gram != NULL, qz_config_sparse(&r.m->config, l)
                                 && qz_stage_input(&r.s.info.in, l, g).sub == QZ_SUB_FFN);
                if (s->expert_gram) check_experts(&r, l, g, s);
                else assert_int_equal(s->tokens[0] + s->tokens[1], WINDOWS * SEQ);
            }
        qz_propagate_free(p);
        done(&r);
    }
}

/* An expert's quantized weights reach the stream: with its down at 0 the next layer sees other values. */
static void weights_of_experts_count(void **state) {
    (void)state;
    rig r = {0};
    qz_error err = {0};
    double first[2] = {0};
    calibrate(&r, "mixtral", 1, VARIED);
    const qz_config *c = &r.m->config;
    float *zero = qz_calloc_array(c->hidden_size * c->expert_width, sizeof *zero);
    for (int changed = 0; changed < 2; changed++) {
        qz_propagate *p = NULL;
        qz_pair_stats *s;
        must(qz_propagate_open(&p, &r.run, r.m, &windows,
                               &(qz_propagate_options){.sequential = true, .differences = true}, &err),
             &err);
        for (size_t g = 0; g < qz_stages(&r.s.info.in, 0); g++) must(qz_propagate_stage(p, 0, g, NULL, &s, &err), &err);
        if (changed) must(qz_propagate_weights(p, QZ_MLP_DOWN, 2, zero, &err), &err);
        must(qz_propagate_stage(p, 1, 0, NULL, &s, &err), &err);
        first[changed] = s->gram[0][0];
        if (!changed)
            for (size_t i = 0; i < s->cols * s->cols; i++) assert_true(s->cross[0][i] == 0); /* nothing lost yet */
        qz_propagate_free(p);
    }
    assert_true(first[0] != first[1]);
    qz_free(zero);
    done(&r);
}

/* Inputs that servers round: what that loses is a difference of the streams, small in FP8; without a rule there is none
 * in the first layer. */
static void rounded_stream(void **state) {
    (void)state;
    static const qz_input_rounding fp8 = {.element = QZ_ELEMENT_E4M3, .bits = 8, .by = QZ_INPUT_TOKEN,
                                          .stored = QZ_SCALE_F32, .sym = true};
    rig r = {0};
    qz_error err = {0};
    double trace[2] = {0}, cross[2] = {0};
    calibrate(&r, "qwen2", 1, VARIED);
    for (int rounded = 0; rounded < 2; rounded++) {
        qz_propagate *p = NULL;
        qz_pair_stats *s;
        must(qz_propagate_open(&p, &r.run, r.m, &windows,
                               &(qz_propagate_options){.sequential = true, .differences = true, .rounds = rounded},
                               &err),
             &err);
        must(qz_propagate_stage(p, 0, 0, rounded ? &fp8 : NULL, &s, &err), &err);
        for (size_t h = 0; h < QZ_HALVES; h++)
            for (size_t i = 0; i < s->cols; i++)
                trace[rounded] += s->gram[h][i * s->cols + i], cross[rounded] += fabs(s->cross[h][i * s->cols + i]);
        qz_propagate_free(p);
    }
    assert_true(cross[0] == 0 && cross[1] > 0 && trace[0] != trace[1]);
    assert_true(fabs(trace[1] / trace[0] - 1) < 0.01 && cross[1] < 0.01 * trace[0]); /* steps of 1/16 of a value */
    done(&r);
}

/* transformers 5.24 (torch 2.15, float32): tokens of each expert from its router's scores, and the mean square of the
 * first column of what they bring. */
static void counts_equal_the_reference(void **state) {
    (void)state;
    static const struct { const char *model; size_t layer, experts; uint64_t tokens[8]; double square[8]; } want[] = {
        {"mixtral", 0, 4, {728, 791, 861, 692}, {0.77821, 0.8192, 0.90237, 0.86255}},
        {"mixtral", 1, 4, {668, 927, 858, 619}, {1.13097, 1.19522, 1.22159, 1.04503}},
        {"qwen3_moe", 0, 8, {520, 558, 500, 547, 522, 568, 701, 692},
         {0.40441, 0.40853, 0.43917, 0.46543, 0.51109, 0.45462, 0.42409, 0.49121}},
        {"qwen3_moe", 2, 8, {508, 558, 592, 466, 689, 565, 516, 714},
         {0.89685, 0.91515, 0.83323, 0.87536, 0.89554, 0.90381, 0.99374, 0.91147}}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        rig r = {0};
        calibrate(&r, want[i].model, 2, REFERENCE);
        assert_int_equal(r.m->config.experts, want[i].experts);
        for (size_t x = 0; x < want[i].experts; x++) {
            const qz_input_stats in = qz_stats_get(&r.s, want[i].layer,
                                                   qz_input_of(&r.s.info.in, want[i].layer, QZ_MLP_GATE, (long)x));
            assert_int_equal(in.tokens, want[i].tokens[x]);
            assert_true(fabs((double)in.gram[0] - want[i].square[x]) < 2e-5);
        }
        done(&r);
    }
}

static void threads_change_nothing(void **state) {
    (void)state;
    rig a = {0}, b = {0};
    calibrate(&a, "qwen3_moe", 1, VARIED);
    done(&a);
    calibrate(&b, "qwen3_moe", 3, VARIED);
    done(&b);
    assert_string_equal(a.sha, b.sha);
}

static void unseen_experts_have_no_tokens(void **state) {
    (void)state;
    rig r = {0};
    calibrate(&r, "mixtral", 1, ONE);
    for (size_t l = 0; l < r.m->config.layers; l++) {
        size_t unseen = 0;
        for (size_t x = 0; x < r.m->config.experts; x++) {
            const qz_input_stats in = qz_stats_get(&r.s, l, qz_input_of(&r.s.info.in, l, QZ_MLP_DOWN, (long)x));
            assert_true(in.tokens == 0 || in.tokens == WINDOWS * SEQ);
            unseen += in.tokens == 0;
            for (size_t k = 0; in.tokens == 0 && k < in.cols; k++)
                assert_true(in.max_abs[k] == 0 && in.mean_abs[k] == 0 && in.gram[k] == 0);
        }
        assert_int_equal(unseen, r.m->config.experts - r.m->config.experts_used);
    }
    done(&r);
}

/* A file that says more tokens for an expert than there were, and one of another model. */
static void lies_are_refused(void **state) {
    (void)state;
    rig r = {0};
    qz_error err = {0};
    qz_stats s;
    calibrate(&r, "mixtral", 1, VARIED);
    const qz_input_stats in = qz_stats_get(&r.s, 0, qz_input_of(&r.s.info.in, 0, QZ_MLP_DOWN, 3));
    const uint8_t *count = (const uint8_t *)(in.gram + in.cols * (in.cols + 1) / 2);
    assert_int_equal(qz_load_u64le(count), in.tokens);
    FILE *f = fopen(r.path, "r+b");
    assert_non_null(f);
    const uint64_t lie = WINDOWS * SEQ + 1;
    assert_int_equal(fseek(f, (long)(count - r.s.map.ptr), SEEK_SET), 0);
    assert_int_equal(fwrite(&lie, sizeof lie, 1, f), 1);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(qz_stats_open(&s, r.path, &err), QZ_EFORMAT);
    assert_non_null(strstr(err.text, "expected at most 640, found 641"));
    qz_model *other = NULL;
    err = (qz_error){0};
    must(qz_model_open(&r.run, "tests/golden/zoo/llama", &other, &err), &err);
    assert_int_equal(qz_stats_check(&r.s, other, &err), QZ_EUSAGE);
    qz_model_free(other);
    done(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(moments_of_experts_sum_up),
                                       cmocka_unit_test(counts_equal_the_reference),
                                       cmocka_unit_test(threads_change_nothing),
                                       cmocka_unit_test(streams_of_experts_agree),
                                       cmocka_unit_test(weights_of_experts_count), cmocka_unit_test(rounded_stream),
                                       cmocka_unit_test(unseen_experts_have_no_tokens),
                                           cmocka_unit_test(lies_are_refused),
                                       cmocka_unit_test(header_keeps_accepted), cmocka_unit_test(header_keeps_kinds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
