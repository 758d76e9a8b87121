/* Findings, the pre-flight and the search for the nearest setting that works. */
#include "deploy/preflight.h"
#include "base/size.h"
#include "deploy/preflight_int.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *qz_finding_level_name(qz_finding_level l) {
    return l == QZ_FINDING_ERROR ? "error" : l == QZ_FINDING_WARN ? "warning" : "note";
}

void qz_findings_add(qz_findings *f, const qz_finding *new, const char *problem, ...) {
    f->count[new->level]++;
    if (f->arena == NULL) return;
    if (f->n == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : 16;
        qz_finding *rows = qz_arena_alloc(f->arena, cap, sizeof *rows);
        if (rows == NULL) {
            f->failed = true;
            return;
        }
        if (f->n) memcpy(rows, f->rows, f->n * sizeof *rows);
        f->rows = rows;
        f->cap = cap;
    }
    char text[768];
    va_list ap;
    va_start(ap, problem);
    (void)vsnprintf(text, sizeof text, problem, ap);
    va_end(ap);
    qz_finding x = *new;
    x.subject = qz_arena_strdup(f->arena, new->subject);
    x.problem = qz_arena_strdup(f->arena, text);
    if (x.subject == NULL || x.problem == NULL) f->failed = true;
    else f->rows[f->n++] = x;
}

bool qz_findings_has(const qz_findings *f, const char *code) {
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->rows[i].code, code) == 0) return true;
    return false;
}

qz_status qz_preflight(const qz_deploy_shape *s, const qz_deploy_spec *spec, const qz_target *t, qz_findings *f,
                       qz_error *err) {
    qz_findings probe = {0};
    const char *near = NULL;
    qz_rules_run(s, spec, t, NULL, &probe);
    if (probe.count[QZ_FINDING_ERROR] + probe.count[QZ_FINDING_WARN] && f->arena) {
        char buf[128];
        near = qz_arena_strdup(f->arena, qz_preflight_nearest(s, spec, t, buf));
        if (near == NULL) f->failed = true;
    }
    qz_rules_run(s, spec, t, near, f);
    return f->failed ? qz_fail(err, QZ_EMEMORY, "out of memory in the pre-flight") : QZ_OK;
}

/* ---- nearest setting ---- */
typedef struct { qz_deploy_spec spec; unsigned tp; unsigned cost; } setting;

static bool works(const qz_deploy_shape *s, const qz_deploy_spec *spec, qz_target t, unsigned tp) {
    qz_findings probe = {0};
    t.tp = tp;
    qz_rules_run(s, spec, &t, NULL, &probe);
    return probe.count[QZ_FINDING_ERROR] == 0;
}
/* Group sizes to try: the one given, then those that writers of the kind offer. 0 behind the last. */
static long group_at(const qz_deploy_spec *spec, size_t i) {
    if (i == 0) return spec->group_size;
    const char *list = qz_deploy_get(spec->kind)->groups;
    qz_piece p = {0};
    while (i && qz_list_next(&list, &p)) i--;
    return i ? 0 : strtol(p.at, NULL, 10);
}
static unsigned group_cost(long from, long to) {
    if (from == to) return 0;
    if (to < 0) return 6; /* one group a row: coarser scales, the last to be offered */
    return from > to ? 1u + (to <= from / 4) : 3u; /* a smaller group keeps the quality */
}

static void try_groups(const qz_deploy_shape *s, const qz_target *t, setting base, setting *best) {
    qz_deploy_spec given = base.spec;
    for (size_t i = 0; i == 0 || group_at(&given, i); i++) {
        setting x = base;
        x.spec.group_size = group_at(&given, i);
        x.cost += group_cost(given.group_size, x.spec.group_size);
        if (x.cost < best->cost && works(s, &x.spec, *t, x.tp)) *best = x;
    }
}

/* The same codes in another layout, which 'convert' writes without loss: of FP4 nothing else is left to make. */
static const char *other_layout(const qz_deploy_shape *s, qz_deploy from, const qz_target *t, char buf[128]) {
    static const struct { qz_deploy from, to; } edges[] = {{QZ_DEPLOY_MODELOPT_FP4, QZ_DEPLOY_NVFP4},
                                                           {QZ_DEPLOY_NVFP4, QZ_DEPLOY_MODELOPT_FP4},
                                                           {QZ_DEPLOY_MODELOPT_MXFP4, QZ_DEPLOY_CT_MXFP4},
                                                           {QZ_DEPLOY_MODELOPT_MXFP4, QZ_DEPLOY_MODELOPT_FP4},
                                                           {QZ_DEPLOY_CT_MXFP4, QZ_DEPLOY_MODELOPT_FP4}};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        const qz_loads *l = qz_loads_get(edges[i].to, t->engine);
        const qz_deploy_spec spec = {.kind = edges[i].to, .bits = 4, .sym = true, .dtype = "bfloat16"};
        if (edges[i].from != from || !l || l->how != QZ_RUNS || !works(s, &spec, *t, t->tp ? t->tp : 1)) continue;
        (void)snprintf(buf, 128, "the same codes in another layout: quantz convert --to %s",
                       qz_deploy_get(edges[i].to)->name);
        return buf;
    }
    return NULL;
}

static const char *other_kind(const qz_deploy_shape *s, const qz_target *t, char buf[128]) {
    static const qz_deploy order[] = {QZ_DEPLOY_GPTQ, QZ_DEPLOY_AWQ, QZ_DEPLOY_CT_INT, QZ_DEPLOY_FP8, QZ_DEPLOY_GGUF,
                                      QZ_DEPLOY_MLX, QZ_DEPLOY_FLOAT};
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        const qz_loads *l = qz_loads_get(order[i], t->engine);
        const qz_deploy_info *k = qz_deploy_get(order[i]);
        qz_deploy_spec spec = {.kind = order[i], .bits = k->bits, .group_size = k->grouped ? 128 : 0, .sym = true,
                               .zero_point = true, .dtype = "float16"};
        if (l == NULL || l->how != QZ_RUNS) continue;
        for (size_t g = 0; g == 0 || (k->grouped && group_at(&spec, g)); g++) {
            qz_deploy_spec x = spec;
            x.group_size = group_at(&spec, g);
            if (!works(s, &x, *t, t->tp ? t->tp : 1)) continue;
            if (x.group_size && x.group_size != 128)
                (void)snprintf(buf, 128, "another format: %s with group_size %ld", k->name, x.group_size);
            else (void)snprintf(buf, 128, "another format: %s", k->name);
            return buf;
        }
    }
    (void)snprintf(buf, 128, "no setting of this program works there");
    return buf;
}

const char *qz_preflight_nearest(const qz_deploy_shape *s, const qz_deploy_spec *spec, const qz_target *t,
                                 char buf[128]) {
    unsigned tp = t->tp ? t->tp : 1;
    const qz_loads *l = qz_loads_get(spec->kind, t->engine);
    const char *same = l && l->how == QZ_REFUSES ? other_layout(s, spec->kind, t, buf) : NULL;
    if (l && l->how == QZ_REFUSES) return same ? same : other_kind(s, t, buf);
    setting best = {.cost = 1000};
    for (unsigned change = 0; change < 16; change++) {
        setting x = {.spec = *spec, .tp = tp};
        if (change & 1u && spec->sym) continue;
        if (change & 2u && !spec->act_order) continue;
        if (change & 4u && (spec->bits == 4 || spec->kind == QZ_DEPLOY_GGUF)) continue;
        if (change & 8u && !*spec->inputs) continue;
        if (change & 8u) x.spec.inputs[0] = 0, x.cost += 2;
        if (change & 1u) x.spec.sym = true, x.cost += 2;
        if (change & 2u) x.spec.act_order = false, x.cost += 2;
        if (change & 4u) x.spec.bits = 4, x.cost += 8;
        for (unsigned down = 0; down == 0 || x.tp > 1; down++) {
            if (down) { /* next smaller power of two */
                unsigned p = 1;
                while (2 * p < x.tp) p *= 2;
                x.tp = p;
                x.cost += 5;
            }
            try_groups(s, t, x, &best);
        }
    }
    if (best.cost == 0) return (void)snprintf(buf, 128, "nothing to change"), buf;
    if (best.cost == 1000) return other_kind(s, t, buf);
    size_t n = 0;
    buf[0] = 0;
#define PART(...) \
    n += (size_t)snprintf(buf + n, 128 - n, "%s", n ? ", " : ""), n += (size_t)snprintf(buf + n, 128 - n, __VA_ARGS__)
    if (best.spec.bits != spec->bits) PART("%u bits", best.spec.bits);
    if (*best.spec.inputs != *spec->inputs) PART("inputs in 16 bits");
    if (best.spec.sym != spec->sym) PART("symmetric");
    if (best.spec.act_order != spec->act_order) PART("no act_order");
    if (best.spec.group_size != spec->group_size) PART("group_size %ld", best.spec.group_size);
    if (best.tp != tp) PART("tensor parallel %u", best.tp);
#undef PART
    return buf;
}

unsigned qz_preflight_max_tp(const qz_deploy_shape *s, const qz_deploy_spec *spec, long group_size) {
    unsigned best = 0;
    for (unsigned tp = 1; tp <= 8; tp *= 2) {
        bool ok = s->heads == 0 || (s->heads % tp == 0 && (s->kv_heads % tp == 0 || tp % s->kv_heads == 0));
        for (size_t i = 0; i < s->n && ok; i++) {
            const qz_deploy_linear *l = &s->linears[i];
            uint64_t k = l->shard == QZ_SHARD_ROW ? l->cols / tp : l->cols;
            ok = (l->shard != QZ_SHARD_ROW || l->cols % tp == 0) && (group_size <= 0 || k % (uint64_t)group_size == 0);
            if (ok && spec->bits && group_size && l->shard == QZ_SHARD_ROW) ok = k * spec->bits % 32 == 0;
            if (ok && l->shard == QZ_SHARD_COLUMN && !(l->fused && strcmp(l->fused, "qkv") == 0))
                ok = l->rows % tp == 0 && (spec->kind != QZ_DEPLOY_AWQ || l->rows / tp % 8 == 0);
        }
        if (!ok) break;
        best = tp;
    }
    return best;
}
