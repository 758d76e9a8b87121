/* Worked examples of memory and speed, through the functions that `plan` calls. */
#include "base/size.h"
#include "explain/explain.h"
#include "report/fit.h"
#include "base/json.h"
#include "gate/gate.h"
#include "plan/job.h"
#include "plan/memory.h"
#include "plan/roofline.h"
#include "plan/split.h"
#include <stdio.h>
#include <string.h>

static double gb(uint64_t b) { return (double)b / 1e9; }

qz_status qz_explain_memory(qz_explained *x) {
    static const double bits[] = {16, 8, 4, 3}, sizes[] = {70, 7};
    qz_explain_say(x, "weights in GB (10^9 bytes) = billions of parameters x bits / 8");
    QZ_TRY(qz_explain_table(x, "ideal: codes alone", "Parameters<|16 bits GB>|8 bits GB>|4 bits GB>|3 bits GB>"));
    for (size_t i = 0; i < 2; i++)
        QZ_TRY(qz_explain_row(x, "%.0f billion|%.1f|%.1f|%.1f|%.*f", sizes[i], sizes[i] * bits[0] / 8,
                              sizes[i] * bits[1] / 8, sizes[i] * bits[2] / 8, i ? 3 : 1, sizes[i] * bits[3] / 8));
    double codes = 70e9 * 4 / 8, scales = 70e9 / 128 * 2, zeros = 70e9 / 128 / 2;
    qz_explain_say(x,
                   "70 billion in 4 bits: %.2f GB of codes, scales 70e9/128 x 2 B = %.2f GB (%.5f), 4-bit zero points "
                   "%.2f GB: %.2f GB",
                   codes / 1e9, scales / 1e9, scales / 1e9, zeros / 1e9, (codes + scales + zeros) / 1e9);
    qz_explain_say(x, "a card of 8 GB with 20 %% kept free: %.1f GB usable", 8 * 0.8);
    qz_explain_say(x, "GB is 10^9 bytes, GiB 2^30: a 7B at 4 bits is 3.5 GB = %.2f GiB", 3.5e9 / 1073741824.0);
    QZ_TRY(qz_explain_table(x, "real files: embeddings, head and mixes count",
                            "Model<|BF16 GB>|AWQ g128 GB>|Q4_K_M GB>|Q4_K_M bits/weight>|Smaller by AWQ>"));
    static const char *const models[] = {"qwen3-4b", "llama-2-7b", "llama-3-8b", "llama-2-13b", "llama-3-70b"};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        qz_shape *s = NULL;
        qz_weighed f = {0}, a = {0}, q = {0};
        QZ_TRY(qz_shape_builtin(models[i], &s, x->err));
        qz_status st = qz_level_weigh(s, QZ_LEVEL_BF16, false, NULL, &f, x->err);
        if (st == QZ_OK) st = qz_level_weigh(s, QZ_LEVEL_AWQ_G128, false, NULL, &a, x->err);
        if (st == QZ_OK) st = qz_level_weigh(s, QZ_LEVEL_GGUF_Q4_K_M, false, NULL, &q, x->err);
        if (st == QZ_OK)
            st = qz_explain_row(x, "%s|%.3f|%.3f|%.3f|%.4f|%.2fx", s->name, gb(f.bytes), gb(a.bytes), gb(q.bytes),
                                q.bpw, (double)f.bytes / (double)a.bytes);
        qz_shape_free(s);
        QZ_TRY(st);
    }
    return QZ_OK;
}

qz_status qz_explain_kv(qz_explained *x) {
    static const char *const models[] = {"llama-2-7b", "llama-2-13b", "llama-3-8b", "llama-3-70b", "qwen3-4b",
                                         "gemma-3-27b", "deepseek-v3"};
    static const qz_kv_types f16 = {QZ_KV_F16, QZ_KV_F16}, q8 = {QZ_KV_Q8_0, QZ_KV_Q8_0}, fp8 = {QZ_KV_FP8, QZ_KV_FP8};
    qz_explain_say(x,
                   "KV bytes = 2 x users x tokens x layers x KV heads x head_dim x bytes of a value; sliding layers "
                   "keep their window only");
    qz_explain_say(
        x,
        "32 users x 8192 tokens, 32 layers, 8 KV heads x 128, FP16: 2 x 32 x 8192 x 32 x 8 x 128 x 2 = %.1f "
        "GiB",
        2.0 * 32 * 8192 * 32 * 8 * 128 * 2 / 1073741824.0);
    QZ_TRY(qz_explain_table(x, "FP16 per token, one user at 4096 tokens, and 128 users at 2048",
                            "Model<|B/token>|GiB at 4096>|128 x 2048 GB>|the same FP8 GB>|Q8_0/FP16>"));
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        qz_shape *s = NULL;
        qz_kv_plan_result a = {0}, b = {0}, c = {0}, d = {0};
        QZ_TRY(qz_shape_builtin(models[i], &s, x->err));
        qz_status st = qz_kv_plan(s, f16, 1, 4096, &a, x->err);
        if (st == QZ_OK) st = qz_kv_plan(s, f16, 128, 2048, &b, x->err);
        if (st == QZ_OK) st = qz_kv_plan(s, fp8, 128, 2048, &c, x->err);
        if (st == QZ_OK) st = qz_kv_plan(s, q8, 1, 4096, &d, x->err);
        if (st == QZ_OK)
            st = qz_explain_row(x, "%s|%llu|%.4g|%.2f|%.2f|%.5f", s->name, (unsigned long long)a.per_token,
                                (double)a.bytes / 1073741824.0, gb(b.bytes), gb(c.bytes),
                                (double)d.bytes / (double)a.bytes);
        qz_shape_free(s);
        QZ_TRY(st);
    }
    return QZ_OK;
}

qz_status qz_explain_offload(qz_explained *x) {
    qz_shape *s = NULL;
    qz_layer_split p = {0};
    qz_explain_say(x, "even-size estimate: (usable - reserve) / (artifact / layers)");
    qz_explain_say(x, "usable 4.0, reserve 0.5, artifact 5.0 GiB, 32 layers: budget 3.5 GiB, %llu/32 layers",
                   (unsigned long long)qz_split_even(4.0, 0.5, 5.0, 32));
    qz_explain_say(x, "70 billion at an ideal 4 bits, 35 GB, on 8 GB with 20 %% reserve: %llu/80 layers",
                   (unsigned long long)qz_split_even(6.4, 0.5, 35.0, 80));
    QZ_TRY(qz_shape_builtin("llama-3-70b", &s, x->err));
    qz_status st =
        qz_split_plan(&(qz_split_query){s, QZ_LEVEL_GGUF_Q4_K_M, {QZ_KV_F16, QZ_KV_F16}, 0, 6400000000, 500000000}, &p,
                      x->err);
    qz_shape_free(s);
    QZ_TRY(st);
    QZ_TRY(qz_explain_table(x, "Llama-3-70B Q4_K_M, 6.4 GB usable, 0.5 GB kept for buffers",
                            "Way<|Layers on the GPU>|GB>"));
    QZ_TRY(qz_explain_row(x, "even-size estimate|%llu/80|", (unsigned long long)p.even));
    QZ_TRY(qz_explain_row(x, "exact, last layers first|%llu/80|%.3f", (unsigned long long)p.layers, gb(p.gpu_bytes)));
    QZ_TRY(qz_explain_row(x, "one layer more|%llu/80|%.3f", (unsigned long long)p.layers + 1, gb(p.next_bytes)));
    QZ_TRY(qz_explain_row(x, "output layer, apart||%.3f", gb(p.output_bytes)));
    qz_explain_say(x, "The runtime puts the last layers on the GPU first, and Q4_K_M gives the last eighth more bits: "
                      "the estimate is one layer too many.");
    return QZ_OK;
}

qz_status qz_explain_speed(qz_explained *x) {
    static const double over[] = {0, 1, 3, 5, 10, 20};
    static const struct {
        const char *what;
        double gb, tps;
    } told[] = {
        {"13B Q4_K_M on an M2 (100 GB/s)", 7.865, 25}, {"Qwen3-4B FP16", 8.045, 40}, {"Qwen3-4B AWQ", 2.666, 110},
        {"7B AWQ, 741 tok/s", 3.889, 741}};
    qz_explain_say(x, "seconds a token = bytes read / bandwidth + overhead; every weight is read once for each token "
                      "of a single stream");
    QZ_TRY(qz_explain_table(x, "14 GB against 3.5 GB at 1000 GB/s: four times smaller is not four times faster",
                            "Overhead ms>|14 GB ms>|3.5 GB ms>|Speed-up>"));
    for (size_t i = 0; i < sizeof over / sizeof *over; i++)
        QZ_TRY(qz_explain_row(x, "%.0f|%.1f|%.1f|%.2f", over[i], 1e3 * qz_roofline_seconds(14e9, 1000, over[i] / 1e3),
                              1e3 * qz_roofline_seconds(3.5e9, 1000, over[i] / 1e3),
                              qz_roofline_speedup(14e9, 3.5e9, 1000, over[i] / 1e3)));
    qz_explain_say(x, "at 3 ms: %.7f times", qz_roofline_speedup(14e9, 3.5e9, 1000, 0.003));
    QZ_TRY(qz_explain_table(x, "what a claimed speed asks of the memory: GB read x tokens/s",
                            "Claim<|GB>|tokens/s>|GB/s needed>"));
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        QZ_TRY(qz_explain_row(x, "%s|%.3f|%g|%.1f", told[i].what, told[i].gb, told[i].tps,
                              qz_effective_gbps(told[i].gb * 1e9, told[i].tps)));
    return QZ_OK;
}

/* Source B's table and limits, through the gate itself. */
static const char gate_rules[] = "{\"min_accuracy\": 0.90, \"max_memory_gb\": 8.0, \"max_p95_ms\": 60}";
static const char gate_table[] = "[{\"name\": \"FP16\", \"accuracy\": 0.93, \"memory_gb\": 14.0, \"p95_ms\": 70},"
                                 "{\"name\": \"AWQ-4bit\", \"accuracy\": 0.92, \"memory_gb\": 4.1, \"p95_ms\": 49},"
                                 "{\"name\": \"GPTQ-3bit\", \"accuracy\": 0.85, \"memory_gb\": 3.2, \"p95_ms\": 43}]";

static qz_status gate_row(qz_explained *x, const qz_gate_rules *rules, const qz_gate_candidate *c, qz_str *approved) {
    qz_gate_result result[8];
    qz_str why = {0};
    const bool ok = qz_gate_judge(rules, c, result);
    for (size_t i = 0; i < rules->n; i++) {
        if (result[i].verdict == QZ_GATE_PASS) continue;
        qz_str_puts(&why, why.len ? "; " : "");
        qz_gate_reason(&rules->rule[i], &result[i], &why);
    }
    if (ok) qz_str_printf(approved, "%s'%s'", approved->len ? ", " : "", c->name);
    const qz_status st = qz_explain_row(x, "%s|%.2f|%.1f|%.0f|%s|%s", c->name, c->v[QZ_GATE_ACCURACY].value,
                                        c->v[QZ_GATE_MEMORY].value, c->v[QZ_GATE_P95].value,
                                        ok ? "accepted" : "rejected", why.len ? why.ptr : "within every limit");
    qz_str_release(&why);
    return st;
}

qz_status qz_explain_gate(qz_explained *x) {
    qz_str approved = {0};
    qz_arena a = {0};
    qz_gate_rules rules;
    qz_gate_candidates c = {.arena = &a};
    json_t *table = NULL;
    qz_error err = {0};
    qz_status st = qz_gate_rules_parse(gate_rules, "rules", &a, &rules, &err);
    if (st == QZ_OK) st = qz_json_parse(gate_table, sizeof gate_table - 1, "table", &table, &err);
    if (st == QZ_OK) st = qz_gate_candidates_add(&c, table, "table", &err);
    if (st == QZ_OK)
        qz_explain_say(
            x, "limits set before measuring: accuracy at least %.2f, memory at most %.1f GB, p95 at most %.0f ms",
            rules.rule[0].limit, rules.rule[1].limit, rules.rule[2].limit);
    if (st == QZ_OK) st = qz_explain_table(x, NULL, "Candidate<|Accuracy>|Memory GB>|p95 ms>|Verdict<|Why<");
    for (size_t i = 0; i < c.n && st == QZ_OK; i++) st = gate_row(x, &rules, &c.at[i], &approved);
    if (st == QZ_OK) qz_explain_say(x, "approved artifacts: [%s]", approved.ptr ? approved.ptr : "");
    qz_str_release(&approved);
    json_decref(table);
    qz_arena_release(&a);
    return st;
}

/* C-12, C-190: the rule, what each size costs, and how to find the end of the gain for one's own model. */
qz_status qz_explain_samples(qz_explained *x) {
    static const uint64_t sizes[] = {32, 64, 128, 256, 512, 2048};
    enum { LENGTH = 512 };
    qz_shape *s = NULL;
    qz_explain_say(x, "Start with 128 samples of 512 tokens (65536 tokens) of your own traffic. A narrow domain "
                      "(medical, law, code): a few hundred samples of that domain, "
                      "deduplicated. Then double while the KL divergence on held-out text still falls.");
    qz_explain_say(x, "More is not always better: the gain saturates once every direction of the widest layer is seen "
                      "many times; a set of one kind pulls scales towards it (skew); "
                      "time grows with the tokens, and memory with them.");
    QZ_TRY(qz_explain_table(x, "GPTQ or AWQ of Llama-2-7B, widest layer 11008 columns, on 2 threads",
                            "Samples>|Tokens>|Tokens for a column>|Time h>|Peak RAM GB>"));
    QZ_TRY(qz_shape_builtin("llama-2-7b", &s, x->err));
    qz_status st = QZ_OK;
    for (size_t i = 0; st == QZ_OK && i < sizeof sizes / sizeof *sizes; i++) {
        qz_job j;
        st = qz_job_plan(s, QZ_LEVEL_GPTQ_G128, sizes[i], LENGTH, 2, &j, x->err);
        if (st == QZ_OK)
            st = qz_explain_row(x, "%llu|%llu|%.1f|%.1f|%.2f", (unsigned long long)sizes[i],
                                (unsigned long long)(sizes[i] * LENGTH),
                                (double)(sizes[i] * LENGTH) / (double)qz_shape_max_cols(s), j.seconds / 3600,
                                gb(j.peak_ram));
    }
    qz_shape_free(s);
    QZ_TRY(st);
    qz_explain_line(x, "\nmeasure where it flattens, for N = 32, 64, 128, 256:");
    qz_explain_line(x, "  quantz calibrate MODEL --data medical.jsonl --samples N -o N.stats");
    qz_explain_line(x, "  quantz quantize MODEL --to awq --stats N.stats -o N");
    qz_explain_line(x, "  quantz eval N --against MODEL --text held-out.jsonl");
    return QZ_OK;
}

/* What sources A, C, E say, and the mix weighed. */
qz_status qz_explain_levels(qz_explained *x) {
    static const struct { const char *level, *a, *c, *e;
    } rows[] = {
        {"Q2_K", "2-3 bits, test first", "2.6 bits, 3.5 GB, poor", "2.5 bits, 2.8 GB, low"},
        {"Q3_K_S", "2-3 bits, visibly worse", "", ""},
        {"Q4_K_M", "4.5 bits, default", "4.5 bits, 7.9 GB, good", "4.5 bits, 4.1 GB, good"},
        {"Q5_K_M", "5.5 bits, quality over size", "5.7 bits, 9.9 GB, very good", "5.5 bits, 4.8 GB, very good"},
        {"Q6_K", "", "", "6.5 bits, 5.5 GB, excellent"},
        {"Q8_0", "8 bits, near-lossless", "8.0 bits, 13.8 GB, near-lossless", "8 bits, 7.2 GB, best"}};
    qz_shape *seven = NULL, *thirteen = NULL;
    if (x->o.model) return qz_explain_own_levels(x);
    QZ_TRY(qz_shape_builtin("llama-2-7b", &seven, x->err));
    qz_status st = qz_shape_builtin("llama-2-13b", &thirteen, x->err);
    if (st == QZ_OK)
        st = qz_explain_table(x, "true: bits per weight of the whole file, and GB",
                              "Level<|7B bits>|7B GB>|13B bits>|13B GB>");
    for (size_t i = 0; i < sizeof rows / sizeof *rows && st == QZ_OK; i++) {
        qz_level l;
        qz_weighed a = {0}, b = {0};
        st = qz_level_parse(rows[i].level, &l, x->err);
        if (st == QZ_OK) st = qz_level_weigh(seven, l, false, NULL, &a, x->err);
        if (st == QZ_OK) st = qz_level_weigh(thirteen, l, false, NULL, &b, x->err);
        if (st == QZ_OK)
            st = qz_explain_row(x, "%s|%.3f|%.3f|%.3f|%.3f", rows[i].level, a.bpw, gb(a.bytes), b.bpw, gb(b.bytes));
    }
    if (st == QZ_OK) st = qz_explain_table(x, "what handbooks say (A: 4B; C: 13B; E: 7B)", "Level<|A<|C<|E<");
    for (size_t i = 0; i < sizeof rows / sizeof *rows && st == QZ_OK; i++)
        st = qz_explain_row(x, "%s|%s|%s|%s", rows[i].level, rows[i].a, rows[i].c, rows[i].e);
    qz_explain_say(x, "A level names a mix: some tensors get more bits than the block says. Bits per weight are file "
                      "bits / parameters.");
    qz_shape_free(seven);
    qz_shape_free(thirteen);
    return st;
}

qz_status qz_explain_exercises(qz_explained *x) {
    static const struct { const char *id, *question, *command;
    } rows[] = {
        {"B", "70B on an 8 GB card: which level, what stays in system memory?",
         "quantz plan llama-3-70b --offload --memory 8GB --formats Q4_K_M"},
        {"B", "does any level of 70B fit 8 GB?", "quantz plan llama-3-70b --levels --memory 8GB"},
        {"B", "fits after 4 bits? then AWQ or GPTQ, else GGUF with offload",
         "quantz pick llama-3-70b --hardware rtx-4090"},
        {"B", "a French support model speaks gibberish after quantization: why?",
         "quantz check MODEL --traffic fr.jsonl --calib en.jsonl"},
        {"D1", "70B, 128 x 2048, one H100: what fits?",
         "quantz plan llama-3-70b --ctx 2048 --users 128 --kv fp8 --hardware h100 --reserve 0"},
        {"D2", "a 7B coding model, and the way back when 4 bits fail",
         "quantz pick llama-2-7b --workload code --hardware h100"},
        {"D3", "how much calibration data for a medical model?", "quantz explain samples"},
        {"D4", "why do AWQ and GPTQ serve equally fast?", "quantz explain awq-gptq"},
        {"D5", "AWQ with FP8 KV against BF16 KV: how many users?",
         "quantz plan llama-3-70b --ctx 2048 --kv fp8 --hardware h100 --reserve 10 --overhead 2GB --formats awq"},
        {"D", "six formats over model sizes, memory and speed",
         "quantz plan --matrix 1,3,7,13,34,70 --formats bf16,fp8,awq,gptq,Q4_K_M,ct:mxfp4 --hardware rtx-4090"}};
    qz_explain_say(x, "handbook exercises (B, D) and the command that answers each");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        qz_explain_line(x, "\n%-2s  %s", rows[i].id, rows[i].question);
        qz_fit_command(&x->text, 4, "%s", rows[i].command);
    }
    return QZ_OK;
}
