#include "pipeline/preflight.h"
#include "pipeline/plan.h"
#include <stdio.h>
#include <string.h>

qz_status qz_target_parse(const qz_request *r, qz_target *out, qz_error *err) {
    *out = (qz_target){.engine = QZ_RUNTIME_NONE, .tp = (unsigned)(r->tp ? r->tp : 1), .kv = r->kv, .lora = r->loras > 0};
    if (r->engine) QZ_TRY(qz_runtime_find(r->engine, &out->engine, err));
    else if (r->tp > 1) return qz_fail(err, QZ_EUSAGE, "--tp %llu needs --engine NAME: tensor parallel rules are an engine's", (unsigned long long)r->tp);
    return r->cc ? qz_capability_parse(r->cc, &out->cc, err) : QZ_OK;
}

/* The first refusal as the error of the verb, the others counted. */
static qz_status refuse(const qz_findings *f, const char *scheme, const qz_target *t, qz_error *err) {
    const qz_finding *x = f->rows;
    while (x->level != QZ_FINDING_ERROR) x++;
    char label[64], more[48] = "";
    if (f->count[QZ_FINDING_ERROR] > 1) (void)snprintf(more, sizeof more, " (and %zu more)", f->count[QZ_FINDING_ERROR] - 1);
    if (t->engine == QZ_RUNTIME_NONE) label[0] = 0;
    else (void)qz_runtime_label(t->engine, label);
    return qz_fail(err, QZ_EUNSUPPORTED, "'%s' is refused before any work%s%s: %s%s%s%s: %s; nearest setting that works: %s", scheme, *label ? " for " : "", label, x->code,
                   *x->subject ? ", " : "", x->subject, more, x->problem, x->fix);
}

/* Engines that run the kind at all: does this setting load, and on how many GPUs? */
static qz_status notes(qz_run *run, const qz_deploy_shape *s, const qz_deploy_spec *spec, const char *scheme, qz_error *err) {
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
            qz_info(run, "note: %s does not load %s: %s; nearest setting that works: %s", qz_runtime_label(served[i], label), scheme, f.rows[k].problem, f.rows[k].fix);
            told = 1;
        }
        qz_arena_release(f.arena);
        QZ_TRY(st);
    }
    unsigned tp = qz_preflight_max_tp(s, spec, spec->group_size);
    if (qz_deploy_get(spec->kind)->grouped && tp > 0 && tp < 8) {
        const qz_target t = {.engine = QZ_RUNTIME_VLLM, .tp = 2 * tp};
        qz_info(run, "note: %s divides over at most %u GPU%s; for tensor parallel %u: %s ('quantz check --engine NAME --tp N')", scheme, tp, tp == 1 ? "" : "s", 2 * tp,
                qz_preflight_nearest(s, spec, &t, near));
    }
    return QZ_OK;
}

qz_status qz_preflight_scheme(qz_run *run, const qz_request *r, const qz_model *m, const qz_scheme_spec *scheme, qz_error *err) {
    qz_arena a = {0};
    qz_deploy_shape s;
    qz_deploy_spec spec;
    qz_target t;
    qz_findings f = {.arena = &a};
    qz_deploy_spec_scheme(scheme, &spec);
    qz_status st = qz_target_parse(r, &t, err);
    if (st == QZ_OK) st = qz_deploy_shape_config(&m->config, &a, &s, err);
    if (st == QZ_OK) st = qz_preflight(&s, &spec, &t, &f, err);
    if (st == QZ_OK && f.count[QZ_FINDING_ERROR]) st = refuse(&f, scheme->name, &t, err);
    for (size_t i = 0; st == QZ_OK && i < f.n && t.engine != QZ_RUNTIME_NONE; i++) {
        const qz_finding *x = &f.rows[i];
        if (x->level == QZ_FINDING_WARN) qz_warn(run, "%s: %s%s%s; %s", x->code, x->subject, *x->subject ? ": " : "", x->problem, x->fix);
        else qz_info(run, "note: %s: %s%s%s; %s", x->code, x->subject, *x->subject ? ": " : "", x->problem, x->fix);
    }
    if (st == QZ_OK && t.engine == QZ_RUNTIME_NONE) st = notes(run, &s, &spec, scheme->name, err);
    qz_arena_release(&a);
    return st;
}

qz_status qz_plan_number(const char *text, const char *option, uint64_t most, uint64_t *out, qz_error *err) {
    qz_arena a = {0};
    uint64_t *v;
    size_t n;
    if (text == NULL) return QZ_OK;
    qz_status st = qz_plan_numbers(text, option, most, &a, &v, &n, err);
    if (st == QZ_OK && n != 1) st = qz_fail(err, QZ_EUSAGE, "one number for --%s, found '%s': 'quantz plan' makes tables of several", option, text);
    if (st == QZ_OK) *out = v[0];
    qz_arena_release(&a);
    return st;
}
