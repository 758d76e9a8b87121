#include "produce/naming.h"
#include "produce/recipe.h"
#include "artifacts/gguf_layout.h"
#include "artifacts/module_rules.h"
#include "artifacts/schemes.h"
#include "artifacts/tensor_types.h"
#include "base/json_write.h"
#include "formats/gguf_edit.h"
#include "methods/hessian.h"
#include <string.h>

/* ---- parts of best mode ---- */
static const struct { const char *name; size_t at; } parts[] = {
#define PART(name) {#name, offsetof(qz_method_options, name)}
    PART(fold), PART(asymmetric), PART(residual), PART(order), PART(descent), PART(refit), PART(norms), PART(sign),
    PART(inputs), PART(experts),
#undef PART
};
enum { PARTS = sizeof parts / sizeof parts[0] };

static bool *part(qz_method_options *o, size_t i) { return (bool *)(void *)((char *)o + parts[i].at); }

/* "fold,descent": parts to leave out, for measuring what each brings. */
static qz_status leave_out(const char *list, qz_method_options *o, qz_error *err) {
    for (const char *p = list; *p;) {
        size_t n = strcspn(p, ","), i = 0;
        while (i < PARTS && !(strlen(parts[i].name) == n && strncmp(parts[i].name, p, n) == 0)) i++;
        if (i == PARTS)
            return qz_fail(err, QZ_EUSAGE,
                           "unknown part '%.*s' in --without: expected fold, asymmetric, residual, order, "
                           "descent, refit, norms, sign, inputs or experts",
                           (int)n, p);
        *part(o, i) = false;
        p += n + (p[n] == ',');
    }
    return QZ_OK;
}

/* ---- settings of codes ---- */
static const qz_method *method_of(const qz_scheme_spec *spec, qz_search search) {
    const qz_scheme_info *s = qz_scheme_get(spec->scheme);
    return qz_method_named(search == QZ_SEARCH_BEST ? s->best : s->compat);
}
/* Codes under the tokens themselves; else the float model's statistics are all that it can take. */
static bool flows(const qz_method *m) { return m->takes & QZ_NEEDS_TOKENS && m->takes & QZ_NEEDS_GRAM; }

static void set_defaults(qz_method_options *o, const qz_scheme_spec *spec, qz_search search) {
    const bool best = search == QZ_SEARCH_BEST;
    *o = (qz_method_options){.search = search, .propagate = !best && flows(method_of(spec, search)), .sequential = true,
                             .head = spec->lm_head};
    for (size_t i = 0; i < PARTS; i++) *part(o, i) = best;
    if (spec->element != QZ_ELEMENT_INT) o->fold = false; /* the search of scales to fold rounds integers */
}

/* GGUF: float statistics alone do too, and what cannot go layer by layer takes them unless asked otherwise. */
static qz_status set_block_flow(const qz_request *r, qz_method_options *o, qz_error *err) {
    const char *why = r->imatrix      ? "--imatrix stands for the tokens that it would run"
                      : !r->data      ? "it runs the calibration tokens: give --calib FILE"
                      : r->keep_split ? "--keep-split writes tensors in the order of the source's parts"
                                      : NULL;
    if (why && r->propagate) return qz_fail(err, QZ_EUSAGE, "--propagate quantized cannot be done here: %s", why);
    o->propagate = why == NULL && (r->propagate || !r->stats); /* statistics given are taken */
    return QZ_OK;
}

/* How much is spent: "fast" leaves out what costs most and flows least; the other levels differ in whether tokens run
 * through the layers that are quantized already, which release does not do unasked. */
enum { FAST_WINDOWS = 32 };
static bool is(const char *level, const char *name) { return level && strcmp(level, name) == 0; }
static bool fast(const qz_request *r) { return is(r->effort, "fast"); }
static qz_status check_effort(const qz_request *r, qz_search search, qz_error *err) {
    const char *e = r->effort;
    if (e == NULL || is(e, "default") || is(e, "normal") || is(e, "high")) return QZ_OK;
    if (!fast(r)) return qz_fail(err, QZ_EUSAGE, "unknown --effort '%s': expected fast, default or high", e);
    if (search == QZ_SEARCH_BEST) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "--effort fast leaves parts of --search best out: --search compat has none");
}

static qz_status set_flow(const qz_request *r, const qz_scheme_spec *spec, qz_method_options *o, qz_error *err) {
    const bool once = fast(r) || is(r->effort, "normal"), best = o->search == QZ_SEARCH_BEST;
    if (best && r->data && !once) o->propagate = true;
    if (r->propagate && strcmp(r->propagate, "original") == 0) o->propagate = false;
    else if (r->propagate && strcmp(r->propagate, "quantized") == 0) o->propagate = true;
    else if (r->propagate)
        return qz_fail(err, QZ_EUSAGE, "unknown --propagate '%s': expected original or quantized", r->propagate);
    if (!flows(method_of(spec, o->search))) o->propagate = false; /* AWQ's own search runs the float model */
    return o->propagate && spec->scheme == QZ_SCHEME_GGUF ? set_block_flow(r, o, err) : QZ_OK;
}

static qz_status set_ints(const qz_request *r, const qz_scheme_spec *spec, qz_search search, qz_method_options *o,
                          qz_error *err) {
    set_defaults(o, spec, search);
    if (r == NULL) return QZ_OK;
    o->strict = r->strict;
    o->damp = r->damp;
    o->mse_norm = (float)r->mse;
    const bool searched = spec->scheme == QZ_SCHEME_GPTQ || spec->scheme == QZ_SCHEME_CT;
    if (r->mse > 0 && (search != QZ_SEARCH_COMPAT || !searched))
        return qz_fail(err, QZ_EUSAGE,
                       "--mse is a search of the reference libraries: expected gptq or ct with --search compat, found "
                       "'%s'%s", spec->name,
                       search == QZ_SEARCH_COMPAT ? "" : " with --search best, which chooses scales by itself");
    o->sequential = !r->together;
    o->no_clip = r->no_clip;
    const qz_method *m = method_of(spec, search);
    if (r->no_clip && (flows(m) || !(m->takes & QZ_NEEDS_TOKENS))) /* only what replays blocks clips */
        return qz_fail(err, QZ_EUSAGE,
                       "--no-clip leaves the search of clipping bounds out, which awq with --search compat has: '%s' "
                       "here clips nothing",
                       spec->name);
    QZ_TRY(check_effort(r, search, err));
    if (fast(r) && spec->scheme != QZ_SCHEME_GGUF) o->descent = o->refit = o->norms = false;
    QZ_TRY(set_flow(r, spec, o, err));
    if (o->propagate && r->route && strcmp(r->route, "all") == 0)
        return qz_fail(err, QZ_EUSAGE,
                       "--route all is for statistics of the float model, and here tokens go through the quantized "
                       "one, where its router sends them: add --propagate original");
    return r->without ? leave_out(r->without, o, err) : QZ_OK;
}

/* ---- calibration ---- */
static const char *const policies[] = {"pack", "truncate", "drop"};

static qz_status policy_of(const char *text, qz_length_policy *out, qz_error *err) {
    *out = QZ_PACK;
    for (size_t i = 0; text && i < 3; i++)
        if (strcmp(policies[i], text) == 0) return *out = (qz_length_policy)i, QZ_OK;
    return text ? qz_fail(err, QZ_EUSAGE, "bad value '%s' for --lengths: expected pack, truncate or drop", text)
                : QZ_OK;
}

static qz_status route_of(const char *text, bool *all, qz_error *err) {
    *all = text && strcmp(text, "all") == 0;
    if (*all || text == NULL || strcmp(text, "router") == 0) return QZ_OK;
    return qz_fail(err, QZ_EUSAGE, "bad value '%s' for --route: expected router or all", text);
}

size_t qz_recipe_samples(const qz_request *r) {
    const size_t n = (size_t)r->samples;
    return fast(r) && n > FAST_WINDOWS ? FAST_WINDOWS : n;
}
qz_status qz_recipe_windows(const qz_request *r, qz_recipe_calibration *out, qz_error *err) {
    const bool reference = r->search && strcmp(r->search, "compat") == 0; /* its windows are plain pieces of the text */
    *out = (qz_recipe_calibration){.used = r->data || r->stats, .raw = r->raw,
                                   .windows = {.seq_len = (size_t)r->seq_len, .most = qz_recipe_samples(r),
                                               .bos = !r->no_bos && !reference}};
    QZ_TRY(route_of(r->route, &out->route_all, err));
    return policy_of(r->lengths, &out->windows.policy, err);
}

void qz_recipe_of_stats(qz_recipe *c, const qz_stats_info *info) {
    c->calibration = (qz_recipe_calibration){.used = true, .raw = info->raw, .route_all = info->route_all,
                                             .windows = {(size_t)info->seq_len, (size_t)info->windows,
                                                         (qz_length_policy)info->lengths, !info->no_bos}};
}

/* ---- the whole ---- */
/* Its settings are written: the method has any. */
static bool solves(const qz_recipe *c) { return qz_recipe_method(c)->takes & QZ_NEEDS_TOKENS; }
/* Refused before any work. */
static qz_status check_overrides(const qz_text_list *list, qz_error *err) {
    qz_gguf_edits e = {0};
    qz_status st = QZ_OK;
    for (size_t i = 0; i < list->n && st == QZ_OK; i++)
        st = qz_gguf_edit_parse(&e, NULL, list->at[i], QZ_GGUF_OVERRIDE, err);
    qz_gguf_edits_release(&e);
    return st;
}

qz_status qz_recipe_make(const qz_request *r, const char *to, qz_arena *arena, qz_recipe *out, qz_error *err) {
    qz_search search = QZ_SEARCH_BEST;
    *out = (qz_recipe){0};
    if (r) QZ_TRY(qz_search_parse(r->search, &search, err));
    QZ_TRY(qz_scheme_parse(to, &out->spec, err));
    QZ_TRY(set_ints(r, &out->spec, search, &out->codes, err));
    if (r == NULL) return QZ_OK;
    out->spec.no_mtp = r->no_mtp;
    if (r->modules.n && search == QZ_SEARCH_COMPAT && qz_scheme_module_room(out->spec.scheme) == QZ_MODULES_KEEP &&
        solves(out))
        return qz_fail(err, QZ_EUSAGE, "--module and --search compat do not go together for '%s': the reference's "
                                       "search has no module that stays float; leave one of them out",
                       out->spec.name);
    if (r->modules.n) QZ_TRY(qz_module_rules_parse(&out->spec, r->modules.at, r->modules.n, arena, err));
    QZ_TRY(qz_tensor_types_parse(&out->spec,
                                 &(qz_tensor_types){r->pure, r->leave_output, r->output_type, r->embedding_type,
                                                    r->tensor_types.at, r->tensor_types.n},
                                 arena, err));
    QZ_TRY(qz_name_check(r->name, err));
    out->fast = fast(r);
    out->requantize = r->allow_requantize;
    out->reserve = r->reserve_room;
    out->split_size = r->split_size;
    out->split_tensors = r->split_tensors;
    out->keep_split = r->keep_split;
    QZ_TRY(qz_gguf_layout_parse(&out->spec,
                                &(qz_gguf_wishes){r->split_size, r->split_tensors, r->reserve_room, r->keep_split},
                                err));
    if (r->overrides.n && out->spec.scheme != QZ_SCHEME_GGUF)
        return qz_fail(err, QZ_EUSAGE, "--override-kv is for GGUF, and '%s' is none", out->spec.name);
    out->spec.overrides = r->overrides.at;
    out->spec.n_overrides = r->overrides.n;
    QZ_TRY(check_overrides(&r->overrides, err));
    out->name = r->name;
    out->pre = r->pre;
    out->accept = r->accept;
    const unsigned takes = qz_recipe_method(out)->takes;
    const char *data = r->imatrix && takes & QZ_NEEDS_IMPORTANCE ? "imatrix"
                       : r->data || r->stats                     ? "calibration"
                                                                 : NULL;
    out->with = takes ? data : NULL;
    return qz_recipe_windows(r, &out->calibration, err);
}

const qz_method *qz_recipe_method(const qz_recipe *c) { return method_of(&c->spec, c->codes.search); }
static unsigned needs(const qz_recipe *c) { return qz_recipe_method(c)->needs(&c->codes); }
/* What has no other way: block feedback falls back to the search, unless tokens are to flow. */
bool qz_recipe_needs_tokens(const qz_recipe *c) { return needs(c) & QZ_NEEDS_TOKENS || c->spec.kv; }
bool qz_recipe_needs_stats(const qz_recipe *c) {
    return qz_scheme_static_inputs(&c->spec) ||
           (needs(c) & QZ_NEEDS_GRAM && (c->codes.propagate || qz_recipe_method(c)->other == NULL));
}

double qz_recipe_damp(const qz_recipe *c) {
    if (c->codes.damp > 0) return c->codes.damp;
    return c->codes.search == QZ_SEARCH_BEST ? 0 : QZ_DAMP_USUAL;
}

/* ---- as JSON ---- */
static void put_text(qz_json_writer *w, const char *key, const char *value) {
    if (value) qz_jw_text(w, key, value);
}
static void put_flag(qz_json_writer *w, const char *key, bool on) {
    if (on) qz_jw_bool(w, key, true);
}

static void put_ints(const qz_recipe *c, qz_json_writer *w) {
    qz_method_options own = c->codes, usual;
    qz_str out = {0};
    set_defaults(&usual, &c->spec, c->codes.search);
    const qz_method *m = qz_recipe_method(c);
    /* GGUF without any has nothing to choose; with some the recipe is to give the same from tokens and statistics */
    if (flows(m) && (own.propagate || m->other == NULL || (c->with && strcmp(c->with, "calibration") == 0)))
        put_text(w, "propagate", own.propagate ? "quantized" : "original");
    put_flag(w, "together", !own.sequential);
    for (size_t i = 0; i < PARTS; i++)
        if (*part(&usual, i) && !*part(&own, i)) qz_str_printf(&out, "%s%s", out.len ? "," : "", parts[i].name);
    put_text(w, "without", out.ptr);
    w->out->failed |= out.failed;
    qz_str_release(&out);
    put_flag(w, "no_clip", own.no_clip);
    put_flag(w, "strict", own.strict);
}

static void put_modules(const qz_scheme_spec *s, qz_json_writer *w) {
    if (s->n_modules) qz_jw_open(w, "module", '[');
    for (size_t i = 0; i < s->n_modules; i++) qz_jw_text(w, NULL, s->modules[i].text);
    if (s->n_modules) qz_jw_close(w, ']');
}
static void put_types(const qz_scheme_spec *s, qz_json_writer *w) {
    const qz_mix_options *m = &s->mix;
    put_flag(w, "no_mtp", s->no_mtp);
    put_flag(w, "pure", m->pure);
    put_flag(w, "leave_output_tensor", m->keep_output);
    if (m->output_type >= 0) put_text(w, "output_tensor_type", qz_gguf_type_get((uint32_t)m->output_type)->name);
    if (m->embedding_type >= 0)
        put_text(w, "token_embedding_type", qz_gguf_type_get((uint32_t)m->embedding_type)->name);
    if (m->n_rules) qz_jw_open(w, "tensor_type", '[');
    for (size_t i = 0; i < m->n_rules; i++) qz_jw_text(w, NULL, m->rules[i].text);
    if (m->n_rules) qz_jw_close(w, ']');
}

void qz_recipe_json(const qz_recipe *c, bool cut, qz_str *out) {
    const qz_recipe_calibration *k = &c->calibration;
    qz_json_writer w = {.out = out};
    qz_jw_open(&w, NULL, '{');
    if (c->convert) put_text(&w, "verb", "convert");
    put_text(&w, "to", c->spec.name);
    put_flag(&w, "lossy", c->lossy);
    if (!c->convert) put_text(&w, "search", c->codes.search == QZ_SEARCH_BEST ? "best" : "compat");
    put_text(&w, "effort", c->fast && solves(c) ? "fast" : NULL);
    if (c->codes.damp > 0) qz_jw_real(&w, "damp", c->codes.damp);
    if (solves(c) && !c->convert) put_ints(c, &w);
    if (c->codes.mse_norm > 0) qz_jw_real(&w, "mse", (double)c->codes.mse_norm);
    put_modules(&c->spec, &w);
    put_types(&c->spec, &w);
    put_flag(&w, "allow_requantize", c->requantize);
    put_text(&w, "reserve", c->reserve);
    put_text(&w, "split_max_size", cut ? c->split_size : NULL);
    put_text(&w, "split_max_tensors", cut ? c->split_tensors : NULL);
    put_flag(&w, "keep_split", cut && c->keep_split);
    if (c->spec.n_overrides) qz_jw_open(&w, "override_kv", '[');
    for (size_t i = 0; i < c->spec.n_overrides; i++) qz_jw_text(&w, NULL, c->spec.overrides[i]);
    if (c->spec.n_overrides) qz_jw_close(&w, ']');
    if (k->used) {
        qz_jw_real(&w, "samples", (double)k->windows.most);
        qz_jw_real(&w, "seq_len", (double)k->windows.seq_len);
        if (k->windows.policy != QZ_PACK) put_text(&w, "lengths", policies[k->windows.policy]);
        put_flag(&w, "no_bos", !k->windows.bos && c->codes.search == QZ_SEARCH_BEST);
        put_flag(&w, "raw", k->raw);
        if (k->route_all) put_text(&w, "route", "all");
    }
    put_text(&w, "with", c->with);
    put_text(&w, "name", c->name);
    put_text(&w, "pre", c->pre);
    put_text(&w, "accept", c->accept);
    qz_jw_close(&w, '}');
}

static char *text_of(const qz_recipe *c, bool cut, qz_arena *arena) {
    qz_str s = {0};
    qz_recipe_json(c, cut, &s);
    char *text = s.failed ? NULL : qz_arena_strdup(arena, s.ptr);
    qz_str_release(&s);
    return text;
}

qz_status qz_recipe_record(const qz_recipe *c, qz_arena *arena, qz_provenance *out, qz_error *err) {
    char *keys = text_of(c, false, arena), *manifest = text_of(c, true, arena);
    if (keys == NULL || manifest == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory planning");
    *out = (qz_provenance){QZ_RECIPE_KEY, keys, true, manifest};
    return QZ_OK;
}
