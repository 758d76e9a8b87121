/* Knowledge that is words: tables of explain_*.def, histories and answers. Figures in them are computed on the spot. */
#include "artifacts/gguf_ftypes.h"
#include "base/str.h"
#include "formats/gguf.h"
#include "explain/explain.h"
#include "deploy/engines.h"
#include "plan/memory.h"
#include "plan/roofline.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct { const char *word, *others, *text; } words[] = {
#define QZ_WORD(word, others, text) {word, others, text},
#include "explain/glossary.def"
#undef QZ_WORD
};
enum { N_WORDS = sizeof words / sizeof words[0] };

const char *qz_explain_nearest(const char *word) {
    qz_near near = {.word = word};
    for (size_t i = 0; i < N_WORDS; i++) (void)qz_near_see(&near, words[i].word);
    for (int l = 0; l < QZ_FTYPE_COUNT; l++) (void)qz_near_see(&near, qz_ftype_get((qz_ftype)l)->name);
    for (int l = 0; l < QZ_LEVEL_COUNT; l++) (void)qz_near_see(&near, qz_level_get((qz_level)l)->name);
    qz_explain_code_names(&near);
    return near.best;
}

static bool matches(const char *word, size_t i) {
    if (strcasecmp(word, words[i].word) == 0) return true;
    const char *list = words[i].others;
    for (qz_piece p; qz_list_next(&list, &p);)
        if (qz_piece_is(p, word)) return true;
    return false;
}

/* What whole models weigh at a level. */
static qz_status weigh_models(qz_explained *x, qz_level l) {
    static const char *const models[] = {"llama-2-7b", "llama-3-8b", "llama-3-70b", "qwen3-4b"};
    const bool gguf = qz_level_get(l)->kind == QZ_LEVEL_GGUF;
    QZ_TRY(qz_explain_table(x, gguf ? "whole models: other tensors get other types"
                                    : "whole models: embeddings, output matrix and norms stay in 16 bits",
                            gguf ? "Model<|Bits/weight>|GB>|GiB>|Importance matrix<" : "Model<|Bits/weight>|GB>|GiB>"));
    for (size_t k = 0; k < sizeof models / sizeof *models; k++) {
        qz_shape *s = NULL;
        qz_weighed w = {0};
        QZ_TRY(qz_shape_builtin(models[k], &s, x->err));
        qz_status st = qz_level_weigh(s, l, false, NULL, &w, x->err);
        if (st == QZ_OK)
            st = qz_explain_row(x, "%s|%.4f|%.3f|%.3f%s", s->name, w.bpw, (double)w.bytes / 1e9,
                                (double)w.bytes / 1073741824.0,
                                !gguf ? "" : w.imatrix_required ? "|required by the reference" : "|optional");
        qz_shape_free(s);
        QZ_TRY(st);
    }
    return QZ_OK;
}

/* A level of coded matrices, by its whole name or the part behind the colon: ct:fp8_dynamic, w4g128. */
static bool codes_level(const char *word, qz_level *out) {
    for (int l = 0; l < QZ_LEVEL_COUNT; l++) {
        const qz_level_info *i = qz_level_get((qz_level)l);
        const char *colon = strchr(i->name, ':');
        const bool named = strcasecmp(word, i->name) == 0 || (colon && strcasecmp(word, colon + 1) == 0);
        if (i->kind != QZ_LEVEL_CODES || !named) continue;
        *out = (qz_level)l;
        return true;
    }
    return false;
}

static qz_status codes_word(qz_explained *x, qz_level l) {
    const qz_level_info *i = qz_level_get(l);
    char over[64];
    if (i->group > 1) (void)snprintf(over, sizeof over, "%u weights", i->group);
    else (void)snprintf(over, sizeof over, "%s", i->group ? "the tensor" : "a row");
    qz_explain_say(x, "%s: %s", i->name, i->title);
    qz_explain_say(x, "  layout    %u bits a weight; what shares a scale: %s", i->bits, over);
    qz_explain_say(x, "  contract  %s: bits of weights (W) and of the linears' inputs (A) when served", i->contract);
    qz_explain_say(x, "  see       'quantz explain engines' (who loads it), 'quantz quantize MODEL --to %s'", i->name);
    return weigh_models(x, l);
}

/* A GGUF level: its block, its bits in real models, what it is for. */
static qz_status level_word(qz_explained *x, qz_ftype f) {
    static const struct { const char *prefix, *use;
    } uses[] = {{"Q4_K_M", "the usual default for CPU, laptop and Apple"},
                {"Q5_K", "when quality outranks size"},
                {"Q6_K", "near the original"},
                {"Q8_0", "when size does not matter"},
                {"Q2_K", "only with a test of your own tasks"},
                {"Q3_K", "only with a test of your own tasks"},
                {"IQ1", "last resort; needs an importance matrix"},
                {"IQ2", "very tight memory; needs an importance matrix"},
                {"IQ", "tight memory, with an importance matrix"},
                {"F", "conversion and baseline"},
                {"BF16", "conversion and baseline"},
                {"Q4", "simple blocks, supported everywhere"},
                {"Q5", "simple blocks, supported everywhere"}};
    const qz_ftype_info *i = qz_ftype_get(f);
    const qz_gguf_type *t = qz_gguf_type_get(i->type);
    const char *use = "special models";
    for (size_t k = 0; k < sizeof uses / sizeof *uses; k++)
        if (qz_str_starts(i->name, uses[k].prefix)) {
            use = uses[k].use;
            break;
        }
    qz_explain_say(x, "%s: a GGUF level (llama-quantize file type %u)", i->name, i->file_type);
    qz_explain_say(x, "  layout  most tensors %s: %u weights in %u bytes, %.6g bits a weight", t->name, t->elems,
                   t->bytes, 8.0 * t->bytes / t->elems);
    qz_explain_say(x, "  use     %s", use);
    return weigh_models(x, (qz_level)(QZ_LEVEL_GGUF_F32 + (int)f));
}

qz_status qz_explain_word(qz_explained *x, const char *word, bool *found) {
    qz_ftype f = qz_ftype_by_name(word);
    *found = true;
    if (f != QZ_FTYPE_COUNT) return level_word(x, f);
    for (size_t i = 0; i < N_WORDS; i++) {
        if (!matches(word, i)) continue;
        qz_explain_say(x, "%s", words[i].word);
        qz_explain_say(x, "%s", words[i].text);
        return QZ_OK;
    }
    qz_level l;
    if (codes_level(word, &l)) return codes_word(x, l);
    *found = false;
    return QZ_OK;
}

qz_status qz_explain_glossary(qz_explained *x) {
    for (size_t i = 0; i < N_WORDS; i++) {
        qz_explain_line(x, "%s%s", i ? "\n" : "", words[i].word);
        qz_explain_say(x, "%s", words[i].text);
    }
    qz_explain_say(x, "\nLevels are words too: 'quantz explain Q4_K_M', 'quantz explain ct:nvfp4'.");
    return QZ_OK;
}

qz_status qz_explain_formats(qz_explained *x) {
    QZ_TRY(qz_explain_table(x, "formats, as five handbooks (A to E) tell",
                            "Format<|Bits<|Calibration<|Hardware<|Chosen for<"));
#define QZ_FORMAT(name, bits, calib, hw, engines, chosen, date) \
    QZ_TRY(qz_explain_row(x, "%s|%s|%s|%s|%s", name, bits, calib, hw, chosen));
#include "explain/formats.def"
#undef QZ_FORMAT
    QZ_TRY(qz_explain_table(x, "engines as told, date and sources of the row ('quantz explain engines': today's)",
                            "Format<|Engines<|Date, sources<"));
#define QZ_FORMAT(name, bits, calib, hw, engines, chosen, date) \
    QZ_TRY(qz_explain_row(x, "%s|%s|%s", name, engines, date));
#include "explain/formats.def"
#undef QZ_FORMAT
    static const char *const rows[] = {"what it is|weight-only method|weight-only method|container",
                                       "idea|least output error, second order|protect channels that matter|a type for "
                                       "each tensor",
                                       "calibration|needed|needed|by type: none, or imatrix",
                                       "target|GPU-resident serving|GPU-resident serving|CPU, Apple, mixed",
                                       "strength|mature, 2 to 8 bits|strong at 4 bits, simple kernels|one file, "
                                       "partial offload",
                                       "trade-off|heavy offline step|needs kernel support|slower than full-GPU kernels",
                                       "Apple|limited|limited|excellent"};
    QZ_TRY(qz_explain_table(x, "methods", " <|GPTQ<|AWQ<|GGUF<"));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) QZ_TRY(qz_explain_row(x, "%s", rows[i]));
    return QZ_OK;
}

/* A cell of the engine table: words for --json, short for a terminal. */
static void loads_cell(qz_str *line, const qz_loads *l, bool json) {
    static const char *const full[] = {"runs", "decodes", "no"}, *const brief[] = {"yes", "16bit", "no"};
    if (l == NULL) qz_str_puts(line, "|?");
    else if (json && l->cc) qz_str_printf(line, "|%s %u.%u", full[l->how], l->cc / 10, l->cc % 10);
    else if (json) qz_str_printf(line, "|%s", full[l->how]);
    else if (l->how == QZ_RUNS && l->cc) qz_str_printf(line, "|%u.%u", l->cc / 10, l->cc % 10);
    else qz_str_printf(line, "|%s", brief[l->how]);
}

qz_status qz_explain_engines(qz_explained *x) {
    static const struct { qz_runtime e; const char *title; } brief[] = {{QZ_RUNTIME_TENSORRT_LLM, "trt-llm"},
                                                                        {QZ_RUNTIME_TRANSFORMERS, "hf"}};
    const bool json = x->o.json;
    qz_str line = {0};
    for (int e = 0; e < QZ_RUNTIME_COUNT; e++) {
        const qz_runtime_info *i = qz_runtime_get((qz_runtime)e);
        qz_explain_say(x, "%-13s %-10s %s%s", i->name, i->version, i->date,
                       i->confirmed ? "" : "  from documentation only");
    }
    qz_str_puts(&line, "Artifact<");
    for (int e = 0; e < QZ_RUNTIME_COUNT; e++) {
        const char *title = qz_runtime_get((qz_runtime)e)->name;
        for (size_t k = 0; k < sizeof brief / sizeof brief[0] && !json; k++)
            if ((int)brief[k].e == e) title = brief[k].title;
        qz_str_printf(&line, "|%s>", title);
    }
    qz_explain_line(x, "%s", "");
    qz_explain_say(x, "yes: runs quantized, a number: from this compute capability on; 16bit: decodes on load; no: "
                      "refuses; ?: unknown. hf is transformers, trt-llm TensorRT-LLM.");
    qz_status st = line.failed ? qz_fail(x->err, QZ_EMEMORY, "out of memory") : qz_explain_table(x, NULL, line.ptr);
    for (int d = 0; d < QZ_DEPLOY_COUNT && st == QZ_OK; d++) {
        qz_str_clear(&line);
        qz_str_puts(&line, qz_deploy_get((qz_deploy)d)->name);
        for (int e = 0; e < QZ_RUNTIME_COUNT; e++) loads_cell(&line, qz_loads_get((qz_deploy)d, (qz_runtime)e), json);
        st = line.failed ? qz_fail(x->err, QZ_EMEMORY, "out of memory") : qz_explain_row(x, "%s", line.ptr);
    }
    qz_str_release(&line);
    return st;
}

qz_status qz_explain_corrections(qz_explained *x) {
    qz_explain_say(x, "what five handbooks (A to E) say, and what is true");
#define QZ_CORRECTION(id, claim, truth) qz_explain_say(x, "%s  %s", id, claim), qz_explain_say(x, "      %s", truth);
#include "explain/corrections.def"
#undef QZ_CORRECTION
    return QZ_OK;
}
qz_status qz_explain_claims(qz_explained *x) {
    qz_explain_say(x, "claims as told in five handbooks (A to E); none is used as a prediction");
    QZ_TRY(qz_explain_table(x, NULL, "Id<|Claim<|Told<|Source<|Known here<"));
#define QZ_CLAIM(id, claim, value, source, note) \
    QZ_TRY(qz_explain_row(x, "%s|%s|%s|%s|%s", id, claim, value, source, note));
#include "explain/claims.def"
#undef QZ_CLAIM
    return QZ_OK;
}

qz_status qz_explain_lineage(qz_explained *x) {
    qz_explain_say(x, "OBS, OBQ   one weight at a time, in order of least cost; the others move to pay for it");
    qz_explain_say(x, "GPTQ       the same payment, but all rows in one fixed column order, updates in lazy blocks of "
                      "128,");
    qz_explain_say(x, "           the inverse Hessian once by Cholesky: hours instead of weeks (arXiv 2210.17323)");
    qz_explain_say(x,
                   "SmoothQuant  difficulty moves from activations to weights, so that both fit 8 bits (2211.10438)");
    qz_explain_say(x, "AWQ        no reconstruction: channels that matter are scaled up before rounding (2306.00978)");
    qz_explain_say(x, "k-quants   blocks with scales of their own, found by search; an importance matrix weighs the "
                      "error");
    qz_explain_say(x, "QLoRA      NF4 codes and nested scales, made for training on top (2305.14314)");
    return QZ_OK;
}

qz_status qz_explain_why(qz_explained *x) {
    qz_shape *s = NULL;
    qz_memory m = {0};
    QZ_TRY(qz_shape_builtin("llama-3-70b", &s, x->err));
    qz_memory_query q = {.shape = s, .level = QZ_LEVEL_AWQ_G128, .kv = {QZ_KV_F16, QZ_KV_F16}, .users = 128,
                         .ctx = 2048};
    qz_status st = qz_memory_plan(&q, &m, x->err);
    qz_shape_free(s);
    QZ_TRY(st);
    qz_explain_say(x,
                   "1. Why does calibration matter? The same rounding error costs in proportion to its input: with "
                   "inputs 100 and 0.1 and errors 0.10 each, the output is off by %.2f; "
                   "lowering the first error to 0.02 leaves %.2f.",
                   100 * 0.10 + 0.1 * 0.10, 100 * 0.02 + 0.1 * 0.10);
    qz_explain_say(x,
                   "2. Why does one scale per tensor fail? One outlier sets the step for all: a weight 100 times as "
                   "large makes the step %.0f times as large ('quantz explain outlier' "
                   "measures it).",
                   100.0);
    qz_explain_say(x,
                   "3. Why is the KV cache next? Llama-3-70B in AWQ: %.2f GB of weights, and %.2f GB of KV for 128 "
                   "users of 2048 tokens. From %llu tokens on, the cache outweighs the weights.",
                   (double)m.weights.bytes / 1e9, (double)m.kv.bytes / 1e9, (unsigned long long)m.crossover);
    qz_explain_say(x,
                   "4. Why FP8 before INT4? It keeps a float's range per weight, halves the bytes (%.0f %% less), and "
                   "runs natively from capability 8.9; INT4 saves %.0f %% but has 16 values "
                   "for a weight instead of 256.",
                   100.0 * (1 - 8.0 / 16), 100.0 * (1 - 4.0 / 16));
    qz_explain_say(x,
                   "5. And when it still does not fit? KV to FP8 (%.2f GB instead of %.2f), fewer users or tokens, "
                   "more GPUs, a smaller model, or GGUF with some layers in system memory "
                   "('quantz plan --offload').",
                   (double)m.kv.bytes / 2e9, (double)m.kv.bytes / 1e9);
    return QZ_OK;
}

qz_status qz_explain_pipeline(qz_explained *x) {
    qz_explain_say(x, "text -> tokens -> for each layer: norm, q k v, attention over the KV cache, output, "
                      "feed-forward -> logits -> next token");
    qz_explain_say(x, "A quantized matrix stays quantized in memory. Inside the product a block is read, decoded to "
                      "floats (or its codes are multiplied with 8-bit activations directly), "
                      "multiplied, and summed in 32 bits. No 16-bit copy of the matrix ever exists: bytes read per "
                      "token fall by the factor of the format.");
    QZ_TRY(
        qz_explain_table(x, "Llama-3-8B, read for one token", "Format<|GB read>|against BF16>|tokens/s at 100 GB/s>"));
    static const qz_level levels[] = {QZ_LEVEL_BF16, QZ_LEVEL_GGUF_Q8_0, QZ_LEVEL_GGUF_Q4_K_M, QZ_LEVEL_AWQ_G128};
    qz_shape *s = NULL;
    uint64_t first = 0;
    QZ_TRY(qz_shape_builtin("llama-3-8b", &s, x->err));
    qz_status st = QZ_OK;
    for (size_t i = 0; i < 4 && st == QZ_OK; i++) {
        qz_weighed w = {0};
        st = qz_level_weigh(s, levels[i], false, NULL, &w, x->err);
        if (i == 0) first = w.read_bytes;
        if (st == QZ_OK)
            st = qz_explain_row(x, "%s|%.3f|%.2fx less|%.1f", qz_level_get(levels[i])->name, (double)w.read_bytes / 1e9,
                                (double)first / (double)w.read_bytes,
                                1 / qz_roofline_seconds((double)w.read_bytes, 100, 0));
    }
    qz_shape_free(s);
    return st;
}

qz_status qz_explain_awq_gptq(qz_explained *x) {
    qz_explain_say(x, "Both store 4-bit codes with a scale for 128 weights, so a token reads the same bytes (4.16 "
                      "against 4.16 bits).");
    qz_explain_say(x, "Both run on the same kernels (Marlin, Machete) after repacking; what differs is zero points and "
                      "the order of columns.");
    qz_explain_say(x,
                   "As told: 741 against 712 tokens/s, %+.1f %%; GPTQ without such a kernel, or with act-order, is "
                   "slower.",
                   100 * (741.0 / 712 - 1));
    return QZ_OK;
}

qz_status qz_explain_precision(qz_explained *x) {
    QZ_TRY(qz_explain_table(x, NULL, "Kind<|Notation<|What is gained<|Examples<"));
    QZ_TRY(qz_explain_row(x, "weight-only|W4A16, W8A16|memory, and speed while bandwidth limits|AWQ, GPTQ, GGUF, NF4"));
    QZ_TRY(qz_explain_row(x, "weight and activation|W8A8, W4A8, W4A4|arithmetic too: prompts and large batches|FP8, "
                             "INT8 + SmoothQuant, NVFP4"));
    QZ_TRY(qz_explain_row(x, "KV cache|KV8, KV4|users and context|FP8 KV, Q8_0 KV"));
    qz_explain_say(x, "A contract names all four: weights, activations, accumulation, KV. For example");
    qz_explain_say(x, "weights int4 g128, activations bf16, accumulate fp32, KV fp8.");
    return QZ_OK;
}

qz_status qz_explain_gguf(qz_explained *x) {
    qz_explain_say(x, "GGUF is a container; the level names the encoding.");
    QZ_TRY(qz_explain_table(x, NULL, "Family<|Types<|Data needed<|For<"));
    QZ_TRY(qz_explain_row(x, "legacy blocks|Q4_0 Q4_1 Q5_0 Q5_1 Q8_0|none|simple, supported everywhere"));
    QZ_TRY(qz_explain_row(x, "k-quants|Q2_K to Q6_K|none; an imatrix helps|the usual default"));
    QZ_TRY(qz_explain_row(x, "i-quants|IQ1 to IQ4|imatrix (IQ1, IQ2, IQ3_XXS refuse without)|tight sizes"));
    QZ_TRY(qz_explain_row(x, "4-bit floats|MXFP4 NVFP4|none|models released in them"));
    return QZ_OK;
}

qz_status qz_explain_maturity(qz_explained *x) {
    QZ_TRY(qz_explain_table(x, "three kinds (as of 2026-11)", "Kind<|Maturity<|Watch<"));
    QZ_TRY(qz_explain_row(x, "weight-only 4 to 8 bits|settled, default of local and GPU serving|calibration data, "
                             "group size, kernels"));
    QZ_TRY(qz_explain_row(x, "weight and activation|settled at 8 bits, 4 bits young|native hardware, outliers, "
                             "per-block checks"));
    QZ_TRY(qz_explain_row(x, "KV cache|8 bits settled, below young|long contexts, models with large keys"));
    return QZ_OK;
}
