#include "base/io.h"
#include "base/size.h"
#include "model/leftovers.h"
#include "pipeline/evaluate.h"
#include "pipeline/lora.h"
#include "pipeline/same_tokens.h"
#include "report/task_log.h"
#include "artifacts/provenance.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_MODELS = 65, CONTEXT_TOKENS = 24 };

void qz_measured_release(qz_measured *m) {
    qz_task_score_release(&m->tasks);
    qz_score_release(&m->score);
    qz_score_release(&m->runtime);
    for (size_t i = 0; i < QZ_WORST_TOKENS; i++) qz_str_release(&m->worst[i]);
}

qz_status qz_arith_parse(const char *text, qz_arith *out, qz_error *err) {
    *out = QZ_ARITH_EXACT;
    if (text == NULL || strcmp(text, "exact") == 0) return QZ_OK;
    *out = QZ_ARITH_RUNTIME;
    if (strcmp(text, "runtime") == 0) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "bad value '%s' for --arith: expected exact or runtime", text);
}

/* Before a model is opened, which may take minutes. */
static qz_status readable(const char *path, qz_error *err) {
    qz_map m;
    QZ_TRY(qz_map_open(&m, path, err));
    qz_map_release(&m);
    return QZ_OK;
}

typedef struct {
    qz_source s[MAX_MODELS];
    qz_engine *e[MAX_MODELS], *fast[MAX_MODELS]; /* fast: the artifacts in runtime arithmetic,
                                                  * where both are asked for */
    qz_taskset tasks[MAX_MODELS];
    qz_lora *lora[MAX_MODELS];
    size_t n;
    bool has_source;
} models;

double qz_bits_per_weight(const qz_model *m) {
    double bits = 0;
    for (size_t i = 0; i < m->n_tensors; i++) bits += 8.0 * (double)m->tensors[i].bytes;
    return bits / (double)qz_config_parameters(&m->config);
}

qz_eval_options qz_eval_asked(const qz_request *r, const qz_source *s) {
    const qz_tokenizer *t = s->tokenizer;
    return (qz_eval_options){.protocol = r->protocol, .window = (size_t)r->window, .stride = (size_t)r->stride,
                             .max_windows = r->windows == QZ_COUNT_AUTO ? QZ_EVAL_AUTO : (size_t)r->windows,
                             .bos = t && qz_tokenizer_bos(t) >= 0 ? qz_tokenizer_bos(t) : s->model->config.bos_id};
}

static void describe(const qz_source *s, const char *path, qz_measured *m) {
    (void)snprintf(m->name, sizeof m->name, "%s", s->name);
    (void)snprintf(m->container, sizeof m->container, "%s", s->model->container);
    (void)snprintf(m->encoding, sizeof m->encoding, "%s", s->model->encoding);
    (void)snprintf(m->contract, sizeof m->contract, "%s", s->model->contract);
    (void)snprintf(m->path, sizeof m->path, "%s", path);
    m->file_bytes = s->model->file_bytes;
    m->bits_per_weight = qz_bits_per_weight(s->model);
    m->mcnemar = m->json_mcnemar = -1;
    qz_str names = {0};
    qz_leftovers_names(s->model, QZ_LEFT_PART, &names);
    m->dropped = qz_leftovers_count(s->model, QZ_LEFT_PART);
    m->keys = s->model->config.keys;
    m->ignored_keys = s->model->config.keys.n_refused;
    (void)snprintf(m->dropped_names, sizeof m->dropped_names, "%s", names.ptr ? names.ptr : "");
    (void)snprintf(m->ignored_names, sizeof m->ignored_names, "%s", s->model->config.keys.refused);
    qz_str_release(&names);
}

qz_status qz_other_origin(qz_run *run, const char *path, qz_source *source, const char *of, qz_named_source *out,
                          qz_error *err) {
    qz_arena a = {0};
    const char *named = qz_provenance_in(path, QZ_SOURCE_KEY, &a), *origin = qz_origin_in(path, &a);
    qz_status st = QZ_OK;
    *out = (qz_named_source){0};
    if (named && strlen(named) == 64) { /* else "UNKNOWN", or nothing */
        if (source->sha_hex[0] == 0) st = qz_source_hash(run, source, err);
        out->same = st == QZ_OK && (strcmp(named, source->sha_hex) == 0 ||
                                    (origin && strcmp(origin, source->sha_hex) == 0)); /* by way of an artifact of it */
        if (st == QZ_OK && !out->same) {
            (void)snprintf(out->other, sizeof out->other, "%s", named);
            qz_warn(run,
                    "'%s' was made from other weights (source_sha256 %.16s…) than '%s' (%.16s…): differences are not "
                    "those of quantization alone",
                    path, named, of, source->sha_hex);
        }
    }
    qz_arena_release(&a);
    return st;
}

/* Their figures are no loss of quantization. */
static qz_status compare_sources(qz_run *run, models *x, qz_measured *out, qz_eval_facts *facts, qz_error *err) {
    for (size_t i = 1; i < x->n; i++) {
        qz_named_source named;
        QZ_TRY(qz_other_origin(run, out[i].path, &x->s[0], out[0].path, &named, err));
        out[i].source_named = named.same;
        memcpy(out[i].made_from, named.other, sizeof out[i].made_from);
    }
    memcpy(facts->source_sha, x->s[0].sha_hex, sizeof facts->source_sha);
    return QZ_OK;
}

static qz_status open_models(qz_run *run, models *x, const char *arith_name, const qz_compared *which,
                             const qz_loras *loras, qz_measured *out, qz_error *err) {
    const size_t n = which->n;
    if (n + 1 > MAX_MODELS)
        return qz_fail(err, QZ_EUSAGE, "too many artifacts: expected at most %d, found %zu", MAX_MODELS - 1, n);
    const bool both = strcmp(arith_name, QZ_ARITH_BOTH) == 0;
    qz_arith arith = QZ_ARITH_EXACT;
    if (!both) QZ_TRY(qz_arith_parse(arith_name, &arith, err));
    x->has_source = which->source != NULL;
    for (size_t i = 0; i < n + x->has_source; i++) {
        const char *path = x->has_source && i == 0 ? which->source : which->artifacts[i - x->has_source];
        QZ_TRY(qz_source_open(run, path, &x->s[i], err));
        x->n = i + 1;
        describe(&x->s[i], path, &out[i]);
        QZ_TRY(qz_loras_beside(run, loras, &x->s[i], x->has_source && i ? &x->s[0] : NULL, &x->lora[i], err));
        /* the source is always exact: it is what the others are measured against */
        const qz_engine_options o = {.arith = x->has_source && i == 0 ? QZ_ARITH_EXACT : arith, .lora = x->lora[i]},
                                fast = {.arith = QZ_ARITH_RUNTIME, .lora = x->lora[i]};
        QZ_TRY(qz_engine_open(run, x->s[i].model, &o, &x->e[i], err));
        if (both && x->has_source && i) QZ_TRY(qz_engine_open(run, x->s[i].model, &fast, &x->fast[i], err));
    }
    return QZ_OK;
}

static qz_status open_all(qz_run *run, const qz_request *r, models *x, const char *arith, const qz_compared *which,
                          qz_measured *out, qz_error *err) {
    qz_loras l;
    QZ_TRY(qz_loras_open(run, r, &l, err));
    const qz_status st = open_models(run, x, arith, which, &l, out, err);
    qz_loras_release(&l);
    return st;
}

/* Ids of a data file are hostile, and the last one of a window is only a target: the engine never sees it. */
static qz_status check_ids(const qz_eval_set *set, const models *x, const char *file, qz_error *err) {
    uint64_t vocab = UINT64_MAX;
    for (size_t i = 0; i < x->n; i++)
        if (x->s[i].model->config.vocab_size < vocab) vocab = x->s[i].model->config.vocab_size;
    for (size_t w = 0; w < set->n; w++)
        for (size_t k = 0; k < set->windows[w].n; k++)
            if (set->windows[w].ids[k] >= vocab)
                return qz_fail(err, QZ_EFORMAT,
                               "token id out of range: file '%s', window %zu, position %zu: expected 0..%llu, found %u",
                               file, w, k, (unsigned long long)vocab - 1, set->windows[w].ids[k]);
    return QZ_OK;
}

/* The last id of a window is only a target. */
static void count_beyond(qz_run *run, const qz_eval_set *set, const models *x, const char *file, qz_measured *out) {
    for (size_t i = 0; i < x->n; i++) {
        size_t texts = 0;
        for (size_t w = 0; w < set->n; w++) {
            const size_t k = set->windows[w].n > 1 ? qz_source_beyond(&x->s[i], set->windows[w].n - 1) : 0;
            out[i].beyond += k;
            texts += k > 0;
        }
        qz_source_warn_beyond(run, &x->s[i], file, out[i].beyond, texts);
    }
}

/* Scores [x->n] of the models, then those of the artifacts in runtime arithmetic at their own places. */
static qz_status score_all(qz_run *run, models *x, const qz_eval_set *set, qz_measured *out, qz_error *err) {
    const size_t first = x->has_source, n = x->n - first;
    qz_engine *engines[2 * MAX_MODELS];
    size_t k = n;
    qz_score *scores = qz_calloc_array(2 * x->n + 1, sizeof *scores);
    if (scores == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory");
    memcpy(engines, x->e + first, n * sizeof *engines);
    for (size_t i = first; i < x->n; i++)
        if (x->fast[i]) engines[k++] = x->fast[i];
    const qz_score_models all = {first ? x->e[0] : NULL, engines, k};
    qz_status st = qz_score_run(run, &all, set, scores + 1, scores, err);
    if (st != QZ_OK)
        for (size_t i = 0; i < 2 * x->n + 1; i++) qz_score_release(&scores[i]);
    for (size_t i = 0; i < x->n && st == QZ_OK; i++) {
        out[i].score = scores[i + !first];
        out[i].scored = true;
        (void)snprintf(out[i].inputs, sizeof out[i].inputs, "%s", qz_engine_inputs(x->fast[i] ? x->fast[i] : x->e[i]));
        if (x->fast[i] == NULL) continue;
        out[i].runtime = scores[i + n]; /* all artifacts have one, or none */
        out[i].scored_runtime = true;
        (void)snprintf(out[i].kernel, sizeof out[i].kernel, "%s", qz_engine_kernel(x->fast[i]));
    }
    qz_free(scores);
    return st;
}

/* The text before the tokens that depart most, and the token itself. */
static qz_status tell_worst(const qz_tokenizer *t, const qz_eval_set *set, qz_measured *out, qz_error *err) {
    for (size_t i = 0; t && i < out->score.n_worst; i++) {
        const qz_worst_token *w = &out->score.worst[i];
        const uint32_t *ids = set->windows[w->window].ids;
        const size_t from = w->position > CONTEXT_TOKENS ? w->position - CONTEXT_TOKENS : 0;
        QZ_TRY(qz_tokenizer_decode(t, ids + from, w->position - from, false, &out->worst[i], err));
        qz_str_putc(&out->worst[i], 0);
        QZ_TRY(qz_tokenizer_decode(t, ids + w->position, 1, false, &out->worst[i], err));
        if (out->worst[i].failed) return qz_fail(err, QZ_EMEMORY, "out of memory decoding text");
    }
    return QZ_OK;
}

static qz_status score_text(qz_run *run, const qz_request *r, models *x, qz_measured *out, qz_eval_facts *facts,
                            qz_error *err) {
    qz_dataset d = {0};
    qz_eval_set set = {0};
    const qz_tokenizer *t = x->s[0].tokenizer;
    qz_status st = qz_dataset_load(r->text, t, &(qz_dataset_options){0}, &d, err);
    const qz_eval_options o = qz_eval_asked(r, &x->s[0]);
    if (st == QZ_OK) st = qz_eval_set_build(t, &d, &o, &set, err);
    for (size_t i = 1; i < x->n && st == QZ_OK; i++) st = qz_same_tokens(&x->s[0], &x->s[i], &d, &o, &set, err);
    if (st == QZ_OK) st = check_ids(&set, x, r->text, err);
    if (st == QZ_OK) count_beyond(run, &set, x, r->text, out);
    if (st == QZ_OK && d.parts.left_out)
        qz_warn(run, "%s: %zu parts of messages are no text and left out: %s", r->text, d.parts.left_out,
                d.parts.names);
    if (st == QZ_OK && set.skipped)
        qz_warn(run, "skipped %zu text%s of fewer than two tokens", set.skipped, qz_plural(set.skipped));
    if (st == QZ_OK && t && d.kind != QZ_DATA_JSONL_IDS) st = qz_scored_bytes(t, &set, &facts->scored_bytes, err);
    if (st == QZ_OK) st = score_all(run, x, &set, out, err);
    for (size_t i = 0; i < x->n && st == QZ_OK; i++) st = tell_worst(t, &set, &out[i], err);
    for (size_t i = 0; i < x->n && st == QZ_OK && facts->scored_bytes; i++)
        out[i].bits_per_byte = (double)out[i].score.scored * log2(out[i].score.ppl.value) / (double)facts->scored_bytes;
    if (st == QZ_OK) {
        memcpy(facts->set, set.describe, sizeof facts->set);
        memcpy(facts->token_hash, set.token_hash, sizeof facts->token_hash);
        facts->skipped = set.skipped;
    }
    qz_eval_set_release(&set);
    qz_dataset_release(&d);
    return st;
}

/* Before any work: a task file that is missing or bad must not cost an evaluation. */
static qz_status load_tasks(const qz_request *r, models *x, qz_error *err) {
    for (size_t i = 0; i < x->n; i++) {
        if (x->s[i].tokenizer == NULL)
            return qz_fail(err, QZ_EUSAGE, "model '%s' has no tokenizer: tasks cannot be run", x->s[i].name);
        QZ_TRY(qz_taskset_load(r->tasks, x->s[i].tokenizer, (size_t)r->max_tasks, &x->tasks[i], err));
    }
    return QZ_OK;
}

static qz_status score_tasks(qz_run *run, const qz_request *r, models *x, qz_measured *out, qz_eval_facts *facts,
                             qz_error *err) {
    for (size_t i = 0; i < x->n; i++) {
        qz_task_log log = {&facts->task_log, out[i].name, &x->tasks[i]};
        const qz_task_options o = {.batch = (size_t)r->batch, .max_new = (size_t)r->max_new, .arg = &log,
                                   .samples = (size_t)r->draws, .answered = r->task_log ? qz_task_log_line : NULL,
                                   .sampling = {.temperature = (float)r->temperature, .top_p = (float)r->top_p,
                                                .repetition_penalty = 1, .seed = r->seed}};
        QZ_TRY(qz_tasks_run(run, x->e[i], x->s[i].tokenizer, &x->tasks[i], &o, &out[i].tasks, err));
        if (!x->has_source || i == 0) continue;
        for (size_t k = 0; k < out[i].tasks.n; k++) {
            out[i].lost += out[0].tasks.pass[k] && !out[i].tasks.pass[k];
            out[i].won += !out[0].tasks.pass[k] && out[i].tasks.pass[k];
        }
        out[i].mcnemar = qz_mcnemar(out[i].lost, out[i].won);
        for (size_t k = 0; k < out[i].tasks.n; k++) {
            out[i].json_lost += out[0].tasks.json[k] == 2 && out[i].tasks.json[k] == 1;
            out[i].json_won += out[0].tasks.json[k] == 1 && out[i].tasks.json[k] == 2;
        }
        out[i].json_mcnemar = qz_mcnemar(out[i].json_lost, out[i].json_won);
    }
    return QZ_OK;
}

qz_status qz_evaluate(qz_run *run, const qz_request *r, const qz_compared *which, qz_measured *out, size_t *n,
                      qz_eval_facts *facts, qz_error *err) {
    models *x = qz_calloc_array(1, sizeof *x);
    qz_status st = x == NULL ? qz_fail(err, QZ_EMEMORY, "out of memory") : QZ_OK;
    *facts = (qz_eval_facts){.arith = r->arith ? r->arith : QZ_ARITH_BOTH, .adapters = r->adapters.at,
                             .n_adapters = r->adapters.n};
    /* no source, no KL */
    if (which->source == NULL && strcmp(facts->arith, QZ_ARITH_BOTH) == 0) facts->arith = "exact";
    if (st == QZ_OK && strcmp(facts->arith, QZ_ARITH_BOTH) != 0 &&
        qz_arith_parse(facts->arith, &(qz_arith){0}, err) != QZ_OK)
        st = qz_fail(err, QZ_EUSAGE, "bad value '%s' for --arith: expected both, exact or runtime", facts->arith);
    /* else the data set's own words */
    if (st == QZ_OK && r->text && qz_path_exists(r->text)) st = readable(r->text, err);
    if (st == QZ_OK && r->tasks) st = readable(r->tasks, err);
    if (st == QZ_OK) st = open_all(run, r, x, facts->arith, which, out, err);
    if (st == QZ_OK && r->against && which->source) st = compare_sources(run, x, out, facts, err);
    if (st == QZ_OK && r->tasks) st = load_tasks(r, x, err);
    if (st == QZ_OK && r->text) st = score_text(run, r, x, out, facts, err);
    if (st == QZ_OK && r->tasks) st = score_tasks(run, r, x, out, facts, err);
    *n = x ? x->n : 0;
    for (size_t i = 0; x && i < x->n; i++) {
        qz_taskset_release(&x->tasks[i]);
        qz_engine_free(x->fast[i]);
        qz_engine_free(x->e[i]);
        qz_lora_free(x->lora[i]);
        qz_source_release(&x->s[i]);
    }
    qz_free(x);
    return st;
}
