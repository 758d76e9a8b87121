#include "deploy/check.h"
#include "artifacts/schemes.h"
#include "codecs/types.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const qz_pitfall pitfalls[] = {
#define QZ_PITFALL(code, level, symptom, cause, fix, source) {code, QZ_FINDING_##level, symptom, cause, fix, source},
#include "deploy/pitfalls.def"
#undef QZ_PITFALL
};

const qz_pitfall *qz_pitfall_at(size_t i) { return i < sizeof pitfalls / sizeof pitfalls[0] ? &pitfalls[i] : NULL; }
const qz_pitfall *qz_pitfall_get(const char *code) {
    for (size_t i = 0; i < sizeof pitfalls / sizeof pitfalls[0]; i++)
        if (strcmp(pitfalls[i].code, code) == 0) return &pitfalls[i];
    return NULL;
}

void qz_check_add(qz_findings *f, const char *code, const char *subject, const char *problem, ...) {
    const qz_pitfall *p = qz_pitfall_get(code);
    char text[700];
    va_list ap;
    va_start(ap, problem);
    (void)vsnprintf(text, sizeof text, problem, ap);
    va_end(ap);
    qz_finding x = {.code = "CHK", .level = QZ_FINDING_ERROR, .subject = subject, .fix = "", .source = ""};
    if (p) x = (qz_finding){.code = p->code, .level = p->level, .subject = subject, .fix = p->fix, .source = p->source};
    qz_findings_add(f, &x, "%s", text);
}

bool qz_workload_reasons(const char *workload) {
    static const char *const names[] = {"reasoning", "math", "code", "medical"};
    for (size_t i = 0; workload && i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(names[i], workload) == 0) return true;
    return false;
}

/* Bits of a weight as served: what the file really holds where that is known. */
static double bits_of(const qz_check_facts *x, const qz_deploy_spec *s) {
    if (x->scheme && x->scheme->scheme == QZ_SCHEME_GGUF && s == x->wanted)
        return qz_type_bpw(qz_type_by_ggml_id((int)qz_ftype_get(x->scheme->ftype)->type));
    return x->bits_per_weight > 0 && s == x->spec ? x->bits_per_weight : (double)s->bits;
}
/* A GGUF level that stores floats. */
static bool floats(const qz_scheme_spec *s) {
    return s && s->scheme == QZ_SCHEME_GGUF &&
           qz_type_get(qz_type_by_ggml_id((int)qz_ftype_get(s->ftype)->type))->kind == QZ_KIND_FLOAT;
}
/* Not gpt-oss' own MXFP4: it was trained so, and nothing was lost. */
#define MOST_LOST 1e-3 /* of FP4 blocks */
static bool is_fp4(qz_deploy k) { return qz_deploy_get(k)->fp4; }

static void names(const qz_check_facts *x, qz_findings *f) {
    const qz_deploy_spec *s = x->spec;
    if (s->kind == QZ_DEPLOY_UNKNOWN)
        qz_check_add(f, "CHK-NAME", "quantization_config",
                     *s->method ? "quant_method '%s' is not known" : "quantization_config has no quant_method%s",
                     s->method);
    if (x->gguf && x->level == NULL)
        qz_check_add(f, "CHK-GGUF", "general.file_type", "the file does not say its level");
    if (x->gguf && x->level && x->bits_per_weight > 0 && x->bits_per_weight < 4 && !x->imatrix)
        qz_check_add(f, "CHK-GGUF", "quantize.imatrix", "%s at %.2f bits/weight without a recorded importance matrix",
                     x->level, x->bits_per_weight);
    if (s->kind == QZ_DEPLOY_AWQ && strncasecmp(s->version, "gemv", 4) == 0)
        qz_check_add(f, "CHK-LAYOUT", "version", "AWQ layout '%s'", s->version);
}

static void memory(const qz_check_facts *x, qz_findings *f) {
    const uint64_t need = x->weight_bytes + x->kv_bytes + x->buffers;
    char buffers[64] = "";
    if (x->max_ctx && x->ctx > x->max_ctx)
        qz_check_add(f, "CHK-CONTEXT", "ctx", "%llu tokens asked for, the model has %llu", (unsigned long long)x->ctx,
                     (unsigned long long)x->max_ctx);
    if (x->offloaded && x->system_bytes > x->system_usable)
        qz_check_add(f, "CHK-RAM", "",
                     "%.1f GB of weights and %.1f GB of KV cache would lie in system memory, of which %.1f GB are "
                     "usable",
                     (double)(x->system_bytes - x->system_kv) / 1e9, (double)x->system_kv / 1e9,
                     (double)x->system_usable / 1e9);
    if (x->budget == 0 || x->offloaded || need <= x->budget) return;
    if ((double)x->buffers >= 5e7)
        (void)snprintf(buffers, sizeof buffers, " + %.1f GB buffers", (double)x->buffers / 1e9);
    qz_check_add(f, "CHK-KV", "",
                 "%.1f GB weights + %.1f GB KV cache (%llu user%s x %llu tokens)%s against %.1f GB usable: %.1f GB too "
                 "much%s",
                 (double)x->weight_bytes / 1e9, (double)x->kv_bytes / 1e9, (unsigned long long)x->users,
                 x->users == 1 ? "" : "s", (unsigned long long)x->ctx, buffers, (double)x->budget / 1e9,
                 (double)(need - x->budget) / 1e9,
                 x->weight_bytes <= x->budget ? "; the weights alone fit" : "; the weights alone do not fit");
}

bool qz_check_requantizes(bool stored_coded, const qz_scheme_spec *wanted) {
    if (!stored_coded || wanted == NULL) return false;
    const qz_type t = wanted->scheme == QZ_SCHEME_GGUF ? qz_type_by_ggml_id((int)qz_ftype_get(wanted->ftype)->type)
                                                       : QZ_TYPE_NONE;
    return t >= QZ_TYPE_COUNT || qz_type_get(t)->kind != QZ_KIND_FLOAT; /* back to floats loses nothing more */
}

/* MXFP4 experts that GGUF takes as they are. */
static bool copied(const qz_check_facts *x) {
    return x->spec->kind == QZ_DEPLOY_MXFP4 && x->scheme && x->scheme->scheme == QZ_SCHEME_GGUF &&
           qz_type_by_ggml_id((int)qz_ftype_get(x->scheme->ftype)->type) == QZ_TYPE_MXFP4;
}

/* Of FP4 that nobody here has made there may be nothing in 16 bits. */
static void say_small(const qz_check_facts *x, bool as_published, qz_findings *f) {
    const qz_pitfall *p = qz_pitfall_get("CHK-SMALL");
    const char *look = "look for the same model in 16 bits; if FP4 is all there is, serve it as it is";
    const qz_finding small = {p->code, as_published ? QZ_FINDING_NOTE : p->level, "", NULL,
                              as_published ? look : p->fix, p->source};
    qz_findings_add(f, &small, "%.2f billion weights: 16 bits take %.2f GB and fit %.2f GB", (double)x->params / 1e9,
                    (double)x->float_bytes / 1e9, (double)x->budget / 1e9);
}

void qz_check_deployment(const qz_check_facts *x, qz_findings *f) {
    const qz_deploy_spec *served = x->wanted ? x->wanted : x->spec;
    const bool stored = x->spec->kind != QZ_DEPLOY_FLOAT && !(x->gguf && x->bits_per_weight >= 15.5),
               quantized = x->wanted ? served->kind != QZ_DEPLOY_FLOAT && !floats(x->scheme) : stored;
    names(x, f);
    if (x->wanted && x->wanted->kind != QZ_DEPLOY_FLOAT &&
        (x->scheme ? qz_check_requantizes(stored && !copied(x), x->scheme) : stored))
        qz_check_add(f, "CHK-REQUANT", "", "it is %s%s%s already", qz_deploy_get(x->spec->kind)->title,
                     x->level && x->gguf ? " " : "", x->level && x->gguf ? x->level : "");
    if (quantized && bits_of(x, served) > 0 && bits_of(x, served) < 5.2 && qz_workload_reasons(x->workload))
        qz_check_add(f, "CHK-REASON", "", "%.3g-bit weights for workload '%s'", bits_of(x, served), x->workload);
    if (is_fp4(served->kind) && x->wanted) { /* nothing is wrong before there are blocks */
        const qz_pitfall *p = qz_pitfall_get("CHK-FP4");
        qz_findings_add(f, &(qz_finding){p->code, QZ_FINDING_NOTE, "", NULL, p->fix, p->source},
                        "%s: its error by block is measured and recorded when it is made",
                        qz_deploy_get(served->kind)->title);
    }
    if (is_fp4(served->kind) && !x->wanted && !x->block_report)
        qz_check_add(f, "CHK-FP4", "", "%s, no per-block error is recorded", qz_deploy_get(served->kind)->title);
    /* blocks far below the tensor's scale lose everything in any model; more than these are a fault */
    if (is_fp4(served->kind) && !x->wanted && x->block_report && x->blocks_lost > MOST_LOST * x->blocks)
        qz_check_add(f, "CHK-FP4", "", "%s, %.0f of %.0f blocks lose everything (%.2f %%)",
                     qz_deploy_get(served->kind)->title, x->blocks_lost, x->blocks, 100 * x->blocks_lost / x->blocks);
    /* 8 bits cost next to nothing and halve what decoding reads; training keeps more than the weights */
    const bool training = x->workload && strcasecmp(x->workload, "training") == 0;
    if (quantized && bits_of(x, served) < 8 && !training && x->params && x->params < 3000000000u && x->budget &&
        x->floats_fit)
        say_small(x, is_fp4(served->kind) && !x->wanted && !x->provenance, f);
    if (stored && x->artifact && !x->provenance)
        qz_check_add(f, "CHK-PROV", "", "no manifest, no quantizer, no recipe: origin UNKNOWN");
    if (x->adapter == 3)
        qz_check_add(f, "CHK-LORA", "", "adapters trained on 16-bit weights on %s", qz_deploy_get(served->kind)->title);
    if (x->adapter == 2)
        qz_check_add(f, "CHK-LORA", "adapter_config.json",
                     "an adapter on %s; whether it was trained on 16-bit weights is UNKNOWN",
                     qz_deploy_get(served->kind)->title);
    if (x->engine && x->artifact && stored && !(x->verified_with && strcasestr(x->verified_with, x->engine)))
        qz_check_add(f, "CHK-PAIR", "", "not run with %s on this machine, as far as the manifest says", x->engine);
    if (x->gguf && x->substituted && x->params && (double)x->substituted > 0.1 * (double)x->params)
        qz_check_add(f, "CHK-FALLBACK", "", "%.1f %% of the weights are in a fallback type%s%s",
                     100.0 * (double)x->substituted / (double)x->params, x->level ? ", under the name " : "",
                     x->level ? x->level : "");
    memory(x, f);
}

/* ---- design notes ---- */
typedef struct { const char *text; size_t n; } note;
static bool word_at(const note *t, size_t i, const char *w) {
    size_t n = strlen(w);
    return i + n <= t->n && strncasecmp(t->text + i, w, n) == 0 && (i == 0 || !isalnum((unsigned char)t->text[i - 1]));
}
static bool says(const note *t, const char *const *words) {
    for (size_t i = 0; i < t->n; i++)
        for (const char *const *w = words; *w; w++)
            if (word_at(t, i, *w)) return true;
    return false;
}
/* "4-bit", "4 bit", "int4", "8bit" */
static size_t bit_claim(const note *t, char out[16]) {
    for (size_t i = 0; i < t->n; i++) {
        size_t d = i + 1;
        if ((word_at(t, i, "int4") || word_at(t, i, "int8") || word_at(t, i, "int3") || word_at(t, i, "int2")) &&
            (i + 4 == t->n || !isalnum((unsigned char)t->text[i + 4])))
            return (void)snprintf(out, 16, "%.4s", t->text + i), i + 1;
        if (!isdigit((unsigned char)t->text[i]) ||
            (i && (isalnum((unsigned char)t->text[i - 1]) || t->text[i - 1] == '.')))
            continue;
        if (d < t->n && (t->text[d] == '-' || t->text[d] == ' ')) d++;
        if (d + 3 <= t->n && strncasecmp(t->text + d, "bit", 3) == 0)
            return (void)snprintf(out, 16, "%.*s", (int)(d + 3 - i), t->text + i), i + 1;
    }
    return 0;
}
static size_t line_of(const note *t, size_t at) {
    size_t line = 1;
    for (size_t i = 0; i < at && i < t->n; i++) line += t->text[i] == '\n';
    return line;
}

void qz_check_note(const char *text, size_t n, const char *name, qz_findings *f) {
    static const char *const methods[] = {"awq", "gptq", "gguf", "nf4", "bitsandbytes", "fp8", "nvfp4", "mxfp4",
                                          "compressed-tensors", "smoothquant", "autoround", "rtn", NULL};
    static const char *const runtimes[] = {"vllm", "sglang", "llama.cpp", "llama-", "ollama", "lm studio",
                                           "transformers", "tgi", "tensorrt", "mlx", "quantz", NULL};
    static const char *const activations[] = {"activation", "w4a16", "w8a8", "w4a8", "w8a16", "w4a4", "w3a16", NULL},
                                              *const sums[] = {"accumul", NULL}, *const kv[] = {"kv", NULL};
    static const char *const types[] = {"q2_", "q3_", "q4_", "q5_", "q6_", "q8_", "iq1", "iq2", "iq3", "iq4", "f16",
                                        "bf16", "mxfp4", NULL};
    static const char *const imatrix[] = {"imatrix", "importance", NULL}, *const layers[] = {"offload", "gpu layers",
                                          "n_gpu_layers", "-ngl", "cpu", NULL}, *const gguf[] = {"gguf", NULL};
    const note t = {text, n};
    char claim[16], subject[160];
    size_t at = bit_claim(&t, claim);
    if (at) {
        bool method = says(&t, methods), runtime = says(&t, runtimes), act = says(&t, activations),
             acc = says(&t, sums), cache = says(&t, kv);
        (void)snprintf(subject, sizeof subject, "%.120s:%zu", name, line_of(&t, at));
        if (!method || !runtime)
            qz_check_add(f, "CHK-NAME", subject, "claims '%s' without %s", claim,
                         method    ? "a runtime"
                         : runtime ? "a method"
                                   : "method and runtime");
        if (!act || !acc || !cache)
            qz_check_add(f, "CHK-CONTRACT", subject, "claims '%s'; missing in the contract:%s%s%s", claim,
                         act ? "" : " activations", acc ? "" : " accumulators", cache ? "" : " KV cache");
    }
    if (says(&t, gguf)) {
        bool type = says(&t, types), imat = says(&t, imatrix), off = says(&t, layers);
        if (!type || !imat || !off)
            qz_check_add(f, "CHK-GGUF", name, "says GGUF without:%s%s%s", type ? "" : " tensor type",
                         imat ? "" : " imatrix yes or no", off ? "" : " offload");
    }
}

/* ---- reports ---- */
static void speed(const qz_check_row *src, const qz_check_row *r, qz_findings *f) {
    if (src->gen_tps <= 0 || r->gen_tps <= 0 || src->bytes <= 0 || r->bytes <= 0) return;
    double size = src->bytes / r->bytes, gain = r->gen_tps / src->gen_tps;
    if (size < 1.2 || gain >= 0.5 * size) return;
    const char *why = "measurement overhead or another bound: no bandwidth is recorded";
    if (gain < 1 && r->kernel && strstr(r->kernel, "×f32")) {
        qz_check_add(f, "CHK-SPEED", r->name,
                     "%.2fx smaller, %.2fx faster: measured with a kernel that decodes the weights for every product "
                     "(%s): no packed one is here, which says nothing of engines that have one",
                     size, gain, r->kernel);
        return;
    }
    if (src->bytes < 256e6) why = "small model: the weights stay in caches, and fixed work of each token dominates";
    else if (r->bandwidth > 0 && src->bandwidth > 0 && r->bandwidth < 0.6 * src->bandwidth)
        why = "compute-bound decoding: the dequantizing kernel reads less than the memory could give";
    else if (r->bandwidth > 0) why = "fixed work of each token (head in 16 bits, attention, sampling) dominates";
    qz_check_add(f, "CHK-SPEED", r->name, "%.2fx smaller, %.2fx faster: %s", size, gain, why);
}

enum { PPL, TASKS };
/* The pitfall of a loss; NULL: it is none. */
static const char *caution(int figure, double loss) {
    static const struct { int figure; double from; const char *code; } rows[] = {
#define QZ_CAUTION(figure, from, code) {figure, from, code},
#include "deploy/cautions.def"
#undef QZ_CAUTION
    };
    const char *code = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        /* percent have been divided and multiplied: 8.08 against 8.00 is +1 % */
        if (rows[i].figure == figure && loss > rows[i].from - (figure == PPL ? 1e-9 : -1e-9)) code = rows[i].code;
    return code;
}
/* Perplexity and tasks against the source: each level speaks by itself; only the last of perplexity asks the tasks. */
static void losses(const qz_check_row *src, const qz_check_row *r, qz_findings *f) {
    const bool tasks = r->tasks_pct >= 0 && src->tasks_pct >= 0;
    const double lost = tasks ? src->tasks_pct - r->tasks_pct : 0;
    const double ppl = !isnan(r->delta_ppl)         ? r->delta_ppl
                       : r->ppl > 0 && src->ppl > 0 ? 100 * (r->ppl / src->ppl - 1)
                                                    : NAN;
    const char *code = isnan(ppl) ? NULL : caution(PPL, ppl), *task = tasks ? caution(TASKS, lost) : NULL;
    const qz_pitfall *row = code ? qz_pitfall_get(code) : NULL;
    const bool pass = tasks && (task == NULL || qz_pitfall_get(task)->level == QZ_FINDING_NOTE);
    if (row && row->level == QZ_FINDING_ERROR && pass) code = caution(PPL, 3);
    if (code)
        qz_check_add(f, code, r->name, "perplexity %+.2f %% against the source%s", ppl,
                     !tasks ? ", no tasks"
                     : pass ? ", tasks pass"
                            : ", tasks fail");
    if (task && isnan(ppl))
        qz_check_add(f, task, r->name, "tasks %.1f -> %.1f points (%+.1f)", src->tasks_pct, r->tasks_pct, -lost);
    else if (task)
        qz_check_add(f, task, r->name, "perplexity %+.2f %%, tasks %.1f -> %.1f points (%+.1f)", ppl, src->tasks_pct,
                     r->tasks_pct, -lost);
}

void qz_check_report(const qz_check_row *rows, size_t n, const char *source_sha, const char *artifact_source_sha,
                     const char *name, qz_findings *f) {
    const qz_check_row *src = NULL;
    bool any_task = false;
    for (size_t i = 0; i < n && !src; i++)
        if (rows[i].source) src = &rows[i];
    if (src == NULL) qz_check_add(f, "CHK-BASE", name, "no row of the unquantized source among %zu", n);
    if (source_sha && artifact_source_sha && *source_sha && *artifact_source_sha &&
        strcmp(source_sha, artifact_source_sha) != 0)
        qz_check_add(f, "CHK-BASE", name, "baseline of another revision: report %.16s, artifact made from %.16s",
                     source_sha, artifact_source_sha);
    for (size_t i = 0; i < n; i++) {
        const qz_check_row *r = &rows[i];
        any_task |= r->tasks_pct >= 0;
        if (r == src || src == NULL) continue;
        speed(src, r, f);
        losses(src, r, f);
    }
    if (n && !any_task)
        qz_check_add(f, "CHK-NOTASK", name, "no task metric in %zu rows: perplexity alone does not pass a release", n);
}
