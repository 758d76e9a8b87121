/* What names and shapes say of a tensor: the rows of loose_names.def, and how a layer's experts lie in one tensor. */
#include "artifacts/loose.h"
#include <stdio.h>
#include <string.h>

static const qz_loose_rule kept[] = {
#define QZ_LOOSE_KEPT(pattern, what, one, listed, why) { pattern, what, one, listed, false, why },
#include "artifacts/loose_names.def"
#undef QZ_LOOSE_KEPT
};
static const qz_loose_rule cases[QZ_LOOSE_CASES] = {
#define QZ_LOOSE_CASE(id, what, one, listed, misfit, why) \
    [QZ_LOOSE_##id] = { NULL, what, one, listed, misfit, why },
#include "artifacts/loose_names.def"
#undef QZ_LOOSE_CASE
};
static const struct { const char *leaf; qz_expert_part part; const char *out[2]; } leaves[] = {
#define QZ_LOOSE_EXPERTS(leaf, part, first, second) { leaf, QZ_PART_##part, { first, second } },
#include "artifacts/loose_names.def"
#undef QZ_LOOSE_EXPERTS
};
static const char *const merged[][QZ_LOOSE_MERGED_MOST] = {
#define QZ_LOOSE_MERGED(...) { __VA_ARGS__ },
#include "artifacts/loose_names.def"
#undef QZ_LOOSE_MERGED
};
const qz_loose_rule *qz_loose_rule_of(qz_loose_case c) { return &cases[c]; }

/* ---- patterns ---- */
typedef struct { const char *at; size_t n; } span;

/* One part of a name against one of a pattern. The last * is where a mismatch goes back to. */
static bool part_fits(span p, span s) {
    size_t i = 0, k = 0, star = SIZE_MAX, from = 0;
    while (k < s.n) {
        if (i < p.n && p.at[i] == '*') star = i++, from = k;
        else if (i < p.n && p.at[i] == s.at[k]) i++, k++;
        else if (star == SIZE_MAX) return false;
        else i = star + 1, k = ++from;
    }
    while (i < p.n && p.at[i] == '*') i++;
    return i == p.n;
}

static span part_at(const char *s, size_t n) {
    span x = { s, 0 };
    while (x.n < n && s[x.n] != '.') x.n++;
    return x;
}

/* Does the pattern fit the parts from here on? */
static bool run_fits(span p, span s, bool to_end) {
    for (;;) {
        const span a = part_at(p.at, p.n), b = part_at(s.at, s.n);
        if (!part_fits(a, b)) return false;
        if (a.n == p.n) return !to_end || b.n == s.n;
        if (b.n == s.n) return false;
        p = (span){ p.at + a.n + 1, p.n - a.n - 1 };
        s = (span){ s.at + b.n + 1, s.n - b.n - 1 };
    }
}

static bool fits(const char *pattern, span module) {
    size_t n = strlen(pattern);
    const bool to_end = n && pattern[n - 1] == '$';
    n -= to_end;
    for (span s = module;;) {
        if (run_fits((span){ pattern, n }, s, to_end)) return true;
        const span part = part_at(s.at, s.n);
        if (part.n == s.n) return false;
        s = (span){ s.at + part.n + 1, s.n - part.n - 1 };
    }
}

static const qz_loose_rule *by_name(span module) {
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (fits(kept[i].pattern, module)) return &kept[i];
    return NULL;
}

const qz_loose_rule *qz_loose_judge(const qz_st_tensor *t) {
    const bool weight = qz_str_ends(t->name, ".weight") && t->name[0] != '.';
    const span module = { t->name, strlen(t->name) - (weight ? strlen(".weight") : 0) };
    qz_loose_leaf leaf;
    if (qz_st_float_type(t->dtype) == QZ_TYPE_NONE) return &cases[QZ_LOOSE_TYPE];
    if (t->elems == 0) return &cases[QZ_LOOSE_EMPTY];
    if (qz_str_ends(t->name, ".bias")) return &cases[QZ_LOOSE_BIAS];
    const qz_loose_rule *r = by_name(module);
    if (r) return r;
    if (qz_loose_leaf_of(t->name, &leaf) && t->n_dims == (leaf.bias ? 2 : 3)) return NULL;
    if (t->n_dims < 2) return &cases[QZ_LOOSE_VECTOR];
    if (t->n_dims > 2) return &cases[QZ_LOOSE_DEEP];
    return weight ? NULL : &cases[QZ_LOOSE_TABLE];
}

/* ---- experts of a layer in one tensor ---- */
bool qz_loose_leaf_of(const char *name, qz_loose_leaf *out) {
    const char *dot = NULL;
    for (const char *p = name; (p = strstr(p, "experts.")) != NULL; p++)
        if (p == name || p[-1] == '.') dot = p + strlen("experts");
    for (size_t i = 0; dot && i < sizeof leaves / sizeof *leaves; i++) {
        const size_t n = strlen(leaves[i].leaf);
        const char *rest = dot + 1 + n;
        if (strncmp(dot + 1, leaves[i].leaf, n) != 0) continue;
        const bool bias = strcmp(rest, "_bias") == 0;
        if (*rest && !bias && strcmp(rest, ".weight") != 0) continue;
        *out = (qz_loose_leaf){ leaves[i].part, bias, { leaves[i].out[0], leaves[i].out[1] }, (size_t)(dot - name) };
        return true;
    }
    return false;
}

/* The layer's tensor of that part; NULL: none, or of another rank. */
static const qz_st_tensor *part_of(const qz_st_dir *d, const char *name, size_t parent, qz_expert_part part) {
    char other[QZ_ST_MAX_NAME + 32];
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++)
        for (int suffix = 0; suffix < 2 && leaves[i].part == part; suffix++) {
            if (snprintf(other, sizeof other, "%.*s.%s%s", (int)parent, name, leaves[i].leaf,
                         suffix ? ".weight" : "") >= (int)sizeof other)
                continue;
            const qz_st_tensor *t = qz_st_dir_find(d, other, NULL);
            if (t) return t->n_dims == 3 && t->elems ? t : NULL;
        }
    return NULL;
}

/* Does the layer store experts one by one beside those in one tensor? */
static bool taken(const qz_st_dir *d, const char *name, size_t parent) {
    char one[QZ_ST_MAX_NAME + 64];
    bool yes = false;
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++)
        for (size_t k = 0; k < 2 && leaves[i].out[k]; k++) {
            (void)snprintf(one, sizeof one, "%.*s.0.%s.weight", (int)parent, name, leaves[i].out[k]);
            yes |= qz_st_dir_find(d, one, NULL) != NULL;
        }
    return yes;
}

enum { EXPERTS_MOST = 1 << 14 };

/* Rows of gate and up lie in one tensor: the shapes of both tensors fit one reading only, [2·width, hidden] beside
 * [hidden, width] or [hidden, 2·width] beside [width, hidden] (both would ask for hidden = 2·width = 2·hidden). */
static const qz_loose_rule *fused_of(const qz_st_tensor *g, const qz_st_tensor *d, qz_loose_stack *out) {
    const uint64_t *a = g->dims, *b = d->dims;
    const bool straight = a[2] == b[1] && a[1] / 2 == b[2] && a[1] % 2 == 0,
               turned = a[1] == b[2] && a[2] / 2 == b[1] && a[2] % 2 == 0;
    if (!straight && !turned) return &cases[QZ_LOOSE_MISFIT];
    out->turned = turned;
    out->width = turned ? b[1] : b[2];
    out->hidden = turned ? b[2] : b[1];
    return NULL;
}
/* Apart their shapes fit both readings: hidden_size decides. */
static const qz_loose_rule *apart_of(const qz_st_tensor *g, const qz_st_tensor *u, const qz_st_tensor *d,
                                     uint64_t hidden, qz_loose_stack *out) {
    const uint64_t *a = g->dims, *b = d->dims;
    if (a[0] != u->dims[0] || a[1] != u->dims[1] || a[2] != u->dims[2] || a[1] != b[2] || a[2] != b[1])
        return &cases[QZ_LOOSE_MISFIT];
    if (a[1] == a[2] || (a[1] != hidden && a[2] != hidden)) return &cases[QZ_LOOSE_SIDES];
    out->turned = a[1] == hidden;
    out->width = out->turned ? a[2] : a[1];
    out->hidden = hidden;
    return NULL;
}

const qz_loose_rule *qz_loose_stack_of(const qz_st_dir *d, const char *name, const qz_loose_leaf *leaf, uint64_t hidden,
                                       qz_loose_stack *out) {
    const qz_st_tensor *both = part_of(d, name, leaf->parent, QZ_PART_GATE_UP),
                       *gate = part_of(d, name, leaf->parent, QZ_PART_GATE),
                       *up = part_of(d, name, leaf->parent, QZ_PART_UP),
                       *down = part_of(d, name, leaf->parent, QZ_PART_DOWN);
    if (!down || (both ? gate || up : !gate || !up)) return &cases[QZ_LOOSE_MISFIT];
    out->experts = down->dims[0];
    if ((both ? both : gate)->dims[0] != out->experts || out->experts > EXPERTS_MOST) return &cases[QZ_LOOSE_MISFIT];
    if (taken(d, name, leaf->parent)) return &cases[QZ_LOOSE_MISFIT];
    return both ? fused_of(both, down, out) : apart_of(gate, up, down, hidden, out);
}

/* ---- merged by engines ---- */
/* The row that has the last part of the module's name; *n: letters before that part. */
static const char *const *merged_row(const char *name, size_t *before) {
    const size_t n = strlen(name) - strlen(".weight");
    *before = n;
    while (*before && name[*before - 1] != '.') --*before;
    for (size_t i = 0; i < sizeof merged / sizeof *merged; i++)
        for (size_t k = 0; k < QZ_LOOSE_MERGED_MOST && merged[i][k]; k++)
            if (strlen(merged[i][k]) == n - *before && strncmp(merged[i][k], name + *before, n - *before) == 0)
                return merged[i];
    return NULL;
}

static const qz_tensor_view *named(const qz_model *m, const char *name) {
    size_t lo = 0, hi = m->n_tensors;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const int c = strcmp(m->loose->by_name[mid]->name, name);
        if (c == 0) return m->loose->by_name[mid];
        if (c < 0) lo = mid + 1;
        else hi = mid;
    }
    return NULL;
}

size_t qz_loose_merged(const qz_model *m, const qz_tensor_view *t, const qz_tensor_view *out[QZ_LOOSE_MERGED_MOST]) {
    char name[QZ_ST_MAX_NAME + 64];
    size_t before, n = 0;
    const char *const *row = qz_str_ends(t->name, ".weight") ? merged_row(t->name, &before) : NULL;
    for (size_t k = 0; row && k < QZ_LOOSE_MERGED_MOST && row[k]; k++) {
        (void)snprintf(name, sizeof name, "%.*s%s.weight", (int)before, t->name, row[k]);
        const qz_tensor_view *other = named(m, name);
        if (other && other->cols == t->cols) out[n++] = other;
    }
    if (n == 0) out[n++] = t;
    return n;
}
