#include "deploy/preflight_scheme.h"
#include "artifacts/gguf_deviations.h"
#include "artifacts/gguf_ftypes.h"
#include "artifacts/module_rules.h"
#include "artifacts/schemes.h"
#include "codecs/types.h"
#include "model/steps.h"
#include "deploy/check.h"
#include <stdio.h>
#include <string.h>

qz_status qz_target_parse(const qz_target_options *o, qz_target *out, qz_error *err) {
    *out = (qz_target){.engine = QZ_RUNTIME_NONE, .tp = (unsigned)(o->tp ? o->tp : 1), .kv = o->kv,
                       .lora = o->loras > 0};
    if (o->engine) QZ_TRY(qz_runtime_find(o->engine, &out->engine, err));
    else if (o->tp > 1)
        return qz_fail(err, QZ_EUSAGE, "--tp %llu needs --engine NAME: tensor parallel rules are an engine's",
                       (unsigned long long)o->tp);
    return o->cc ? qz_capability_parse(o->cc, &out->cc, err) : QZ_OK;
}

/* The first refusal as the error of the verb, the others counted. */
static qz_status refuse(const qz_findings *f, const char *scheme, const qz_target *t, qz_error *err) {
    const qz_finding *x = f->rows;
    while (x->level != QZ_FINDING_ERROR) x++;
    char label[64], more[48] = "";
    if (f->count[QZ_FINDING_ERROR] > 1)
        (void)snprintf(more, sizeof more, " (and %zu more)", f->count[QZ_FINDING_ERROR] - 1);
    if (t->engine == QZ_RUNTIME_NONE) label[0] = 0;
    else (void)qz_runtime_label(t->engine, label);
    return qz_fail(err, QZ_EUNSUPPORTED,
                   "'%s' is refused before any work%s%s: %s%s%s%s: %s; nearest setting that works: %s", scheme,
                   *label ? " for " : "", label, x->code, *x->subject ? ", " : "", x->subject, more, x->problem,
                   x->fix);
}

/* One pre-flight of a scheme: what it is for, and the most GPUs that the settings so far divide over. */
typedef struct { qz_run *run; const qz_target *t; qz_arena *a; unsigned most; } flight;

/* Engines that run the kind at all: does this setting load, and on how many GPUs? */
static qz_status notes(flight *x, const qz_deploy_shape *s, const qz_deploy_spec *spec, const char *scheme,
                       qz_error *err) {
    qz_run *run = x->run;
    static const qz_runtime served[] = {QZ_RUNTIME_VLLM, QZ_RUNTIME_SGLANG, QZ_RUNTIME_TGI};
    char label[64], near[128];
    for (size_t i = 0; i < sizeof served / sizeof served[0]; i++) {
        const qz_loads *l = qz_loads_get(spec->kind, served[i]);
        qz_findings f = {.arena = &(qz_arena){0}};
        qz_target t = {.engine = served[i], .tp = 1};
        if (l == NULL || l->how != QZ_RUNS) continue;
        qz_status st = qz_preflight(s, spec, &t, &f, err);
        for (size_t k = 0, told = 0; st == QZ_OK && k < f.n && !told; k++) {
            if (f.rows[k].level != QZ_FINDING_ERROR) continue;
            qz_info(run, "note: %s does not load %s: %s; nearest setting that works: %s",
                    qz_runtime_label(served[i], label), scheme, f.rows[k].problem, f.rows[k].fix);
            told = 1;
        }
        qz_arena_release(f.arena);
        QZ_TRY(st);
    }
    unsigned tp = qz_preflight_max_tp(s, spec, spec->group_size);
    if (qz_deploy_get(spec->kind)->grouped && tp > 0 && tp < x->most) {
        x->most = tp;
        const qz_target t = {.engine = QZ_RUNTIME_VLLM, .tp = 2 * tp};
        qz_info(run,
                "note: %s divides over at most %u GPU%s; for tensor parallel %u: %s ('quantz check --engine NAME --tp "
                "N')",
                scheme, tp, tp == 1 ? "" : "s", 2 * tp, qz_preflight_nearest(s, spec, &t, near));
    }
    return QZ_OK;
}

/* One setting on the linears that have it. */
static qz_status one_setting(flight *flown, const qz_deploy_shape *s, const qz_deploy_spec *spec, const char *label,
                             qz_error *err) {
    qz_run *run = flown->run;
    const qz_target *t = flown->t;
    qz_findings f = {.arena = flown->a};
    QZ_TRY(qz_preflight(s, spec, t, &f, err));
    if (f.count[QZ_FINDING_ERROR]) return refuse(&f, label, t, err);
    for (size_t i = 0; i < f.n && t->engine != QZ_RUNTIME_NONE; i++) {
        const qz_finding *x = &f.rows[i];
        if (x->level == QZ_FINDING_WARN)
            qz_warn(run, "%s: %s%s%s; %s", x->code, x->subject, *x->subject ? ": " : "", x->problem, x->fix);
        else qz_info(run, "note: %s: %s%s%s; %s", x->code, x->subject, *x->subject ? ": " : "", x->problem, x->fix);
    }
    return t->engine == QZ_RUNTIME_NONE ? notes(flown, s, spec, label, err) : QZ_OK;
}

/* Settings of single modules: every setting that some linear has (the scheme's own first), with a bit for each of
 * those linears. */
typedef struct { qz_code_setting setting; unsigned linears; } modules;

static bool has_setting(const qz_model *m, const modules *x, const qz_deploy_linear *linear, qz_arena *a) {
    for (size_t layer = 0; layer < m->config.layers; layer++)
        for (size_t k = 0; k < QZ_LINEARS; k++)
            if (x->linears & 1u << k && qz_deploy_linear_is(linear, m, layer, k, a)) return true;
    return false;
}

/* The linears that have a setting, and the artifact as if all had it. */
typedef struct { qz_deploy_shape shape; qz_deploy_spec spec; } part;
static qz_status part_of(const qz_model *m, const qz_deploy_shape *s, const qz_deploy_spec *spec, const modules *x,
                         qz_arena *a, part *out, qz_error *err) {
    *out = (part){*s, *spec};
    out->shape.n = 0;
    out->shape.linears = qz_arena_calloc(a, s->n + 1, sizeof *out->shape.linears);
    if (out->shape.linears == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory in the pre-flight");
    for (size_t i = 0; i < s->n; i++)
        if (has_setting(m, x, &s->linears[i], a)) out->shape.linears[out->shape.n++] = s->linears[i];
    out->spec.bits = x->setting.bits;
    out->spec.group_size = qz_group_written(x->setting.group_size);
    out->spec.sym = x->setting.sym;
    out->spec.act_order = x->setting.act_order;
    return QZ_OK;
}

static void add_setting(modules *all, size_t *n, const qz_code_setting *x, size_t linear) {
    size_t i = 0;
    while (i < *n && !qz_module_setting_equal(x, &all[i].setting)) i++;
    if (i == *n) all[(*n)++] = (modules){.setting = *x};
    all[i].linears |= 1u << linear;
}

static qz_status collect(const qz_model *m, const qz_scheme_spec *scheme, modules *out, size_t *n, qz_error *err) {
    *n = 1;
    out[0] = (modules){.setting = {.bits = scheme->bits, .group_size = scheme->group_size, .sym = scheme->sym,
                                   .act_order = scheme->act_order}};
    for (size_t l = 0; l < m->config.layers; l++)
        for (size_t k = 0; k < QZ_LINEARS; k++) {
            qz_code_setting x;
            if (m->blocks[l].linear[k] == NULL) continue;
            QZ_TRY(qz_module_setting_of(scheme, m->blocks[l].linear[k]->name, &x, err));
            if (!x.keep) add_setting(out, n, &x, k);
        }
    return QZ_OK;
}

/* Engines that load GPTQ but have one setting for a whole file (TGI db931fc layers/gptq, optimum 2.3.0 gptq: no
 * key 'dynamic'). */
static bool one_for_all(qz_runtime e) { return e == QZ_RUNTIME_TGI || e == QZ_RUNTIME_TRANSFORMERS; }

static qz_status modules_read(qz_run *run, const qz_target *t, qz_scheme s, const char *scheme, qz_error *err) {
    char label[64];
    if (qz_scheme_module_room(s) != QZ_MODULES_ALL) return QZ_OK; /* lists of float modules are read by all */
    if (one_for_all(t->engine))
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "'%s' is refused before any work for %s: PRE-MODULES, --module: it does not read settings of "
                       "single modules (key 'dynamic'); "
                       "nearest setting that works: no --module",
                       scheme, qz_runtime_label(t->engine, label));
    if (t->engine == QZ_RUNTIME_NONE)
        qz_info(run, "note: GPTQModel, vLLM and SGLang read settings of single modules; transformers (optimum) and TGI "
                     "do not");
    return QZ_OK;
}

static qz_status all_settings(flight *flown, const qz_model *m, const qz_scheme_spec *scheme, const qz_deploy_shape *s,
                              const qz_deploy_spec *spec, qz_error *err) {
    qz_arena *a = flown->a;
    size_t n = 0;
    if (scheme->n_modules == 0) return one_setting(flown, s, spec, scheme->name, err);
    modules *each = qz_arena_calloc(a, scheme->n_modules + 1, sizeof *each);
    if (each == NULL) return qz_fail(err, QZ_EMEMORY, "out of memory in the pre-flight");
    QZ_TRY(qz_module_rules_check(scheme, m, err));
    QZ_TRY(modules_read(flown->run, flown->t, scheme->scheme, scheme->name, err));
    QZ_TRY(collect(m, scheme, each, &n, err));
    for (size_t i = 0; i < n; i++) {
        const qz_code_setting *x = &each[i].setting;
        part own;
        char label[160];
        QZ_TRY(part_of(m, s, spec, &each[i], a, &own, err));
        if (own.shape.n == 0) continue;
        (void)snprintf(label, sizeof label, "%.60s%s%.80s", scheme->name, x->rule ? " --module " : "",
                       x->rule ? qz_module_rule_of(x)->text : "");
        QZ_TRY(one_setting(flown, &own.shape, &own.spec, label, err));
    }
    return QZ_OK;
}

bool qz_preflight_requantizes(const qz_model *m, const qz_scheme_spec *scheme) {
    bool coded = false;
    const qz_type level = scheme && scheme->scheme == QZ_SCHEME_GGUF
                              ? qz_type_by_ggml_id((int)qz_ftype_get(scheme->ftype)->type)
                              : QZ_TYPE_NONE; /* such blocks are copied */
    for (size_t l = 0; l < m->config.layers; l++)
        for (size_t k = 0; k < QZ_LINEARS; k++) {
            const qz_block *b = &m->blocks[l];
            const qz_tensor_view *t = b->expert[k] ? b->expert[k][0] : b->linear[k];
            coded = coded || (t && !qz_tensor_floats(t) && !qz_coded_has_blocks(t->coded, level));
        }
    return qz_check_requantizes(coded, scheme);
}

void qz_preflight_requant(qz_run *run, const qz_model *m, const qz_scheme_spec *scheme) {
    double bits = 0;
    for (size_t i = 0; i < m->n_tensors; i++) bits += 8.0 * (double)m->tensors[i].bytes;
    const qz_pitfall *p = qz_pitfall_get("CHK-REQUANT");
    if (p && qz_preflight_requantizes(m, scheme))
        qz_warn(run, "CHK-REQUANT: %s: it is %s %s already, %.2f bits a weight; the loss of both adds up: %s", p->cause,
                m->container, m->encoding, bits / (double)qz_config_parameters(&m->config), p->fix);
}

/* What its loader cannot take is refused; what it computes otherwise is a note of the plan. */
static qz_status loads_graph(const qz_model *m, const char *scheme, const qz_target *t, qz_error *err) {
    qz_gguf_deviation x;
    char label[64];
    for (size_t i = 0; qz_gguf_deviation_at(&m->config, i, &x); i++)
        if (x.how == QZ_DEVIATES_STOPS)
            return qz_fail(err, QZ_EUNSUPPORTED, "'%s' is refused before any work for %s: PRE-LOADER: %s; %s", scheme,
                           qz_runtime_label(t->engine, label), x.text, qz_pitfall_get("PRE-LOADER")->fix);
    return QZ_OK;
}

qz_status qz_preflight_scheme(qz_run *run, const qz_target_options *o, const qz_model *m, const qz_scheme_spec *scheme,
                              qz_error *err) {
    qz_arena a = {0};
    qz_deploy_shape s;
    qz_deploy_spec spec;
    qz_target t;
    qz_deploy_spec_scheme(scheme, &spec);
    qz_status st = qz_target_parse(o, &t, err);
    if (st == QZ_OK) st = qz_deploy_shape_config(&m->config, &a, &s, err);
    if (st == QZ_OK && spec.kind == QZ_DEPLOY_GGUF && qz_runtime_is_llama(t.engine))
        st = loads_graph(m, scheme->name, &t, err);
    if (st == QZ_OK) st = all_settings(&(flight){run, &t, &a, 8}, m, scheme, &s, &spec, err);
    qz_arena_release(&a);
    if (st == QZ_OK) qz_preflight_requant(run, m, scheme);
    return st;
}

/* ---- artifacts ---- */
/* What the linears of a file really hold. Settings above the limit are not looked at one by one. */
enum { SETTINGS = 32 };
static void held(const qz_model *m, const qz_deploy_spec *spec, modules out[SETTINGS], size_t *n) {
    *n = 0;
    for (size_t l = 0; l < m->config.layers; l++)
        for (size_t k = 0; k < QZ_LINEARS; k++) {
            const qz_coded *c = m->blocks[l].linear[k] ? m->blocks[l].linear[k]->coded : NULL;
            const qz_code_layout g = c ? c->ops->layout(c) : (qz_code_layout){.form = QZ_CODES_TABLE};
            if (g.form != QZ_CODES_AFFINE) continue;
            uint32_t group = g.group == c->cols && spec->group_size != (long)c->cols ? (uint32_t)QZ_WHOLE_ROW
                                                                                     : (uint32_t)g.group;
            qz_code_setting x = {.bits = g.bits, .group_size = group, .sym = g.sym,
                                .act_order = spec->act_order || g.g_idx != NULL};
            if (*n < SETTINGS) add_setting(out, n, &x, k);
        }
}

static void add_new(qz_findings *f, const qz_findings *more) {
    for (size_t i = 0; i < more->n; i++) {
        const qz_finding *x = &more->rows[i];
        bool known = false;
        for (size_t k = 0; k < f->n && !known; k++)
            known = strcmp(f->rows[k].code, x->code) == 0 && strcmp(f->rows[k].subject, x->subject) == 0 &&
                    strcmp(f->rows[k].problem, x->problem) == 0;
        if (!known) qz_findings_add(f, x, "%s", x->problem);
    }
}

qz_status qz_preflight_artifact(const qz_model *m, const json_t *q, const qz_deploy_shape *s,
                                const qz_deploy_spec *spec, const qz_target *t, qz_findings *f, qz_error *err) {
    modules each[SETTINGS];
    size_t n = 0;
    if (m && spec->kind == QZ_DEPLOY_GPTQ && f->arena) held(m, spec, each, &n);
    if (n == 0 || (n == 1 && json_object_size(json_object_get(q, "dynamic")) == 0))
        return qz_preflight(s, spec, t, f, err);
    if (one_for_all(t->engine))
        qz_findings_add(f,
                        &(qz_finding){"PRE-MODULES", QZ_FINDING_ERROR, "dynamic", NULL,
                                      "write the artifact with one setting for all modules",
                                      "optimum 2.3.0 gptq, TGI layers/gptq"},
                        "modules have settings of their own, and this engine reads one for the whole file");
    for (size_t i = 0; i < n; i++) {
        qz_findings own = {.arena = f->arena};
        part x;
        QZ_TRY(part_of(m, s, spec, &each[i], f->arena, &x, err));
        QZ_TRY(qz_preflight(&x.shape, &x.spec, t, &own, err));
        add_new(f, &own);
    }
    return f->failed ? qz_fail(err, QZ_EMEMORY, "out of memory in the pre-flight") : QZ_OK;
}
