/* The plan of a folder from names and shapes alone: what of each stored tensor is coded, and in what it stays. */
#include "artifacts/loose.h"
#include "artifacts/module_rules.h"
#include "artifacts/schemes.h"
#include "base/size.h"
#include "codecs/types.h"
#include <stdlib.h>
#include <string.h>

size_t qz_loose_most(const qz_model *m) {
    size_t n = 0;
    for (size_t i = 0; i < m->loose->n; i++) n += qz_max_size(1, m->loose->t[i].n);
    return n;
}

static qz_artifact_item view_item(const qz_tensor_view *t, bool linear) {
    return (qz_artifact_item){ .source = t, .name = t->name, .out_name = t->name, .type = qz_tensor_float_type(t),
                               .rows = t->rows, .cols = t->cols, .n_dims = t->n_dims, .layer = -1,
                               .linear = linear ? 0 : -1 };
}

/* As it is stored. */
static qz_artifact_item raw_item(const qz_loose_tensor *x, const qz_loose_rule *rule, const char *note) {
    const qz_st_tensor *t = x->t;
    const size_t rows = t->n_dims > 1 ? (size_t)t->dims[0] : 1;
    const qz_type type = qz_st_float_type(t->dtype);
    return (qz_artifact_item){ .raw = t, .rule = rule, .note = note, .name = t->name, .out_name = t->name,
                               .type = type == QZ_TYPE_NONE ? QZ_TYPE_F32 : type, .rows = rows, .misfit = rule->misfit,
                               .cols = rows ? (size_t)(t->elems / rows) : 0,
                               .n_dims = t->n_dims, .layer = -1, .linear = -1, .bytes = t->bytes };
}

/* Can the scheme hold every matrix of x? Only a shape that it refuses is a no. */
static qz_status fits(const qz_folder_kind *kind, const qz_artifact_plan *p, const qz_loose_tensor *x, qz_arena *arena,
                      bool *yes, qz_error *err) {
    const size_t n = x->parent && x->n > 1 ? 2 : 1; /* the experts of a layer are of one shape */
    for (size_t i = 0; i < n; i++) {
        qz_error why = {0};
        qz_artifact_item it = view_item(&p->model->tensors[x->first + i], true);
        const qz_status st = qz_folder_settle(kind, p, true, arena, &it, &why);
        *yes = st == QZ_OK;
        if (st == QZ_EUNSUPPORTED) return QZ_OK;
        if (st != QZ_OK) return qz_fail(err, st, "%s", why.text);
    }
    return QZ_OK;
}

/* Experts of one layer stand together, in the order of their parents' names. */
static int by_parent(const void *a, const void *b) {
    const qz_loose_tensor *x = *(const qz_loose_tensor *const *)a, *y = *(const qz_loose_tensor *const *)b;
    const int c = strncmp(x->t->name, y->t->name, qz_min_size(x->parent, y->parent));
    return c ? c : (x->parent > y->parent) - (x->parent < y->parent);
}

/* refused [n]: the scheme cannot hold them. All tensors of a layer's experts go one way. */
static qz_status refuse(const qz_folder_kind *kind, const qz_artifact_plan *p, qz_arena *arena, bool *refused,
                        qz_error *err) {
    const qz_loose *l = p->model->loose;
    const qz_loose_tensor **split = qz_arena_alloc(arena, l->n + 1, sizeof *split);
    size_t n = 0;
    if (!split) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
    for (size_t i = 0; i < l->n; i++) {
        bool yes = true;
        if (l->t[i].rule == NULL && !l->t[i].bias) QZ_TRY(fits(kind, p, &l->t[i], arena, &yes, err));
        refused[i] = !yes;
        if (l->t[i].rule == NULL && l->t[i].parent) split[n++] = &l->t[i];
    }
    qsort(split, n, sizeof *split, by_parent);
    for (size_t i = 0, end; i < n; i = end) {
        bool any = false;
        for (end = i; end < n && by_parent(&split[i], &split[end]) == 0; end++) any |= refused[split[end] - l->t];
        for (size_t k = i; k < end; k++) refused[split[k] - l->t] = any;
    }
    return QZ_OK;
}

/* "columns are no multiple of 16" where that is why. */
static const char *shape_note(const qz_artifact_plan *p, const qz_loose_tensor *x, qz_arena *arena) {
    const uint32_t group = p->spec.group_size;
    const qz_tensor_view *t = &p->model->tensors[x->first];
    if (x->parent) return NULL;
    return group && group != QZ_WHOLE_ROW && t->cols % group
               ? qz_arena_printf(arena, "columns are no multiple of %u", group)
               : NULL;
}

static qz_status add_views(const qz_folder_kind *kind, qz_artifact_plan *p, const qz_loose_tensor *x, qz_arena *arena,
                           qz_error *err) {
    for (size_t i = 0; i < x->n; i++) {
        qz_artifact_item *it = &p->items[p->n_items];
        *it = view_item(&p->model->tensors[x->first + i], !x->bias);
        QZ_TRY(qz_folder_settle(kind, p, !x->bias, arena, it, err));
        p->n_items++;
        if (it->type == QZ_TYPE_CODED) continue;
        if (x->bias) it->rule = qz_loose_rule_of(QZ_LOOSE_BIAS);
        else if (x->parent) it->rule = qz_loose_rule_of(QZ_LOOSE_MODULE);
        else *it = raw_item(x, qz_loose_rule_of(QZ_LOOSE_MODULE), it->note);
    }
    return QZ_OK;
}

/* What was taken apart, and by which reading: names and shapes do not say it all. */
static qz_status say_split(qz_artifact_plan *p, const bool *refused, qz_arena *arena, qz_error *err) {
    const qz_loose *l = p->model->loose;
    size_t tensors = 0, linears = 0, fused = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (l->t[i].rule || !l->t[i].parent || l->t[i].bias || refused[i]) continue;
        tensors++;
        linears += l->t[i].n;
        fused += strstr(l->t[i].t->name + l->t[i].parent, "gate_up") != NULL;
    }
    if (tensors == 0) return QZ_OK;
    return qz_plan_note(p, arena, err,
                        "%zu tensors that hold the experts of a layer in one become %zu linears of their own%s",
                        tensors, linears,
                        !fused          ? ""
                        : l->interleaved ? ": of gate_up_proj even rows are gate, odd rows up, as gpt_oss stores it"
                                         : ": of gate_up_proj the first half is gate, the second up");
}

qz_status qz_loose_items(const qz_folder_kind *kind, qz_artifact_plan *p, qz_arena *arena, qz_error *err) {
    const qz_loose *l = p->model->loose;
    bool *refused = qz_arena_calloc(arena, l->n + 1, sizeof *refused);
    size_t coded = 0;
    if (!refused) return qz_fail(err, QZ_EMEMORY, "out of memory planning '%s'", p->model->path);
    QZ_TRY(refuse(kind, p, arena, refused, err));
    for (size_t i = 0; i < l->n; i++) {
        const qz_loose_tensor *x = &l->t[i];
        if (x->rule == NULL && !refused[i]) {
            QZ_TRY(add_views(kind, p, x, arena, err));
            continue;
        }
        const qz_loose_case why = x->parent ? QZ_LOOSE_STACK : QZ_LOOSE_SHAPE;
        p->items[p->n_items++] = raw_item(x, x->rule ? x->rule : qz_loose_rule_of(why),
                                          x->rule ? NULL : shape_note(p, x, arena));
    }
    for (size_t i = 0; i < p->n_items; i++) coded += p->items[i].type == QZ_TYPE_CODED;
    if (coded == 0)
        return qz_fail(err, QZ_EUNSUPPORTED,
                       "nothing to quantize: folder '%s', family '%s': expected linears NAME.weight whose shapes %s "
                       "can hold, found none ('quantz inspect' lists the tensors)",
                       p->model->path, l->family, p->spec.name);
    return say_split(p, refused, arena, err);
}

/* ---- modules that stay float ---- */
static bool add(json_t *names, const char *name, size_t n) {
    return json_array_append_new(names, json_stringn(name, n)) == 0;
}

/* Experts in one tensor: loaders ask for the layer's experts, or for one of them. */
static bool add_stack(const qz_artifact_plan *p, json_t *names, const char *name, size_t parent) {
    qz_str pattern = {0};
    qz_str_puts(&pattern, "re:");
    for (size_t i = 0; i < parent; i++) qz_str_printf(&pattern, "%s%c", name[i] == '.' ? "\\" : "", name[i]);
    qz_str_puts(&pattern, "\\..*");
    bool ok = !pattern.failed && add(names, name, parent);
    if (ok && p->spec.scheme == QZ_SCHEME_CT) ok = add(names, pattern.ptr, pattern.len);
    qz_str_release(&pattern);
    return ok;
}

json_t *qz_loose_kept(const qz_artifact_plan *p, bool head) {
    json_t *names = json_array();
    bool ok = names && (!head || add(names, "lm_head", strlen("lm_head")));
    const char *last = NULL; /* experts whose layer is named already */
    size_t n_last = 0;
    for (size_t i = 0; ok && i < p->n_items; i++) {
        const qz_artifact_item *it = &p->items[i];
        const bool weight = qz_str_ends(it->name, ".weight");
        const size_t n = strlen(it->name) - (weight ? strlen(".weight") : 0);
        qz_loose_leaf leaf;
        if (!it->rule || (head && strcmp(it->name, "lm_head.weight") == 0)) continue;
        if (it->raw && it->raw->n_dims == 3 && qz_loose_leaf_of(it->name, &leaf)) {
            if (last && n_last == leaf.parent && strncmp(last, it->name, n_last) == 0) continue;
            last = it->name, n_last = leaf.parent;
            ok = add_stack(p, names, last, n_last);
        } else if (it->rule->listed && weight && it->n_dims == 2) ok = add(names, it->name, n);
    }
    if (ok) return names;
    json_decref(names);
    return NULL;
}
