#include "deploy/faults_int.h"
#include "artifacts/folder.h"
#include "base/half.h"
#include "base/json.h"
#include "base/size.h"
#include "formats/dtypes.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CONFIG_LIMIT ((size_t)16 << 20)

static const qz_fault_info infos[QZ_FAULT_KINDS] = {
#define QZ_FAULT(id, code_, word_, title_) [QZ_FAULT_##id] = {code_, word_, title_},
#include "deploy/faults.def"
};
const qz_fault_info *qz_fault_info_of(qz_fault_kind k) { return &infos[k]; }

static qz_status no_memory(const qz_mending *m, qz_error *err) {
    return qz_fail(err, QZ_EMEMORY, "out of memory reading '%s'", m->path);
}

/* ---- faults ---- */
qz_status qz_fault_add(qz_mending *m, qz_fault_kind kind, const char *subject, size_t n, qz_fault **out,
                       qz_error *err) {
    if ((m->n_faults & (m->n_faults - 1)) == 0) { /* room doubles */
        qz_fault *more = qz_arena_calloc(&m->arena, m->n_faults ? 2 * m->n_faults : 1, sizeof *more);
        if (!more) return no_memory(m, err);
        if (m->n_faults) memcpy(more, m->faults, m->n_faults * sizeof *more);
        m->faults = more;
    }
    *out = &m->faults[m->n_faults++];
    **out = (qz_fault){.kind = kind, .subject = subject, .n = n, .cost = -1, .left = -1, .problem = "", .mend = ""};
    return QZ_OK;
}
qz_status qz_fault_text(qz_mending *m, const char **out, qz_error *err, const char *fmt, ...) {
    qz_str s = {0};
    va_list ap;
    va_start(ap, fmt);
    qz_str_vprintf(&s, fmt, ap);
    va_end(ap);
    *out = s.failed ? NULL : qz_arena_strdup(&m->arena, s.ptr ? s.ptr : "");
    qz_str_release(&s);
    return *out ? QZ_OK : no_memory(m, err);
}

/* ---- tensors ---- */
static int by_name(const void *a, const void *b) {
    const qz_mended *x = *(qz_mended *const *)a, *y = *(qz_mended *const *)b;
    return strcmp(x->item.name, y->item.name);
}
qz_status qz_mending_index(qz_mending *m, qz_error *err) {
    if (!m->by_name && !(m->by_name = qz_arena_alloc(&m->arena, m->room, sizeof *m->by_name))) return no_memory(m, err);
    m->n_named = 0;
    for (size_t i = 0; i < m->n; i++)
        m->by_name[m->n_named++] = &m->t[i];
    qsort(m->by_name, m->n_named, sizeof *m->by_name, by_name);
    return QZ_OK;
}
qz_mended *qz_mended_find(const qz_mending *m, const char *prefix, size_t n, const char *suffix) {
    char name[QZ_ST_MAX_NAME + 64];
    if (snprintf(name, sizeof name, "%.*s%s", (int)n, prefix, suffix) >= (int)sizeof name) return NULL;
    size_t lo = 0, hi = m->n_named;
    while (lo < hi) {
        const size_t mid = lo + (hi - lo) / 2;
        const int c = strcmp(m->by_name[mid]->item.name, name);
        if (c == 0) return m->by_name[mid]->out ? NULL : m->by_name[mid];
        if (c < 0) lo = mid + 1;
        else hi = mid;
    }
    return NULL;
}
qz_mended *qz_mended_add(qz_mending *m, const qz_st *file, const char *name, qz_st_dtype dtype,
                         const qz_st_item *like) {
    if (m->n == m->room) return NULL;
    qz_mended *x = &m->t[m->n++];
    *x = (qz_mended){.file = file, .item = {.dtype = dtype, .n_dims = like->n_dims}};
    memcpy(x->item.dims, like->dims, sizeof x->item.dims);
    x->item.name = qz_arena_strdup(&m->arena, name);
    return x->item.name ? x : NULL;
}
uint64_t qz_mended_elems(const qz_mended *x) {
    uint64_t n = 1;
    for (uint32_t d = 0; d < x->item.n_dims; d++) n *= x->item.dims[d]; /* checked by the reader */
    return n;
}
static size_t width_of(qz_st_dtype d) { return d == QZ_ST_F32 ? 4 : d == QZ_ST_BF16 || d == QZ_ST_F16 ? 2 : 0; }

float qz_mended_at(const qz_mended *x, size_t i) {
    const uint8_t *p = (x->data ? x->data : x->t->data) + i * width_of(x->item.dtype);
    if (x->item.dtype == QZ_ST_F32) return qz_bits_f32(qz_load_u32le(p));
    return x->item.dtype == QZ_ST_BF16 ? qz_bf16_to_f32(qz_load_u16le(p)) : qz_f16_to_f32(qz_load_u16le(p));
}
bool qz_mended_scalar(const qz_mended *x, float *out) {
    if (!x || qz_mended_elems(x) != 1 || width_of(x->item.dtype) == 0) return false;
    *out = qz_mended_at(x, 0);
    return true;
}
qz_status qz_mended_set(qz_mending *m, qz_mended *x, const float *v, size_t n, qz_error *err) {
    const size_t width = width_of(x->item.dtype), elems = (size_t)qz_mended_elems(x);
    uint8_t *p = width ? qz_arena_alloc(&m->arena, elems, width) : NULL;
    if (!p) return no_memory(m, err);
    for (size_t i = 0; i < elems; i++) {
        const float f = v[n == elems ? i : 0];
        if (width == 4) qz_store_u32le(p + 4 * i, qz_f32_bits(f));
        else qz_store_u16le(p + 2 * i, x->item.dtype == QZ_ST_BF16 ? qz_f32_to_bf16(f) : qz_f32_to_f16(f));
    }
    x->data = p;
    return QZ_OK;
}
size_t qz_mended_module(const qz_mended *x, const char *suffix) {
    return !x->out && qz_str_ends(x->item.name, suffix) ? strlen(x->item.name) - strlen(suffix) : 0;
}

/* ---- names ---- */
enum { ALWAYS, IN_BLOCKS, FP4 };
typedef struct { unsigned methods; int when; const char *from, *to, *also; } name_row;
static const name_row rows[] = {
#define QZ_FAULT_NAME(methods, when, from, to, also) {methods, when, from, to, also},
#include "deploy/faults.def"
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static bool applies(const qz_mending *m, const name_row *r, const qz_mended *x, size_t module) {
    const qz_st_dtype d = x->item.dtype;
    if (r->when == IN_BLOCKS) return json_is_array(json_object_get(m->q, "weight_block_size"));
    if (r->when == ALWAYS) return true;
    const qz_mended *s = qz_mended_find(m, x->item.name, module, ".weight_scale"); /* of blocks */
    if (!s || s->item.dtype != QZ_ST_F8_E4M3) return false;
    return strncmp(r->from, ".weight", 7) != 0 || r->from[7] == '_' ? r->from[7] != '_' || d != QZ_ST_F8_E4M3
                                                                   : d == QZ_ST_U8;
}

/* One finding a row, the first tensor its subject. */
static qz_status rename_by(qz_mending *m, const name_row *r, qz_error *err) {
    qz_fault *f = NULL;
    for (size_t i = 0, n = m->n; i < n; i++) {
        qz_mended *x = &m->t[i];
        const size_t k = qz_mended_module(x, r->from);
        if (k == 0 || !applies(m, r, x, k) || qz_mended_find(m, x->item.name, k, r->to)) continue;
        const char *old = x->item.name;
        char *name = qz_arena_printf(&m->arena, "%.*s%s", (int)k, old, r->to);
        if (!name) return no_memory(m, err);
        if (!f) QZ_TRY(qz_fault_add(m, QZ_FAULT_NAMES, old, 0, &f, err));
        f->n++;
        if (r->also && !qz_mended_find(m, old, k, r->also)) {
            char *second = qz_arena_printf(&m->arena, "%.*s%s", (int)k, old, r->also);
            qz_mended *y = second ? qz_mended_add(m, x->file, second, x->item.dtype, &x->item) : NULL;
            if (!y) return no_memory(m, err);
            y->data = x->data ? x->data : x->t->data;
        }
        x->item.name = name;
    }
    if (!f) return QZ_OK;
    QZ_TRY(qz_fault_text(m, &f->problem, err, "'%s': engines look for '%s'%s%s%s", r->from + 1, r->to + 1,
                         r->also ? " and '" : "", r->also ? r->also + 1 : "", r->also ? "'" : ""));
    QZ_TRY(qz_fault_text(m, &f->mend, err, "renamed%s, values as they are", r->also ? ", a copy for each" : ""));
    return qz_mending_index(m, err);
}
qz_status qz_faults_names(qz_mending *m, qz_error *err) {
    for (size_t i = 0; i < N_ROWS; i++)
        if (rows[i].methods & m->method) QZ_TRY(rename_by(m, &rows[i], err));
    return QZ_OK;
}

/* ---- opening ---- */
static qz_status load(const char *dir, const char *name, json_t **out, qz_error *err) {
    char *path = qz_path_join(dir, name);
    *out = NULL;
    if (!path) return qz_fail(err, QZ_EMEMORY, "out of memory reading '%s'", dir);
    qz_status st = qz_path_exists(path) ? qz_json_load(path, CONFIG_LIMIT, out, err) : QZ_OK;
    qz_free(path);
    return st;
}

static unsigned method_of(const char *dir, qz_error *err) {
    qz_folder_config c;
    unsigned method = 0;
    if (qz_folder_config_load(dir, &c, err) == QZ_OK) {
        const char *s = qz_folder_method(&c);
        method = !s ? 0 : strcmp(s, "compressed-tensors") == 0 ? QZ_MEND_CT : strcmp(s, QZ_FOLDER_MODELOPT) == 0
                          ? QZ_MEND_MODELOPT : strcmp(s, "fp8") == 0 ? QZ_MEND_FP8 : 0;
    }
    qz_folder_config_release(&c);
    return method;
}

static qz_status list_tensors(qz_mending *m, qz_error *err) {
    if (!qz_mul_size(m->dir.n_tensors, 3, &m->room) || !qz_add_size(m->room, 8, &m->room) ||
        !(m->t = qz_arena_calloc(&m->arena, m->room, sizeof *m->t)))
        return no_memory(m, err);
    for (size_t f = 0; f < m->dir.n_files; f++)
        for (size_t i = 0; i < m->dir.files[f].n; i++) {
            const qz_st_tensor *t = &m->dir.files[f].tensors[i];
            qz_mended *x = &m->t[m->n++];
            *x = (qz_mended){.file = &m->dir.files[f], .t = t,
                             .item = {.name = t->name, .dtype = t->dtype, .n_dims = t->n_dims}};
            memcpy(x->item.dims, t->dims, sizeof x->item.dims);
        }
    return qz_mending_index(m, err);
}

static qz_status find(qz_run *run, bool measure, qz_mending *m, qz_error *err) {
    QZ_TRY(qz_st_dir_open(&m->dir, m->path, err));
    QZ_TRY(load(m->path, "config.json", &m->config, err));
    if (m->method == QZ_MEND_MODELOPT) QZ_TRY(load(m->path, "hf_quant_config.json", &m->twin, err));
    m->q = json_object_get(m->config, "quantization_config");
    m->other = json_object_get(m->twin, "quantization");
    QZ_TRY(list_tensors(m, err));
    QZ_TRY(qz_faults_names(m, err));
    QZ_TRY(qz_faults_scales(run, measure, m, err));
    return qz_faults_inputs(m, err);
}

qz_status qz_faults_find(qz_run *run, const char *path, bool measure, qz_mending *m, qz_error *err) {
    qz_error ignored = {0};
    *m = (qz_mending){.path = path, .method = method_of(path, &ignored)};
    if (m->method == 0) return QZ_OK;
    qz_status st = find(run, measure, m, err);
    if (st != QZ_OK) qz_mending_release(m);
    return st;
}
void qz_mending_release(qz_mending *m) {
    qz_st_dir_release(&m->dir);
    json_decref(m->config);
    json_decref(m->twin);
    qz_arena_release(&m->arena);
    *m = (qz_mending){.path = NULL};
}

qz_status qz_mended_bytes(qz_run *run, const qz_mending *m, size_t i, qz_arena *arena, const uint8_t **bytes,
                          uint64_t *n, qz_error *err) {
    const qz_mended *x = &m->t[i];
    QZ_TRY(qz_st_item_bytes(&x->item, n, err));
    *bytes = x->data ? x->data : x->t->data;
    if (!x->again) return QZ_OK;
    const qz_recoding *r = x->again;
    uint8_t *codes = qz_arena_alloc(arena, (size_t)qz_recoding_codes(r), 1),
            *scales = r->scales ? qz_arena_alloc(arena, (size_t)r->scales->bytes, 1) : NULL;
    if (!codes || (r->scales && !scales)) return no_memory(m, err);
    QZ_TRY(qz_recode(run, r, codes, scales, NULL, NULL, err));
    *bytes = x->t == r->scales ? scales : codes;
    return QZ_OK;
}
